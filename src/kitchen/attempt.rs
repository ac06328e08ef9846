//! One try at a job on one device. It blocks the lanes that it may touch until there is proof that it is over.

use serde::{Deserialize, Serialize};

use super::ids::{DeviceId, Epoch, InstructionId, Millis};
use super::pizza::Place;
use super::report::AttemptId;

/// How far an attempt is, as far as the kitchen knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AttemptState {
    /// In the outbox: the device may have it, or not. (Whether it was sent is a matter of the tenure's memory.)
    Planned,
    /// The device has it and waits for a lease, or for `after`.
    Accepted,
    /// Under way.
    Running,
    /// The device was lost: nobody knows.
    Unknown,
}

/// One try, not yet over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Which one.
    pub id: AttemptId,
    /// On which device.
    pub device: DeviceId,
    /// Every lane that it may touch: its own first, then the other end of a transfer.
    pub touches: Vec<Place>,
    /// How far it is.
    pub state: AttemptState,
    /// The instruction that started it.
    pub instruction: InstructionId,
    /// The tenure that decided it: a later one must assume that it was named by a lease.
    pub epoch: Epoch,
    /// When it was decided.
    pub opened_at: Millis,
    /// When the device said that it started.
    pub started_at: Option<Millis>,
    /// How long it should take.
    pub typ_ms: Millis,
    /// When its device stops it; None for a bake, which has no watchdog.
    pub max_ms: Option<Millis>,
    /// True when it starts by itself after another event.
    pub has_after: bool,
    /// When the next thing must have been heard of it.
    pub due_at: Option<Millis>,
    /// Time alone proves it over (rule d of the device protocol) at this moment.
    pub proof_at: Option<Millis>,
    /// The instruction that cancels it.
    pub cancel: Option<InstructionId>,
    /// The temperature that its device reports with its end, in tenths of a degree Celsius.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temp_dc: Option<i32>,
}

impl Attempt {
    /// The lane that it runs on.
    pub fn lane(&self) -> &Place {
        &self.touches[0]
    }
}

/// How an attempt ended. Each variant is a proof that it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done, and good; a camera's verdict is the code.
    Succeeded(String),
    /// It ran and went wrong: the code says how.
    Failed(String),
    /// It never moved anything: refused, expired, cancelled while it waited, or never named by a lease.
    NotStarted(String),
    /// It is over, and nobody knows how far it came: a reboot, the proof by time, an operator's word.
    Vanished(String),
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Succeeded(code) if code.is_empty() => f.write_str("SUCCEEDED"),
            Self::Succeeded(code) => write!(f, "SUCCEEDED {code}"),
            Self::Failed(code) => write!(f, "FAILED {code}"),
            Self::NotStarted(code) => write!(f, "NOT_STARTED {code}"),
            Self::Vanished(code) => write!(f, "VANISHED {code}"),
        }
    }
}
