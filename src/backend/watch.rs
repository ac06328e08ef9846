//! When the assignment lease of a kitchen is over: the proof that its orders may be given to another one.
//!
//! Each instance watches the `beat` of every kitchen's row, which each exchange raises before it reads anything. A lease runs for at most
//! `lease_ms` from a moment that lies before such a raise. So when an instance has itself seen one value stand for the lease and a
//! margin, by its own monotonic clock, no answer that was ever given can still allow the kitchen to begin anything. The proof holds
//! for that value of `beat` only: the transaction that moves an order checks it again under the row's lock.
//!
//! Pure: time comes in as milliseconds of the caller's monotonic clock. A new instance begins to count at its first look, because what it
//! did not see it does not know. No wall clock and no other machine's clock is involved.

use std::collections::BTreeMap;

use crate::defect;
use crate::protocol::Id;

/// What an instance knows of the beats.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    seen: BTreeMap<Id, Seen>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    beat: u64,
    /// When this value was seen first.
    since_ms: u64,
    /// When this instance saw the kitchen's row first.
    known_since_ms: u64,
    /// The longest lease that the kitchen may have been granted.
    lease_ms: u64,
}

impl Watch {
    /// The row has this beat. `lease_ms` is the longest lease that any instance has granted the kitchen.
    ///
    /// `now_ms` is when the read *ended*: the value may have been written until then.
    pub fn look(&mut self, kitchen: &Id, beat: u64, lease_ms: u64, now_ms: u64) {
        let new = Seen { beat, since_ms: now_ms, known_since_ms: now_ms, lease_ms };
        let Some(seen) = self.seen.get_mut(kitchen) else {
            self.seen.insert(kitchen.clone(), new);
            return;
        };
        // A beat never goes back; a read that was overtaken by a later one says nothing.
        if beat > seen.beat {
            *seen = Seen { known_since_ms: seen.known_since_ms, ..new };
        }
        seen.lease_ms = seen.lease_ms.max(lease_ms);
    }

    /// Forgets kitchens that are not in the list.
    pub fn keep_only(&mut self, is_there: impl Fn(&Id) -> bool) {
        self.seen.retain(|kitchen, _| is_there(kitchen));
    }

    /// The beat under which the kitchen's lease is proven over, if it is.
    pub fn lease_over(&self, kitchen: &Id, margin_ms: u64, now_ms: u64) -> Option<u64> {
        let seen = self.seen.get(kitchen)?;
        let lease_ms = if defect::is("assignment-lease-ignored") { 0 } else { seen.lease_ms };
        let span_ms = lease_ms.saturating_add(margin_ms);
        (now_ms.saturating_sub(seen.since_ms) >= span_ms).then_some(seen.beat)
    }

    /// Every kitchen whose lease is proven over, with the beat under which it is.
    pub fn leases_over(&self, margin_ms: u64, now_ms: u64) -> Vec<(Id, u64)> {
        let over = |kitchen: &Id| self.lease_over(kitchen, margin_ms, now_ms).map(|beat| (kitchen.clone(), beat));
        self.seen.keys().filter_map(over).collect()
    }

    /// Every kitchen that this instance has seen silent for so long.
    pub fn silent_for(&self, span_ms: u64, now_ms: u64) -> Vec<Id> {
        let silent = |seen: &Seen| now_ms.saturating_sub(seen.since_ms) >= span_ms;
        self.seen.iter().filter(|(_, seen)| silent(seen)).map(|(kitchen, _)| kitchen.clone()).collect()
    }

    /// For how long the kitchen has been silent, as far as this instance can tell, in milliseconds.
    pub fn silent_ms(&self, kitchen: &Id, now_ms: u64) -> Option<u64> {
        self.seen.get(kitchen).map(|seen| now_ms.saturating_sub(seen.since_ms))
    }

    /// True if this instance has seen the kitchen make contact, rather than only its row as it was.
    pub fn has_heard(&self, kitchen: &Id) -> bool {
        self.seen.get(kitchen).is_some_and(|seen| seen.since_ms > seen.known_since_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn k() -> Id {
        "k1".parse().unwrap()
    }

    #[test]
    fn a_lease_is_over_only_after_the_beat_stood_for_lease_and_margin() {
        let mut watch = Watch::default();
        watch.look(&k(), 7, 5_000, 100);
        for now_ms in [100, 5_099, 6_099] {
            assert_eq!(watch.lease_over(&k(), 1_000, now_ms), None);
        }
        assert_eq!(watch.lease_over(&k(), 1_000, 6_100), Some(7));
        watch.look(&k(), 8, 5_000, 6_200);
        assert_eq!(watch.lease_over(&k(), 1_000, 12_199), None);
        assert_eq!(watch.lease_over(&k(), 1_000, 12_200), Some(8));
    }

    #[test]
    fn a_fresh_instance_counts_from_its_first_look() {
        let mut watch = Watch::default();
        assert_eq!(watch.lease_over(&k(), 0, u64::MAX), None);
        watch.look(&k(), 7, 5_000, 1_000_000);
        assert_eq!(watch.lease_over(&k(), 0, 1_004_999), None);
        assert!(!watch.has_heard(&k()));
    }

    #[test]
    fn a_longer_lease_that_was_granted_once_is_waited_for() {
        let mut watch = Watch::default();
        watch.look(&k(), 7, 300_000, 0);
        watch.look(&k(), 7, 5_000, 10);
        assert_eq!(watch.lease_over(&k(), 0, 299_999), None);
        assert_eq!(watch.lease_over(&k(), 0, 300_000), Some(7));
    }

    #[test]
    fn a_read_that_was_overtaken_says_nothing() {
        let mut watch = Watch::default();
        watch.look(&k(), 8, 5_000, 100);
        watch.look(&k(), 7, 5_000, 200);
        assert_eq!(watch.lease_over(&k(), 0, 5_100), Some(8));
        assert_eq!(watch.silent_ms(&k(), 300), Some(200));
    }
}
