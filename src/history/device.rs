//! What a device physically did, and what it was told. The devices write it themselves.

use serde::{Deserialize, Serialize};

/// One fact about a device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceFact {
    /// CLOCK_BOOTTIME in milliseconds: one clock for all processes of the machine.
    pub t_ms: u64,
    /// Which device.
    pub device: String,
    /// Its boot, 16 hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
    /// instructed, fenced, leased, started, finished, failed, cancelled, picked, placed, burnt, packed, rejected, discarded, shelved,
    /// expired, refused, booted, unpowered, cleared.
    pub event: String,
    /// Which pizza.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pizza: Option<String>,
    /// Which task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Which attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub att: Option<u32>,
    /// Under which epoch it was instructed; fenced: the highest epoch seen; leased: whose lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// instructed, refused: the instruction's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// instructed: the op; started: the action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub op: Option<String>,
    /// failed, refused: why; finished inspection: the verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// placed, picked, discarded: which oven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oven: Option<String>,
    /// placed, picked, discarded, burnt: which slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<u8>,
    /// leased: the instructions that may start.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<String>,
    /// leased: until when, on CLOCK_BOOTTIME.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// started: what the device's clock said when it decided to, on CLOCK_BOOTTIME.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
    /// started: how long after its lease it may start all the same, because it was accepted with `after`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_ms: Option<u64>,
}

impl DeviceFact {
    /// A fact about this device.
    pub fn new(device: impl ToString, event: &str) -> Self {
        Self { device: device.to_string(), event: event.to_owned(), ..Self::default() }
    }

    /// The attempt that it is about.
    pub fn attempt(&self) -> Option<(&str, u32)> {
        Some((self.task.as_deref()?, self.att?))
    }

    /// Order number and item of its pizza, which is named `number.item.generation`.
    pub fn item(&self) -> Option<(u64, u32)> {
        let mut parts = self.pizza.as_deref()?.split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    }
}
