//! What orders and kitchens look like on the wire. Wall times are RFC 3339 in UTC, for people; spans end in `_ms`.

use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::backend::new_order::Place;
use crate::backend::order::State;
use crate::backend::routing::KitchenState;
use crate::backend::store::{Escalation, HistoryRow, KitchenRow, Mode, OrderRow, StoredLine};
use crate::web::rfc3339;

/// An order.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderView {
    /// Its client's id for it.
    pub id: String,
    /// Where it is.
    pub status: State,
    /// new, in_progress, completed or failed.
    pub classic_status: &'static str,
    /// Whose it is, or who ended it.
    pub kitchen: Option<String>,
    /// How often it was given to a kitchen.
    pub assignment: u64,
    /// The client has taken it back, and the kitchen may have begun.
    pub cancel_requested: bool,
    /// Why it was cancelled, failed or returned.
    pub reason: Option<String>,
    /// One recipe for each pizza.
    pub items: Vec<String>,
    /// Higher goes first.
    pub priority: i8,
    /// As promised when it was placed.
    pub promise_ms: u64,
    /// When that is over; negative once it is.
    pub promise_in_ms: i64,
    /// Where the client is.
    pub place: Option<Place>,
    /// Who placed it.
    pub client: String,
    /// Grows with every change: `?after_revision=` follows the order.
    pub revision: u64,
    /// When it was placed.
    pub placed_at: String,
    /// When it changed last.
    pub changed_at: String,
}

impl OrderView {
    /// The view of a row at a wall time.
    pub fn of(row: &OrderRow, wall: u64) -> Self {
        let promised = row.placed_wall + row.body.promise_ms;
        Self {
            id: row.id.to_string(),
            status: row.standing.state,
            classic_status: row.standing.state.classic(),
            kitchen: row.standing.kitchen.as_ref().map(ToString::to_string),
            assignment: row.standing.assignment,
            cancel_requested: row.standing.cancel_requested,
            reason: Some(row.reason.clone()).filter(|reason| !reason.is_empty()),
            items: row.body.items.iter().map(ToString::to_string).collect(),
            priority: row.body.priority,
            promise_ms: row.body.promise_ms,
            promise_in_ms: promised as i64 - wall as i64,
            place: row.body.place,
            client: row.client.clone(),
            revision: row.revision,
            placed_at: rfc3339(row.placed_wall),
            changed_at: rfc3339(row.changed_wall),
        }
    }
}

/// A page of orders, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderPage {
    /// The orders.
    pub items: Vec<OrderView>,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}

/// What happened to an order.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryView {
    /// The order's revision from here on.
    pub revision: u64,
    /// When, by the backend's wall clock.
    pub at: String,
    /// So long after the order was placed.
    pub after_ms: u64,
    /// Its status from here on.
    pub status: State,
    /// Whose it is from here on.
    pub kitchen: Option<String>,
    /// Under which assignment.
    pub assignment: u64,
    /// What happened.
    pub what: String,
    /// Why this kitchen: its numbers, and up to five others with why not.
    #[schema(value_type = Option<Object>)]
    pub why_this_kitchen: Option<Value>,
}

impl HistoryView {
    /// The view of a line.
    pub fn of(row: &HistoryRow, placed_wall: u64) -> Self {
        Self {
            revision: row.revision,
            at: rfc3339(row.wall),
            after_ms: row.wall.saturating_sub(placed_wall),
            status: row.state,
            kitchen: row.kitchen.as_ref().map(ToString::to_string),
            assignment: row.assignment,
            what: row.what.clone(),
            why_this_kitchen: row.why.as_ref().and_then(|why| serde_json::to_value(why).ok()),
        }
    }
}

/// One message of an order's stream, for the description.
pub enum HistoryMessage {}

impl PartialSchema for HistoryMessage {
    fn schema() -> RefOr<Schema> {
        crate::web::stream_message(HistoryView::name(), "A revision of the order: `Last-Event-ID` goes on behind it.")
    }
}

