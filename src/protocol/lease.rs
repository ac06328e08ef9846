//! `hb` and `lease`: the question "may I start?" and its answer. Short names, as they are sent every second.

use serde::{Deserialize, Serialize};

use super::id::boot;
use crate::kitchen::{Epoch, InstructionId, Millis};

/// `hb`: a heartbeat, with a digest of `state`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The boot.
    #[serde(rename = "b", with = "boot")]
    pub boot: u64,
    /// Running number of heartbeats within this boot.
    #[serde(rename = "s")]
    pub seq: u64,
    /// `rev` of the present state. One that differs from the last seen makes the controller ask `state.get`.
    #[serde(rename = "r")]
    pub rev: u64,
    /// Milliseconds since power-up.
    #[serde(rename = "up")]
    pub up_ms: Millis,
}

/// `lease`: the answer to one heartbeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The boot that asked.
    #[serde(rename = "b", with = "boot")]
    pub boot: u64,
    /// The heartbeat that it answers.
    #[serde(rename = "s")]
    pub seq: u64,
    /// The tenure that answers.
    pub epoch: Epoch,
    /// How long it holds, in milliseconds from when the device SENT that heartbeat.
    pub l_ms: Millis,
    /// True while the device's zone is on hold.
    pub held: bool,
    /// The instructions that may start now.
    pub open: Vec<InstructionId>,
}
