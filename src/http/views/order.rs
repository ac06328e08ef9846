//! An order as clients see it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::kitchen::order::DiscardedPizza;
use crate::kitchen::{ArchivedOrder, Kitchen, Millis, Order, OrderStatus};

use super::pizza::PizzaView;
use super::time::{rfc3339, until, wall_of};
use super::word;
use super::words::{ClassicStatusWord, OrderStatusWord, PizzaStateWord, SourceWord, SpoiledWord};

/// An order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OrderView {
    /// The client's key.
    pub id: String,
    /// Its number: the log index that accepted it. Later orders have larger ones.
    pub number: u64,
    /// ACCEPTED, IN_PROGRESS, READY, COLLECTED, CANCELLED, FAILED or RETURNED.
    #[schema(value_type = OrderStatusWord)]
    pub status: &'static str,
    /// new, in_progress, completed or failed.
    #[schema(value_type = ClassicStatusWord)]
    pub classic_status: &'static str,
    /// local or backend.
    #[schema(value_type = SourceWord)]
    pub source: String,
    /// Higher goes first.
    pub priority: i8,
    /// One recipe for each pizza.
    pub items: Vec<String>,
    /// When it was placed.
    pub placed_at: String,
    /// When it is promised, reckoned in wall time.
    pub promised_at: String,
    /// While it is open: how long until the promise; negative when it is late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promised_in_ms: Option<i64>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// Once it ended: how long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<i64>,
    /// Once it ended: how long after the promise; negative when it was early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late_ms: Option<i64>,
    /// Why it was cancelled, failed or returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The present generation of each item.
    pub pizzas: Vec<PizzaView>,
    /// Generations that will not be delivered.
    pub discarded: Vec<DiscardedView>,
}

/// A pizza that will not be delivered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DiscardedView {
    /// Its id.
    pub id: String,
    /// BURNT, DROPPED, JUDGED_BAD, STALE, BAKE_FAILED, LOST or CANCELLED.
    #[schema(value_type = SpoiledWord)]
    pub reason: String,
    /// How far it had come.
    #[schema(value_type = PizzaStateWord)]
    pub state: String,
    /// How long after the order was placed.
    pub after_ms: i64,
}

impl OrderView {
    /// An open order.
    pub fn open(order: &Order, kitchen: &Kitchen, now: Millis) -> Self {
        let pizzas = order.pizzas.iter().filter_map(|id| kitchen.pizza(*id));
        let mut view = Self::of(order, pizzas.map(|p| PizzaView::of(p, now)).collect());
        view.promised_in_ms = Some(until(order.promised_at, now));
        view
    }

    /// An order that ended.
    pub fn archived(archived: &ArchivedOrder) -> Self {
        let order = &archived.order;
        // The clock of what ended stands still.
        let now = order.ended_at.unwrap_or(order.placed_at);
        let mut view = Self::of(order, archived.pizzas.iter().map(|p| PizzaView::of(p, now)).collect());
        view.took_ms = order.ended_at.map(|at| until(at, order.placed_at));
        view.late_ms = order.ended_at.map(|at| until(at, order.promised_at));
        view
    }

    fn of(order: &Order, pizzas: Vec<PizzaView>) -> Self {
        Self {
            id: order.id.to_string(),
            number: order.number,
            status: order.status.as_str(),
            classic_status: order.status.classic(),
            source: word(&order.source),
            priority: order.priority,
            items: order.items.iter().map(ToString::to_string).collect(),
            placed_at: rfc3339(order.placed_wall),
            promised_at: wall_of(order.promised_at, order.placed_at, order.placed_wall),
            promised_in_ms: None,
            ended_at: ended_at(order),
            took_ms: None,
            late_ms: None,
            reason: order.reason.clone(),
            pizzas,
            discarded: order.discarded.iter().map(|d| DiscardedView::of(d, order)).collect(),
        }
    }
}

/// Reckoned from when it was placed: a wall clock that jumped in between must not show an order that ended before it began.
fn ended_at(order: &Order) -> Option<String> {
    order.ended_at.map(|at| wall_of(at, order.placed_at, order.placed_wall))
}

impl DiscardedView {
    fn of(discarded: &DiscardedPizza, order: &Order) -> Self {
        Self {
            id: discarded.pizza.to_string(),
            reason: word(&discarded.reason),
            state: word(&discarded.state),
            after_ms: until(discarded.at, order.placed_at),
        }
    }
}

/// A page of orders.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OrderPage {
    /// The orders.
    pub items: Vec<OrderView>,
    /// The cursor of the next page; none after the last.
    pub next: Option<String>,
}

/// Which orders a list holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatusFilter {
    /// All of them.
    #[default]
    All,
    /// Those the kitchen works on.
    Open,
    /// Those that ended.
    Ended,
    /// One status.
    One(OrderStatus),
    /// One of the classic four.
    Classic(&'static str),
}

impl StatusFilter {
    /// What may be asked for.
    pub const WORDS: &str =
        "open, ended, accepted, in_progress, ready, collected, cancelled, failed, returned, new or completed";

    /// True for an order that belongs into the list.
    pub fn matches(self, status: OrderStatus) -> bool {
        match self {
            Self::All => true,
            Self::Open => status.is_open(),
            Self::Ended => !status.is_open(),
            Self::One(one) => status == one,
            Self::Classic(word) => status.classic() == word,
        }
    }

    /// True if only open orders match.
    pub fn is_open_only(self) -> bool {
        matches!(self, Self::Open | Self::One(OrderStatus::Accepted | OrderStatus::InProgress) | Self::Classic("new"))
    }
}

impl std::str::FromStr for StatusFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "all" => Self::All,
            "open" => Self::Open,
            "ended" => Self::Ended,
            "accepted" => Self::One(OrderStatus::Accepted),
            "in_progress" => Self::One(OrderStatus::InProgress),
            "ready" => Self::One(OrderStatus::Ready),
            "collected" => Self::One(OrderStatus::Collected),
            "cancelled" => Self::One(OrderStatus::Cancelled),
            "failed" => Self::One(OrderStatus::Failed),
            "returned" => Self::One(OrderStatus::Returned),
            "new" => Self::Classic("new"),
            "completed" => Self::Classic("completed"),
            _ => return Err(format!("status {text:?} is not known: use {}", Self::WORDS)),
        })
    }
}
