//! Who is told what each entry did to this replica, so that replicas can be compared afterwards. Off unless somebody observes, and then
//! nothing is digested. It decides nothing, and is called after the rows are written.

use std::fmt::Debug;

use crate::kitchen::{Applied, Kitchen, Row, invariants};

use super::codec::encode;

/// Digests of the whole state are made at every index that this divides: they cost a walk over all rows.
const STATE_EVERY: u64 = 64;

/// Is told what this replica did. Must not wait.
pub trait Observer: Debug + Send + Sync {
    /// Entries of the kitchen were applied and written.
    fn applied(&self, digests: &[Digest]);

    /// The state was replaced by a snapshot's, with this CRC-32.
    fn installed(&self, index: u64, state: u32);
}

/// What one entry did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// The entry's log index.
    pub index: u64,
    /// CRC-32 of the rows that it changed, in the state and in the archive, and of its events.
    pub change: u32,
    /// CRC-32 of the whole state after it; now and then.
    pub state: Option<u32>,
    /// What must hold after every entry and does not.
    pub broken: Option<String>,
}

impl Digest {
    /// The digest of an entry that was just applied to this kitchen.
    pub(crate) fn of(index: u64, applied: &Applied, kitchen: &Kitchen) -> Self {
        let mut hasher = crc32fast::Hasher::new();
        let first = kitchen.first_row();
        for Row { key, value } in [&first].into_iter().chain(&applied.rows).chain(&applied.archive) {
            hasher.update(key);
            hasher.update(value.as_deref().unwrap_or(b"deleted"));
        }
        hasher.update(&encode(&applied.events));
        let state = index.is_multiple_of(STATE_EVERY).then(|| state(kitchen));
        let broken = invariants::check_often(kitchen).err();
        Self { index, change: hasher.finalize(), state, broken }
    }
}

/// CRC-32 of all rows of a kitchen.
pub(crate) fn state(kitchen: &Kitchen) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for (key, value) in kitchen.rows() {
        hasher.update(&key);
        hasher.update(&value);
    }
    hasher.finalize()
}
