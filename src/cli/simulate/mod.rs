//! `brigade simulate`: what a line of devices would make of a menu and of orders, in virtual time, with the scheduler of the real kitchen.
//!
//! For people who plan a kitchen: several lines and policies side by side, a picture of who did what when, and the orders of a real
//! kitchen cooked again on another line. Nothing here starts a replica or a device; see `crate::simulate`.

mod args;
mod menu;
mod orders;
mod replay;
mod show;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};

use crate::kitchen::{Recipe, Settings};
use crate::simulate::{LinePlan, Outcome, Plan, picture, run_watched};

pub use args::Args;
use args::Policy;
use menu::Menu;
use orders::Orders;
use show::{Report, Run};

/// The exit code for a kitchen that does not answer.
const UNREACHABLE: u8 = 3;

/// So many seeds where chance decides and nobody says how many.
const SEEDS: u64 = 10;

/// Everything that is to be run.
pub struct Scenario {
    lines: Vec<LinePlan>,
    policies: Vec<Policy>,
    menu: Menu,
    orders: Orders,
    seeds: std::ops::Range<u64>,
}

/// Simulates. Exit code 1 for a file that can't be used, 3 for a kitchen that does not answer.
pub async fn run(args: Args) -> ExitCode {
    let scenario = match scenario(&args).await {
        Ok(scenario) => scenario,
        Err(error) => {
            let is_unreachable = error.downcast_ref::<replay::Unreachable>().is_some();
            let code = super::exit_code(Err(error));
            return if is_unreachable { ExitCode::from(UNREACHABLE) } else { code };
        }
    };
    super::exit_code(simulate(&args, &scenario))
}

async fn scenario(args: &Args) -> Result<Scenario> {
    let lines = args.lines();
    let named = args.menu.as_deref().map(Menu::read).transpose()?;
    let (menu, orders) = match &args.replay {
        Some(from) => {
            let (menu, arrivals) = replay::read(from, named).await?;
            (menu, Orders::Replay(arrivals))
        }
        None => {
            let menu = named.unwrap_or(Menu::BuiltIn);
            let orders = Orders::of(args, &menu, lines[0])?;
            (menu, orders)
        }
    };
    // One run of two hours is what luck made of it.
    let is_chance = args.leaves_to_chance() || matches!(menu, Menu::Reference) || matches!(orders, Orders::AtRate(_));
    let count = args.seeds.unwrap_or(if is_chance { SEEDS } else { 1 });
    let seeds = args.seed..args.seed.saturating_add(count);
    Ok(Scenario { lines, policies: args.policies(), menu, orders, seeds })
}

fn simulate(args: &Args, scenario: &Scenario) -> Result<()> {
    let mut report = Report::new(args, scenario);
    cook(args, scenario, &mut report)?;
    Ok(report.print(args.json)?)
}

/// All runs, one after the other.
fn cook(args: &Args, scenario: &Scenario, report: &mut Report) -> Result<()> {
    let progress = Progress::of(args, scenario)?;
    let mut svg = args.svg.as_deref();
    for (line, policy, seed) in scenario.runs() {
        let plan = plan(args, scenario, line, policy, seed)?;
        let begun = Instant::now();
        let outcome = run_watched(&plan, &mut |_, packed| progress.packed(packed));
        let took = begun.elapsed();
        progress.run_ended(&plan);
        if let Some(path) = svg.take() {
            let drawn = picture::svg(&title(line, policy, seed), &plan, &outcome);
            std::fs::write(path, drawn).with_context(|| format!("the picture {}", path.display()))?;
        }
        report.add(Run::new(line, policy, seed, outcome, took));
    }
    progress.0.finish_and_clear();
    Ok(())
}

impl Scenario {
    fn runs(&self) -> Vec<(LinePlan, Policy, u64)> {
        let mut runs = Vec::new();
        for line in &self.lines {
            for policy in &self.policies {
                runs.extend(self.seeds.clone().map(|seed| (*line, *policy, seed)));
            }
        }
        runs
    }
}

fn title(line: LinePlan, policy: Policy, seed: u64) -> String {
    format!("Line {line}, N-1 policy {}, seed {seed}", policy.as_str())
}

/// The plan of one run.
fn plan(args: &Args, scenario: &Scenario, line: LinePlan, policy: Policy, seed: u64) -> Result<Plan> {
    let menu: Vec<Recipe> = scenario.menu.recipes(scenario.orders.kinds_wanted(), seed);
    let arrivals = scenario.orders.arrivals(&menu, seed)?;
    let settings = Settings {
        n_minus_one: policy.into(),
        promise_ms: args.promise_ms(),
        // What is asked here is how long it takes, not what would be refused.
        open_pizzas_max: 1_000_000,
        pizzas_per_order_max: 1_000,
        admit_late_ms: 30 * 24 * 3_600_000,
        shelves: (args.shelf > 0)
            .then(|| ("shelf1".parse().expect("a word is an id"), args.shelf))
            .into_iter()
            .collect(),
        ..Settings::default()
    };
    let failures = args.failures();
    let noise_permille = args.noise_permille();
    Ok(Plan { arrivals, settings, failures, noise_permille, seed, ..Plan::new(line, menu) })
}

/// How far all runs together are, in pizzas. For people: on standard error, and hidden where that is no terminal.
struct Progress(ProgressBar, std::cell::Cell<u64>);

impl Progress {
    fn of(args: &Args, scenario: &Scenario) -> Result<Self> {
        let one = |seed| Ok(pizzas(&plan(args, scenario, scenario.lines[0], scenario.policies[0], seed)?));
        let seeds = scenario.seeds.clone().map(one).sum::<Result<u64>>()?;
        let style = ProgressStyle::with_template("{bar:40} {pos} of {len} pizzas, {elapsed}, {eta} to go");
        let bar = ProgressBar::new(seeds * scenario.lines.len() as u64 * scenario.policies.len() as u64);
        bar.enable_steady_tick(Duration::from_millis(500));
        let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Ok(Self(bar, std::cell::Cell::new(0)))
    }

    fn packed(&self, packed: u64) {
        self.0.set_position(self.1.get() + packed);
    }

    fn run_ended(&self, plan: &Plan) {
        self.1.set(self.1.get() + pizzas(plan));
        self.0.set_position(self.1.get());
    }
}

fn pizzas(plan: &Plan) -> u64 {
    plan.arrivals.iter().map(|a| a.items.len() as u64).sum()
}

/// What a run is measured in where several are averaged.
fn mean(runs: &[Run], of: impl Fn(&Outcome) -> f64) -> f64 {
    runs.iter().map(|run| of(&run.outcome)).sum::<f64>() / runs.len().max(1) as f64
}

#[cfg(test)]
mod tests;
