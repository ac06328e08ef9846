//! Orders, acknowledged when a majority has them on disk and the leader has applied them.

use std::time::Instant;

use anyhow::Result;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{Distribution, Open, disk};
use crate::cli::local::Placed;

/// Orders of each run.
const ORDERS: u32 = 500;

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Figures {
    /// A 256-byte append with fdatasync on the same disk.
    fdatasync_ms: Distribution,
    /// One client, one order after the other.
    order_ms: Distribution,
    /// Median of an order over median of fdatasync.
    ratio: f64,
}

/// Measures one client against the disk. Orders go to the leader, as a client that knows it would send them.
pub async fn measure(stop: &CancellationToken) -> Result<Figures> {
    let mut open = Open::start(1, stop).await?;
    let before = disk::fdatasync_ms(open.site.dir(), 500)?;
    let leader = open.client.leader_api(&open.site).await?;
    let mut values = Vec::new();
    for n in 0..ORDERS {
        let order = Placed { id: format!("bench-{n}"), items: vec!["margherita".to_owned()] };
        let began = Instant::now();
        leader.place(&order).await?;
        values.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    let after = disk::fdatasync_ms(open.site.dir(), 500)?;
    open.processes.stop().await;
    let order_ms = Distribution::of(values);
    // The disk's speed drifts: the faster of two runs is the limit.
    let fdatasync_ms = if before.p50 < after.p50 { before } else { after };
    let ratio = order_ms.p50 / fdatasync_ms.p50;
    Ok(Figures { fdatasync_ms, order_ms, ratio })
}

impl Figures {
    /// Prints the table.
    pub fn print(&self) {
        println!("order acknowledged, 1 client, 3 processes, 1 disk");
        println!("  fdatasync   p50 {:.3} ms   p99 {:.3} ms", self.fdatasync_ms.p50, self.fdatasync_ms.p99);
        println!("  order       p50 {:.3} ms   p99 {:.3} ms", self.order_ms.p50, self.order_ms.p99);
        println!("  ratio       {:.1}", self.ratio);
    }
}
