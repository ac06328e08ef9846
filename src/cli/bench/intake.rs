//! Orders, acknowledged when a majority has them on disk and the leader has applied them: 1, 16, 64 and 256 clients, through the whole API.
//!
//! Each number of clients has a kitchen of its own, which nobody ordered from before: what waits in a kitchen makes each further order
//! dearer, and the last would pay for the first. No order is refused for want of capacity.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::http1::Connection;
use super::kitchen::Open;
use super::load::{self, Asks, CLIENTS, Step};
use super::process::{Used, Watched};

/// What an order of one pizza is, as a request's body.
pub(super) const ORDER: &str = r#"{"items":["margherita"]}"#;

/// What was measured.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    /// One for each number of clients.
    pub(super) steps: Vec<Taken>,
}

/// What was measured with so many clients.
#[derive(Debug, Serialize)]
pub(super) struct Taken {
    /// Orders and answers.
    #[serde(flatten)]
    pub(super) step: Step,
    /// Orders that were open at the end.
    open_orders: Option<usize>,
    /// Elections meanwhile: with any, a leader that was at work was taken for dead.
    pub(super) elections: u64,
    /// Each replica's processor time meanwhile, in percent of one core, the leader's first …
    pub(super) cpu_pct: Vec<f64>,
    /// … and its memory at the end, in MiB.
    pub(super) resident_mib: Vec<f64>,
}

/// Measures each number of clients for so long.
pub(super) async fn measure(span: Duration, stop: &CancellationToken) -> Result<Figures> {
    let mut steps = Vec::new();
    for clients in CLIENTS {
        steps.push(take(clients, span, stop).await?);
    }
    Ok(Figures { steps })
}

async fn take(count: usize, span: Duration, stop: &CancellationToken) -> Result<Taken> {
    let open = Open::start_without_admission(stop).await?;
    let (leader, address) = (open.leader().await?, open.leader_address().await?);
    let mut clients = Vec::new();
    for n in 0..count {
        clients.push(Customer::open(address, n).await?);
    }
    let before = term(address).await?;
    let watched = Watched::begin(open.pids_from(leader))?;
    let step = load::run(clients, span).await?;
    let Used { cpu_pct, resident_mib } = watched.end()?;
    let (open_orders, elections) = (open.client.open_orders().await, term(address).await?.saturating_sub(before));
    open.stop().await;
    Ok(Taken { step, open_orders, elections, cpu_pct, resident_mib })
}

/// Raft's term, as a replica knows it: it grows with each election.
async fn term(address: SocketAddr) -> Result<u64> {
    let answer = Connection::open(address).await?.ask("GET", "/v1/cluster?consistency=stale", "").await?;
    let cluster: serde_json::Value = serde_json::from_slice(&answer.body)?;
    cluster["term"].as_u64().context("a replica has a term")
}

/// A client that orders one pizza after the other.
pub(super) struct Customer {
    connection: Connection,
    name: usize,
    orders: u64,
}

impl Customer {
    /// Connects; `name` tells this one's orders from others'.
    pub(super) async fn open(address: SocketAddr, name: usize) -> Result<Self> {
        Ok(Self { connection: Connection::open(address).await?, name, orders: 0 })
    }
}

impl Asks for Customer {
    async fn ask(&mut self) -> Result<bool> {
        self.orders += 1;
        let path = format!("/v1/orders/bench-{}-{}", self.name, self.orders);
        let answer = self.connection.ask("PUT", &path, ORDER).await?;
        if (400..500).contains(&answer.status) {
            bail!("an order was refused: {}", String::from_utf8_lossy(&answer.body));
        }
        Ok(answer.is_success())
    }
}
