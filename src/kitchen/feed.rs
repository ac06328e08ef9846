//! What the main backend must learn: kept, in order, until it acknowledged.

use serde::{Deserialize, Serialize};

use super::ids::{DeviceId, Millis, OrderId};
use super::order::OrderStatus;

/// One thing that the backend must learn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Without gap, from 1.
    pub number: u64,
    /// Kitchen time.
    pub at: Millis,
    /// Wall time, for people.
    pub wall: u64,
    /// What.
    pub news: News,
}

/// What the backend must learn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "news", rename_all = "snake_case")]
pub enum News {
    /// An order came to another status.
    Order {
        /// The order.
        order: OrderId,
        /// Where it is.
        status: OrderStatus,
    },
    /// The kitchen came to another status.
    Kitchen {
        /// NORMAL, DEGRADED, DRAINING, OUT_OF_ORDER, with the stages concerned.
        status: String,
    },
    /// A device failed too often.
    Escalation {
        /// The device.
        device: DeviceId,
        /// So many failures …
        failures: u32,
        /// … within so many milliseconds.
        within_ms: Millis,
    },
}
