//! The main backend with many kitchens: what an idle kitchen costs, and how fast orders are taken, routed and delivered.
//!
//! One backend process, as `brigade backend`; kitchens and clients are tasks of this process and speak HTTP over loopback. Both share the
//! machine, so the rates are what is left for the backend beside its callers.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Distribution;
use super::pool::{Bench, first_request, kitchen, load};
use super::process::{cpu_ms, resident_mib};
use crate::backend::routing::{Candidate, KitchenState, Wanted, choose_kitchen};
use crate::cli::backend::raise_open_files;
use crate::protocol::Id;

/// Clients that place orders at once.
const CLIENTS: usize = 32;
/// How long idle kitchens are watched, and orders are placed: by one client, and by many.
const IDLE: Duration = Duration::from_secs(30);
const ALONE: Duration = Duration::from_secs(5);
const LOAD: Duration = Duration::from_secs(10);
pub(super) const TOKEN: &str = "bench-operator";

/// What was measured, by number of kitchens.
#[derive(Debug, Serialize)]
pub struct Figures {
    database: &'static str,
    /// One order routed over 1,000 kitchens, in memory.
    routing_us: Distribution,
    sizes: Vec<Size>,
}

/// What was measured with so many kitchens.
#[derive(Debug, Serialize)]
struct Size {
    kitchens: usize,
    /// Exchanges of all kitchens per second, while there is nothing to do.
    idle_exchanges_per_s: f64,
    /// Bodies of those, both ways.
    idle_bytes_per_s: f64,
    /// The backend's processor time in that time, in percent of one core.
    idle_cpu_pct: f64,
    /// The backend's memory.
    resident_mib: f64,
    /// From the request of a client that is alone until its answer …
    alone_placed_ms: Distribution,
    /// … and until the kitchen has the order.
    alone_delivered_ms: Distribution,
    /// Orders placed, routed and acknowledged per second, with many clients.
    orders_per_s: f64,
    /// The backend's processor time for one order with its delivery and its end, in milliseconds.
    cpu_ms_per_order: f64,
    /// From a client's request to its answer.
    placed_ms: Distribution,
    /// From a client's request until the kitchen has the order.
    delivered_ms: Distribution,
}

/// Measures with 10, 100 and 1,000 kitchens.
pub async fn measure(database: Option<&str>, stop: &CancellationToken) -> Result<Figures> {
    raise_open_files();
    let mut sizes = Vec::new();
    for kitchens in [10, 100, 1_000] {
        if !stop.is_cancelled() {
            sizes.push(size(kitchens, database).await?);
        }
    }
    let database = if database.is_some() { "PostgreSQL" } else { "SQLite" };
    Ok(Figures { database, routing_us: routing_us()?, sizes })
}

/// How long `choose_kitchen` takes over 1,000 kitchens, in microseconds.
fn routing_us() -> Result<Distribution> {
    let report = first_request()?.report.unwrap_or_default();
    let ids: Vec<Id> = (0..1_000).map(|n| format!("k{n}").parse()).collect::<Result<_, _>>()?;
    let candidate = |(n, id)| Candidate {
        id,
        state: KitchenState::Normal,
        report: &report,
        unreported_pizzas: n as u64 % 7,
        recent_pizzas: n as u64 % 11,
        travel_ms: n as u64 * 7_919 % 600_000,
    };
    let candidates: Vec<Candidate<'_>> = ids.iter().enumerate().map(candidate).collect();
    let items: Vec<Id> = ["margherita", "quattro", "salami"].map(str::parse).into_iter().collect::<Result<_, _>>()?;
    let wanted = Wanted { items: &items, promise_ms: 1_800_000, late_ms_max: None, returned_by: None };
    let took = (0..2_000).map(|_| {
        let began = Instant::now();
        std::hint::black_box(choose_kitchen(&wanted, &candidates)).ok();
        began.elapsed().as_secs_f64() * 1e6
    });
    Ok(Distribution::of(took.collect()))
}

