//! What a kitchen and the main backend say to each other: one exchange, whoever opens the connection.
//!
//! The kitchen's `ExchangeRequest` says what it holds, what happened, and how it is; the backend's `ExchangeAnswer` says what it is to cook, what it
//! no longer owns, and up to where everything arrived. In pull mode the kitchen POSTs the request and gets the answer; in poll mode
//! the backend GETs the request from the kitchen's leader and PUTs the answer. docs/backend-protocol.md is the contract in prose.
//!
//! Both sides repeat themselves until they are answered, and absorb what they know already: an exchange that is lost, doubled or answered late does
//! no harm. Leases count from `as_of`, the kitchen's own time when it wrote the request, so no clock is compared with another one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::kitchen::Millis;

use super::Id;

/// The version of the exchange.
pub const EXCHANGE_VERSION: u8 = 1;

/// The most outcomes, and the most log lines, in one request. What is more comes with the next one.
pub const EXCHANGE_ITEMS_MAX: usize = 500;

/// What a kitchen tells the backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExchangeRequest {
    /// `EXCHANGE_VERSION`.
    pub v: u8,
    /// Names the numbering of `outcomes`: another one means that the kitchen's state was made anew or restored.
    pub series: Id,
    /// The kitchen's own time when this was written, in milliseconds. Means nothing to the backend, which sends it back.
    #[schema(value_type = u64)]
    pub as_of: Millis,
    /// All open orders of the backend in this kitchen.
    #[serde(default)]
    pub held: Vec<Held>,
    /// The number of the first outcome that is not acknowledged yet, or of the next one to come.
    pub first: u64,
    /// Outcomes from `first` on, without gap; at most `EXCHANGE_ITEMS_MAX`.
    #[serde(default)]
    pub outcomes: Vec<Outcome>,
    /// How the kitchen is, if that is to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
    /// What happened, in order; at most `EXCHANGE_ITEMS_MAX`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<LogLine>,
    /// The version of the backend's configuration that the kitchen follows; 0 before the first.
    #[serde(default)]
    pub configuration: u64,
    /// Why a part of that version was refused, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration_refused: Option<String>,
}

/// An order of the backend that a kitchen has, under one assignment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Held {
    /// The order.
    pub order: Id,
    /// Which assignment of it: the backend counts them, over all kitchens, from 1.
    pub assignment: u64,
}

/// Something that the backend must learn; numbered without gap, delivered in order, at least once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Outcome {
    /// From 1, in its series.
    pub number: u64,
    /// The kitchen's wall clock in milliseconds since 1970: for people, decides nothing.
    pub wall: u64,
    /// What.
    #[serde(flatten)]
    pub news: News,
}

/// What the backend must learn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "news", rename_all = "snake_case")]
pub enum News {
    /// An order of the backend came to another status.
    Order {
        /// The order.
        order: Id,
        /// Under which assignment.
        assignment: u64,
        /// Where it is.
        status: Progress,
        /// Why it was cancelled, failed or returned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The kitchen came to another status.
    Kitchen {
        /// NORMAL, DEGRADED(…), DRAINING, OUT_OF_ORDER(…).
        status: String,
    },
    /// A device failed too often.
    Escalation {
        /// The device.
        device: Id,
        /// So many failures …
        failures: u32,
        /// … within so many milliseconds.
        #[schema(value_type = u64)]
        within_ms: Millis,
    },
}

/// How far a kitchen is with an order of the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Progress {
    /// It is in the kitchen's state.
    Accepted,
    /// It is about to be begun: the kitchen begins it once the backend has acknowledged this, and from then on no other kitchen may.
    Starting,
    /// At least one pizza is begun.
    InProgress,
    /// All packed.
    Ready,
    /// Handed out.
    Collected,
    /// It was cancelled.
    Cancelled,
    /// It can't be made: a person decided so.
    Failed,
    /// The kitchen gives it back, not begun: the backend owns it again.
    Returned,
}

impl Progress {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "ACCEPTED",
            Self::Starting => "STARTING",
            Self::InProgress => "IN_PROGRESS",
            Self::Ready => "READY",
            Self::Collected => "COLLECTED",
            Self::Cancelled => "CANCELLED",
            Self::Failed => "FAILED",
            Self::Returned => "RETURNED",
        }
    }
}

