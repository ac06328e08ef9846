//! What a record says of a pizza: what was done with it, where, when, how hot, who judged it, and how it ended.
//!
//! Everything comes from the order as it goes to the archive, and from the incidents about the pizza. Moments are wall times, reckoned
//! from the wall time of the attempt's own end: a kitchen that stood still in between does not shift them.

use super::super::ids::{Millis, PizzaId, RecipeId};
use super::super::incident::{Incident, Question};
use super::super::order::{ArchivedOrder, Order};
use super::super::pizza::{Judgement, PastAttempt, PizzaState, Spoiled};
use super::super::report::Job;
use super::super::vocabulary::Verdict;
use super::text::{celsius, rfc3339, seconds};
use super::{Chain, wall_of};

/// Version of the lines. Another meaning of a column, or another column, is another version.
pub const FORMAT: u32 = 1;

/// The columns of a line, in order.
pub const COLUMNS: [&str; 36] = [
    "format",
    "seq",
    "recorded_at",
    "kitchen",
    "order",
    "order_status",
    "pizza",
    "generation",
    "recipe",
    "recipe_version",
    "ended",
    "reason",
    "ended_at",
    "prep_device",
    "prep_start",
    "prep_end",
    "load_device",
    "load_start",
    "load_end",
    "oven",
    "bake_start",
    "bake_end",
    "bake_s",
    "bake_temp_c",
    "out_of_oven_s",
    "unload_device",
    "unload_start",
    "unload_end",
    "finish_device",
    "finish_start",
    "finish_end",
    "verdicts",
    "attempts",
    "incidents",
    "previous",
    "hash",
];

/// A pizza that ended.
pub(super) struct Ended<'a> {
    pub(super) id: PizzaId,
    recipe: &'a RecipeId,
    recipe_version: u32,
    /// Why it was thrown away; None for one that was packed.
    reason: Option<Spoiled>,
    wall: u64,
    history: &'a [PastAttempt],
    judgements: &'a [Judgement],
    placed: (Millis, u64),
}

/// Every pizza that was begun for an order, the discarded ones first.
pub(super) fn of(ended: &ArchivedOrder) -> Vec<Ended<'_>> {
    let order = &ended.order;
    let placed = (order.placed_at, order.placed_wall);
    let discarded = order.discarded.iter().filter(|d| d.state != PizzaState::Queued).filter_map(|d| {
        Some(Ended {
            id: d.pizza,
            recipe: order.items.get(usize::from(d.pizza.item))?,
            recipe_version: d.recipe_version,
            reason: Some(d.reason),
            wall: if d.wall == 0 { wall_of(d.at, placed.0, placed.1) } else { d.wall },
            history: &d.history,
            judgements: &d.judgements,
            placed,
        })
    });
    let packed = ended.pizzas.iter().filter(|p| p.state == PizzaState::Packed).map(|p| {
        let known = p.history.last().map_or(placed, |a| known(a, placed));
        Ended {
            id: p.id,
            recipe: &p.recipe,
            recipe_version: p.recipe_version,
            reason: None,
            wall: wall_of(p.since, known.0, known.1),
            history: &p.history,
            judgements: &p.judgements,
            placed,
        }
    });
    discarded.chain(packed).collect()
}

/// True for a question about this pizza.
pub(super) fn is_about(incident: &Incident, id: PizzaId) -> bool {
    match &incident.question {
        Question::WhereIsPizza { pizza }
        | Question::JudgePizza { pizza, .. }
        | Question::ItemFails { pizza, .. }
        | Question::RemoveFromCounter { pizza } => *pizza == id,
        Question::ClearLane { .. }
        | Question::TwinDevices { .. }
        | Question::ObeysAnotherController { .. }
        | Question::EmergencyStop { .. } => false,
    }
}

