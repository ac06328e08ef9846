//! The archive of finished orders: what apply sees of it, and pages of it for readers.
//!
//! Rows come from entries only, so that all replicas hold the same. Nothing here keeps rows in memory beyond one batch.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;

use crate::kitchen::{Archive, Row};

use super::store::{ARCHIVE, Store};

/// A row of the archive: key and value.
pub type ArchiveRow = (Vec<u8>, Vec<u8>);

/// The archive during apply: the rows of the batch that is being built lie over those of the database.
pub(crate) struct Overlay<'a> {
    store: &'a Store,
    rows: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// `Archive::get` can't fail; apply asks for this before it writes or answers anything.
    failed: RefCell<Option<io::Error>>,
}

impl<'a> Overlay<'a> {
    pub fn new(store: &'a Store) -> Self {
        Self { store, rows: BTreeMap::new(), failed: RefCell::new(None) }
    }

    /// Later entries of the batch see these.
    pub fn add(&mut self, rows: Vec<Row>) {
        self.rows.extend(rows.into_iter().map(|row| (row.key, row.value)));
    }

    /// The error of an earlier `get`.
    pub fn failure(&self) -> io::Result<()> {
        self.failed.take().map_or(Ok(()), Err)
    }
}

impl Archive for Overlay<'_> {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        if let Some(value) = self.rows.get(key) {
            return value.clone();
        }
        self.store.get(ARCHIVE, key).unwrap_or_else(|error| {
            self.failed.replace(Some(error));
            None
        })
    }
}

/// At most `limit` rows behind `after`, in key order.
pub(crate) fn page(store: &Store, after: Option<&[u8]>, limit: usize) -> io::Result<Vec<ArchiveRow>> {
    let from = after.map_or(vec![], |key| [key, &[0]].concat());
    let rows = store.scan(ARCHIVE, from, None).take(limit);
    rows.map(|row| row.map(|(key, value)| (key.into_vec(), value.into_vec()))).collect()
}

/// At most `limit` rows before `before`, the last first.
pub(crate) fn page_back(store: &Store, before: Option<&[u8]>, limit: usize) -> io::Result<Vec<ArchiveRow>> {
    let rows = store.scan_back(ARCHIVE, before.map(<[u8]>::to_vec)).take(limit);
    rows.map(|row| row.map(|(key, value)| (key.into_vec(), value.into_vec()))).collect()
}
