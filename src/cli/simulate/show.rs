//! What came of the runs: a table for people, one row for each line and policy, or JSON with all of it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use crate::simulate::result::{OrderResult, Span};
use crate::simulate::{LinePlan, Outcome};

use super::args::{Args, Policy};
use super::{Scenario, mean};

/// One run.
pub struct Run {
    line: LinePlan,
    policy: Policy,
    seed: u64,
    took: Duration,
    pub outcome: Outcome,
}

impl Run {
    pub fn new(line: LinePlan, policy: Policy, seed: u64, outcome: Outcome, took: Duration) -> Self {
        Self { line, policy, seed, took, outcome }
    }
}

/// All runs, and what they had in common.
pub struct Report {
    about: About,
    runs: Vec<Run>,
}

/// What all runs have in common.
#[derive(Serialize)]
struct About {
    menu: String,
    orders: String,
    noise_percent: f64,
    robots_mtbf_min: Option<f64>,
    ovens_mtbf_min: Option<f64>,
    seeds: Vec<u64>,
}

/// Means over the seeds of one line and policy. Spans in milliseconds.
#[derive(Debug, Serialize)]
pub struct Row {
    line: String,
    policy: &'static str,
    orders: f64,
    refused: f64,
    ordered_pizzas: f64,
    packed: f64,
    burnt: f64,
    remade: f64,
    makespan_ms: f64,
    lower_bound_ms: f64,
    makespan_by_bound: f64,
    pizzas_per_hour: f64,
    limit_per_hour: f64,
    bottleneck: &'static str,
    one_more_gives_percent: f64,
    flow_p50_ms: f64,
    flow_p95_ms: f64,
    promises_kept_percent: f64,
    device_failures: f64,
    busy_percent: BTreeMap<&'static str, f64>,
    /// Kitchen time over time on this machine: the only figure that differs from one time to the next.
    times_real_time: f64,
}

/// A run as JSON.
#[derive(Serialize)]
struct RunView<'a> {
    policy: &'static str,
    seed: u64,
    #[serde(flatten)]
    outcome: &'a Outcome,
    order_results: &'a [OrderResult],
    /// Every task of the first run.
    #[serde(skip_serializing_if = "Option::is_none")]
    tasks: Option<&'a [Span]>,
}

#[derive(Serialize)]
struct Everything<'a> {
    about: &'a About,
    rows: Vec<Row>,
    runs: Vec<RunView<'a>>,
}

impl<'a> RunView<'a> {
    fn of(run: &'a Run, with_tasks: bool) -> Self {
        let outcome = &run.outcome;
        let tasks = with_tasks.then_some(outcome.spans.as_slice());
        Self { policy: run.policy.as_str(), seed: run.seed, outcome, order_results: &outcome.order_results, tasks }
    }
}

impl Report {
    pub fn new(args: &Args, scenario: &Scenario) -> Self {
        let about = About {
            menu: scenario.menu.name(),
            orders: scenario.orders.name(),
            noise_percent: args.noise,
            robots_mtbf_min: args.robots_mtbf_min,
            ovens_mtbf_min: args.ovens_mtbf_min,
            seeds: scenario.seeds.clone().collect(),
        };
        Self { about, runs: Vec::new() }
    }

    pub fn add(&mut self, run: Run) {
        self.runs.push(run);
    }

    /// To standard output. A reader that has seen enough, as `head` has, is no failure.
    pub fn print(&self, is_json: bool) -> io::Result<()> {
        let text = if is_json { self.json() + "\n" } else { self.text() };
        match io::stdout().write_all(text.as_bytes()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    }

    /// One row for each line and policy: their runs came one after the other.
    fn rows(&self) -> Vec<Row> {
        self.runs.chunk_by(|a, b| (a.line, a.policy) == (b.line, b.policy)).map(Row::of).collect()
    }

    pub fn json(&self) -> String {
        let runs = self.runs.iter().enumerate().map(|(n, run)| RunView::of(run, n == 0)).collect();
        let all = Everything { about: &self.about, rows: self.rows(), runs };
        serde_json::to_string(&all).expect("what is counted has text keys")
    }

    pub fn text(&self) -> String {
        let rows = self.rows();
        let mut text = format!("{}\n\n", self.about.sentence());
        text += &table(rows.iter().map(Row::cells));
        if rows.iter().any(|row| row.burnt > 0.0) && !self.about.has_failures() && self.about.noise_percent == 0.0 {
            text += "\nPizzas burnt although nothing failed: this line is too narrow for its ovens, or the window too short.\n";
        }
        if let Some((row, why)) = self.refusal(&rows) {
            text += &format!("\n{}: orders were refused, the first one because {why}\n", row.line);
        }
        text
    }

    fn refusal<'a>(&self, rows: &'a [Row]) -> Option<(&'a Row, String)> {
        let run = self.runs.iter().find(|run| run.outcome.refused > 0)?;
        let row = rows.iter().find(|row| row.line == run.outcome.line)?;
        Some((row, run.outcome.refused_why.clone().unwrap_or_default()))
    }
}