async fn size(kitchens: usize, database: Option<&str>) -> Result<Size> {
    let dir = tempfile::tempdir()?;
    let file = format!("sqlite://{}", dir.path().join("bench.db").display());
    let (mut backend, url) = start(database.unwrap_or(&file)).await?;
    let pid = backend.id().context("the backend runs")?;
    let bench = Arc::new(Bench::new(url));
    let run = format!("{:x}", rand::random::<u32>());
    let mut tasks = JoinSet::new();
    for n in 0..kitchens {
        let id: Id = format!("k{run}-{n}").parse()?;
        let token = bench.register(&id).await?;
        tasks.spawn(kitchen(bench.clone(), id, token));
    }
    // Everybody has reported and waits.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (before, cpu) = (bench.counts(), cpu_ms(pid)?);
    tokio::time::sleep(IDLE).await;
    let (after, idle_cpu) = (bench.counts(), cpu_ms(pid)? - cpu);
    let alone_placed_ms = Distribution::of(load(&bench, &run, 1, ALONE).await?);
    let alone_delivered_ms = Distribution::of(bench.delivered());
    let cpu = cpu_ms(pid)?;
    let placed_ms = load(&bench, &run, CLIENTS, LOAD).await?;
    let load_cpu = cpu_ms(pid)? - cpu;
    let resident_mib = resident_mib(pid)?;
    bench.over.store(true, Relaxed);
    tasks.shutdown().await;
    backend.kill().await?;
    let delivered_ms = bench.delivered();
    let (orders, idle_s) = (placed_ms.len() as f64, IDLE.as_secs_f64());
    Ok(Size {
        kitchens,
        idle_exchanges_per_s: (after.0 - before.0) as f64 / idle_s,
        idle_bytes_per_s: (after.1 - before.1) as f64 / idle_s,
        idle_cpu_pct: idle_cpu / (idle_s * 10.0),
        resident_mib,
        alone_placed_ms,
        alone_delivered_ms,
        orders_per_s: orders / LOAD.as_secs_f64(),
        cpu_ms_per_order: load_cpu / orders,
        placed_ms: Distribution::of(placed_ms),
        delivered_ms: Distribution::of(delivered_ms),
    })
}

async fn start(database: &str) -> Result<(Child, String)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["backend", "--listen", "127.0.0.1:0", "--database", database]);
    command.env("BRIGADE_BACKEND_OPERATOR_TOKEN", TOKEN).env("RUST_LOG", "error").kill_on_drop(true);
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("it is piped")?).read_line(&mut line).await?;
    let url = line.trim().strip_prefix("listens at ").context("the backend did not start")?;
    Ok((child, url.to_owned()))
}

impl Figures {
    /// The table.
    pub fn print(&self) {
        println!("backend on {}: {CLIENTS} clients, kitchens over loopback; p50 / p99", self.database);
        println!(
            "  one order routed over 1,000 kitchens: p50 {:.0} µs, p99 {:.0} µs",
            self.routing_us.p50, self.routing_us.p99
        );
        println!(
            "  kitchens  idle/s  bytes/s  cpu %  MiB  alone placed, delivered ms  orders/s  cpu ms  placed ms       delivered ms"
        );
        for s in &self.sizes {
            let pair = |d: &Distribution| format!("{:.1} / {:.1}", d.p50, d.p99);
            println!(
                "  {:8}  {:6.1}  {:7.0}  {:5.1}  {:3.0}  {:13} {:13} {:8.0}  {:6.2}  {:14}  {}",
                s.kitchens,
                s.idle_exchanges_per_s,
                s.idle_bytes_per_s,
                s.idle_cpu_pct,
                s.resident_mib,
                pair(&s.alone_placed_ms),
                pair(&s.alone_delivered_ms),
                s.orders_per_s,
                s.cpu_ms_per_order,
                pair(&s.placed_ms),
                pair(&s.delivered_ms),
            );
        }
    }
}