/// How a kitchen is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Report {
    /// NORMAL, DEGRADED(prep 1/2), DRAINING, OUT_OF_ORDER(bake).
    pub status: String,
    /// NORMAL, DEGRADED, DRAINING or OUT_OF_ORDER.
    pub state: String,
    /// Executors per stage: prep, bake, finish, inspect.
    pub capacity: BTreeMap<String, UpOf>,
    /// Open orders, local ones included.
    pub open_orders: u64,
    /// Pizzas not yet packed, local ones included.
    pub open_pizzas: u64,
    /// How many pizzas the line can make in an hour, in thousandths; none while a stage has no executor.
    pub limit_milli_per_hour: Option<u64>,
    /// How many it makes at present, in thousandths.
    pub rate_milli_per_hour: Option<u64>,
    /// The stage that bounds it: prep, ovens or finish.
    pub bottleneck: Option<String>,
    /// When one more pizza of each recipe would be ready. What is not here can't be ordered here at the moment.
    pub quotes: BTreeMap<Id, QuoteMs>,
    /// Questions that a person must answer.
    pub open_incidents: u64,
    /// Outcomes that wait for the backend.
    pub feed_waiting: u64,
    /// Counts since the kitchen was new: orders_ready, orders_late, pizzas_packed, pizzas_discarded, …
    pub statistics: BTreeMap<String, u64>,
    /// The node in charge.
    pub in_charge: Option<u64>,
    /// The program's version.
    pub version: String,
}

/// How many are up, of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UpOf {
    /// Can work, or are at work.
    pub up: u32,
    /// Belong to the kitchen.
    pub of: u32,
}

/// When something would be ready, from now, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuoteMs {
    /// In half of the cases by then.
    #[schema(value_type = u64)]
    pub p50_ms: Millis,
    /// In 95 of 100 cases by then.
    #[schema(value_type = u64)]
    pub p95_ms: Millis,
}

/// A line of a kitchen's log: what one log entry of its replicas caused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct LogLine {
    /// The log index; several lines may share one.
    pub index: u64,
    /// The kitchen's wall clock in milliseconds since 1970.
    pub wall: u64,
    /// What happened, in one word: order_accepted, device_changed, …
    pub event: String,
    /// The order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// The device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The rest, for people.
    pub text: String,
}

/// What the backend tells a kitchen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExchangeAnswer {
    /// `EXCHANGE_VERSION`.
    pub v: u8,
    /// The request's, sent back.
    #[schema(value_type = u64)]
    pub as_of: Millis,
    /// How long after `as_of` the kitchen may begin what it holds and what `assignments` name, in milliseconds: the assignment lease.
    #[schema(value_type = u64)]
    pub lease_ms: Millis,
    /// Outcomes up to this number are kept.
    pub acknowledged: u64,
    /// Log lines up to this index are kept; none when the request had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs_acknowledged: Option<u64>,
    /// Orders that are the kitchen's, and that it did not hold when it asked.
    #[serde(default)]
    pub assignments: Vec<Assignment>,
    /// Orders that it held, or spoke of, and that are not its own any more under this assignment: it must not begin them.
    #[serde(default)]
    pub revoked: Vec<Held>,
    /// Orders that the client takes back, and that the kitchen may have begun.
    #[serde(default)]
    pub cancellations: Vec<Cancellation>,
    /// Recipes and settings, when the kitchen follows an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Configuration>,
}

/// An order that a kitchen is to cook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Assignment {
    /// The order.
    pub order: Id,
    /// Which assignment of it.
    pub assignment: u64,
    /// One recipe for each pizza.
    pub items: Vec<Id>,
    /// Higher goes first; 0 is usual.
    pub priority: i8,
    /// Ready within so many milliseconds from now.
    #[schema(value_type = u64)]
    pub promise_ms: Millis,
}

/// An order that the client takes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Cancellation {
    /// The order.
    pub order: Id,
    /// Under which assignment.
    pub assignment: u64,
    /// Why, for the record.
    pub reason: String,
}

/// What kitchens follow. Recipes and settings have the form of the kitchen's own API, and are checked by the kitchen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Configuration {
    /// Grows with every change.
    pub version: u64,
    /// Recipes by name: new, or changed. One that is missing stays as it is.
    #[serde(default)]
    #[schema(value_type = BTreeMap<Id, Object>)]
    pub recipes: BTreeMap<Id, serde_json::Value>,
    /// Settings that are to be other than they are, by name.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Value>)]
    pub settings: BTreeMap<String, serde_json::Value>,
}
