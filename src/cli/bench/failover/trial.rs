//! One trial: the kitchen is whole, something is lost, an instruction comes, and what was lost comes back.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::super::ear::Said;
use super::super::http1::Connection;
use super::dinner::{Dinner, is_question};
use super::{Fault, PATIENCE};

/// How long the kitchen may take to be whole again.
const WHOLE: Duration = Duration::from_secs(60);
/// How far behind a replica may be, in entries, to count as caught up.
const LAG: u64 = 20;
/// How long one answer may take while it is asked whether all is well.
const ANSWER: Duration = Duration::from_millis(500);
/// A fault comes at any moment between two heartbeats.
const MOMENTS_MS: u64 = 200;

impl Dinner {
    /// Breaks something once. How long it took until the next instruction; None if none came.
    pub(super) async fn trial(&mut self, fault: Fault) -> Result<Option<Duration>> {
        self.wait_until_whole().await?;
        sleep(Duration::from_millis(rand::random_range(0..MOMENTS_MS))).await;
        while let Some(heard) = self.ear.try_next() {
            self.note(&heard);
        }
        match fault {
            Fault::Killed => self.kill_leader().await,
            Fault::Frozen => self.freeze_leader().await,
            Fault::HandedOver => self.hand_over().await,
            Fault::Broker => self.kill_broker().await,
            Fault::Machine => self.kill_machine().await,
        }
    }

    async fn kill_leader(&mut self) -> Result<Option<Duration>> {
        let leader = self.open.leader().await?;
        let at = Instant::now();
        self.kill_replica(leader)?;
        let took = self.until_next_tenure(at).await;
        self.open.processes.restart(leader)?;
        Ok(took)
    }

    fn kill_replica(&mut self, node: u64) -> Result<()> {
        if !self.open.processes.kill(node)? {
            bail!("node {node} was not there to be killed");
        }
        Ok(())
    }

    async fn kill_machine(&mut self) -> Result<Option<Duration>> {
        let (leader, broker) = (self.open.leader().await?, self.busiest_broker()?);
        let at = Instant::now();
        self.kill_replica(leader)?;
        self.open.brokers[broker].kill()?;
        let took = self.until_next_tenure(at).await;
        self.open.processes.restart(leader)?;
        self.open.brokers[broker].revive().await?;
        Ok(took)
    }

    /// The broker at which most devices are.
    fn busiest_broker(&self) -> Result<usize> {
        let devices = |broker: &usize| self.at_broker.values().filter(|at| *at == broker).count();
        (0..self.open.brokers.len()).max_by_key(devices).context("there is a broker")
    }

    async fn freeze_leader(&mut self) -> Result<Option<Duration>> {
        let leader = self.open.leader().await?;
        let pid = self.open.processes.pid(leader).and_then(|pid| Pid::from_raw(pid as i32));
        let pid = pid.context("the leader runs")?;
        let at = Instant::now();
        kill_process(pid, Signal::STOP)?;
        let took = self.until_next_tenure(at).await;
        kill_process(pid, Signal::CONT)?;
        Ok(took)
    }

    async fn hand_over(&mut self) -> Result<Option<Duration>> {
        let mut api = Connection::open(self.open.leader_address().await?).await?;
        let at = Instant::now();
        let asked = tokio::spawn(async move { api.ask("POST", "/v1/cluster/transfer", "{}").await });
        let took = self.until_next_tenure(at).await;
        let answer = timeout(PATIENCE, asked).await.context("nobody answered the wish to hand over")???;
        if !answer.is_success() {
            bail!("the leader did not hand over: {}", String::from_utf8_lossy(&answer.body));
        }
        Ok(took)
    }

    /// The broker with the most devices dies; some device that was there comes to another one, and is instructed through it.
    async fn kill_broker(&mut self) -> Result<Option<Duration>> {
        let lost = self.busiest_broker()?;
        let at = Instant::now();
        self.open.brokers[lost].kill()?;
        let mut took = None;
        let mut has_come = BTreeSet::new();
        while took.is_none()
            && let Some(heard) = self.ear.next(at + PATIENCE).await
        {
            let was_there = self.at_broker.get(&heard.device) == Some(&lost);
            self.note(&heard);
            match &heard.said {
                Said::State(_) | Said::Heartbeat if was_there && heard.broker != lost && heard.at >= at => {
                    has_come.insert(heard.device);
                }
                Said::Instruction(cmd) if has_come.contains(&heard.device) && !is_question(&cmd.op) => {
                    took = Some(heard.at - at);
                }
                Said::State(_) | Said::Heartbeat | Said::Instruction(_) => {}
            }
        }
        self.open.brokers[lost].revive().await?;
        Ok(took)
    }

    async fn until_next_tenure(&mut self, at: Instant) -> Option<Duration> {
        while let Some(heard) = self.ear.next(at + PATIENCE).await {
            if self.note(&heard) {
                self.epochs_asked += 1;
                return Some(heard.at.saturating_duration_since(at));
            }
        }
        None
    }

    /// All replicas answer, agree who leads and have caught up, and whoever leads has instructed a device since it was asked.
    async fn wait_until_whole(&mut self) -> Result<()> {
        let limit = Instant::now() + WHOLE;
        while Instant::now() < limit {
            self.open.processes.check()?;
            let whole = self.is_whole().await;
            let instructed = self.is_anybody_instructed().await;
            if whole && instructed {
                return Ok(());
            }
        }
        bail!("the kitchen was not whole again within {} s", WHOLE.as_secs())
    }

    async fn is_whole(&self) -> bool {
        let mut views = Vec::new();
        for node in self.open.site.nodes() {
            match timeout(ANSWER, self.standing(node)).await {
                Ok(Ok(standing)) => views.push(standing),
                Ok(Err(_)) | Err(_) => return false,
            }
        }
        let most = views.iter().map(|(_, applied)| *applied).max().unwrap_or(0);
        views.iter().all(|(leader, applied)| leader.is_some() && *leader == views[0].0 && applied + LAG >= most)
    }

    /// Who leads, and what is applied, as one replica knows it.
    async fn standing(&self, node: u64) -> Result<(Option<u64>, u64)> {
        let mut api = Connection::open(self.open.address(node)?).await?;
        let answer = api.ask("GET", "/v1/cluster?consistency=stale", "").await?;
        let view: Value = serde_json::from_slice(&answer.body)?;
        Ok((view["leader"].as_u64(), view.pointer("/log/applied").and_then(Value::as_u64).unwrap_or(0)))
    }

    /// True once a device is instructed, within half a second from now.
    async fn is_anybody_instructed(&mut self) -> bool {
        let from = Instant::now();
        while let Some(heard) = self.ear.next(from + ANSWER).await {
            self.note(&heard);
            let is_now = heard.at >= from;
            if matches!(&heard.said, Said::Instruction(cmd) if is_now && !is_question(&cmd.op)) {
                return true;
            }
        }
        false
    }
}
