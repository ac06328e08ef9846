//! Guests: clients that order all the time, look, take back, collect, and repeat what was not answered, until they are asked to leave.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use brigade::history::{Answer, Ask};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::api::Api;

/// Pauses between two calls of a guest, so that replicas are not kept busy by reads alone.
const PAUSE: Duration = Duration::from_millis(100);

/// One guest in so many takes an order back.
const CANCELS: u64 = 8;

/// Guests at their tables.
pub struct Guests {
    leave: Arc<AtomicBool>,
    tables: Vec<JoinHandle<()>>,
    /// Orders accepted so far.
    pub accepted: Arc<AtomicU64>,
}

impl Guests {
    /// So many guests, each with one order at a time.
    pub fn arrive(runtime: &Runtime, api: &Arc<Api>, count: u64) -> Self {
        let (leave, accepted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let table = |n| {
            let guest = Guest { name: format!("guest{n}"), api: api.clone(), leave: leave.clone(), turn: n };
            runtime.spawn(guest.dine(accepted.clone()))
        };
        Self { tables: (0..count).map(table).collect(), leave, accepted }
    }

    /// They order nothing more, and leave when what they ordered has ended. True once all have left.
    pub fn have_left(&self) -> bool {
        self.leave.store(true, Ordering::Relaxed);
        self.tables.iter().all(JoinHandle::is_finished)
    }
}

struct Guest {
    name: String,
    api: Arc<Api>,
    leave: Arc<AtomicBool>,
    /// Which replica is asked next.
    turn: u64,
}

impl Guest {
    async fn dine(mut self, accepted: Arc<AtomicU64>) {
        let mut round = 0;
        while !self.leave.load(Ordering::Relaxed) {
            round += 1;
            let order = format!("{}-{round}", self.name);
            let place = Ask::Place { order: order.clone(), items: vec!["quick".to_owned()] };
            if !matches!(self.insist(place).await, Answer::Placed { .. }) {
                continue;
            }
            accepted.fetch_add(1, Ordering::Relaxed);
            if round % CANCELS == 0 {
                // Too late is an answer as well: the order goes on.
                self.insist(Ask::Cancel { order: order.clone() }).await;
            }
            self.wait_for_end(&order).await;
        }
    }

    /// Looks until the order has ended, and takes it along when it is ready.
    async fn wait_for_end(&mut self, order: &str) {
        // Each look at an order is judged against all others: a few tell as much as many.
        let mut pause = PAUSE;
        loop {
            let show = Ask::Show { order: order.to_owned(), stale: false };
            match self.insist(show).await {
                Answer::Shown { status, .. } if status == "READY" => {
                    self.insist(Ask::Collect { order: order.to_owned() }).await;
                    self.insist(Ask::Show { order: order.to_owned(), stale: false }).await;
                    return;
                }
                Answer::Shown { status, .. } if status != "ACCEPTED" && status != "IN_PROGRESS" => return,
                Answer::Refused { .. } => return,
                _ => {}
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(Duration::from_secs(1));
        }
    }

    /// Asks one replica after the other until one gives an answer that means something.
    async fn insist(&mut self, ask: Ask) -> Answer {
        loop {
            self.turn += 1;
            let answer = self.api.call(&self.name, 1 + self.turn % 3, ask.clone()).await;
            if !matches!(answer, Answer::NotApplied { .. } | Answer::Unknown { .. }) {
                return answer;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
