//! The device protocol, version 1: topics and payloads as values, with `encode` and `decode`.
//!
//! Both ends share it: controllers (`leader`), devices (`device`), tools. Nothing here does I/O, reads a clock or panics on
//! what it is fed. Unknown fields are ignored, unknown `op`s and actions are kept as such, so that a device can refuse them.
//! docs/device-protocol.md is the contract in prose; tests/golden/protocol/ holds every message.

mod cmd;
mod conn;
mod error;
pub mod exchange;
mod facts;
mod id;
mod lease;
mod observation;
mod params;
mod payload;
mod state;
mod topic;

pub use cmd::{After, AllCmd, Attempt, Cmd, Event, Op, Setting, TaskStart, ZoneOp};
pub use conn::{Conn, ConnState, Leader, LeaderState};
pub use error::Error;
pub use facts::{ActionFacts, CancelClass, Facts};
pub use id::{Act, Id};
pub use lease::{Heartbeat, Lease};
pub use observation::Observation;
pub use params::Params;
pub use payload::{Message, Payload, decode, encode, instruction_id_of};
pub use state::{Fault, Fence, Hold, InstructionResult, Level, Reported, State, TaskLine};
pub use topic::{Leaf, Topic, controller_filters, device_filters};

pub use crate::kitchen::{
    Action, CommandResult, Condition, Content, DeviceId, DeviceKind, Epoch, InstructionId, Lane, Millis, Mode, NodeId,
    Report, TaskState, Verdict,
};

/// The version that every `v` field carries.
pub const VERSION: u8 = 1;

/// What the device and the controller count on as the length of a start lease, in milliseconds.
pub const LEASE_MS: Millis = 3_000;

/// How long a task accepted with `after` may still start after the end of the last lease that named it, in milliseconds.
pub const ORPHAN_MS: Millis = 10_000;

/// The interval of heartbeats where facts name none, in milliseconds.
pub const HEARTBEAT_MS: Millis = 1_000;

#[cfg(test)]
pub mod examples;
#[cfg(test)]
mod tests;
