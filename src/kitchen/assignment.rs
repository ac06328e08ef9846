//! What the main backend says to the kitchen, and what the kitchen remembers of it.

use serde::{Deserialize, Serialize};

use super::ids::{Millis, OrderId, RecipeId};

/// An order's standing between this kitchen and the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Which assignment of the order: the backend counts them over all kitchens.
    pub number: u64,
    /// The outcome that told the backend that the order is about to be begun.
    pub announced: Option<u64>,
    /// The backend has acknowledged that: no other kitchen gets the order, and it may be begun here.
    pub cleared: bool,
}

impl Assignment {
    /// A new one.
    pub fn new(number: u64) -> Self {
        Self { number, announced: None, cleared: false }
    }
}

/// What the backend answered in one exchange, without the orders that it assigned: each of those has an entry of its own, whose index is its
/// number. Everything in it may come twice, or late.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendAnswer {
    /// Orders of the backend may be begun until this moment of kitchen time: the assignment lease.
    pub lease_until: Millis,
    /// The backend keeps the outcomes up to this number.
    pub acknowledged: u64,
    /// The backend keeps what was logged up to this log index.
    pub logged: Option<u64>,
    /// Orders that are not its own any more, under these assignments.
    pub revoked: Vec<(OrderId, u64)>,
    /// Orders that the client takes back, under these assignments, and why.
    pub cancelled: Vec<(OrderId, u64, String)>,
    /// The version of the backend's configuration that the kitchen follows from now on.
    pub configuration: Option<Followed>,
}

/// A version of the backend's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Followed {
    /// Its number.
    pub version: u64,
    /// Why a part of it was refused.
    pub refused: Option<String>,
}

/// An order as the backend assigns it. May come twice, or late.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignedOrder {
    /// The client's key.
    pub id: OrderId,
    /// Which assignment of it.
    pub assignment: u64,
    /// One recipe for each pizza.
    pub items: Vec<RecipeId>,
    /// Higher goes first.
    pub priority: i8,
    /// Ready within so many milliseconds from now.
    pub promise_ms: Millis,
}

/// What a kitchen knows of the backend.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackendStanding {
    /// It has answered at least once: there is somebody to keep outcomes for.
    pub known: bool,
    /// Until when its orders may be begun, in kitchen time.
    pub lease_until: Millis,
    /// It keeps what was logged up to this log index.
    pub logged: u64,
    /// The version of its configuration that is followed.
    pub configuration: Followed,
    /// Outcomes that were not kept, because too many waited: changes of the kitchen's status, and escalations.
    pub dropped: u64,
}
