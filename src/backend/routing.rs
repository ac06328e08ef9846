//! Which kitchen an order goes to: `choose_kitchen`. Pure, total, deterministic, in integers.
//!
//! Kitchens that can't take the order are left out, each with its reason. Of the others the one with the smallest cost is best: lateness
//! against the promise first, then when the order would be with its client. Among those that are nearly as good, the one that was
//! given the least lately, measured by what it can make, gets it; ties end on the id. Distances are measured outside (`place`).

use serde::{Deserialize, Serialize};

use crate::protocol::exchange::Report;
use crate::protocol::{Id, Millis};

use super::explain::{Exclusion, Explanation, Numbers, Other};

/// Kitchens within so much of the best count as equal, in milliseconds …
const NEAR_MS: Millis = 30_000;
/// … or within so much of its cost, in percent.
const NEAR_PCT: u64 = 10;
/// What a kitchen costs more while a stage is short of executors, in milliseconds: its quotes may not hold.
const DEGRADED_MS: Millis = 60_000;
/// What a kitchen makes that says nothing about it, in thousandths of pizzas an hour.
const RATE_UNKNOWN_MILLI: u64 = 60_000;
/// How many kitchens the explanation names beside the chosen one.
const OTHERS_MAX: usize = 5;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// One recipe for each pizza.
    pub items: &'a [Id],
    /// Ready within so many milliseconds from now.
    pub promise_ms: Millis,
    /// How much later than promised an order may be taken, in milliseconds; none: any time.
    pub late_ms_max: Option<Millis>,
    /// The kitchen that has just given it back.
    pub returned_by: Option<&'a Id>,
}

/// How a kitchen stands towards new orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum KitchenState {
    /// It takes orders.
    Normal,
    /// It takes orders; a stage is short.
    Degraded,
    /// It finishes what it has.
    Draining,
    /// A stage has no executor.
    OutOfOrder,
    /// The backend has not heard from it for a while.
    Unreachable,
    /// It has not reported yet.
    #[default]
    Unknown,
}

impl KitchenState {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "NORMAL",
            Self::Degraded => "DEGRADED",
            Self::Draining => "DRAINING",
            Self::OutOfOrder => "OUT_OF_ORDER",
            Self::Unreachable => "UNREACHABLE",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// What a report says.
    pub fn reported(word: &str) -> Self {
        let all = [Self::Normal, Self::Degraded, Self::Draining, Self::OutOfOrder];
        all.into_iter().find(|state| state.as_str() == word).unwrap_or_default()
    }
}

/// A kitchen that may get it.
#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    /// Its id.
    pub id: &'a Id,
    /// How it stands.
    pub state: KitchenState,
    /// What it reported last.
    pub report: &'a Report,
    /// Pizzas that were given to it and are not in its report yet.
    pub unreported_pizzas: u64,
    /// Pizzas given to it lately; decays.
    pub recent_pizzas: u64,
    /// How far the way to the client is, in milliseconds of travel.
    pub travel_ms: Millis,
}

/// The kitchen that gets it, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The kitchen.
    pub kitchen: Id,
    /// Why this one.
    pub why: Explanation,
}

/// Why no kitchen can take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoKitchen {
    /// None can at the moment; the reasons of some.
    Now(Vec<Other>),
    /// All would be too late.
    TooLate {
        /// The earliest would be ready in so many milliseconds.
        earliest_ms: Millis,
    },
}

#[derive(Clone, Copy)]
struct Scored<'a> {
    id: &'a Id,
    numbers: Numbers,
}

