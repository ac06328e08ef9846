//! The kitchen in which leaders and brokers are lost: orders that come in all the time, and an ear at both brokers.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tempfile::NamedTempFile;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::super::ear::{Ear, Heard, Said};
use super::super::kitchen::Open;
use super::Figures;
use crate::cli::local::{Client, Placed, Plan};
use crate::protocol::{DeviceId, Op};

/// Much faster than life, so that there is nearly always something to instruct.
const SPEED: u64 = 200;
/// A line that has an instruction due every few milliseconds: with the demo's, most of a hand-over was waiting for work.
const ROBOTS: usize = 8;
const OVENS: usize = 16;
/// So many orders are open, as long as somebody takes them.
const OPEN_ORDERS: usize = 90;
/// How long the last orders may take.
const LAST_ORDERS: Duration = Duration::from_secs(180);

/// A kitchen at work.
pub(super) struct Dinner {
    pub(super) open: Open,
    /// Read again by devices that are started again.
    _line: NamedTempFile,
    pub(super) ear: Ear,
    /// At which broker each device was last heard.
    pub(super) at_broker: BTreeMap<DeviceId, usize>,
    /// The highest epoch under which an instruction was heard, and how many epochs were a fault's.
    pub(super) epoch: u64,
    pub(super) epochs_seen: u64,
    pub(super) epochs_asked: u64,
    accepted: Arc<Mutex<Vec<Placed>>>,
    last_orders: CancellationToken,
    guests: JoinHandle<()>,
}

impl Dinner {
    /// Opens the kitchen, with its files in this folder, and lets orders come.
    pub(super) async fn begin(keep: Option<&Path>, stop: &CancellationToken) -> Result<Self> {
        let line = tempfile::NamedTempFile::with_suffix(".toml")?;
        std::fs::write(line.path(), large_line())?;
        let (line_path, keep) = (Some(line.path().to_owned()), keep.map(Path::to_owned));
        let plan = Plan { speed: SPEED, line: line_path, keep, ..Plan::default() };
        let open = Open::start_with(plan, 2, stop).await?;
        let brokers: Vec<String> = open.brokers.iter().map(|broker| broker.url()).collect();
        let ear = Ear::at(&brokers, open.site.name()).await?;
        let (accepted, last_orders) = (Arc::default(), CancellationToken::new());
        let guests = tokio::spawn(order(open.site.client(), Arc::clone(&accepted), last_orders.clone()));
        let (at_broker, epoch, epochs_seen, epochs_asked) = (BTreeMap::new(), 0, 0, 0);
        Ok(Self { open, _line: line, ear, at_broker, epoch, epochs_seen, epochs_asked, accepted, last_orders, guests })
    }

    /// Remembers what was heard. True for an instruction under an epoch that is new: a question is no instruction.
    pub(super) fn note(&mut self, heard: &Heard) -> bool {
        match &heard.said {
            Said::State(_) | Said::Heartbeat => {
                self.at_broker.insert(heard.device.clone(), heard.broker);
                false
            }
            Said::Instruction(cmd) => {
                let is_new = cmd.epoch.0 > self.epoch && !is_question(&cmd.op);
                if is_new {
                    self.epoch = cmd.epoch.0;
                    self.epochs_seen += 1;
                }
                is_new
            }
        }
    }

    /// Tenures that no fault brought about. The first one is nobody's fault.
    pub(super) fn unasked_tenures(&self) -> u64 {
        self.epochs_seen.saturating_sub(1 + self.epochs_asked)
    }

    /// Takes no more orders, waits for the last, and counts what became of all.
    pub(super) async fn end(mut self, figures: &mut Figures) -> Result<()> {
        self.last_orders.cancel();
        self.guests.await?;
        let placed = self.accepted.lock().expect("no task panics while it holds this lock").clone();
        let limit = Instant::now() + LAST_ORDERS;
        while self.open.client.open_orders().await != Some(0) && Instant::now() < limit {
            self.open.processes.revive()?;
            self.open.client.retry_items_that_fail().await;
            sleep(Duration::from_millis(100)).await;
        }
        let ends = self.open.client.ends_of(&placed).await?;
        let is_ready = |order: &&Placed| ends.get(&order.id).is_some_and(|end| end == "READY" || end == "COLLECTED");
        figures.accepted = placed.len();
        figures.lost = placed.len() - placed.iter().filter(is_ready).count();
        let record = self.open.record()?;
        (figures.doubled, figures.burnt) = (record.made_twice(), record.burnt());
        if placed.is_empty() {
            bail!("no order was taken: nothing was proved");
        }
        self.open.stop().await;
        Ok(())
    }
}

/// Devices of every kind, as a site writes them down.
fn large_line() -> String {
    let head = "kitchen = \"demo\"\nbrokers = [\"mqtt://127.0.0.1:1\"]\n".to_owned();
    let many = |name: &str, kind: &str, from: usize, count: usize| -> String {
        let device = |n: usize| format!("[[device]]\nid = \"{name}{n}\"\nkind = \"{kind}\"\n");
        (from..from + count).map(device).collect()
    };
    head + &many("robot", "robot.before_oven", 1, ROBOTS)
        + &many("oven", "oven", 1, OVENS)
        + &many("robot", "robot.after_oven", ROBOTS + 1, ROBOTS)
}

/// What a new leader asks of everybody, before it instructs anybody.
pub(super) fn is_question(op: &Op) -> bool {
    matches!(op, Op::StateGet | Op::FactsGet)
}

/// Keeps orders coming. Who is told that an order is accepted writes it down.
async fn order(client: Client, accepted: Arc<Mutex<Vec<Placed>>>, last_orders: CancellationToken) {
    for n in 0_u64.. {
        while client.open_orders().await.is_none_or(|open| open >= OPEN_ORDERS) {
            if last_orders.is_cancelled() {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        let order = Placed { id: format!("bench-{n}"), items: vec!["margherita".to_owned(), "funghi".to_owned()] };
        if client.place(&order).await.is_ok() {
            accepted.lock().expect("no task panics while it holds this lock").push(order);
        }
        if last_orders.is_cancelled() {
            return;
        }
    }
}
