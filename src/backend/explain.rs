//! Why an order went to a kitchen, in numbers and words: what `choose_kitchen` returns with its choice, kept in the order's history.

use serde::{Deserialize, Serialize};

use crate::protocol::{Id, Millis};

/// Why this kitchen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The chosen one.
    pub kitchen: Id,
    /// How many kitchens could take it.
    pub able: u64,
    /// Its numbers.
    #[serde(flatten)]
    pub numbers: Numbers,
    /// Up to five others, and why not.
    pub others: Vec<Other>,
}

/// What was compared, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    /// Later than promised by so much.
    pub late_ms: Millis,
    /// What was compared: ready, travel, and a minute if the kitchen is degraded.
    pub cost_ms: Millis,
    /// Ready in the kitchen in so much, in 95 of 100 cases.
    pub ready_ms: Millis,
    /// The way to the client.
    pub travel_ms: Millis,
    /// Work given to it lately.
    pub share_ms: Millis,
}

/// A kitchen that did not get it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Other {
    /// Which.
    pub kitchen: Id,
    /// Why not.
    pub why_not: String,
}

/// Why a kitchen can't take an order at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exclusion {
    /// No contact.
    #[error("unreachable")]
    Unreachable,
    /// A stage has no executor.
    #[error("out of order")]
    OutOfOrder,
    /// It takes no new orders.
    #[error("draining")]
    Draining,
    /// Nothing is known of it.
    #[error("has not reported yet")]
    NotReported,
    /// It can't make one of the items at the moment.
    #[error("does not offer {0}")]
    NotOffered(Id),
    /// It has just returned this order.
    #[error("gave it back")]
    GaveItBack,
}

impl Other {
    /// A kitchen that could not take it.
    pub(super) fn excluded(kitchen: &Id, reason: Exclusion) -> Self {
        Self { kitchen: kitchen.clone(), why_not: reason.to_string() }
    }

    /// A kitchen that could have taken it.
    pub(super) fn scored(kitchen: &Id, own: Numbers, chosen: &Numbers) -> Self {
        let why_not = if own.late_ms > chosen.late_ms {
            format!("later than promised by {} s", own.late_ms / 1_000)
        } else if own.cost_ms > chosen.cost_ms {
            format!("{} s later", (own.cost_ms - chosen.cost_ms) / 1_000)
        } else if own.share_ms > chosen.share_ms {
            "as good, and was given more lately".to_owned()
        } else {
            "as good".to_owned()
        };
        Self { kitchen: kitchen.clone(), why_not }
    }
}
