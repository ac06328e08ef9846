//! `brigade bench`: what this machine and this program can do, each figure beside the raw limit that bounds it, and beside what an operator
//! would otherwise build on.
//!
//! Processes of controllers, brokers, devices and rivals on loopback and one disk; docs/PERFORMANCE.md says how each figure is measured.
//! Machines differ and are noisy: quote the ratios. Nothing here passes or fails.

mod backend;
pub mod bare;
mod broker;
mod distribution;
mod ear;
mod events;
mod failover;
mod goals;
mod http1;
mod idle;
mod intake;
mod kitchen;
mod latency;
mod load;
mod machine;
mod memory;
mod plot;
mod pool;
mod process;
mod raw;
mod rivals;
mod rows;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::clock::wall_ms;
use crate::shutdown;
use crate::web::rfc3339;
pub use distribution::{Distribution, Spread};

/// What the command is told.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// What to measure; without it, all but `memory` and `backend`. The raw limits are measured each time
    #[arg(value_enum)]
    what: Vec<What>,
    /// Trials of each failover; a fifth of them, at least five, at a rival
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    trials: u32,
    /// How long each number of clients asks, after a second that does not count
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    span: u64,
    /// How long idle replicas are watched
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    idle: u64,
    /// How many ended orders the replicas keep while their memory is measured
    #[arg(long, default_value_t = 100_000)]
    archived: u32,
    /// With `backend`: a PostgreSQL database of its own, instead of a SQLite file
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Keep the files of the kitchen whose leaders and brokers are lost, with the logs of its replicas, in this folder, which is new
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Write the plots into this folder
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
}

/// A group of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// fdatasync, loopback, a message through the broker
    Raw,
    /// The bare replicated log behind one HTTP route: 1, 16, 64 and 256 clients
    Bare,
    /// Orders, acknowledged: 1, 16, 64 and 256 clients
    Intake,
    /// Order to instruction, report to next instruction, order to a follower of events
    Latency,
    /// Leader killed, frozen and handing over, broker killed, and both, until the next instruction reaches a device
    Failover,
    /// Memory and processor time of idle replicas, and how long one takes to start again
    Idle,
    /// etcd, NATS JetStream and RabbitMQ, where they are installed
    Rivals,
    /// Memory of a replica with many ended orders
    Memory,
    /// The main backend with 10, 100 and 1,000 kitchens
    Backend,
}

/// All figures of a run.
#[derive(Debug, Default, Serialize)]
struct Figures {
    #[serde(skip_serializing_if = "Option::is_none")]
    machine: Option<machine::Machine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<raw::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bare: Option<bare::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    intake: Option<intake::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency: Option<latency::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failover: Option<failover::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idle: Option<idle::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rivals: Option<rivals::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<memory::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backend: Option<backend::Figures>,
    /// Groups that were not measured after all, and why.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    failed: BTreeMap<&'static str, String>,
    /// The table, drawn up from the figures above.
    rows: Vec<rows::Row>,
    /// What is wanted of them.
    goals: Vec<goals::Goal>,
}

/// Measures, and prints a table or JSON. What was started ends with it, also when it is told to stop in the middle.
pub async fn run(args: Args) -> Result<()> {
    // Before minutes of measuring.
    if args.keep.as_deref().is_some_and(Path::exists) {
        bail!("the folder to keep the kitchen's files in is there already: name one that is not");
    }
    let stop = shutdown::on_signals()?;
    let measured = tokio::select! {
        measured = measure(&args, &stop) => measured?,
        () = stop.cancelled() => bail!("stopped"),
    };
    let figures = Figures { rows: measured.rows(), goals: measured.goals(), ..measured };
    if let Some(dir) = &args.svg {
        plot::write(&figures, dir)?;
    }
    if args.json {
        println!("{}", serde_json::to_string(&figures)?);
    } else {
        figures.print();
    }
    match figures.failed.first_key_value() {
        None => Ok(()),
        Some((group, why)) => bail!("not all was measured: {group}: {why}"),
    }
}

impl Args {
    fn wants(&self, what: What) -> bool {
        let is_default = self.what.is_empty() && !matches!(what, What::Memory | What::Backend);
        self.what.contains(&what) || is_default
    }
}

/// The raw limits before and after everything else, as a disk's speed drifts.
async fn measure(args: &Args, stop: &CancellationToken) -> Result<Figures> {
    let machine = Some(machine::Machine::here());
    say("raw limits");
    let before = raw::measure().await?;
    let figures = groups(args, stop).await;
    say("raw limits again");
    let raw = Some(before.or_faster(raw::measure().await?));
    Ok(Figures { machine, raw, ..figures })
}

async fn groups(args: &Args, stop: &CancellationToken) -> Figures {
    let (span, idle) = (Duration::from_secs(args.span), Duration::from_secs(args.idle));
    let mut groups = Groups { args, failed: BTreeMap::new() };
    let figures = Figures {
        bare: groups.measure(What::Bare, "the bare log", bare::measure(span)).await,
        intake: groups.measure(What::Intake, "orders", intake::measure(span, stop)).await,
        latency: groups.measure(What::Latency, "one order at a time", latency::measure(2 * args.trials, stop)).await,
        idle: groups.measure(What::Idle, "idle replicas, and restarts", idle::measure(idle, stop)).await,
        rivals: groups.measure(What::Rivals, "rivals", rivals::measure(span, args.trials, stop)).await,
        failover: groups
            .measure(What::Failover, "failovers", failover::measure(args.trials, args.keep.as_deref(), stop))
            .await,
        memory: groups.measure(What::Memory, "memory", memory::measure(args.archived, stop)).await,
        backend: groups.measure(What::Backend, "backend", backend::measure(args.database.as_deref(), stop)).await,
        ..Figures::default()
    };
    Figures { failed: groups.failed, ..figures }
}

/// What is wanted, and what went wrong: the figures of an hour are not lost with one of its groups.
struct Groups<'a> {
    args: &'a Args,
    failed: BTreeMap<&'static str, String>,
}

impl Groups<'_> {
    async fn measure<T>(
        &mut self,
        what: What,
        name: &'static str,
        group: impl Future<Output = Result<T>>,
    ) -> Option<T> {
        if !self.args.wants(what) {
            return None;
        }
        say(name);
        match group.await {
            Ok(figures) => Some(figures),
            Err(error) => {
                self.failed.insert(name, format!("{error:#}"));
                None
            }
        }
    }
}

/// Progress is for people: it goes to standard error.
fn say(what: &str) {
    eprintln!("Measuring {what} …");
}

/// Something to look for in the logs, with the time.
fn say_when(what: &str) {
    eprintln!("{} {what}", rfc3339(wall_ms()));
}

impl Figures {
    fn print(&self) {
        self.machine.iter().for_each(machine::Machine::print);
        rows::print(&self.rows);
        if let Some(failover) = &self.failover {
            failover.print();
        }
        if let Some(rivals) = &self.rivals {
            rivals.print();
        }
        goals::print(&self.goals);
        self.memory.iter().for_each(memory::Figures::print);
        self.backend.iter().for_each(backend::Figures::print);
    }
}
