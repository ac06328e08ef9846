//! A kitchen of three processes that is open, for one measurement, with brokers in processes of their own.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::broker::Broker;
use crate::cli::local::{Client, Plan, Processes, Record, Site, wait_until_open};
use crate::kitchen::Settings;

/// A kitchen, until it is dropped. `stop` ends it in order.
pub(super) struct Open {
    pub(super) site: Site,
    pub(super) processes: Processes,
    pub(super) client: Client,
    /// The brokers outside of the replicas, with the folder where they keep their files.
    pub(super) brokers: Vec<Broker>,
    _dir: TempDir,
}

impl Open {
    /// Opens a kitchen that is so many times as fast as life, with so many brokers.
    pub(super) async fn start(speed: u64, brokers: usize, stop: &CancellationToken) -> Result<Self> {
        Self::start_with(Plan { speed, ..Plan::default() }, brokers, stop).await
    }

    /// Opens a kitchen that refuses no order for want of capacity: what is measured then is the taking of orders, not their making. Four times
    /// as fast as life, so that what waits after some seconds can be made within the longest time that may be set.
    pub(super) async fn start_without_admission(stop: &CancellationToken) -> Result<Self> {
        let settings = Settings { open_pizzas_max: 1_000_000, admit_late_ms: 2_592_000_000, ..Settings::default() };
        Self::start_with(Plan { speed: 4, settings, ..Plan::default() }, 1, stop).await
    }

    /// Opens a kitchen by this plan, with so many brokers.
    pub(super) async fn start_with(plan: Plan, brokers: usize, stop: &CancellationToken) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("brigade-brokers-").tempdir()?;
        let mut running = Vec::new();
        for _ in 0..brokers {
            running.push(Broker::start(dir.path()).await?);
        }
        let brokers = running.iter().map(Broker::url).collect();
        let mut open = Self::start_on(Plan { brokers, ..plan }, stop).await?;
        (open.brokers, open._dir) = (running, dir);
        Ok(open)
    }

    /// Opens a kitchen by this plan, whose brokers are the caller's or in the replicas.
    pub(super) async fn start_on(plan: Plan, stop: &CancellationToken) -> Result<Self> {
        let site = Site::lay_out(&plan)?;
        let mut processes = Processes::start(&site)?;
        let client = site.client();
        wait_until_open(&client, &site, &mut processes, stop).await?;
        Ok(Self { site, processes, client, brokers: Vec::new(), _dir: tempfile::tempdir()? })
    }

    /// Which node leads.
    pub(super) async fn leader(&self) -> Result<u64> {
        self.client.leader().await.context("nobody leads")
    }

    /// Where a node's API listens.
    pub(super) fn address(&self, node: u64) -> Result<SocketAddr> {
        let api = self.site.api(node).context("the node is none of ours")?;
        Ok(api.trim_start_matches("http://").parse()?)
    }

    /// Where the leader's API listens: orders go there, as a client that knows it would send them.
    pub(super) async fn leader_address(&self) -> Result<SocketAddr> {
        self.address(self.leader().await?)
    }

    /// A node that does not lead.
    pub(super) async fn follower(&self) -> Result<u64> {
        let leader = self.leader().await?;
        self.site.nodes().find(|node| *node != leader).context("a kitchen has three replicas")
    }

    /// The replicas' processes, this node's first.
    pub(super) fn pids_from(&self, node: u64) -> Vec<u32> {
        let mut nodes: Vec<u64> = self.site.nodes().collect();
        nodes.sort_by_key(|other| *other != node);
        nodes.into_iter().filter_map(|node| self.processes.pid(node)).collect()
    }

    /// What the devices physically did.
    pub(super) fn record(&self) -> Result<Record> {
        Record::read(&self.site.record())
    }

    /// Asks every process to end, and waits.
    pub(super) async fn stop(mut self) {
        self.processes.stop().await;
    }
}
