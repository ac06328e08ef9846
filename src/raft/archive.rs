//! The archive of finished orders: what apply sees of it, and pages of it for readers.
//!
//! Rows come from entries only, so that all replicas hold the same. Nothing here keeps rows in memory beyond one batch.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;

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

    fn next(&self, after: &[u8]) -> Option<ArchiveRow> {
        let mut after = after.to_vec();
        loop {
            let stored = self.stored_next(&after);
            let behind = (Bound::Excluded(after.as_slice()), Bound::Unbounded);
            let laid = self.rows.range::<[u8], _>(behind).next();
            match (stored, laid) {
                (Some(stored), Some((key, _))) if stored.0 < *key => return Some(stored),
                (_, Some((key, Some(value)))) => return Some((key.clone(), value.clone())),
                // Deleted in this batch.
                (_, Some((key, None))) => after.clone_from(key),
                (stored, None) => return stored,
            }
        }
    }
}

impl Overlay<'_> {
    /// The first row of the database behind a key.
    fn stored_next(&self, after: &[u8]) -> Option<ArchiveRow> {
        page(self.store, Some(after), 1).map(|rows| rows.into_iter().next()).unwrap_or_else(|error| {
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

#[cfg(test)]
mod tests {
    use rocksdb::WriteBatch;

    use super::super::fatal::Fatal;
    use super::*;

    #[test]
    fn the_next_row_is_the_first_of_database_and_batch_that_is_not_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("db"), true, Fatal::default()).unwrap();
        let mut stored = WriteBatch::default();
        for key in ["b", "d", "f"] {
            stored.put_cf(store.cf(ARCHIVE), key, "stored");
        }
        store.write(stored).unwrap();
        let mut overlay = Overlay::new(&store);
        let row = |key: &str, value: Option<&str>| Row { key: key.into(), value: value.map(|v| v.as_bytes().to_vec()) };
        overlay.add(vec![row("b", None), row("c", Some("laid")), row("d", Some("laid")), row("f", None)]);
        let next = |after: &str| overlay.next(after.as_bytes());
        let is = |key: &str, value: &str| Some((key.as_bytes().to_vec(), value.as_bytes().to_vec()));
        assert_eq!(next("a"), is("c", "laid"), "b is deleted in this batch");
        assert_eq!(next("c"), is("d", "laid"), "a row of the batch lies over one of the database");
        assert_eq!(next("d"), None, "f is deleted in this batch");
        drop(overlay);
        assert_eq!(Overlay::new(&store).next(b"a"), is("b", "stored"));
    }
}