/// Chooses.
pub fn choose_kitchen(wanted: &Wanted<'_>, candidates: &[Candidate<'_>]) -> Result<Choice, NoKitchen> {
    let mut scored = Vec::with_capacity(candidates.len());
    let mut excluded = Vec::new();
    for candidate in candidates {
        match score(wanted, candidate) {
            Ok(numbers) => scored.push(Scored { id: candidate.id, numbers }),
            Err(reason) if excluded.len() < OTHERS_MAX => excluded.push(Other::excluded(candidate.id, reason)),
            Err(_) => {}
        }
    }
    let Some(best) = scored.iter().min_by_key(|s| (s.numbers.late_ms, s.numbers.cost_ms, s.id)).copied() else {
        return Err(NoKitchen::Now(excluded));
    };
    if wanted.late_ms_max.is_some_and(|max_ms| best.numbers.late_ms > max_ms) {
        let earliest_ms = scored.iter().map(|s| s.numbers.ready_ms + s.numbers.travel_ms).min().unwrap_or_default();
        return Err(NoKitchen::TooLate { earliest_ms });
    }
    let near = scored.iter().filter(|s| is_near(&s.numbers, &best.numbers));
    let chosen = near.min_by_key(|s| (s.numbers.share_ms, s.numbers.cost_ms, s.id)).copied().unwrap_or(best);
    Ok(Choice { kitchen: chosen.id.clone(), why: explain(chosen, &mut scored, excluded) })
}

/// What it would cost there, or why it can't be had there.
fn score(wanted: &Wanted<'_>, candidate: &Candidate<'_>) -> Result<Numbers, Exclusion> {
    let penalty_ms = match candidate.state {
        KitchenState::Normal => 0,
        KitchenState::Degraded => DEGRADED_MS,
        KitchenState::Draining => return Err(Exclusion::Draining),
        KitchenState::OutOfOrder => return Err(Exclusion::OutOfOrder),
        KitchenState::Unreachable => return Err(Exclusion::Unreachable),
        KitchenState::Unknown => return Err(Exclusion::NotReported),
    };
    if wanted.returned_by == Some(candidate.id) {
        return Err(Exclusion::GaveItBack);
    }
    let mut slowest_ms = 0;
    for recipe in wanted.items {
        let quote = candidate.report.quotes.get(recipe).ok_or_else(|| Exclusion::NotOffered(recipe.clone()))?;
        slowest_ms = slowest_ms.max(quote.p95_ms);
    }
    let report = candidate.report;
    let rate_milli = report.limit_milli_per_hour.or(report.rate_milli_per_hour).filter(|r| *r > 0);
    let pizza_ms = 3_600_000_000 / rate_milli.unwrap_or(RATE_UNKNOWN_MILLI);
    let ahead = (wanted.items.len() as u64).saturating_sub(1) + candidate.unreported_pizzas;
    let ready_ms = slowest_ms.saturating_add(ahead.saturating_mul(pizza_ms));
    let cost_ms = ready_ms.saturating_add(candidate.travel_ms).saturating_add(penalty_ms);
    let late_ms = ready_ms.saturating_add(candidate.travel_ms).saturating_sub(wanted.promise_ms);
    let share_ms = candidate.recent_pizzas.saturating_mul(pizza_ms);
    Ok(Numbers { late_ms, cost_ms, ready_ms, travel_ms: candidate.travel_ms, share_ms })
}

fn is_near(one: &Numbers, best: &Numbers) -> bool {
    let room_ms = NEAR_MS.max(best.cost_ms / 100 * NEAR_PCT);
    one.late_ms <= best.late_ms.saturating_add(NEAR_MS) && one.cost_ms <= best.cost_ms.saturating_add(room_ms)
}

fn explain(chosen: Scored<'_>, scored: &mut [Scored<'_>], excluded: Vec<Other>) -> Explanation {
    let able = scored.len();
    // Only the few that are named need to be in order.
    let named = OTHERS_MAX.min(scored.len().saturating_sub(1));
    if named < scored.len() {
        scored.select_nth_unstable_by_key(named, |s| (s.numbers.late_ms, s.numbers.cost_ms, s.id));
    }
    let mut nearest: Vec<&Scored<'_>> = scored[..=named].iter().filter(|s| s.id != chosen.id).collect();
    nearest.sort_unstable_by_key(|s| (s.numbers.late_ms, s.numbers.cost_ms, s.id));
    let others = nearest.into_iter().map(|s| Other::scored(s.id, s.numbers, &chosen.numbers)).take(OTHERS_MAX);
    let mut others: Vec<Other> = others.collect();
    others.extend(excluded);
    others.truncate(OTHERS_MAX);
    Explanation { kitchen: chosen.id.clone(), able: able as u64, numbers: chosen.numbers, others }
}

#[cfg(test)]
#[path = "routing_tests.rs"]
mod tests;
