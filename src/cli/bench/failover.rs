//! From the end of a leader to the next instruction that a device takes under another tenure.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{Distribution, Open};
use crate::clock::boottime_ms;

/// Much faster than life, so that there is nearly always something to instruct: what is waited for otherwise is work.
const SPEED: u64 = 200;

/// Time between two trials: the killed node is back and has caught up.
const REST: Duration = Duration::from_millis(3_500);

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Figures {
    /// kill -9 of the leader.
    killed_ms: Distribution,
    /// The leader hands over on request.
    handed_over_ms: Distribution,
}

/// Kills leaders, and lets leaders hand over, while orders go through.
pub async fn measure(trials: u32, stop: &CancellationToken) -> Result<Figures> {
    let mut open = Open::start(SPEED, stop).await?;
    open.client.place_orders(trials * 25 + 50, 4).await?;
    let mut kills = Vec::new();
    for _ in 0..trials {
        tokio::time::sleep(REST).await;
        open.processes.revive()?;
        if let Some(leader) = open.client.leader().await {
            let at = boottime_ms();
            if open.processes.kill(leader)? {
                kills.push(at);
            }
        }
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        open.processes.revive()?;
    }
    tokio::time::sleep(REST).await;
    let mut transfers = Vec::new();
    for _ in 0..trials {
        tokio::time::sleep(Duration::from_millis(2_000)).await;
        let at = boottime_ms();
        if open.client.transfer().await.is_ok() {
            transfers.push(at);
        }
    }
    tokio::time::sleep(REST).await;
    let record = open.record()?;
    open.processes.stop().await;
    let distribution =
        |moments: &[u64]| Distribution::of(record.failovers_ms(moments).into_iter().map(|ms| ms as f64).collect());
    Ok(Figures { killed_ms: distribution(&kills), handed_over_ms: distribution(&transfers) })
}

impl Figures {
    /// Prints the table.
    pub fn print(&self) {
        println!("until the next instruction reaches a device");
        for (name, d) in [("kill -9", &self.killed_ms), ("hand-over", &self.handed_over_ms)] {
            println!(
                "  {name:<11} p50 {:.0} ms   p99 {:.0} ms   max {:.0} ms   ({} trials)",
                d.p50, d.p99, d.max, d.count
            );
        }
    }
}
