//! What the command is told, and what it means in the units of the simulation.

use std::path::PathBuf;

use crate::kitchen::Millis;
use crate::kitchen::recipe::{NMinusOne, Settings};
use crate::simulate::LinePlan;
use crate::simulate::plan::Failures;

/// What the command is told.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Robots before the ovens, ovens, robots after them: 2/4/2; 2/4x2/2 with ovens of two slots, 2/4/2/3 with three cameras
    #[arg(long, value_name = "LINE", default_value = "2/4/2", value_delimiter = ',')]
    line: Vec<LinePlan>,
    /// More lines, to compare with the first: 2/5/2,3/4/2
    #[arg(long, value_name = "LINES", value_delimiter = ',')]
    compare: Vec<LinePlan>,
    /// What is kept in hand for the loss of a robot after the ovens; several are compared
    #[arg(long, value_name = "POLICIES", value_enum, default_value = "strict", value_delimiter = ',')]
    policy: Vec<Policy>,
    /// A file with [[menu.recipes]] (TOML), or built-in, or reference (150 recipes drawn from the seed) [default: built-in]
    #[arg(long, value_name = "MENU")]
    pub menu: Option<String>,
    /// Orders from a file: a line each, "seconds recipe[,recipe] [promise_seconds] [priority]"
    #[arg(long, value_name = "FILE", group = "source")]
    pub orders: Option<PathBuf>,
    /// Pizzas ordered in an hour [default: 80 % of what the first line can keep up]
    #[arg(long, value_name = "PIZZAS", group = "source", value_parser = within::<1, 100_000>)]
    pub rate: Option<f64>,
    /// This many pizzas, all ordered at the start
    #[arg(long, value_name = "PIZZAS", group = "source", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub at_once: Option<u32>,
    /// The orders of a real kitchen: what GET /v1/orders?status=all answered (JSON), or the address of a replica
    #[arg(long, value_name = "FILE|URL", group = "source")]
    pub replay: Option<String>,
    /// For how many hours orders come
    #[arg(long, default_value = "2", value_parser = within::<0, 168>, conflicts_with_all = OTHER_SOURCES)]
    pub hours: f64,
    /// In the middle third of that time, so many times as many
    #[arg(long, value_name = "TIMES", default_value = "1", value_parser = within::<0, 20>, conflicts_with_all = OTHER_SOURCES)]
    pub peak: f64,
    /// Orders have one pizza up to so many
    #[arg(long, value_name = "PIZZAS", default_value_t = 3, conflicts_with_all = OTHER_SOURCES,
        value_parser = clap::value_parser!(u64).range(1..=100))]
    pub items_max: u64,
    /// What orders are promised that name nothing else, in minutes [default: 30; with --at-once 1440]
    #[arg(long, value_name = "MINUTES", value_parser = within::<0, 1_440>)]
    promise: Option<f64>,
    /// A shelf with so many slots, onto which robots after the ovens put a pizza while another one would burn
    #[arg(long, value_name = "SLOTS", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=16))]
    pub shelf: u8,
    /// Each action takes up to so many per cent more or less than the recipe says
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = within::<0, 90>)]
    pub noise: f64,
    /// Mean time between failures of one robot; without it none fails
    #[arg(long, value_name = "MINUTES", value_parser = within::<0, 1_000_000>)]
    pub robots_mtbf_min: Option<f64>,
    /// Mean time between failures of one oven; without it none fails
    #[arg(long, value_name = "MINUTES", value_parser = within::<0, 1_000_000>)]
    pub ovens_mtbf_min: Option<f64>,
    /// Mean time until a device that failed works again
    #[arg(long, value_name = "MINUTES", default_value = "5", value_parser = within::<0, 10_000>)]
    mttr_min: f64,
    /// Decides everything that chance decides: the same seed, the same result
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Run with so many seeds, from --seed on; the table shows means [default: 10, or 1 where nothing is left to chance]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub seeds: Option<u64>,
    /// Draw the first run: every device, and when orders were ready
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Print one JSON object with every run instead of a table
    #[arg(long)]
    pub json: bool,
}

/// With these, nobody asks how fast orders come.
const OTHER_SOURCES: [&str; 3] = ["orders", "at_once", "replay"];

/// See `NMinusOne`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Policy {
    /// Nothing is kept in hand
    Off,
    /// Everything could leave the ovens in time, onto a shelf if need be
    Shelf,
    /// Everything could leave the ovens in time and be finished
    Strict,
}

impl Policy {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Shelf => "shelf",
            Self::Strict => "strict",
        }
    }
}

impl From<Policy> for NMinusOne {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Off => Self::Off,
            Policy::Shelf => Self::Shelf,
            Policy::Strict => Self::Strict,
        }
    }
}

impl Args {
    /// All lines, each once, the first one first.
    pub fn lines(&self) -> Vec<LinePlan> {
        each_once(self.line.iter().chain(&self.compare))
    }

    /// All policies, each once.
    pub fn policies(&self) -> Vec<Policy> {
        each_once(self.policy.iter())
    }

    /// The promise of an order that names none. What is ordered all at once is asked for its end, not for half an hour.
    pub fn promise_ms(&self) -> Millis {
        let otherwise = if self.at_once.is_some() { 24 * 3_600_000 } else { Settings::default().promise_ms };
        self.promise.map_or(otherwise, minutes)
    }

    /// What fails, and how often.
    pub fn failures(&self) -> Failures {
        let mtbf = |value: Option<f64>| value.map_or(0, minutes);
        Failures {
            robots_mtbf_ms: mtbf(self.robots_mtbf_min),
            ovens_mtbf_ms: mtbf(self.ovens_mtbf_min),
            mttr_ms: minutes(self.mttr_min),
            bad_permille: 0,
        }
    }

    /// True where devices differ from one seed to the next.
    pub fn leaves_to_chance(&self) -> bool {
        self.noise > 0.0 || self.robots_mtbf_min.is_some() || self.ovens_mtbf_min.is_some()
    }

    pub fn noise_permille(&self) -> u64 {
        (self.noise * 10.0).round() as u64
    }
}

fn each_once<'a, T: Copy + PartialEq + 'a>(all: impl Iterator<Item = &'a T>) -> Vec<T> {
    let mut once = Vec::new();
    for one in all {
        if !once.contains(one) {
            once.push(*one);
        }
    }
    once
}

/// At least a millisecond: 0 would mean never.
fn minutes(minutes: f64) -> Millis {
    ((minutes * 60_000.0).round() as Millis).max(1)
}

/// A number between two others.
fn within<const FROM: u32, const TO: u32>(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|n| (f64::from(FROM)..=f64::from(TO)).contains(n));
    number.ok_or_else(|| format!("use a number from {FROM} to {TO}"))
}
