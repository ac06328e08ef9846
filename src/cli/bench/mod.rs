//! `brigade bench`: what this machine and this program can do, each figure beside the raw limit that bounds it.
//!
//! Three controller processes and the line of simulated devices, on loopback and one disk. Machines differ and are noisy: quote the
//! ratios. Nothing here passes or fails.

mod backend;
mod disk;
mod failover;
mod intake;
mod memory;
mod pool;

use anyhow::Result;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::local::{Client, Plan, Processes, Record, Site, wait_until_open};
use crate::shutdown;

/// What the command is told.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// What to measure; without it, all but `memory` and `backend`, which take minutes
    #[arg(value_enum)]
    what: Vec<What>,
    /// Trials of each failover
    #[arg(long, default_value_t = 10)]
    trials: u32,
    /// How many ended orders the replicas keep while their memory is measured
    #[arg(long, default_value_t = 100_000)]
    archived: u32,
    /// With `backend`: a PostgreSQL database of its own, instead of a SQLite file
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// A group of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// An order, acknowledged: against fdatasync
    Intake,
    /// Leader killed, and leader handing over, until the next instruction reaches a device
    Failover,
    /// Memory of a replica with many ended orders
    Memory,
    /// The main backend with 10, 100 and 1,000 kitchens
    Backend,
}

/// A distribution, in the unit that its name ends with.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Distribution {
    /// How many were measured.
    pub count: usize,
    /// The smallest.
    pub min: f64,
    /// The middle one.
    pub p50: f64,
    /// 99 of 100 are not larger.
    pub p99: f64,
    /// The largest.
    pub max: f64,
}

impl Distribution {
    /// The distribution of these values.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let Some(last) = values.len().checked_sub(1) else { return Self::default() };
        let at = |share: f64| values[(share * last as f64).round() as usize];
        Self { count: values.len(), min: values[0], p50: at(0.5), p99: at(0.99), max: values[last] }
    }
}

/// All figures of a run.
#[derive(Debug, Default, Serialize)]
struct Figures {
    #[serde(skip_serializing_if = "Option::is_none")]
    intake: Option<intake::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failover: Option<failover::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<memory::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backend: Option<backend::Figures>,
}

/// Measures, and prints a table or JSON.
pub async fn run(args: Args) -> Result<()> {
    let stop = shutdown::on_signals()?;
    let wanted =
        |what| args.what.contains(&what) || (args.what.is_empty() && !matches!(what, What::Memory | What::Backend));
    let mut figures = Figures::default();
    if wanted(What::Intake) {
        figures.intake = Some(intake::measure(&stop).await?);
    }
    if wanted(What::Failover) {
        figures.failover = Some(failover::measure(args.trials, &stop).await?);
    }
    if wanted(What::Memory) {
        figures.memory = Some(memory::measure(args.archived, &stop).await?);
    }
    if wanted(What::Backend) {
        figures.backend = Some(backend::measure(args.database.as_deref(), &stop).await?);
    }
    if args.json {
        println!("{}", serde_json::to_string(&figures)?);
        return Ok(());
    }
    figures.intake.iter().for_each(intake::Figures::print);
    figures.failover.iter().for_each(failover::Figures::print);
    figures.memory.iter().for_each(memory::Figures::print);
    figures.backend.iter().for_each(backend::Figures::print);
    Ok(())
}

/// A kitchen that is open, for one measurement.
struct Open {
    site: Site,
    processes: Processes,
    client: Client,
}

impl Open {
    async fn start(speed: u64, stop: &CancellationToken) -> Result<Self> {
        Self::start_on(Plan { speed, ..Plan::default() }, stop).await
    }

    async fn start_on(plan: Plan, stop: &CancellationToken) -> Result<Self> {
        let site = Site::lay_out(&plan)?;
        let mut processes = Processes::start(&site)?;
        let client = site.client();
        wait_until_open(&client, &site, &mut processes, stop).await?;
        Ok(Self { site, processes, client })
    }

    fn record(&self) -> Result<Record> {
        Record::read(&self.site.record())
    }
}
