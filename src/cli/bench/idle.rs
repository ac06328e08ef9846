//! What a replica takes when nothing happens, and how long one takes to come back.
//!
//! A kitchen at life's own speed with its line of devices, which only say that they live. Its broker is a process of its own.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde::Serialize;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Spread;
use super::http1::Connection;
use super::intake::Customer;
use super::kitchen::Open;
use super::load;
use super::process::{Used, Watched};

/// After the kitchen has opened, before it counts as idle.
const SETTLING: Duration = Duration::from_secs(3);
/// Clients and span of the orders that the restarted replica finds.
const CLIENTS: usize = 16;
const LOAD: Duration = Duration::from_secs(4);
/// How often a replica is killed and started again.
const RESTARTS: usize = 10;
/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two questions whether it is ready.
const AGAIN: Duration = Duration::from_millis(2);

/// What was measured.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    /// Each replica's processor time, in percent of one core, the leader's first …
    pub(super) cpu_pct: Vec<f64>,
    /// … and its memory, in MiB.
    pub(super) resident_mib: Vec<f64>,
    /// Open orders that a replica finds when it starts again …
    pub(super) open_orders: Option<usize>,
    /// … and from the start of its process until it is ready (`/readyz`).
    pub(super) restart_ms: Spread,
}

/// Watches an idle kitchen for so long, then kills and starts a follower again and again.
pub(super) async fn measure(span: Duration, stop: &CancellationToken) -> Result<Figures> {
    let mut open = Open::start_without_admission(stop).await?;
    let leader = open.leader().await?;
    sleep(SETTLING).await;
    let watched = Watched::begin(open.pids_from(leader))?;
    sleep(span).await;
    let Used { cpu_pct, resident_mib } = watched.end()?;
    let (open_orders, restart_ms) = restarts(&mut open).await?;
    open.stop().await;
    Ok(Figures { cpu_pct, resident_mib, open_orders, restart_ms })
}

/// Fills the kitchen with orders; then a follower is killed, started again, and asked until it is ready.
async fn restarts(open: &mut Open) -> Result<(Option<usize>, Spread)> {
    let mut clients = Vec::new();
    for n in 0..CLIENTS {
        clients.push(Customer::open(open.leader_address().await?, n).await?);
    }
    load::run(clients, LOAD).await?;
    let (open_orders, follower) = (open.client.open_orders().await, open.follower().await?);
    let mut took = Vec::new();
    for _ in 0..RESTARTS {
        if !open.processes.kill(follower)? {
            bail!("node {follower} was not there to be killed");
        }
        // Its ports and its directory are free once the process is gone.
        sleep(Duration::from_millis(500)).await;
        let began = Instant::now();
        open.processes.restart(follower)?;
        took.push(until_ready(open, follower, began).await?);
    }
    Ok((open_orders, Spread::of_spans(&took)))
}

async fn until_ready(open: &Open, node: u64, began: Instant) -> Result<Duration> {
    let address = open.address(node)?;
    while began.elapsed() < PATIENCE {
        if let Ok(mut api) = Connection::open(address).await
            && api.ask("GET", "/readyz", "").await.is_ok_and(|answer| answer.is_success())
        {
            return Ok(began.elapsed());
        }
        sleep(AGAIN).await;
    }
    bail!("node {node} was not ready within {} s", PATIENCE.as_secs())
}
