//! What a replica shows to the rest of the program while openraft drives it: the kitchen, the applied index, events, the clock.
//!
//! Only `state_machine` and `install` change it. Nothing here waits: slow observers lose their place, they never hold up apply.

use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard};

use tokio::sync::{broadcast, watch};

use crate::clock::boottime_ms;
use crate::kitchen::Kitchen;

use super::clock::{Anchor, ReplicatedClock, Stamp};
use super::types::Observed;

/// Events that a live observer may be behind before it has to read the ring (`events_after`): some seconds of a busy kitchen.
const OBSERVERS_BEHIND_MAX: usize = 4096;

/// Shared between the state machine (writes) and `RaftNode` (reads).
pub(crate) struct Replica {
    kitchen: RwLock<Kitchen>,
    applied: watch::Sender<u64>,
    observers: broadcast::Sender<Arc<Observed>>,
    clock: Mutex<ReplicatedClock>,
    /// The last entry that the log held when this process started.
    last_log_at_start: Option<u64>,
}

impl Replica {
    /// The replica as it was loaded.
    pub fn new(kitchen: Kitchen, applied: u64, last_log_at_start: Option<u64>) -> Self {
        Self {
            clock: Mutex::new(ReplicatedClock::at_start(kitchen.now(), boottime_ms())),
            kitchen: RwLock::new(kitchen),
            applied: watch::Sender::new(applied),
            observers: broadcast::Sender::new(OBSERVERS_BEHIND_MAX),
            last_log_at_start,
        }
    }

    /// The kitchen, for reading. Apply waits while this is held: never across an await.
    pub fn kitchen(&self) -> RwLockReadGuard<'_, Kitchen> {
        self.kitchen.read().expect("a panic in apply is fatal, and ends the process")
    }

    /// Runs with the kitchen for writing.
    pub fn change<T>(&self, change: impl FnOnce(&mut Kitchen) -> T) -> T {
        change(&mut self.kitchen.write().expect("a panic in apply is fatal, and ends the process"))
    }

    /// Written and in memory up to `index`: wakes who waits, then tells the observers.
    pub fn publish(&self, index: u64, observed: impl IntoIterator<Item = Arc<Observed>>) {
        self.applied.send_replace(index);
        for one in observed {
            // An error means that nobody observes.
            let _ = self.observers.send(one);
        }
    }

    /// What was applied says something of the time: `measured` and `stamp` as in `ReplicatedClock`.
    pub fn move_clock(&self, measured: bool, stamp: Stamp) {
        let at = self.kitchen().now();
        self.clock.lock().expect("nothing panics while it holds this lock").after_apply(
            at,
            measured,
            stamp,
            boottime_ms(),
        );
    }

    /// True if an entry at this index was made after this process started, so that somebody's clock ran until then.
    pub fn is_new(&self, index: u64) -> bool {
        Some(index) > self.last_log_at_start
    }

    /// The replicated clock.
    pub fn anchor(&self) -> Anchor {
        self.clock.lock().expect("nothing panics while it holds this lock").anchor()
    }

    /// The applied index, and a wake-up whenever it grows.
    pub fn applied(&self) -> watch::Receiver<u64> {
        self.applied.subscribe()
    }

    /// Every applied entry from now on.
    pub fn observe(&self) -> broadcast::Receiver<Arc<Observed>> {
        self.observers.subscribe()
    }
}
