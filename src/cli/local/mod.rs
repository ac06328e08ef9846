//! A whole kitchen on this machine, for demo and benchmarks: files, processes, a client, and the devices' physical record.

pub mod backend;
pub mod client;
pub mod files;
pub mod processes;
pub mod record;

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::kitchen::limit::Line;

pub use backend::Backend;
pub use client::{Client, Placed};
pub use files::{Plan, Site};
pub use processes::Processes;
pub use record::Record;

/// How long a kitchen may take to open.
const OPENING: Duration = Duration::from_secs(120);

/// Waits until all devices of the line are there and the kitchen is NORMAL; returns what its line has.
pub async fn wait_until_open(
    client: &Client,
    site: &Site,
    processes: &mut Processes,
    stop: &CancellationToken,
) -> Result<Line> {
    let devices = site.devices()?;
    let limit = Instant::now() + OPENING;
    loop {
        if stop.is_cancelled() {
            bail!("stopped");
        }
        processes.check()?;
        if let Some(line) = client.line_when_up(devices).await {
            return Ok(line);
        }
        if Instant::now() > limit {
            bail!("the kitchen did not open within {} s", OPENING.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
