//! `facts`: who a device is and what it can do (VDA 5050's factsheet).

use serde::{Deserialize, Serialize};

use super::id::{Act, Id};
use crate::kitchen::{Action, DeviceKind, Lane, Millis};

/// `facts`: who I am and what I can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// What it is.
    pub kind: DeviceKind,
    /// Maker and type, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Version of the firmware.
    pub fw: String,
    /// Version of this protocol that it speaks: 1.
    pub proto: u8,
    /// Where it stands; HOLD can name a zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Id>,
    /// Its grippers, slots or views, by number.
    pub lanes: Vec<Lane>,
    /// What it can do.
    pub actions: Vec<ActionFacts>,
    /// Interval of its heartbeats, in milliseconds.
    #[serde(default = "hb_ms_default")]
    pub hb_ms: Millis,
    /// How long a task accepted with `after` may start after its last lease, in milliseconds.
    #[serde(default = "orphan_ms_default")]
    pub orphan_ms: Millis,
    /// Cameras: which stages they judge (`prep`, `bake`, `finish`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Id>,
}

fn hb_ms_default() -> Millis {
    super::HEARTBEAT_MS
}

fn orphan_ms_default() -> Millis {
    super::ORPHAN_MS
}

impl Facts {
    /// What it says about this action, if it can do it.
    pub fn action(&self, action: Action) -> Option<&ActionFacts> {
        self.actions.iter().find(|a| a.name.known() == Some(action))
    }
}

/// One thing that a device can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionFacts {
    /// Which action.
    pub name: Act,
    /// True if doing it twice is the same as doing it once.
    #[serde(default)]
    pub idem: bool,
    /// Until when it can be cancelled.
    pub cancel: CancelClass,
    /// How long it usually takes, in milliseconds.
    pub typ_ms: Millis,
    /// After how long the device ends it by itself, in milliseconds, where the instruction names nothing else.
    pub max_ms: Millis,
}

/// Until when an action can be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CancelClass {
    /// At any time: the device stops safely.
    Always,
    /// Only while it waits.
    UntilStart,
    /// Not once it runs, and the device promises to end it: the same as UNTIL_START while it waits.
    Never,
}
