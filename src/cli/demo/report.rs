//! What the demo found, as text for people and as one JSON object.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cli::local::{Placed, Record};
use crate::kitchen::Recipe;
use crate::kitchen::limit::{Line, lower_bound};
use crate::kitchen::recipe::built_in_menu;

/// The outcome of a demo.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Orders that a replica accepted.
    pub accepted: usize,
    /// … and that ended READY.
    pub completed: usize,
    /// … and that ended FAILED or RETURNED.
    pub failed: usize,
    /// … and that ended CANCELLED.
    pub cancelled: usize,
    /// Pizzas that were packed and not judged bad.
    pub pizzas_delivered: usize,
    /// Pizzas that were begun again.
    pub remade: usize,
    /// Pizzas that burnt, by the devices' record.
    pub burnt: usize,
    /// Attempts executed twice and items delivered twice, by the devices' record.
    pub made_twice: usize,
    /// Invariants of the physical world that were broken: pizzas put where another one lay.
    pub invariants_broken: usize,
    /// Accepted orders that have no end, or whose pizzas were not all packed.
    pub lost: usize,
    /// How often the leader was killed.
    pub failovers: usize,
    /// From each kill to the first new instruction, taken at the device.
    pub failover_ms: Vec<u64>,
    /// From the first order to the last packed pizza, in seconds.
    pub makespan_s: f64,
    /// No schedule is faster than this, in seconds.
    pub lower_bound_s: f64,
    /// The bound over the makespan.
    pub efficiency: f64,
}

impl Report {
    /// Counts.
    pub fn draw_up(
        placed: &[Placed],
        ends: &BTreeMap<String, String>,
        record: &Record,
        kills: &[u64],
        began_ms: u64,
        line: Line,
        speed: u64,
    ) -> Self {
        let ended = |words: &[&str]| ends.values().filter(|end| words.contains(&end.as_str())).count();
        let delivered = record.delivered().values().map(|n| (*n).max(0) as usize).sum();
        let wanted: usize =
            placed.iter().filter(|p| ends.get(&p.id).is_some_and(|e| e == "READY")).map(|p| p.items.len()).sum();
        let without_end = placed.len() - ended(&["READY", "COLLECTED", "CANCELLED", "FAILED", "RETURNED"]);
        let makespan_ms = record.last_packed_ms().unwrap_or(began_ms).saturating_sub(began_ms);
        let bound_ms = lower_bound(&recipes(placed, speed), line).map_or(0, |(ms, _)| ms);
        Self {
            accepted: placed.len(),
            completed: ended(&["READY", "COLLECTED"]),
            failed: ended(&["FAILED", "RETURNED"]),
            cancelled: ended(&["CANCELLED"]),
            pizzas_delivered: delivered,
            remade: record.remade(),
            burnt: record.burnt(),
            made_twice: record.made_twice(),
            invariants_broken: record.collisions(),
            lost: without_end + usize::from(delivered < wanted),
            failovers: kills.len(),
            failover_ms: record.failovers_ms(kills),
            makespan_s: makespan_ms as f64 / 1_000.0,
            lower_bound_s: bound_ms as f64 / 1_000.0,
            efficiency: if makespan_ms == 0 { 0.0 } else { bound_ms as f64 / makespan_ms as f64 },
        }
    }

    /// True when nothing was lost, burnt or made twice.
    pub fn is_good(&self) -> bool {
        self.lost == 0 && self.made_twice == 0 && self.burnt == 0 && self.invariants_broken == 0
    }

    /// What went wrong.
    pub fn what_is_wrong(&self) -> String {
        let Self { lost, made_twice, burnt, invariants_broken, .. } = self;
        format!("{lost} orders lost, {made_twice} made twice, {burnt} burnt, {invariants_broken} collisions")
    }

    /// Prints a summary to standard error, or one JSON line to standard output.
    pub fn print(&self, json: bool) {
        if json {
            println!("{}", serde_json::to_string(self).expect("numbers encode"));
            return;
        }
        eprint!("{self}");
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (accepted, completed, failed, cancelled) = (self.accepted, self.completed, self.failed, self.cancelled);
        writeln!(f)?;
        writeln!(f, "  orders   {accepted} accepted, {completed} completed, {failed} failed, {cancelled} cancelled")?;
        writeln!(f, "  pizzas   {} delivered, {} begun again", self.pizzas_delivered, self.remade)?;
        let (time, bound, share) = (self.makespan_s, self.lower_bound_s, 100.0 * self.efficiency);
        writeln!(f, "  time     {time:.1} s; no schedule needs less than {bound:.1} s (efficiency {share:.0} %)")?;
        if self.failovers > 0 {
            let spans: Vec<String> = self.failover_ms.iter().map(u64::to_string).collect();
            writeln!(f, "  leaders  {} killed; next instruction after {} ms", self.failovers, spans.join(", "))?;
        }
        match self.is_good() {
            true => writeln!(f, "  result   nothing lost, nothing made twice, nothing burnt"),
            false => writeln!(f, "  result   WRONG: {}", self.what_is_wrong()),
        }
    }
}

/// The recipes of all pizzas that were ordered, as fast as the demo runs.
fn recipes(placed: &[Placed], speed: u64) -> Vec<Recipe> {
    let menu = built_in_menu();
    let named = |name: &String| menu.iter().find(|r| r.id.as_str() == name).map(|r| r.sped_up(speed));
    placed.iter().flat_map(|order| &order.items).filter_map(named).collect()
}
