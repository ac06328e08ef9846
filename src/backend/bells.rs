//! Wakes who waits for something about a kitchen or an order. A bell carries nothing: whoever is woken reads the database.
//!
//! A bell that is lost costs latency, never an order. Subscribe first, then read, then wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::protocol::Id;

/// The bells of one instance. Clones share them.
#[derive(Clone, Default)]
pub struct Bells(Arc<Mutex<HashMap<String, watch::Sender<u64>>>>);

/// Changes when its bell is rung.
pub type Ear = watch::Receiver<u64>;

impl Bells {
    /// Hears about a kitchen.
    pub fn of_kitchen(&self, kitchen: &Id) -> Ear {
        self.subscribe(format!("k/{kitchen}"))
    }

    /// Hears about an order.
    pub fn of_order(&self, order: &Id) -> Ear {
        self.subscribe(format!("o/{order}"))
    }

    /// Something changed for a kitchen.
    pub fn ring_kitchen(&self, kitchen: &str) {
        self.ring(&format!("k/{kitchen}"));
    }

    /// An order changed.
    pub fn ring_order(&self, order: &str) {
        self.ring(&format!("o/{order}"));
    }

    /// Something changed for everybody.
    pub fn ring_all(&self) {
        let bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bells.values().for_each(|bell| bell.send_modify(|count| *count += 1));
    }

    fn subscribe(&self, key: String) -> Ear {
        let mut bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bells.entry(key).or_insert_with(|| watch::channel(0).0).subscribe()
    }

    fn ring(&self, key: &str) {
        let mut bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bell) = bells.get(key) else { return };
        if bell.is_closed() {
            // Nobody listens any more: the map must not grow with every order that was ever followed.
            bells.remove(key);
        } else {
            bell.send_modify(|count| *count += 1);
        }
    }

    /// Forgets bells that nobody hears.
    pub fn sweep(&self) {
        let mut bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bells.retain(|_, bell| !bell.is_closed());
    }
}

/// Follows a sequence of numbers that may become visible out of their order, as those of concurrent transactions do.
#[derive(Clone, Debug, Default)]
pub struct Tail {
    /// Everything up to here was seen, or is given up.
    pub low: u64,
    seen: std::collections::BTreeSet<u64>,
    gap_since_ms: Option<u64>,
}

/// How long a missing number is waited for: its transaction may still be open, or was undone.
const GAP_MS: u64 = 2_000;

impl Tail {
    /// Begins behind a number.
    pub fn behind(low: u64) -> Self {
        Self { low, ..Self::default() }
    }

    /// True if the number was not seen before.
    pub fn is_new(&mut self, number: u64) -> bool {
        number > self.low && self.seen.insert(number)
    }

    /// Moves up over what is complete, or has been missing for long.
    pub fn settle(&mut self, now_ms: u64) {
        while self.seen.remove(&(self.low + 1)) {
            self.low += 1;
            self.gap_since_ms = None;
        }
        if self.seen.is_empty() {
            self.gap_since_ms = None;
        } else if now_ms.saturating_sub(*self.gap_since_ms.get_or_insert(now_ms)) >= GAP_MS {
            self.low = self.seen.first().map_or(self.low, |next| next - 1);
            self.gap_since_ms = None;
            self.settle(now_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_becomes_visible_late_is_still_noticed() {
        let mut tail = Tail::behind(10);
        assert!(tail.is_new(12) && !tail.is_new(12) && !tail.is_new(10));
        tail.settle(0);
        assert_eq!(tail.low, 10);
        assert!(tail.is_new(11));
        tail.settle(10);
        assert_eq!(tail.low, 12);
    }

    #[test]
    fn a_number_that_never_comes_is_given_up() {
        let mut tail = Tail::behind(0);
        assert!(tail.is_new(2) && tail.is_new(4));
        tail.settle(0);
        tail.settle(GAP_MS);
        assert_eq!(tail.low, 2);
        tail.settle(2 * GAP_MS);
        assert_eq!(tail.low, 4);
    }
}
