//! What the main backend must learn: kept, in order, until it acknowledged.

use serde::{Deserialize, Serialize};

use super::Kitchen;
use super::ids::{DeviceId, Millis, OrderId};
use super::order::OrderStatus;

/// With so many waiting, only what concerns orders is kept: those are bounded by what the backend has assigned, and a kitchen may be without
/// the backend for weeks.
pub const WAITING_MAX: usize = 10_000;

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
    /// An order of the backend came to another status.
    Order {
        /// The order.
        order: OrderId,
        /// Under which assignment.
        assignment: u64,
        /// Where it is.
        status: OrderStatus,
        /// Why it was cancelled, failed or returned.
        reason: Option<String>,
    },
    /// An order of the backend is about to be begun: it may, once this is acknowledged.
    Starting {
        /// The order.
        order: OrderId,
        /// Under which assignment.
        assignment: u64,
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

impl News {
    /// It stands for something that would be lost otherwise; the rest is in the next report of the kitchen's state, too.
    fn must_be_kept(&self) -> bool {
        match self {
            Self::Order { .. } | Self::Starting { .. } => true,
            Self::Kitchen { .. } | Self::Escalation { .. } => false,
        }
    }
}

impl Kitchen {
    /// Keeps something for the backend, where there is one.
    pub(super) fn tell_backend(&mut self, news: News) {
        if !self.meta.backend.known {
            return;
        }
        if !news.must_be_kept() && self.feed.len() >= WAITING_MAX {
            self.meta.backend.dropped += 1;
            return;
        }
        self.meta.feed_last += 1;
        let outcome = Outcome { number: self.meta.feed_last, at: self.meta.now, wall: self.meta.wall, news };
        self.feed.insert(self.meta.feed_last, outcome);
    }
}