impl ToSchema for HistoryMessage {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((HistoryView::name().into_owned(), HistoryView::schema()));
        HistoryView::schemas(schemas);
    }
}

/// A kitchen.
#[derive(Debug, Serialize, ToSchema)]
pub struct KitchenView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub place: Option<Place>,
    /// Who opens the connection.
    pub mode: Mode,
    /// Where its replicas are, for poll.
    pub urls: Vec<String>,
    /// How it stands, as the backend sees it.
    pub status: KitchenState,
    /// Last contact, by the backend's wall clock; none before the first.
    pub last_contact_at: Option<String>,
    /// How it said it is: capacity, queue, rate, efficiency, quotes, statistics.
    #[schema(value_type = Option<Object>)]
    pub report: Option<Value>,
    /// What it makes, in percent of what its line could keep up.
    pub efficiency_pct: Option<u64>,
    /// Escalations that nobody has seen.
    pub open_escalations: u64,
    /// The configuration's version that it follows.
    pub configuration: u64,
    /// The one that it should follow.
    pub configuration_wanted: u64,
    /// Why it refused a part of it.
    pub configuration_refused: Option<String>,
}

impl KitchenView {
    /// The view of a row.
    pub fn of(row: &KitchenRow, status: KitchenState, wanted: u64, open_escalations: u64) -> Self {
        let report = row.report.as_ref();
        let rates = report.and_then(|r| r.rate_milli_per_hour.zip(r.limit_milli_per_hour));
        let refused = Some(row.configuration_refused.clone()).filter(|text| !text.is_empty());
        Self {
            id: row.registration.id.to_string(),
            name: row.registration.name.clone(),
            place: row.registration.place,
            mode: row.registration.mode,
            urls: row.registration.urls.clone(),
            status,
            last_contact_at: (row.contact_wall > 0).then(|| rfc3339(row.contact_wall)),
            report: report.and_then(|report| serde_json::to_value(report).ok()),
            efficiency_pct: rates.and_then(|(rate, limit)| (rate * 100).checked_div(limit)),
            open_escalations,
            configuration: row.configuration,
            configuration_wanted: wanted,
            configuration_refused: refused,
        }
    }
}

/// A line of a kitchen's log.
#[derive(Debug, Serialize, ToSchema)]
pub struct LogView {
    /// Its number here: `?after=` goes on behind it.
    pub seq: u64,
    /// Whose it is.
    pub kitchen: String,
    /// The kitchen's log index.
    pub index: u64,
    /// When, by the kitchen's wall clock.
    pub at: String,
    /// What happened, in one word.
    pub event: String,
    /// The order.
    pub order: Option<String>,
    /// The device.
    pub device: Option<String>,
    /// The rest.
    pub text: String,
}

impl LogView {
    /// The view of a line.
    pub fn of(stored: StoredLine) -> Self {
        let line = stored.line;
        Self {
            seq: stored.seq,
            kitchen: stored.kitchen.to_string(),
            index: line.index,
            at: rfc3339(line.wall),
            event: line.event,
            order: line.order,
            device: line.device,
            text: line.text,
        }
    }
}

/// A device that failed too often.
#[derive(Debug, Serialize, ToSchema)]
pub struct EscalationView {
    /// Its number here.
    pub id: u64,
    /// Where.
    pub kitchen: String,
    /// Which device.
    pub device: String,
    /// So many failures …
    pub failures: u64,
    /// … within so many milliseconds.
    pub within_ms: u64,
    /// When it came, by the backend's wall clock.
    pub at: String,
    /// Who has seen it.
    pub acknowledged_by: Option<String>,
}

impl EscalationView {
    /// The view of an escalation.
    pub fn of(escalation: Escalation) -> Self {
        Self {
            id: escalation.seq,
            kitchen: escalation.kitchen.to_string(),
            device: escalation.device,
            failures: escalation.failures,
            within_ms: escalation.within_ms,
            at: rfc3339(escalation.wall),
            acknowledged_by: Some(escalation.acknowledged_by).filter(|who| !who.is_empty()),
        }
    }
}
