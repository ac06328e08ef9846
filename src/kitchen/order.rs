//! An order: what a customer asked for, and what became of it.

use serde::{Deserialize, Serialize};

use super::assignment::Assignment;
use super::command::{NewOrder, Source};
use super::ids::{Millis, OrderId, PizzaId, RecipeId};
use super::pizza::{Judgement, PastAttempt, Pizza, PizzaState, Spoiled};

/// Where an order is. READY, CANCELLED, FAILED and RETURNED are its ends in the kitchen; COLLECTED follows READY in the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderStatus {
    /// Accepted; nothing is begun.
    Accepted,
    /// At least one pizza is begun.
    InProgress,
    /// All packed.
    Ready,
    /// Handed out.
    Collected,
    /// Taken back by the client.
    Cancelled,
    /// It can't be made; a person decided so.
    Failed,
    /// Given back to the backend: it owns the order again.
    Returned,
}

impl OrderStatus {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "ACCEPTED",
            Self::InProgress => "IN_PROGRESS",
            Self::Ready => "READY",
            Self::Collected => "COLLECTED",
            Self::Cancelled => "CANCELLED",
            Self::Failed => "FAILED",
            Self::Returned => "RETURNED",
        }
    }

    /// The classic four that the backend knows: new, in_progress, completed, failed.
    pub fn classic(self) -> &'static str {
        match self {
            Self::Accepted => "new",
            Self::InProgress => "in_progress",
            Self::Ready | Self::Collected => "completed",
            Self::Cancelled | Self::Failed | Self::Returned => "failed",
        }
    }

    /// True for an order that the kitchen still works on.
    pub fn is_open(self) -> bool {
        match self {
            Self::Accepted | Self::InProgress => true,
            Self::Ready | Self::Collected | Self::Cancelled | Self::Failed | Self::Returned => false,
        }
    }
}

/// What a pizza that nobody has begun waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Its turn.
    ToBegin,
    /// That the backend is told.
    ToBeAnnounced,
    /// That the backend has acknowledged it.
    ToBeCleared,
}

/// What a person said, on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// A generation of an item that was not delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscardedPizza {
    /// Which one.
    pub pizza: PizzaId,
    /// Why.
    pub reason: Spoiled,
    /// How far it had come.
    pub state: PizzaState,
    /// When.
    pub at: Millis,
    /// When, in wall time; 0 in what an earlier release recorded.
    #[serde(default)]
    pub wall: u64,
    /// Which version of its recipe was begun; 0 if none was, or an earlier release began it.
    #[serde(default)]
    pub recipe_version: u32,
    /// What was tried.
    pub history: Vec<PastAttempt>,
    /// What cameras and persons said.
    pub judgements: Vec<Judgement>,
    /// The word of the person who had it made again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub word: Option<Word>,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The client's key.
    pub id: OrderId,
    /// The log index that accepted it.
    pub number: u64,
    /// Who ordered.
    pub source: Source,
    /// How it stands with the backend; none for a local order.
    #[serde(default)]
    pub assignment: Option<Assignment>,
    /// One recipe for each pizza.
    pub items: Vec<RecipeId>,
    /// Higher goes first.
    pub priority: i8,
    /// What the client asked for, to recognise the same request.
    pub promise_ms: Option<Millis>,
    /// Where it is.
    pub status: OrderStatus,
    /// The present generation of each item.
    pub pizzas: Vec<PizzaId>,
    /// Kitchen time of its acceptance.
    pub placed_at: Millis,
    /// Wall time of its acceptance, for people.
    pub placed_wall: u64,
    /// Promised moment, in kitchen time.
    pub promised_at: Millis,
    /// Kitchen time of its end.
    pub ended_at: Option<Millis>,
    /// Wall time of its end, for people.
    pub ended_wall: Option<u64>,
    /// Why it was cancelled, failed or returned.
    pub reason: Option<String>,
    /// Generations that were not delivered.
    pub discarded: Vec<DiscardedPizza>,
}

impl Order {
    /// True when this request is the one that placed this order.
    pub fn is_same(&self, new: &NewOrder) -> bool {
        self.assignment.is_none()
            && self.items == new.items
            && self.priority == new.priority
            && self.promise_ms == new.promise_ms
    }
}

impl Order {
    /// True when it is the backend's, under this assignment.
    pub fn is_assigned(&self, number: u64) -> bool {
        self.assignment.is_some_and(|a| a.number == number)
    }

    /// What those of its pizzas wait for that nobody has begun.
    pub fn waiting(&self) -> Waiting {
        match self.assignment {
            Some(a) if !a.cleared && self.status == OrderStatus::Accepted => {
                if a.announced.is_some() {
                    Waiting::ToBeCleared
                } else {
                    Waiting::ToBeAnnounced
                }
            }
            Some(_) | None => Waiting::ToBegin,
        }
    }

    /// True when it is the backend's and nothing of it is begun: another kitchen can make it.
    pub fn is_returnable(&self) -> bool {
        self.assignment.is_some() && self.status == OrderStatus::Accepted
    }
}

/// An order that ended, with its last pizzas, as the archive keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedOrder {
    /// The order.
    pub order: Order,
    /// The last generation of each item.
    pub pizzas: Vec<Pizza>,
}

/// The archive's key of an order.
pub fn archive_key(id: &OrderId) -> Vec<u8> {
    [b"o/", id.as_str().as_bytes()].concat()
}

/// The order's number, if this is such a key.
pub fn number_of(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.strip_prefix(b"n/")?.try_into().ok()?))
}

/// The archive's key that leads from an order's number to its id: sorts by arrival.
pub fn archive_number_key(number: u64) -> Vec<u8> {
    [b"n/".as_slice(), &number.to_be_bytes()].concat()
}
