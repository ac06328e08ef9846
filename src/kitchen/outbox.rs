//! What devices are told to do, and have not yet shown that they heard. Dispatch publishes from here and from nowhere else.

use serde::{Deserialize, Serialize};

use super::ids::{DeviceId, InstructionId, Lane, Millis};
use super::pizza::Place;
use super::report::AttemptId;
use super::vocabulary::Action;

/// One instruction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instruction {
    /// Log index of the decision, and a running number.
    pub id: InstructionId,
    /// For which device.
    pub device: DeviceId,
    /// For which life of it: another one refuses it.
    pub boot: u64,
    /// When it was decided.
    pub created_at: Millis,
    /// How long it is worth sending.
    pub ttl_ms: Millis,
    /// What.
    pub op: Op,
}

/// What a device is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "most instructions start a task, and few are open at a time")]
pub enum Op {
    /// Start a task.
    Start(Task),
    /// End a task.
    Cancel(AttemptId),
    /// The end of this task is on record: forget it.
    Acknowledge(AttemptId),
    /// Test yourself.
    SelfTest,
    /// Stop where you are.
    Hold,
    /// Go on.
    Resume,
}

/// A task to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Which attempt.
    pub attempt: AttemptId,
    /// What to do.
    pub action: Action,
    /// On which lane.
    pub lane: Lane,
    /// With which parameters.
    pub params: Params,
    /// It expires when it has not started by then, counted from when the device has it.
    pub start_within_ms: Millis,
    /// The device's watchdog; 0 for none.
    pub max_ms: Millis,
    /// What it waits for besides a lease.
    pub after: Option<After>,
}

/// What a task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum After {
    /// Oven: something was put into this slot.
    Loaded(Lane),
    /// Robot: so many milliseconds since it accepted.
    Ms(Millis),
}

/// Parameters of a task; each action reads its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Params {
    /// How long it takes.
    pub ms: Millis,
    /// Prep and finish: the recipe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// Bake: the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// Bake: how long the pizza may stay afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_ms: Option<Millis>,
    /// Load, unload, discard: the oven and its slot; unload: or the shelf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oven: Option<Place>,
    /// Shelve: the shelf and its slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shelf: Option<Place>,
    /// Inspect: what to look at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub station: Option<Place>,
    /// Inspect: which step (prep, bake, finish).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
}