impl About {
    fn has_failures(&self) -> bool {
        self.robots_mtbf_min.is_some() || self.ovens_mtbf_min.is_some()
    }

    fn sentence(&self) -> String {
        let mut parts = vec![format!("{}, {}", self.orders, self.menu)];
        if self.noise_percent > 0.0 {
            parts.push(format!("times vary by {} %", self.noise_percent));
        }
        parts.extend(self.robots_mtbf_min.map(|min| format!("each robot fails every {min} min")));
        parts.extend(self.ovens_mtbf_min.map(|min| format!("each oven fails every {min} min")));
        match self.seeds.as_slice() {
            [seed] => parts.push(format!("seed {seed}")),
            [first, .., last] => parts.push(format!("means over seeds {first} to {last}")),
            [] => {}
        }
        parts.join("; ")
    }
}

/// Units stand in the cells.
const HEAD: [&str; 14] = [
    "LINE",
    "N-1",
    "PACKED",
    "BURNT",
    "REMADE",
    "MAKESPAN",
    "/BOUND",
    "RATE",
    "LIMIT",
    "BOTTLENECK",
    "READY P50/P95",
    "IN TIME",
    "BUSY B/O/A",
    "SPEED",
];

impl Row {
    fn of(runs: &[Run]) -> Self {
        let first = &runs[0];
        let pizzas = |o: &Outcome| o.order_results.iter().map(|order| order.pizzas).sum::<usize>() as f64;
        let busy = |stage: &'static str| (stage, mean(runs, |o| o.busy_percent.get(stage).copied().unwrap_or(0.0)));
        let took: f64 = runs.iter().map(|run| run.took.as_secs_f64()).sum();
        Self {
            line: first.outcome.line.clone(),
            policy: first.policy.as_str(),
            orders: mean(runs, |o| o.orders as f64),
            refused: mean(runs, |o| o.refused as f64),
            ordered_pizzas: mean(runs, pizzas),
            packed: mean(runs, |o| o.packed as f64),
            burnt: mean(runs, |o| o.burnt as f64),
            remade: mean(runs, |o| o.remade as f64),
            makespan_ms: mean(runs, |o| o.makespan_ms as f64),
            lower_bound_ms: mean(runs, |o| o.lower_bound_ms as f64),
            makespan_by_bound: mean(runs, |o| o.makespan_by_bound),
            pizzas_per_hour: mean(runs, |o| o.pizzas_per_hour),
            limit_per_hour: mean(runs, |o| o.limit_per_hour),
            bottleneck: first.outcome.bottleneck,
            one_more_gives_percent: mean(runs, |o| o.one_more_gives_percent),
            flow_p50_ms: mean(runs, |o| o.flow_p50_ms as f64),
            flow_p95_ms: mean(runs, |o| o.flow_p95_ms as f64),
            promises_kept_percent: mean(runs, |o| 100.0 * o.promises_kept as f64 / o.orders.max(1) as f64),
            device_failures: mean(runs, |o| o.device_failures as f64),
            busy_percent: ["before", "ovens", "after"].into_iter().map(busy).collect(),
            times_real_time: runs.iter().map(|r| r.outcome.makespan_ms as f64 / 1e3).sum::<f64>() / took.max(1e-6),
        }
    }

    fn cells(&self) -> [String; HEAD.len()] {
        let of_packed = |count: f64| match count {
            0.0 => "0".to_owned(),
            count => format!("{} ({:.1} %)", short(count), 100.0 * count / self.packed.max(1.0)),
        };
        let packed = match self.packed == self.ordered_pizzas {
            true => short(self.packed),
            false => format!("{} of {}", short(self.packed), short(self.ordered_pizzas)),
        };
        let minutes = |ms: f64| format!("{:.1}", ms / 60_000.0);
        let busy = |stage| self.busy_percent.get(stage).copied().unwrap_or(0.0);
        [
            self.line.clone(),
            self.policy.to_owned(),
            packed,
            of_packed(self.burnt),
            of_packed(self.remade),
            format!("{} min", minutes(self.makespan_ms)),
            format!("{:.3}", self.makespan_by_bound),
            format!("{:.1}/h", self.pizzas_per_hour),
            format!("{:.1}/h", self.limit_per_hour),
            format!("{}, one more +{:.0} %", self.bottleneck, self.one_more_gives_percent),
            format!("{} / {} min", minutes(self.flow_p50_ms), minutes(self.flow_p95_ms)),
            format!("{:.0} %", self.promises_kept_percent),
            format!("{:.0}/{:.0}/{:.0} %", busy("before"), busy("ovens"), busy("after")),
            format!("{:.0} x", self.times_real_time),
        ]
    }
}

/// Aligned plain text, as `brigade ctl` writes it.
fn table(rows: impl Iterator<Item = [String; HEAD.len()]>) -> String {
    let rows: Vec<[String; HEAD.len()]> = std::iter::once(HEAD.map(str::to_owned)).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let line = |row: &[String; HEAD.len()]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// A whole number as one, a mean with a decimal.
fn short(number: f64) -> String {
    if number.fract() == 0.0 { format!("{number:.0}") } else { format!("{number:.1}") }
}
