//! An order's record as spans: the order, its pizzas, each try at a step, and within it the device's own work. Pure.
//!
//! Ids are digests of names, so that a trace made twice (by two replicas, after a failover) is one trace, and whoever knows an order finds it.

use crate::kitchen::pizza::{Judgement, PastAttempt};
use crate::kitchen::{ArchivedOrder, Millis};
use crate::secret;

/// Who did what a span shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The controllers.
    Kitchen,
    /// A robot, an oven or a camera.
    Device,
}

/// One span. Times are wall time in milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The order's, in 32 hexadecimal digits.
    pub trace: String,
    /// Its own, in 16.
    pub id: String,
    /// What it is part of; empty for the order.
    pub parent: String,
    /// For people.
    pub name: String,
    /// Who did it.
    pub scope: Scope,
    /// When it began.
    pub start_ms: u64,
    /// When it was over.
    pub end_ms: u64,
    /// Whether it went well.
    pub good: bool,
    /// What else is known.
    pub attributes: Vec<(&'static str, String)>,
    /// What happened in it.
    pub events: Vec<(u64, String)>,
}

/// The first digits of a digest: 16 bytes for a trace, 8 for a span.
fn digest(parts: &[&str], bytes: usize) -> String {
    let mut digits = secret::digest(&parts.join("\u{1f}"));
    digits.truncate(2 * bytes);
    digits
}

/// The trace of an order: what monitoring is asked for by who knows the order's id.
pub fn trace_id(kitchen: &str, order: &str) -> String {
    digest(&[kitchen, order], 16)
}

/// All spans of an order that ended.
pub fn of(kitchen: &str, archived: &ArchivedOrder) -> Vec<Span> {
    let order = &archived.order;
    let trace =
        Trace { id: trace_id(kitchen, order.id.as_str()), placed_at: order.placed_at, placed_wall: order.placed_wall };
    let root = trace.order(archived);
    let discarded = order.discarded.iter().flat_map(|gone| {
        let how = format!("DISCARDED {:?}", gone.reason);
        trace.pizza(&root.id, &gone.pizza.to_string(), &how, false, &gone.history, &gone.judgements)
    });
    let present = archived.pizzas.iter().flat_map(|pizza| {
        let how = format!("{:?}", pizza.state);
        trace.pizza(&root.id, &pizza.id.to_string(), &how, true, &pizza.history, &pizza.judgements)
    });
    let spans: Vec<Span> = discarded.chain(present).collect();
    std::iter::once(root).chain(spans).collect()
}

/// What all spans of a trace share.
struct Trace {
    id: String,
    placed_at: Millis,
    placed_wall: u64,
}

impl Trace {
    /// Wall time of a kitchen moment.
    fn wall(&self, at: Millis) -> u64 {
        (self.placed_wall + at).saturating_sub(self.placed_at)
    }

    fn order(&self, archived: &ArchivedOrder) -> Span {
        let order = &archived.order;
        let items: Vec<&str> = order.items.iter().map(|item| item.as_str()).collect();
        let mut attributes = vec![
            ("brigade.order.id", order.id.to_string()),
            ("brigade.order.status", order.status.as_str().to_owned()),
            ("brigade.order.items", items.join(",")),
            ("brigade.order.priority", order.priority.to_string()),
        ];
        attributes.extend(order.reason.clone().map(|reason| ("brigade.order.reason", reason)));
        let end_ms = order.ended_at.map_or(order.placed_wall, |at| self.wall(at));
        Span {
            trace: self.id.clone(),
            id: digest(&[&self.id, "order"], 8),
            parent: String::new(),
            name: "order".to_owned(),
            scope: Scope::Kitchen,
            start_ms: order.placed_wall,
            end_ms,
            good: matches!(order.status.classic(), "completed"),
            attributes,
            events: vec![(self.wall(order.promised_at), "promised".to_owned())],
        }
    }

    fn pizza(
        &self,
        parent: &str,
        pizza: &str,
        how: &str,
        good: bool,
        history: &[PastAttempt],
        judgements: &[Judgement],
    ) -> Vec<Span> {
        // One that nobody began has nothing to show.
        let Some(start) = history.iter().map(|tried| tried.opened_at).min() else { return Vec::new() };
        let end = history.iter().map(|tried| tried.ended_at).max().unwrap_or(start);
        let judged = |j: &Judgement| {
            let verdict = j.verdict.as_ref().map_or("nobody judged it".to_owned(), |verdict| format!("{verdict:?}"));
            (self.wall(j.at), format!("{}: {verdict}", j.job.as_str()))
        };
        let span = Span {
            trace: self.id.clone(),
            id: digest(&[&self.id, pizza], 8),
            parent: parent.to_owned(),
            name: "pizza".to_owned(),
            scope: Scope::Kitchen,
            start_ms: self.wall(start),
            end_ms: self.wall(end),
            good,
            attributes: vec![("brigade.pizza.id", pizza.to_owned()), ("brigade.pizza.state", how.to_owned())],
            events: judgements.iter().map(judged).collect(),
        };
        let attempts = history.iter().flat_map(|tried| self.attempt(&span.id, pizza, tried));
        let attempts: Vec<Span> = attempts.collect();
        std::iter::once(span).chain(attempts).collect()
    }

    /// From the decision to the recorded end, and within it from when the device said that it started.
    fn attempt(&self, parent: &str, pizza: &str, tried: &PastAttempt) -> Vec<Span> {
        let (job, number) = (tried.job.as_str(), tried.number.to_string());
        let good = tried.outcome.starts_with("SUCCEEDED");
        let attributes = vec![
            ("brigade.pizza.id", pizza.to_owned()),
            ("brigade.attempt.number", number.clone()),
            ("brigade.attempt.outcome", tried.outcome.clone()),
            ("brigade.device.id", tried.device.to_string()),
        ];
        let decided = Span {
            trace: self.id.clone(),
            id: digest(&[&self.id, pizza, job, &number], 8),
            parent: parent.to_owned(),
            name: job.to_owned(),
            scope: Scope::Kitchen,
            start_ms: self.wall(tried.opened_at),
            end_ms: self.wall(tried.ended_at),
            good,
            attributes,
            events: Vec::new(),
        };
        let worked = tried.started_at.map(|at| Span {
            id: digest(&[&self.id, pizza, job, &number, "device"], 8),
            parent: decided.id.clone(),
            name: format!("{job} on {}", tried.device),
            scope: Scope::Device,
            start_ms: self.wall(at),
            ..decided.clone()
        });
        std::iter::once(decided).chain(worked).collect()
    }
}
