//! `conn` (is the device there?) and `ctl/leader` (who is in charge?): the two retained messages with a will.

use serde::{Deserialize, Serialize};

use super::id::boot;
use crate::kitchen::{Epoch, NodeId};

/// `conn`: a device's birth, goodbye or will.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conn {
    /// Drawn at power-up.
    #[serde(with = "boot")]
    pub boot: u64,
    /// Counts the connections within this boot. The will carries the same: an older will can arrive after a newer birth.
    pub n: u64,
    /// What it says.
    pub st: ConnState,
}

/// What a `conn` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ConnState {
    /// Connected.
    Online,
    /// Said goodbye.
    Offline,
    /// The will: the broker lost it.
    Lost,
}

/// `ctl/leader`: who is in charge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leader {
    /// The tenure.
    pub epoch: Epoch,
    /// The controller replica in charge.
    pub node: NodeId,
    /// UP, or DOWN as the will.
    pub st: LeaderState,
    /// Addresses of all brokers, `mqtt://host:port`, the preferred one first.
    pub brokers: Vec<String>,
}

/// What a `ctl/leader` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LeaderState {
    /// In charge.
    Up,
    /// Gone, or handing over. Devices ignore it.
    Down,
}
