//! Quotes and explanations.

use serde::Serialize;
use utoipa::ToSchema;

use crate::kitchen::schedule::explain::Why;
use crate::kitchen::schedule::forecast::Quote;
use crate::kitchen::{Kitchen, Millis};

use super::time::wall_of;

/// When an order would be ready.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct QuoteView {
    /// In half of the cases it is ready by then.
    #[schema(value_type = u64)]
    pub ready_in_p50_ms: Millis,
    /// In 95 of 100 cases it is ready by then.
    #[schema(value_type = u64)]
    pub ready_in_p95_ms: Millis,
    /// The first as wall time, for people.
    pub ready_at_p50: String,
    /// The second as wall time, for people.
    pub ready_at_p95: String,
    /// How many pizzas that wait go first.
    pub pizzas_ahead: usize,
    /// What it would be promised for.
    #[schema(value_type = u64)]
    pub promise_ms: Millis,
    /// Whether 95 of 100 such orders would be ready when promised.
    pub in_time: bool,
}

impl QuoteView {
    /// A quote at this moment.
    pub fn of(quote: Quote, promise_ms: Millis, kitchen: &Kitchen, now: Millis) -> Self {
        let meta = kitchen.meta();
        let wall = |ms: Millis| wall_of(now + ms, meta.now, meta.wall);
        Self {
            ready_in_p50_ms: quote.p50_ms,
            ready_in_p95_ms: quote.p95_ms,
            ready_at_p50: wall(quote.p50_ms),
            ready_at_p95: wall(quote.p95_ms),
            pizzas_ahead: quote.pizzas_ahead,
            promise_ms,
            in_time: quote.p95_ms <= promise_ms,
        }
    }
}

/// Why something is as it is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WhyView {
    /// One word for programs.
    pub reason: &'static str,
    /// A sentence for people.
    pub text: String,
    /// When this is expected to change; null where the plan does not say.
    #[schema(value_type = Option<u64>)]
    pub changes_in_ms: Option<Millis>,
}

impl WhyView {
    /// An explanation.
    pub fn of(why: Why) -> Self {
        Self { reason: why.reason, text: why.text, changes_in_ms: why.changes_in_ms }
    }
}
