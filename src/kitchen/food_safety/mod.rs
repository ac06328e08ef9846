//! The food-safety record: one line for every pizza that ended, each bound to the one before it by SHA-256.
//!
//! A line is written by the entry that moves its order to the archive, so that all replicas write the same bytes, and the chain's head is in
//! the replicated state. Lines are never changed, and the oldest go first where a site keeps
//! only so many (`retention`). What they say is in `record`, how they are written in `text`;
//! docs/FOOD-SAFETY.md explains both to people. SHA-256 is a pure function: nothing here reads a clock or a disk.

mod record;
pub mod text;

use serde::{Deserialize, Serialize};

use super::order::ArchivedOrder;
use super::rows::{Row, decode, encode};
use super::{Kitchen, Millis, is_zero};

pub use record::{COLUMNS, FORMAT};

/// The hash before the first record.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Where the chain ends. Part of the state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// The kitchen's name, as the last node that took charge gave it.
    pub kitchen: String,
    /// How many records there are; the last one's number.
    pub records: u64,
    /// The last record's hash; empty before the first.
    pub last: String,
    /// The records up to this number were let go.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub let_go: u64,
}

impl Chain {
    /// The hash that the next record names as the one before it.
    pub fn head(&self) -> &str {
        if self.last.is_empty() { GENESIS } else { &self.last }
    }
}

/// A record as the archive keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRecord {
    /// Wall time of the entry that wrote it, in milliseconds since 1970: what pages are cut by.
    pub wall: u64,
    /// The line, without its end: its last two fields are the hash of the record before it and its own.
    pub line: String,
}

impl KeptRecord {
    /// From the archive's row.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        decode(bytes)
    }
}

/// The archive's key of a record: sorts by number.
pub fn archive_key(number: u64) -> Vec<u8> {
    [b"f/".as_slice(), &number.to_be_bytes()].concat()
}

/// The number of a record, if this is the archive's key of one.
pub fn number_of(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.strip_prefix(b"f/")?.try_into().ok()?))
}

impl Kitchen {
    /// Puts every pizza of an order that ended on record: the generations that were thrown away first, in the order of their ends.
    /// A pizza that nobody began leaves nothing: there was no food.
    pub(super) fn record_pizzas(&mut self, ended: &ArchivedOrder) {
        for pizza in record::of(ended) {
            let incidents: Vec<_> = self.incidents.values().filter(|i| record::is_about(i, pizza.id)).collect();
            let chain = &self.meta.food;
            let wall = self.meta.wall;
            let fields = pizza.fields(chain, wall, &ended.order, &incidents);
            let line = text::seal(&fields, chain.head());
            self.append_record(KeptRecord { wall, line });
        }
    }

    fn append_record(&mut self, record: KeptRecord) {
        let chain = &mut self.meta.food;
        chain.records += 1;
        chain.last = text::hash_of(&record.line).unwrap_or_default().to_owned();
        let key = archive_key(chain.records);
        self.scratch.archive.push(Row { key, value: Some(encode(&record)) });
    }

    /// The node that takes charge says whose kitchen this is.
    pub(super) fn name_kitchen(&mut self, name: &str) {
        if !name.is_empty() {
            name.clone_into(&mut self.meta.food.kitchen);
        }
    }
}

/// Wall time of a moment of kitchen time, reckoned from another one whose wall time is known.
fn wall_of(moment: Millis, known: Millis, known_wall: u64) -> u64 {
    known_wall.saturating_add(moment).saturating_sub(known)
}
