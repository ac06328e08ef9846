//! `cmd` and `all/cmd`: instructions. In memory an op carries what it needs; on the wire `op` and `task` stand side by side.

use serde::{Deserialize, Serialize};

use super::id::{Act, Id, boot};
use super::params::Params;
use crate::kitchen::{Epoch, InstructionId, Lane, Millis};

/// `cmd`: one instruction to one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct Cmd {
    /// Its name, `<idx>-<n>`: the same whenever it is sent again.
    pub id: InstructionId,
    /// The boot that it is meant for.
    pub boot: u64,
    /// The tenure that sends it.
    pub epoch: Epoch,
    /// Log index of the decision.
    pub idx: u64,
    /// How long brokers may keep it, in milliseconds.
    pub ttl_ms: Millis,
    /// What shall be done.
    pub op: Op,
}

/// What a device shall do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "instructions are few and short-lived, and a task is their usual content"
)]
pub enum Op {
    /// Start a task, once a lease names this instruction.
    TaskStart(TaskStart),
    /// End a task, as its action's cancel class allows.
    TaskCancel(Attempt),
    /// Start nothing, and pause what can be paused.
    Hold,
    /// Go on.
    Resume,
    /// Show the whole state.
    StateGet,
    /// Show who you are.
    FactsGet,
    /// Change settings.
    ConfigSet(Setting),
    /// Test yourself.
    Selftest,
    /// The end of this attempt is on record: forget it.
    Ack(Attempt),
    /// An op that this version does not know.
    Unknown(String),
}

impl Op {
    /// The name on the wire.
    pub fn name(&self) -> &str {
        match self {
            Self::TaskStart(_) => "task.start",
            Self::TaskCancel(_) => "task.cancel",
            Self::Hold => "hold",
            Self::Resume => "resume",
            Self::StateGet => "state.get",
            Self::FactsGet => "facts.get",
            Self::ConfigSet(_) => "config.set",
            Self::Selftest => "selftest",
            Self::Ack(_) => "ack",
            Self::Unknown(name) => name,
        }
    }
}

/// One try at a task, by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attempt {
    /// The task.
    pub id: Id,
    /// Which try, from 1. A new physical try has a new number.
    pub att: u32,
}

/// What a `task.start` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskStart {
    /// Which attempt.
    pub attempt: Attempt,
    /// Which pizza.
    pub pizza: Id,
    /// What to do with it.
    pub act: Act,
    /// On which lane of this device.
    pub lane: Lane,
    /// How.
    pub params: Params,
    /// EXPIRED if it has not started by then, in milliseconds from acceptance. Without it, `ttl_ms`.
    pub start_within_ms: Option<Millis>,
    /// The device ends it by itself after this, in milliseconds from its start. Without it, `max_ms` of facts.
    pub max_ms: Option<Millis>,
    /// What it waits for before it starts.
    pub after: Option<After>,
}

/// What a task waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum After {
    /// Oven: until its own slot is loaded. `{"ev": "LOADED", "lane": 0}`
    Event {
        /// Which event.
        ev: Event,
        /// Which slot.
        lane: Lane,
    },
    /// Robot: this long from acceptance. `{"ms": 1000}`
    Delay {
        /// In milliseconds.
        ms: Millis,
    },
}

impl After {
    /// Until slot `lane` is loaded.
    pub fn loaded(lane: Lane) -> Self {
        Self::Event { ev: Event::Loaded, lane }
    }
}

/// Events of a device that its own tasks can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Event {
    /// The slot is occupied.
    Loaded,
}

/// Settings that `config.set` changes; what is missing stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Interval of heartbeats, in milliseconds, 50 to 10,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hb_ms: Option<Millis>,
    /// How long a task accepted with `after` may start after its last lease, in milliseconds, at most 600,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orphan_ms: Option<Millis>,
}

