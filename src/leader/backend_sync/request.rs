//! What the kitchen tells the backend, from its state. Decides nothing.

use std::collections::BTreeMap;

use crate::kitchen::feed::{News as KitchenNews, Outcome as FeedOutcome};
use crate::kitchen::status::Capacity;
use crate::kitchen::{Kitchen, OrderId, OrderStatus};
use crate::leader::tenure::Shared;
use crate::protocol::exchange::{
    EXCHANGE_ITEMS_MAX, EXCHANGE_VERSION, ExchangeRequest, Held, News, Outcome, Progress, QuoteMs, Report, UpOf,
};
use crate::protocol::{Id, Millis};

/// What a request is to carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// What the kitchen holds.
    Held,
    /// That, and what waits to be learned.
    Outcomes,
}

/// A request of this tenure, at this moment.
pub(super) fn build(shared: &Shared, what: What) -> ExchangeRequest {
    // First the time: what the kitchen holds may only be newer than that.
    let now = shared.node.now();
    shared.node.with_kitchen(|kitchen| of(kitchen, now, what))
}

/// A request, with the kitchen's time when it is written.
pub fn of(kitchen: &Kitchen, now: Millis, what: What) -> ExchangeRequest {
    let meta = kitchen.meta();
    let mut outcomes = Vec::new();
    if what == What::Outcomes {
        outcomes = kitchen.feed().take(EXCHANGE_ITEMS_MAX).map(outcome).collect();
    }
    let held = kitchen.orders().filter_map(|o| Some(Held { order: id(&o.id), assignment: o.assignment?.number }));
    ExchangeRequest {
        v: EXCHANGE_VERSION,
        series: series(kitchen),
        as_of: now,
        held: held.collect(),
        first: kitchen.feed().next().map_or(meta.feed_last + 1, |o| o.number),
        outcomes,
        report: None,
        logs: Vec::new(),
        configuration: meta.backend.configuration.version,
        configuration_refused: meta.backend.configuration.refused.clone(),
    }
}

/// Another one when the state was made anew, or came back from a backup.
fn series(kitchen: &Kitchen) -> Id {
    let name = format!("{:x}-{}", kitchen.meta().born_wall, kitchen.epoch().incarnation());
    name.parse().expect("hexadecimal digits and a number are an id")
}

fn id(order: &OrderId) -> Id {
    order.as_str().parse().expect("an order id is an id")
}

fn outcome(outcome: &FeedOutcome) -> Outcome {
    let news = match &outcome.news {
        KitchenNews::Order { order, assignment, status, reason } => {
            News::Order { order: id(order), assignment: *assignment, status: progress(*status), reason: reason.clone() }
        }
        KitchenNews::Starting { order, assignment } => {
            News::Order { order: id(order), assignment: *assignment, status: Progress::Starting, reason: None }
        }
        KitchenNews::Kitchen { status } => News::Kitchen { status: status.clone() },
        KitchenNews::Escalation { device, failures, within_ms } => {
            News::Escalation { device: device.clone().into(), failures: *failures, within_ms: *within_ms }
        }
    };
    Outcome { number: outcome.number, wall: outcome.wall, news }
}

fn progress(status: OrderStatus) -> Progress {
    match status {
        OrderStatus::Accepted => Progress::Accepted,
        OrderStatus::InProgress => Progress::InProgress,
        OrderStatus::Ready => Progress::Ready,
        OrderStatus::Collected => Progress::Collected,
        OrderStatus::Cancelled => Progress::Cancelled,
        OrderStatus::Failed => Progress::Failed,
        OrderStatus::Returned => Progress::Returned,
    }
}

/// How the kitchen is. Spans are rounded to a second, so that a kitchen in which nothing happens says the same again.
pub fn report(kitchen: &Kitchen) -> Report {
    let (meta, status) = (kitchen.meta(), kitchen.status());
    let limit = kitchen.present_limit();
    let stages = [("prep", status.prep), ("bake", status.bake), ("finish", status.finish), ("inspect", status.inspect)];
    let up_of = |c: Capacity| UpOf { up: c.up, of: c.of };
    let state = status.text();
    Report {
        state: state.split('(').next().unwrap_or_default().to_owned(),
        status: state,
        capacity: stages.into_iter().map(|(name, c)| (name.to_owned(), up_of(c))).collect(),
        open_orders: kitchen.orders().count() as u64,
        open_pizzas: u64::from(meta.open_pizzas),
        limit_milli_per_hour: limit.as_ref().map(|l| l.milli_per_hour),
        rate_milli_per_hour: Some(kitchen.present_rate(meta.now)),
        bottleneck: limit.map(|l| l.bottleneck.as_str().to_owned()),
        quotes: quotes(kitchen),
        open_incidents: kitchen.incidents().filter(|i| i.answer.is_none()).count() as u64,
        feed_waiting: kitchen.feed().count() as u64,
        statistics: statistics(kitchen),
        in_charge: kitchen.in_charge().map(|c| c.node),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

fn quotes(kitchen: &Kitchen) -> BTreeMap<Id, QuoteMs> {
    let round = |ms: Millis| ms.next_multiple_of(1_000);
    let quote = |id: &crate::kitchen::RecipeId| {
        let quote = kitchen.quote(std::slice::from_ref(id), 0, None)?;
        let name = id.as_str().parse().expect("a recipe id is an id");
        Some((name, QuoteMs { p50_ms: round(quote.p50_ms), p95_ms: round(quote.p95_ms) }))
    };
    kitchen.recipes().filter_map(|r| quote(&r.id)).collect()
}

fn statistics(kitchen: &Kitchen) -> BTreeMap<String, u64> {
    let meta = kitchen.meta();
    let [ready, cancelled, failed, returned] = meta.ended;
    let counts = [
        ("orders_ready", ready),
        ("orders_cancelled", cancelled),
        ("orders_failed", failed),
        ("orders_returned", returned),
        ("promises_kept", meta.promises[0]),
        ("promises_broken", meta.promises[1]),
        ("pizzas_packed", meta.packed),
        ("pizzas_discarded", meta.discarded),
        ("incidents_raised", meta.incidents),
        ("outcomes_dropped", meta.backend.dropped),
    ];
    counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}
