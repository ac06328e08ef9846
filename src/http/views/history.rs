//! What was tried for an order: every attempt of every generation.

use serde::Serialize;
use utoipa::ToSchema;

use crate::kitchen::pizza::{Judgement, PastAttempt};
use crate::kitchen::{ArchivedOrder, Attempt, Kitchen, Millis, Order, Pizza};

use super::time::{rfc3339, until};
use super::word;
use super::words::{OrderStatusWord, VerdictWord};

/// An order's history. Spans count from its placing.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HistoryView {
    /// The order.
    pub order: String,
    /// Where it is.
    #[schema(value_type = OrderStatusWord)]
    pub status: &'static str,
    /// When it was placed.
    pub placed_at: String,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_after_ms: Option<i64>,
    /// Every pizza that was begun for it, discarded ones first.
    pub pizzas: Vec<PizzaHistory>,
}

/// What was tried with one pizza.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PizzaHistory {
    /// The pizza.
    pub pizza: String,
    /// Where it is, or DISCARDED with the reason.
    pub state: String,
    /// Attempts, the oldest first; those that are not over have no end.
    pub attempts: Vec<AttemptView>,
    /// What was said of its steps.
    pub judgements: Vec<TimedJudgement>,
}

/// One try at a job.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AttemptView {
    /// prep, load, bake, unload, inspect-…
    pub job: &'static str,
    /// Which try.
    pub number: u32,
    /// On which device.
    pub device: String,
    /// When it was decided.
    pub opened_after_ms: i64,
    /// When the device reported that it started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_after_ms: Option<i64>,
    /// When its end was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_after_ms: Option<i64>,
    /// SUCCEEDED or why not; PLANNED, ACCEPTED, RUNNING or UNKNOWN while it is not over.
    pub outcome: String,
}

/// What was said of a step, and when.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TimedJudgement {
    /// The inspection.
    pub job: &'static str,
    /// PASS, FAIL or UNSURE; none if nobody judged it.
    #[schema(value_type = Option<VerdictWord>)]
    pub verdict: Option<String>,
    /// When.
    pub after_ms: i64,
}

impl HistoryView {
    /// Of an open order.
    pub fn open(order: &Order, kitchen: &Kitchen) -> Self {
        let pizzas: Vec<&Pizza> = order.pizzas.iter().filter_map(|id| kitchen.pizza(*id)).collect();
        let mut view = Self::of(order, &pizzas);
        for attempt in kitchen.attempts() {
            let pizza = attempt.id.task.pizza.to_string();
            if let Some(of) = view.pizzas.iter_mut().find(|p| p.pizza == pizza) {
                of.attempts.push(AttemptView::running(attempt, order.placed_at));
            }
        }
        view
    }

    /// Of an order that ended.
    pub fn archived(archived: &ArchivedOrder) -> Self {
        Self::of(&archived.order, &archived.pizzas.iter().collect::<Vec<_>>())
    }

    fn of(order: &Order, pizzas: &[&Pizza]) -> Self {
        let placed = order.placed_at;
        let discarded = order.discarded.iter().map(|d| {
            let state = format!("DISCARDED {}", word(&d.reason));
            PizzaHistory::of(d.pizza.to_string(), state, &d.history, &d.judgements, placed)
        });
        let present = pizzas
            .iter()
            .map(|p| PizzaHistory::of(p.id.to_string(), word(&p.state), &p.history, &p.judgements, placed));
        Self {
            order: order.id.to_string(),
            status: order.status.as_str(),
            placed_at: rfc3339(order.placed_wall),
            ended_after_ms: order.ended_at.map(|at| until(at, placed)),
            pizzas: discarded.chain(present).collect(),
        }
    }
}

impl PizzaHistory {
    fn of(pizza: String, state: String, past: &[PastAttempt], said: &[Judgement], placed: Millis) -> Self {
        let judged = |j: &Judgement| TimedJudgement {
            job: j.job.as_str(),
            verdict: j.verdict.as_ref().map(word),
            after_ms: until(j.at, placed),
        };
        let attempts = past.iter().map(|a| AttemptView::past(a, placed)).collect();
        Self { pizza, state, attempts, judgements: said.iter().map(judged).collect() }
    }
}

impl AttemptView {
    fn past(past: &PastAttempt, placed: Millis) -> Self {
        Self {
            job: past.job.as_str(),
            number: past.number,
            device: past.device.to_string(),
            opened_after_ms: until(past.opened_at, placed),
            started_after_ms: past.started_at.map(|at| until(at, placed)),
            ended_after_ms: Some(until(past.ended_at, placed)),
            outcome: past.outcome.clone(),
        }
    }

    fn running(attempt: &Attempt, placed: Millis) -> Self {
        Self {
            job: attempt.id.task.job.as_str(),
            number: attempt.id.number,
            device: attempt.device.to_string(),
            opened_after_ms: until(attempt.opened_at, placed),
            started_after_ms: attempt.started_at.map(|at| until(at, placed)),
            ended_after_ms: None,
            outcome: word(&attempt.state),
        }
    }
}
