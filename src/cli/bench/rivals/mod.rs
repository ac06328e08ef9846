//! What an operator would otherwise build on, where it is installed: three processes each on this machine, with the client program, the
//! clients and the size of what is kept as for orders. Each file says how its rival is set up.

mod etcd;
mod nats;
mod rabbitmq;

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::Spread;
use super::load::Step;

/// What is kept with each request: as many bytes as an order's log entry.
const VALUE: [u8; 128] = [b'7'; 128];

/// Trials of a rival's failover for each of ours, and at least so many: each takes seconds.
const FEWER: u32 = 5;

/// What was measured.
#[derive(Debug, Default, Serialize)]
pub(super) struct Figures {
    pub(super) etcd: Rival,
    pub(super) nats: Rival,
    pub(super) rabbitmq: Rival,
}

/// What one rival reached.
#[derive(Debug, Default, Serialize)]
pub(super) struct Rival {
    /// Why there are no figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) left_out: Option<String>,
    /// Which release.
    pub(super) version: String,
    /// When it says that something is kept.
    pub(super) durability: String,
    /// One for each number of clients.
    pub(super) steps: Vec<Step>,
    /// From kill -9 of its leader until another node answers a write, with the timings that it comes with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) killed_ms: Option<Spread>,
}

impl Rival {
    fn left_out(why: impl Into<String>) -> Self {
        Self { left_out: Some(why.into()), ..Self::default() }
    }
}

/// Measures every rival that is installed. One that does not come up is left out with its reason: the others' figures stand all the same.
pub(super) async fn measure(span: Duration, trials: u32, stop: &CancellationToken) -> Result<Figures> {
    let trials = (trials / FEWER).max(FEWER);
    let or_reason = |measured: Result<Rival>| measured.unwrap_or_else(|error| Rival::left_out(format!("{error:#}")));
    let mut figures = Figures::default();
    if !stop.is_cancelled() {
        figures.etcd = or_reason(etcd::measure(span, trials).await);
        figures.nats = or_reason(nats::measure(span).await);
        figures.rabbitmq = or_reason(rabbitmq::measure(span).await);
    }
    Ok(figures)
}

impl Figures {
    /// Who they are, and why one is missing.
    pub(super) fn print(&self) {
        println!();
        for (name, rival) in self.all() {
            match &rival.left_out {
                Some(why) => println!("  {name}: left out, {why}"),
                None => println!("  {name}: {}; kept means {}", rival.version, rival.durability),
            }
        }
    }

    /// All of them, with their names.
    pub(super) fn all(&self) -> [(&'static str, &Rival); 3] {
        [("etcd", &self.etcd), ("NATS JetStream", &self.nats), ("RabbitMQ quorum queue", &self.rabbitmq)]
    }
}

/// The first line of what a program says of its version.
async fn version(program: &std::path::Path, argument: &str) -> Result<String> {
    let said = tokio::process::Command::new(program).arg(argument).kill_on_drop(true).output().await?;
    let text = String::from_utf8_lossy(&said.stdout);
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}
