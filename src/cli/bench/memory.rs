//! How much memory a replica takes with many ended orders, which lie in the archive on disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use anyhow::Result;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::kitchen::Open;
use super::process::resident_mib;
use crate::cli::local::{Placed, Plan};
use crate::mqtt::broker::{Broker, Options as BrokerOptions};

/// Clients at once.
const CLIENTS: u32 = 64;

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Figures {
    /// Ended orders.
    archived: u32,
    /// Resident memory of each replica, in MiB, without a broker.
    resident_mib: Vec<f64>,
}

/// Places and cancels orders until so many are archived.
pub async fn measure(archived: u32, stop: &CancellationToken) -> Result<Figures> {
    // In production a broker is a process of its own; here it runs in this one.
    let broker = tokio::task::spawn_blocking(|| Broker::start(BrokerOptions::loopback())).await??;
    let plan = Plan { speed: 1, brokers: vec![broker.url()], ..Plan::default() };
    let mut open = Open::start_on(plan, stop).await?;
    let leader = Arc::new(open.client.leader_api(&open.site).await?);
    let next = Arc::new(AtomicU32::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (leader, next) = (leader.clone(), next.clone());
        clients.spawn(async move {
            loop {
                let n = next.fetch_add(1, Relaxed);
                if n >= archived {
                    return anyhow::Ok(());
                }
                let order = Placed { id: format!("bench-{n}"), items: vec!["margherita".to_owned()] };
                leader.place(&order).await?;
                leader.cancel(&order.id).await?;
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    let pids: Vec<u32> = open.site.nodes().filter_map(|n| open.processes.pid(n)).collect();
    let resident_mib = pids.iter().map(|pid| resident_mib(*pid)).collect::<Result<_>>()?;
    open.processes.stop().await;
    tokio::task::spawn_blocking(move || broker.stop()).await?;
    Ok(Figures { archived, resident_mib })
}

impl Figures {
    /// Prints the table.
    pub fn print(&self) {
        println!("resident memory with {} archived orders", self.archived);
        for mib in &self.resident_mib {
            println!("  replica     {mib:.0} MiB");
        }
    }
}
