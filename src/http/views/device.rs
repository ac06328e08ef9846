//! A device as operators see it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::kitchen::device::{LaneState, Quarantine, Recovery};
use crate::kitchen::{Content, Device, Kitchen, Lane, Millis};

use super::time::until;
use super::word;
use super::words::{
    ActionWord, ConditionWord, DeviceKindWord, DeviceStateWord, LifeWord, ModeWord, RecoveryWord, StandingWord,
};

/// A device.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeviceView {
    /// Its id.
    pub id: String,
    /// robot.before_oven, robot.after_oven, oven, camera or human.
    #[schema(value_type = DeviceKindWord)]
    pub kind: &'static str,
    /// One word: IDLE, BUSY, HELD, SUSPENDED, SUSPECT, LOST, STUCK, QUARANTINED, DRAINING, MAINTENANCE, PENDING or RETIRED.
    #[schema(value_type = DeviceStateWord)]
    pub state: &'static str,
    /// Whether it counts for the kitchen's capacity.
    pub up: bool,
    /// PENDING, ADOPTED, DRAINING, MAINTENANCE or RETIRED.
    #[schema(value_type = StandingWord)]
    pub standing: String,
    /// LIVE, SUSPECT, LOST or STUCK.
    #[schema(value_type = LifeWord)]
    pub life: String,
    /// Held by an operator, or with its zone.
    pub held: bool,
    /// The part of the kitchen that it stands in.
    pub zone: String,
    /// Maker's name.
    pub model: String,
    /// Firmware.
    pub firmware: String,
    /// Version of the device protocol.
    pub protocol: u32,
    /// Who may move it: AUTOMATIC, INTERVENED, MANUAL, SERVICE or STARTUP.
    #[schema(value_type = ModeWord)]
    pub mode: String,
    /// IDLE, EXECUTE, HELD, SUSPENDED, STOPPED or ABORTED.
    #[schema(value_type = ConditionWord)]
    pub condition: String,
    /// Emergency stop.
    pub estop: bool,
    /// Codes of its present errors.
    pub errors: Vec<String>,
    /// What it can do.
    #[schema(value_type = Vec<ActionWord>)]
    pub actions: Vec<&'static str>,
    /// Grippers, slots or views.
    pub lanes: Vec<LaneView>,
    /// Its present life, as 16 hex digits.
    pub boot: Option<String>,
    /// The highest epoch that it has seen.
    pub fence: u64,
    /// Failures within the window.
    pub failures_recent: usize,
    /// All failures ever.
    pub failures_total: u64,
    /// Steps that succeeded here.
    pub successes_total: u64,
    /// The present quarantine.
    pub quarantine: Option<QuarantineView>,
    /// READY, CLEARING, SELF_TEST or TRIAL: how far it is on its way back.
    #[schema(value_type = RecoveryWord)]
    pub recovery: &'static str,
}

/// A span without work.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct QuarantineView {
    /// How long it lasts yet; none waits for a person (`release`).
    pub ends_in_ms: Option<i64>,
    /// Which one it is; each lasts longer.
    pub number: u32,
}

/// One lane.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LaneView {
    /// Its number within the device.
    #[schema(value_type = u8)]
    pub lane: Lane,
    /// The pizza on it; `unknown` if there is something and the device does not know what.
    pub content: Option<String>,
    /// Attempts that may still touch it.
    pub attempts: Vec<String>,
    /// The incident that asks a person to clear it.
    pub incident: Option<u64>,
}

impl DeviceView {
    /// A device of this kitchen.
    pub fn of(device: &Device, kitchen: &Kitchen, now: Millis) -> Self {
        Self {
            id: device.id.to_string(),
            kind: device.facts.kind.as_str(),
            state: device.state_word(),
            up: device.is_up(),
            standing: word(&device.standing),
            life: word(&device.life),
            held: kitchen.is_held(&device.id),
            zone: device.facts.zone.clone(),
            model: device.facts.model.clone(),
            firmware: device.facts.firmware.clone(),
            protocol: device.facts.protocol,
            mode: word(&device.mode),
            condition: word(&device.condition),
            estop: device.estop,
            errors: device.errors.clone(),
            actions: device.facts.actions.iter().map(|a| a.action.as_str()).collect(),
            lanes: device.lanes.iter().map(|(lane, state)| LaneView::of(*lane, state)).collect(),
            boot: device.boot.map(|boot| format!("{boot:016x}")),
            fence: device.fence.0,
            failures_recent: device.failures.len(),
            failures_total: device.failures_total,
            successes_total: device.successes_total,
            quarantine: device.quarantine.map(|q| QuarantineView::of(q, device.quarantines, now)),
            recovery: match device.recovery {
                Recovery::Ready => "READY",
                Recovery::Clearing => "CLEARING",
                Recovery::SelfTest(_) => "SELF_TEST",
                Recovery::Trial => "TRIAL",
            },
        }
    }
}

impl QuarantineView {
    fn of(quarantine: Quarantine, number: u32, now: Millis) -> Self {
        Self { ends_in_ms: quarantine.until.map(|at| until(at, now)), number }
    }
}

impl LaneView {
    fn of(lane: Lane, state: &LaneState) -> Self {
        let content = state.content.map(|content| match content {
            Content::Unknown => "unknown".to_owned(),
            Content::Pizza(pizza) => pizza.to_string(),
        });
        let attempts = state.busy.iter().map(ToString::to_string).collect();
        Self { lane, content, attempts, incident: state.blocked }
    }
}
