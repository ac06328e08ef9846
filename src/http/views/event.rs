//! Facts as streams carry them: one message per log index, so that its id names a place to go on from.

use std::sync::Arc;

use serde::Serialize;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::kitchen::Event;
use crate::raft::Observed;

use super::time::rfc3339;
use super::word;
use super::words::EventWord;

/// Everything that one log entry caused.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EntryView {
    /// The log index.
    pub index: u64,
    /// Wall time of the entry.
    pub at: String,
    /// Kitchen time of the entry, in milliseconds: spans between two entries are exact.
    pub kitchen_ms: u64,
    /// The facts.
    pub events: Vec<EventView>,
}

/// One fact: its name, and what it is about.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct EventView {
    /// order_accepted, pizza_changed, device_changed …
    #[schema(value_type = EventWord)]
    pub event: &'static str,
    /// The order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// The pizza.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pizza: Option<String>,
    /// The device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The attempt: `17.2.0-load#1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<String>,
    /// The instruction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    /// The incident.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<u64>,
    /// The recipe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// The id of a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<u64>,
    /// The epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// The state before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The state now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// In words: why, what, the question or the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The pizza that replaces it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remade_as: Option<String>,
    /// How many: pizzas of an order, failures of a device, the version of a recipe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

impl EntryView {
    /// What observers saw of one entry.
    pub fn of(observed: &Observed) -> Self {
        Self {
            index: observed.index,
            at: rfc3339(observed.wall),
            kitchen_ms: observed.at,
            events: observed.events.iter().map(EventView::of).collect(),
        }
    }
}

/// Sets the named fields of a view from anything that can be shown.
macro_rules! view {
    ($event:literal $(, $field:ident = $value:expr)* $(,)?) => {
        EventView { event: $event, $($field: Some($value.to_string()),)* ..EventView::default() }
    };
}

impl EventView {
    /// The fact on the wire.
    pub fn of(event: &Event) -> Self {
        match event {
            Event::InCharge { node, epoch } => Self { node: Some(*node), epoch: Some(epoch.0), ..view!("in_charge") },
            Event::RulesRaised { rules } => Self { count: Some(rules.0), ..view!("rules_raised") },
            Event::OrderAccepted { order, pizzas, source } => {
                Self { count: Some(*pizzas), ..view!("order_accepted", order = order, text = word(source)) }
            }
            Event::OrderChanged { order, status } => view!("order_changed", order = order, to = status.as_str()),
            Event::PizzaChanged { pizza, order, from, to } => {
                view!("pizza_changed", pizza = pizza, order = order, from = word(from), to = word(to))
            }
            Event::PizzaDiscarded { pizza, order, reason, remade_as } => Self {
                remade_as: remade_as.map(|p| p.to_string()),
                ..view!("pizza_discarded", pizza = pizza, order = order, text = word(reason))
            },
            Event::AttemptOpened { attempt, device, instruction } => {
                view!("attempt_opened", attempt = attempt, device = device, instruction = instruction)
            }
            Event::AttemptStarted { attempt, device } => view!("attempt_started", attempt = attempt, device = device),
            Event::AttemptUnknown { attempt, device } => view!("attempt_unknown", attempt = attempt, device = device),
            Event::AttemptEnded { attempt, device, outcome } => {
                view!("attempt_ended", attempt = attempt, device = device, to = outcome)
            }
            Event::Unverified { pizza, step } => view!("unverified", pizza = pizza, text = step),
            Event::DeviceAnnounced { device } => view!("device_announced", device = device),
            Event::DeviceChanged { device, state, why } => {
                view!("device_changed", device = device, to = state, text = why)
            }
            Event::DeviceFailed { device, what } => view!("device_failed", device = device, text = what),
            Event::Escalated { device, failures } => {
                Self { count: Some(*failures), ..view!("escalated", device = device) }
            }
            Event::IncidentRaised { incident, question } => {
                Self { incident: Some(*incident), ..view!("incident_raised", text = question) }
            }
            Event::IncidentClosed { incident, answer } => {
                Self { incident: Some(*incident), ..view!("incident_closed", text = answer) }
            }
            Event::KitchenChanged { status } => view!("kitchen_changed", to = status),
            Event::RecipeChanged { recipe, version } => {
                Self { count: Some(*version), ..view!("recipe_changed", recipe = recipe) }
            }
            Event::TokenAdded { token, name, role, actor } => {
                view!("token_added", token = token, to = role, text = format!("{name}'s, by {actor}"))
            }
            Event::TokenRevoked { token, name, actor } => {
                view!("token_revoked", token = token, text = format!("{name}'s, by {actor}"))
            }
        }
    }
}

/// One message of a stream, for the description: what a browser's `EventSource` hands on.
pub enum EventMessage {}

impl PartialSchema for EventMessage {
    fn schema() -> RefOr<Schema> {
        crate::web::stream_message(EntryView::name(), "A log index: `Last-Event-ID` goes on behind it.")
    }
}

impl ToSchema for EventMessage {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((EntryView::name().into_owned(), EntryView::schema()));
        EntryView::schemas(schemas);
    }
}

/// What a long poll returns.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventPage {
    /// Entries with events, in order.
    #[schema(value_type = Vec<EntryView>)]
    pub items: Vec<Arc<EntryView>>,
    /// The `after` of the next poll.
    pub next: u64,
}
