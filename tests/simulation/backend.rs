//! The main backend with its database in memory, by the program's own deciders: `Standing::decide`, `Watch` and `choose_kitchen`.
//!
//! There is another kitchen, which always works: what it says it begins is cooked, and must never have been begun here, nor be from then on. `fleet` has
//! the link to the kitchen that is simulated.

use std::collections::{BTreeMap, BTreeSet};

use brigade::backend::order::{Input, Standing, Verdict};
use brigade::backend::routing::{Candidate, KitchenState, Wanted, choose_kitchen};
use brigade::backend::watch::Watch;
use brigade::kitchen::Millis;
use brigade::protocol::Id;
use brigade::protocol::exchange::{
    Assignment, Cancellation, ExchangeAnswer, ExchangeRequest, Held, News, Progress, QuoteMs, Report,
};

use crate::clock::Clock;

/// The assignment lease, and by how much each side is on the safe one.
pub const LEASE_MS: Millis = 60_000;
pub const MARGIN_MS: Millis = 5_000;
/// Without a word for so long it gets no new orders.
const UNREACHABLE_MS: Millis = 25_000;

/// An order, as the database has it.
pub struct Row {
    pub items: Vec<Id>,
    pub standing: Standing,
}

/// The backend: its database, and what one instance of it remembers.
pub struct Backend {
    pub orders: BTreeMap<Id, Row>,
    /// Orders that the other kitchen has begun.
    pub cooked_there: BTreeSet<Id>,
    pub clock: Clock,
    cursor: u64,
    pub beat: u64,
    report: Report,
    heard_at: Millis,
    pub watch: Watch,
    pub cut_until: Millis,
}

pub fn here() -> Id {
    "here".parse().expect("an id")
}

pub fn there() -> Id {
    "there".parse().expect("an id")
}

impl Backend {
    pub fn new(clock: Clock) -> Self {
        Self {
            orders: BTreeMap::new(),
            cooked_there: BTreeSet::new(),
            clock,
            cursor: 0,
            beat: 0,
            report: Report::default(),
            heard_at: 0,
            watch: Watch::default(),
            cut_until: 0,
        }
    }

    /// True if the input changed how an order stands.
    pub fn decide(&mut self, order: &Id, input: &Input) -> bool {
        let Some(row) = self.orders.get_mut(order) else { return false };
        match row.standing.decide(input) {
            Verdict::Change(standing) => row.standing = standing,
            Verdict::Unchanged(_) => return false,
        }
        true
    }

    /// Takes in what the kitchen tells, in order and without gap.
    fn absorb(&mut self, request: &ExchangeRequest) -> Result<(), String> {
        let known = self.cursor;
        for outcome in request.outcomes.iter().filter(|o| o.number > known) {
            if outcome.number != self.cursor + 1 {
                return Err(format!("outcome {} came after {}: a gap", outcome.number, self.cursor));
            }
            self.cursor = outcome.number;
            if let News::Order { order, assignment, status, .. } = &outcome.news {
                let began = matches!(status, Progress::InProgress | Progress::Ready | Progress::Collected);
                if began && self.cooked_there.contains(order) {
                    return Err(format!("{order} is cooked elsewhere, and {} here", status.as_str()));
                }
                self.decide(order, &Input::News(here(), *assignment, *status));
            }
        }
        self.report = request.report.clone().unwrap_or_default();
        Ok(())
    }

    pub fn answer(&mut self, request: &ExchangeRequest, now: Millis) -> Result<ExchangeAnswer, String> {
        // First the beat: from here on no lease is over that this answer may renew.
        self.beat += 1;
        self.heard_at = self.clock.at(now);
        self.absorb(request)?;
        let owns = |id: &Id, number: u64| self.orders.get(id).is_some_and(|o| o.standing.is_owned_by(&here(), number));
        let spoken = request.outcomes.iter().filter_map(|o| match &o.news {
            News::Order { order, assignment, .. } => Some(Held { order: order.clone(), assignment: *assignment }),
            News::Kitchen { .. } | News::Escalation { .. } => None,
        });
        let mentioned: BTreeSet<Held> = request.held.iter().cloned().chain(spoken).collect();
        let own = self.orders.iter().filter(|(_, row)| row.standing.owner() == Some(&here()));
        let held = |id: &Id, n: u64| request.held.iter().any(|h| h.order == *id && h.assignment == n);
        let assignments =
            own.clone().filter(|(id, row)| !held(id, row.standing.assignment)).map(|(order, row)| Assignment {
                order: order.clone(),
                assignment: row.standing.assignment,
                items: row.items.clone(),
                priority: 0,
                promise_ms: 1_800_000,
            });
        let cancellations =
            own.clone().filter(|(_, row)| row.standing.cancel_requested).map(|(order, row)| Cancellation {
                order: order.clone(),
                assignment: row.standing.assignment,
                reason: "changed my mind".to_owned(),
            });
        Ok(ExchangeAnswer {
            v: 1,
            as_of: request.as_of,
            lease_ms: LEASE_MS,
            acknowledged: self.cursor,
            assignments: assignments.collect(),
            cancellations: cancellations.collect(),
            revoked: mentioned.into_iter().filter(|h| !owns(&h.order, h.assignment)).collect(),
            ..ExchangeAnswer::default()
        })
    }

    /// The kitchen for an order, by the real rule: this one by its report, the other one always with a quote of a quarter of an hour.
    pub fn choose(&self, items: &[Id], returned_by: Option<&Id>, now: Millis) -> Option<Id> {
        let quote = QuoteMs { p50_ms: 800_000, p95_ms: 900_000 };
        let quotes = items.iter().map(|item| (item.clone(), quote)).collect();
        let steady = Report { quotes, limit_milli_per_hour: Some(60_000), ..Report::default() };
        let is_silent = self.clock.at(now) > self.heard_at + UNREACHABLE_MS;
        let state = match self.report.state.as_str() {
            _ if is_silent => KitchenState::Unreachable,
            "NORMAL" => KitchenState::Normal,
            "DEGRADED" => KitchenState::Degraded,
            "DRAINING" => KitchenState::Draining,
            "" => KitchenState::Unknown,
            _ => KitchenState::OutOfOrder,
        };
        let (own, other) = (here(), there());
        let candidate =
            |id, state, report| Candidate { id, state, report, unreported_pizzas: 0, recent_pizzas: 0, travel_ms: 0 };
        let candidates = [candidate(&own, state, &self.report), candidate(&other, KitchenState::Normal, &steady)];
        let wanted = Wanted { items, promise_ms: 1_800_000, late_ms_max: None, returned_by };
        choose_kitchen(&wanted, &candidates).ok().map(|choice| choice.kitchen)
    }
}
