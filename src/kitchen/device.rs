//! A device as the kitchen knows it: what it is, how it is, what its lanes hold, and whether it may work.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::command::Life;
use super::ids::{DeviceId, Epoch, InstructionId, Lane, Millis, PizzaId};
use super::recipe::SPAN_MS_MAX;
use super::report::{AttemptId, Condition, Content, Mode};
use super::vocabulary::{Action, DeviceKind};

/// What a device says it is and can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// What it is.
    pub kind: DeviceKind,
    /// Maker's name.
    pub model: String,
    /// Firmware.
    pub firmware: String,
    /// Version of the device protocol.
    pub protocol: u32,
    /// The part of the kitchen that it stands in; empty for no part.
    pub zone: String,
    /// Its grippers, slots or views.
    pub lanes: Vec<Lane>,
    /// What it can do.
    pub actions: Vec<ActionFact>,
    /// A camera: which steps it sees.
    pub stages: Vec<String>,
    /// How often its heart beats.
    pub heartbeat_ms: Millis,
    /// How long it may start a task with `after` once no lease names it any more.
    #[serde(default)]
    pub orphan_ms: Millis,
}

/// The longest span for which a device may start tasks on its own; what the device protocol allows.
const ORPHAN_MS_MAX: Millis = 600_000;

/// One thing that a device can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionFact {
    /// What.
    pub action: Action,
    /// How long it usually takes, where no instruction says.
    pub typ_ms: Millis,
    /// When its watchdog ends it.
    pub max_ms: Millis,
}

impl Facts {
    /// True when it says that it can do this.
    pub fn can(&self, action: Action) -> bool {
        self.actions.iter().any(|a| a.action == action)
    }

    /// Whether a kitchen can plan with them. What a device says goes into sums of moments on every replica: a figure without bounds
    /// would end them all.
    pub fn check(&self) -> Result<(), String> {
        if let Some(action) = self.foreign_action() {
            return Err(format!("says it is a {} and claims to {action}: no such device does that", self.kind));
        }
        if self.lanes.is_empty() || self.lanes.len() > 16 {
            return Err(format!("names {} lanes: use 1 to 16", self.lanes.len()));
        }
        if !(20..=60_000).contains(&self.heartbeat_ms) {
            return Err(format!("beats every {} ms: use 20 to 60000", self.heartbeat_ms));
        }
        if self.orphan_ms > ORPHAN_MS_MAX {
            return Err(format!(
                "starts tasks {} ms after its last lease: use at most {ORPHAN_MS_MAX}",
                self.orphan_ms
            ));
        }
        if self.zone.len() > 48 || self.stages.len() > 8 || self.actions.len() > 32 {
            return Err("names too much: use a zone of at most 48 bytes, 8 stages and 32 actions".to_owned());
        }
        match self.actions.iter().find(|a| a.typ_ms > SPAN_MS_MAX || a.max_ms > SPAN_MS_MAX) {
            Some(fact) => {
                Err(format!("needs {} ms to {}: use at most {SPAN_MS_MAX}", fact.typ_ms.max(fact.max_ms), fact.action))
            }
            None => Ok(()),
        }
    }

    /// An action that no device of this kind can do, if it claims one.
    pub fn foreign_action(&self) -> Option<Action> {
        self.actions.iter().map(|a| a.action).find(|a| !actions_of(self.kind).contains(a))
    }
}

/// What devices of a kind may be told to do.
pub fn actions_of(kind: DeviceKind) -> &'static [Action] {
    match kind {
        DeviceKind::BeforeOven => &[Action::Prep, Action::Load, Action::Discard],
        DeviceKind::AfterOven => &[Action::Unload, Action::Finish, Action::Discard, Action::Shelve],
        DeviceKind::Oven => &[Action::Bake],
        DeviceKind::Camera => &[Action::Inspect],
        DeviceKind::Human => &[
            Action::Prep,
            Action::Load,
            Action::Unload,
            Action::Finish,
            Action::Discard,
            Action::Shelve,
            Action::Inspect,
        ],
    }
}

/// Whether a device belongs to the kitchen: a person's word, or the site's setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Standing {
    /// It announced itself; nobody said yes yet.
    Pending,
    /// It works here.
    Adopted,
    /// It finishes what it has and gets nothing more.
    Draining,
    /// A technician has it.
    Maintenance,
    /// Gone for good.
    Retired,
}

/// How far a device is on its way back after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Recovery {
    /// Nothing stands in the way.
    Ready,
    /// It rebooted with something on it: that must be cleared first.
    Clearing,
    /// It was told to test itself.
    SelfTest(InstructionId),
    /// One task on trial.
    Trial,
}

/// A span without work, after too many failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// It ends at this moment; None waits for a person.
    pub until: Option<Millis>,
}

/// A failure on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// When.
    pub at: Millis,
    /// At which item, so that a bad recipe can be told from a bad robot: order number and position.
    pub item: Option<(u64, u16)>,
}

/// What one lane holds, and which attempts may still touch it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneState {
    /// What is on it, by the device's word.
    pub content: Option<Content>,
    /// Attempts that are not proven over.
    pub busy: BTreeSet<AttemptId>,
    /// The incident that asks a person to clear it.
    pub blocked: Option<u64>,
}

impl LaneState {
    /// True when something new may be put there.
    pub fn is_free(&self) -> bool {
        self.content.is_none() && self.busy.is_empty() && self.blocked.is_none()
    }
}

