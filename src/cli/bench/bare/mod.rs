//! The bare log: openraft and RocksDB as the kitchen uses them, behind one HTTP route, and nothing else. What orders cost above it is ours.

pub mod node;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use tokio::process::Child;
use tokio::time::{Instant, sleep};

use super::http1::Connection;
use super::intake::ORDER;
use super::load::{self, Asks, CLIENTS, Step};
use super::process;
use crate::loopback::Claim;

/// How long the three may take to elect a leader.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was measured.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    /// One for each number of clients.
    pub(super) steps: Vec<Step>,
}

/// Measures each number of clients for so long.
pub(super) async fn measure(span: Duration) -> Result<Figures> {
    let dir = tempfile::tempdir()?;
    let claim = Claim::of(6)?;
    let children = start(dir.path(), claim.addresses())?;
    let mut steps = Vec::new();
    for count in CLIENTS {
        let leader = leader(&claim.addresses()[3..]).await?;
        let mut clients = Vec::new();
        for _ in 0..count {
            clients.push(Writer(Connection::open(leader).await?));
        }
        steps.push(load::run(clients, span).await?);
    }
    process::end(children).await?;
    Ok(Figures { steps })
}

fn start(dir: &Path, addresses: &[SocketAddr]) -> Result<Vec<Child>> {
    let program = std::env::current_exe()?;
    let peers = addresses[..3].iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(",");
    let run = |n: usize| {
        let data = dir.join(format!("node{n}"));
        let (number, listen, data) = (n.to_string(), addresses[2 + n].to_string(), data.to_string_lossy());
        let args = ["bench-bare", "--node", &number, "--peers", &peers, "--listen", &listen, "--data-dir", &data];
        process::start(&program, args, &[], &dir.join(format!("node{n}.log")))
    };
    (1..=3).map(run).collect()
}

/// Waits until one leads and takes a write; where it listens.
async fn leader(addresses: &[SocketAddr]) -> Result<SocketAddr> {
    let limit = Instant::now() + PATIENCE;
    while Instant::now() < limit {
        for address in addresses {
            let Ok(mut connection) = Connection::open(*address).await else { continue };
            if connection.ask("PUT", node::PATH, ORDER).await.is_ok_and(|answer| answer.is_success()) {
                return Ok(*address);
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
    bail!("the bare log took no write within {} s", PATIENCE.as_secs())
}

/// A client that writes one entry after the other.
struct Writer(Connection);

impl Asks for Writer {
    async fn ask(&mut self) -> Result<bool> {
        let answer = self.0.ask("PUT", node::PATH, ORDER).await.context("the bare log")?;
        Ok(answer.is_success())
    }
}