impl Ended<'_> {
    /// All fields but the two hashes.
    pub(super) fn fields(&self, chain: &Chain, wall: u64, order: &Order, incidents: &[&Incident]) -> Vec<String> {
        let mut fields = vec![
            FORMAT.to_string(),
            (chain.records + 1).to_string(),
            rfc3339(wall),
            chain.kitchen.clone(),
            order.id.to_string(),
            order.status.as_str().to_owned(),
            self.id.to_string(),
            self.id.generation.to_string(),
            self.recipe.to_string(),
            if self.recipe_version == 0 { String::new() } else { self.recipe_version.to_string() },
            if self.reason.is_some() { "DISCARDED" } else { "PACKED" }.to_owned(),
            self.reason.map_or("", Spoiled::as_str).to_owned(),
            rfc3339(self.wall),
        ];
        for job in [Job::Prep, Job::Load] {
            fields.extend(self.step(job));
        }
        fields.extend(self.step(Job::Bake));
        fields.extend(self.bake());
        for job in [Job::Unload, Job::Finish] {
            fields.extend(self.step(job));
        }
        fields.push(list(self.judgements.iter().map(judgement)));
        fields.push(list(self.history.iter().map(|a| self.attempt(a))));
        fields.push(list(incidents.iter().map(|i| incident(i))));
        fields
    }

    /// The attempt that did a step; the last one where none did.
    fn deed(&self, job: Job) -> Option<&PastAttempt> {
        let tries = || self.history.iter().rev().filter(|a| a.job == job);
        tries().find(|a| a.outcome.starts_with("SUCCEEDED")).or_else(|| tries().next())
    }

    /// Device, start and end of a step.
    fn step(&self, job: Job) -> [String; 3] {
        let Some(deed) = self.deed(job) else { return [String::new(), String::new(), String::new()] };
        [deed.device.to_string(), self.start(deed), self.end(deed)]
    }

    /// How long it baked, how hot, and how long after that it was out of the oven.
    fn bake(&self) -> [String; 3] {
        let bake = self.deed(Job::Bake);
        let baked_ms = bake.and_then(|b| Some(b.ended_at.saturating_sub(b.started_at?)));
        let out = self.history.iter().rev().find(|a| a.job == Job::Unload && a.outcome.starts_with("SUCCEEDED"));
        let out_ms = bake.zip(out).map(|(bake, out)| out.ended_at.saturating_sub(bake.ended_at));
        let temperature = bake.and_then(|b| b.temp_dc).map(celsius);
        [
            baked_ms.map(seconds).unwrap_or_default(),
            temperature.unwrap_or_default(),
            out_ms.map(seconds).unwrap_or_default(),
        ]
    }

    fn start(&self, past: &PastAttempt) -> String {
        let (known, wall) = known(past, self.placed);
        past.started_at.map(|at| rfc3339(wall_of(at, known, wall))).unwrap_or_default()
    }

    fn end(&self, past: &PastAttempt) -> String {
        let (known, wall) = known(past, self.placed);
        rfc3339(wall_of(past.ended_at, known, wall))
    }

    /// `bake#1 oven2 START/END SUCCEEDED 318.4C`.
    fn attempt(&self, past: &PastAttempt) -> String {
        let (job, number, device) = (past.job.as_str(), past.number, &past.device);
        let temperature = past.temp_dc.map(|dc| format!(" {}C", celsius(dc))).unwrap_or_default();
        format!("{job}#{number} {device} {}/{} {}{temperature}", self.start(past), self.end(past), past.outcome)
    }
}

/// A moment of an attempt in kitchen time, and in wall time. What an earlier release recorded is reckoned from the order's placing.
fn known(past: &PastAttempt, placed: (Millis, u64)) -> (Millis, u64) {
    if past.ended_wall == 0 { placed } else { (past.ended_at, past.ended_wall) }
}

/// `inspect-bake PASS`.
fn judgement(said: &Judgement) -> String {
    let verdict = match said.verdict {
        Some(Verdict::Pass) => "PASS",
        Some(Verdict::Fail) => "FAIL",
        Some(Verdict::Unsure) => "UNSURE",
        None => "NOT_JUDGED",
    };
    format!("{} {verdict}", said.job.as_str())
}

/// `7 judge-pizza: Good by ada (it smells right)`.
fn incident(incident: &Incident) -> String {
    let question = match incident.question {
        Question::WhereIsPizza { .. } => "where-is-pizza",
        Question::JudgePizza { .. } => "judge-pizza",
        Question::ItemFails { .. } => "item-fails",
        Question::RemoveFromCounter { .. } => "remove-from-counter",
        Question::ClearLane { .. } => "clear-lane",
        Question::TwinDevices { .. } => "twin-devices",
        Question::ObeysAnotherController { .. } => "obeys-another-controller",
        Question::EmergencyStop { .. } => "emergency-stop",
    };
    let Some(answer) = &incident.answer else { return format!("{} {question}: open", incident.id) };
    let by = if answer.actor.is_empty() { String::new() } else { format!(" by {}", answer.actor) };
    let why = if answer.reason.is_empty() { String::new() } else { format!(" ({})", answer.reason) };
    format!("{} {question}: {}{by}{why}", incident.id, answer.decision)
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join("; ")
}