/// A device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// What it says it is.
    pub facts: Facts,
    /// Whether it belongs here.
    pub standing: Standing,
    /// Held by an operator.
    pub held: bool,
    /// Whether it is alive.
    pub life: Life,
    /// Its present life.
    pub boot: Option<u64>,
    /// The last revision of its state.
    pub rev: u64,
    /// Lives before this one, the latest last.
    pub former_boots: Vec<u64>,
    /// When messages of a former life came lately: two devices with one id look like this.
    pub flips: Vec<Millis>,
    /// Who may move it.
    pub mode: Mode,
    /// How it is.
    pub condition: Condition,
    /// Emergency stop.
    pub estop: bool,
    /// The highest epoch that it has seen.
    pub fence: Epoch,
    /// Codes of its present errors.
    pub errors: Vec<String>,
    /// Its lanes.
    pub lanes: BTreeMap<Lane, LaneState>,
    /// Failures within the window.
    pub failures: Vec<Failure>,
    /// All failures ever.
    pub failures_total: u64,
    /// How often it was in quarantine; each time lasts longer.
    pub quarantines: u32,
    /// The present one.
    pub quarantine: Option<Quarantine>,
    /// Its way back.
    pub recovery: Recovery,
    /// Steps that succeeded here.
    pub successes_total: u64,
    /// It said no, or let something expire: nothing new before this moment.
    pub rest_until: Option<Millis>,
    /// How often it said so since its last success.
    #[serde(default)]
    pub refusals: u32,
}

impl Device {
    /// A device that announced itself.
    pub fn new(id: DeviceId, facts: Facts, standing: Standing) -> Self {
        let lanes = facts.lanes.iter().map(|lane| (*lane, LaneState::default())).collect();
        Self {
            id,
            facts,
            standing,
            held: false,
            life: Life::Live,
            boot: None,
            rev: 0,
            former_boots: Vec::new(),
            flips: Vec::new(),
            mode: Mode::Startup,
            condition: Condition::Idle,
            estop: false,
            fence: Epoch(0),
            errors: Vec::new(),
            lanes,
            failures: Vec::new(),
            failures_total: 0,
            quarantines: 0,
            quarantine: None,
            recovery: Recovery::Ready,
            successes_total: 0,
            rest_until: None,
            refusals: 0,
        }
    }

    /// True when it counts for the kitchen's capacity: adopted, alive, and nothing keeps it from work for long.
    pub fn is_up(&self) -> bool {
        self.standing == Standing::Adopted
            && matches!(self.life, Life::Live | Life::Suspect)
            && self.boot.is_some()
            && self.quarantine.is_none()
            && !self.held
            && !self.estop
            && self.mode == Mode::Automatic
            && !matches!(self.condition, Condition::Aborted | Condition::Stopped)
            && matches!(self.recovery, Recovery::Ready | Recovery::Trial | Recovery::SelfTest(_))
    }

    /// True when it may be told to do something new under this epoch.
    pub fn may_work(&self, epoch: Epoch) -> bool {
        let trial_running = || self.lanes.values().any(|lane| !lane.busy.is_empty());
        self.is_up()
            && self.life == Life::Live
            && self.fence == epoch
            && self.rest_until.is_none()
            && match self.recovery {
                Recovery::Ready => true,
                Recovery::Trial => !trial_running(),
                Recovery::Clearing | Recovery::SelfTest(_) => false,
            }
    }

    /// True when it may be told to go on with what it holds: also while it drains or waits out a quarantine.
    pub fn may_go_on(&self, epoch: Epoch) -> bool {
        matches!(self.standing, Standing::Adopted | Standing::Draining)
            && self.life == Life::Live
            && self.fence == epoch
            && self.rest_until.is_none()
            && !self.held
            && !self.estop
            && self.mode == Mode::Automatic
            && matches!(self.condition, Condition::Idle | Condition::Execute)
            && !matches!(self.recovery, Recovery::SelfTest(_))
    }

    /// True while it rests after it said no again: nothing that can't wait is planned with it. Once is nothing: devices say no for
    /// a moment.
    pub fn keeps_refusing(&self) -> bool {
        self.rest_until.is_some() && self.refusals > 1
    }

    /// The lane that holds this pizza.
    pub fn lane_with(&self, pizza: PizzaId) -> Option<Lane> {
        self.lanes.iter().find(|(_, l)| l.content == Some(Content::Pizza(pizza))).map(|(lane, _)| *lane)
    }

    /// The first lane on which something may be begun.
    pub fn free_lane(&self) -> Option<Lane> {
        self.lanes.iter().find(|(_, l)| l.is_free()).map(|(lane, _)| *lane)
    }

    /// One word for people: what it does, or why it does not work.
    pub fn state_word(&self) -> &'static str {
        match self.standing {
            Standing::Pending => return "PENDING",
            Standing::Maintenance => return "MAINTENANCE",
            Standing::Retired => return "RETIRED",
            Standing::Adopted | Standing::Draining => {}
        }
        match self.life {
            Life::Lost => return "LOST",
            Life::Stuck => return "STUCK",
            Life::Suspect => return "SUSPECT",
            Life::Live => {}
        }
        if self.quarantine.is_some() || self.recovery == Recovery::Clearing {
            "QUARANTINED"
        } else if self.boot.is_none() {
            "SUSPECT"
        } else if self.held || self.estop || self.condition == Condition::Held {
            "HELD"
        } else if self.mode != Mode::Automatic || !matches!(self.condition, Condition::Idle | Condition::Execute) {
            "SUSPENDED"
        } else if self.standing == Standing::Draining {
            "DRAINING"
        } else if self.lanes.values().any(|l| !l.is_free()) {
            "BUSY"
        } else {
            "IDLE"
        }
    }
}
