//! The ring of the last events in the database, so that a stream can go on where it stopped, on any replica.
//!
//! Written in the batch of the entry that caused them. Snapshots carry none: a replica that was brought up by one starts its ring
//! there, and says so (`EventsError::Gone`). Events are for observing; nothing decides by them.

use std::io;

use rocksdb::WriteBatch;

use super::codec::{decode, encode};
use super::error::EventsError;
use super::log_store::log_key;
use super::store::{EVENTS, Store, key};
use super::types::Observed;

/// How many log indices the ring covers, at least.
pub const RING_INDICES: u64 = 50_000;

/// Old events are dropped once per this many indices: one tombstone each time.
const PRUNE_EVERY: u64 = 2_048;

/// Adds what one entry caused to its batch, and prunes now and then, by index alone: all replicas do the same.
pub(crate) fn put(store: &Store, batch: &mut WriteBatch, observed: &Observed) {
    if !observed.events.is_empty() {
        batch.put_cf(store.cf(EVENTS), log_key(observed.index), encode(observed));
    }
    if observed.index.is_multiple_of(PRUNE_EVERY) && observed.index > RING_INDICES {
        let floor = observed.index - RING_INDICES;
        let from = floor.saturating_sub(2 * PRUNE_EVERY);
        batch.delete_range_cf(store.cf(EVENTS), log_key(from), log_key(floor + 1));
        store.put_meta(batch, key::EVENTS_FLOOR, &floor);
    }
}

/// Empties the ring; it is complete from `floor` on.
pub(crate) fn clear(store: &Store, batch: &mut WriteBatch, floor: u64) {
    batch.delete_range_cf(store.cf(EVENTS), log_key(0), log_key(u64::MAX));
    store.put_meta(batch, key::EVENTS_FLOOR, &floor);
}

/// At most `limit` entries with events, behind `index`.
pub(crate) fn after(store: &Store, index: u64, limit: usize) -> Result<Vec<Observed>, EventsError> {
    let rows = store.scan(EVENTS, log_key(index.saturating_add(1)).to_vec(), None).take(limit);
    let events = rows.map(|row| decode(&row?.1)).collect::<io::Result<_>>()?;
    // After the scan, so that what a prune took away meanwhile is noticed.
    match store.meta(key::EVENTS_FLOOR)? {
        Some(floor) if index < floor => Err(EventsError::Gone { floor }),
        _ => Ok(events),
    }
}