/// `all/cmd`: HOLD or RESUME for the kitchen or one zone; a fast path beside the lease's `held`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllCmd {
    /// Its name.
    pub id: InstructionId,
    /// The tenure that sends it.
    pub epoch: Epoch,
    /// Log index of the decision.
    pub idx: u64,
    /// What shall be done.
    pub op: ZoneOp,
    /// Which zone; without it, the kitchen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Id>,
}

/// What an `all/cmd` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ZoneOp {
    /// Start nothing, and pause what can be paused.
    Hold,
    /// Go on.
    Resume,
}

/// A `cmd` as it stands on the wire.
#[derive(Serialize, Deserialize)]
struct Wire {
    id: InstructionId,
    #[serde(with = "boot")]
    boot: u64,
    epoch: Epoch,
    idx: u64,
    op: String,
    ttl_ms: Millis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    task: Option<WireTask>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    config: Option<Setting>,
}

#[derive(Serialize, Deserialize)]
struct WireTask {
    #[serde(flatten)]
    attempt: Attempt,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pizza: Option<Id>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    act: Option<Act>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lane: Option<Lane>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    params: Option<Params>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start_within_ms: Option<Millis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_ms: Option<Millis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<After>,
}

impl WireTask {
    fn named(attempt: Attempt) -> Self {
        let (pizza, act, lane, params, after) = (None, None, None, None, None);
        Self { attempt, pizza, act, lane, params, start_within_ms: None, max_ms: None, after }
    }

    fn start(self) -> Result<TaskStart, String> {
        Ok(TaskStart {
            attempt: self.attempt,
            pizza: self.pizza.ok_or("task.start needs task.pizza")?,
            act: self.act.ok_or("task.start needs task.act")?,
            lane: self.lane.unwrap_or(0),
            params: self.params.unwrap_or_default(),
            start_within_ms: self.start_within_ms,
            max_ms: self.max_ms,
            after: self.after,
        })
    }
}

impl From<TaskStart> for WireTask {
    fn from(task: TaskStart) -> Self {
        let params = (task.params != Params::default()).then_some(task.params);
        Self {
            attempt: task.attempt,
            pizza: Some(task.pizza),
            act: Some(task.act),
            lane: Some(task.lane),
            params,
            start_within_ms: task.start_within_ms,
            max_ms: task.max_ms,
            after: task.after,
        }
    }
}

impl TryFrom<Wire> for Cmd {
    type Error = String;
    fn try_from(wire: Wire) -> Result<Self, String> {
        let Wire { id, boot, epoch, idx, op, ttl_ms, task, config } = wire;
        let task = task.ok_or_else(|| format!("{op} needs a task"));
        let op = match op.as_str() {
            "task.start" => Op::TaskStart(task?.start()?),
            "task.cancel" => Op::TaskCancel(task?.attempt),
            "hold" => Op::Hold,
            "resume" => Op::Resume,
            "state.get" => Op::StateGet,
            "facts.get" => Op::FactsGet,
            "config.set" => Op::ConfigSet(config.ok_or("config.set needs config")?),
            "selftest" => Op::Selftest,
            "ack" => Op::Ack(task?.attempt),
            _ => Op::Unknown(op),
        };
        Ok(Self { id, boot, epoch, idx, ttl_ms, op })
    }
}

impl From<Cmd> for Wire {
    fn from(cmd: Cmd) -> Self {
        let op = cmd.op.name().to_owned();
        let (task, config) = match cmd.op {
            Op::TaskStart(task) => (Some(task.into()), None),
            Op::TaskCancel(attempt) | Op::Ack(attempt) => (Some(WireTask::named(attempt)), None),
            Op::ConfigSet(setting) => (None, Some(setting)),
            Op::Hold | Op::Resume | Op::StateGet | Op::FactsGet | Op::Selftest | Op::Unknown(_) => (None, None),
        };
        Self { id: cmd.id, boot: cmd.boot, epoch: cmd.epoch, idx: cmd.idx, op, ttl_ms: cmd.ttl_ms, task, config }
    }
}
