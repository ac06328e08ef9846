//! Puts a snapshot's rows in the place of the database's, so that a crash at any moment is recovered from.
//!
//! The file is complete, checked and durable before a marker in `meta` names it; the marker goes in the same batch that sets the
//! applied index. A start that finds the marker does the whole again from the file. Rows that are the same on both sides are left
//! alone, so readers of the archive never see a hole.

use std::io;

use rocksdb::WriteBatch;

use crate::kitchen::Kitchen;

use super::codec::invalid;
use super::events;
use super::shelf::Shelf;
use super::snapshot::SnapshotFile;
use super::snapshot_file::{Part, Rows, SnapshotReader};
use super::store::{ARCHIVE, META, STATE, Store, key};
use super::types::SnapshotMeta;

const BATCH_BYTES_MAX: usize = 1 << 20;

/// Checks a received snapshot, installs it, and returns its kitchen.
pub(crate) fn install(
    store: &Store,
    shelf: &Shelf,
    expected: &SnapshotMeta,
    snapshot: SnapshotFile,
) -> io::Result<Kitchen> {
    let meta = shelf.check_content(snapshot.path())?;
    if meta.last_log_id != expected.last_log_id {
        return Err(invalid("the snapshot covers something else than what was announced"));
    }
    let name = shelf.put(&meta, &snapshot)?;
    store.put_meta_synced(key::INSTALLING, &name)?;
    replace_rows(store, shelf, &name)?;
    load_kitchen(store)
}

/// At start: finishes what a crash cut short.
pub(crate) fn resume(store: &Store, shelf: &Shelf) -> io::Result<()> {
    match store.meta::<String>(key::INSTALLING)? {
        Some(name) => replace_rows(store, shelf, &name),
        None => Ok(()),
    }
}

/// The kitchen that the rows of the database describe.
pub(crate) fn load_kitchen(store: &Store) -> io::Result<Kitchen> {
    let rows = store.scan(STATE, vec![], None).collect::<io::Result<Vec<_>>>()?;
    let rows = rows.into_iter().map(|(key, value)| (key.into_vec(), value.into_vec()));
    Kitchen::from_rows(rows).map_err(invalid)
}

fn replace_rows(store: &Store, shelf: &Shelf, name: &str) -> io::Result<()> {
    let mut reader = shelf.open_named(name)?;
    let mut ahead = reader.next()?;
    for (part, family) in [(Part::State, STATE), (Part::Archive, ARCHIVE)] {
        Merge { store, family, batch: WriteBatch::default() }.run(&mut reader, &mut ahead, part)?;
    }
    if ahead.is_some() {
        return Err(invalid("the snapshot's parts are out of order"));
    }
    let mut last = WriteBatch::default();
    if let Some(applied) = reader.meta.last_log_id {
        store.put_meta(&mut last, key::APPLIED, &applied);
        events::clear(store, &mut last, applied.index);
    }
    store.put_meta(&mut last, key::MEMBERSHIP, &reader.meta.last_membership);
    last.delete_cf(store.cf(META), key::INSTALLING);
    store.write_synced(last)
}

/// Walks through the file and the database side by side; both are in key order.
struct Merge<'a> {
    store: &'a Store,
    family: &'static str,
    batch: WriteBatch,
}

impl Merge<'_> {
    fn run(mut self, reader: &mut SnapshotReader, ahead: &mut Option<(Part, Rows)>, part: Part) -> io::Result<()> {
        let store = self.store;
        let mut present = store.scan(self.family, vec![], None).peekable();
        while let Some((_, rows)) = ahead.take_if(|(frame, _)| *frame == part) {
            for row in rows {
                let (key, value) = row?;
                while let Some(old) = present.next_if(|old| old.as_ref().is_ok_and(|(old, _)| **old < *key)) {
                    self.delete(&old?.0)?;
                }
                let same = present.next_if(|old| old.as_ref().map_or(true, |(old, _)| **old == *key)).transpose()?;
                if same.is_none_or(|(_, old)| *old != *value) {
                    self.put(&key, &value)?;
                }
            }
            *ahead = reader.next()?;
        }
        for old in present {
            self.delete(&old?.0)?;
        }
        self.flush()
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        self.batch.put_cf(self.store.cf(self.family), key, value);
        self.flush_if_full()
    }

    fn delete(&mut self, key: &[u8]) -> io::Result<()> {
        self.batch.delete_cf(self.store.cf(self.family), key);
        self.flush_if_full()
    }

    fn flush_if_full(&mut self) -> io::Result<()> {
        if self.batch.size_in_bytes() >= BATCH_BYTES_MAX { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.store.write(std::mem::take(&mut self.batch))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::Path;

    use super::super::fatal::Fatal;
    use super::super::snapshot_file::SnapshotWriter;
    use super::super::types::LogId;
    use super::*;
    use crate::kitchen::Rules;

    type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

    fn numbered(numbers: impl Iterator<Item = u32>, value: &str) -> Pairs {
        numbers.map(|n| (n.to_be_bytes().to_vec(), value.repeat(40).into_bytes())).collect()
    }

    fn opened(dir: &Path) -> (Store, Shelf) {
        let store = Store::open(&dir.join("db"), true, Fatal::default()).unwrap();
        (store, Shelf::open(dir.join("snapshots"), "c", Rules::NEWEST, None).unwrap())
    }

    fn fill(store: &Store, family: &str, rows: &Pairs) {
        let mut batch = WriteBatch::default();
        rows.iter().for_each(|(key, value)| batch.put_cf(store.cf(family), key, value));
        store.write(batch).unwrap();
    }

    fn rows(store: &Store, family: &str) -> Pairs {
        store.scan(family, vec![], None).map(|row| row.map(|(k, v)| (k.into_vec(), v.into_vec())).unwrap()).collect()
    }

    /// A snapshot on the shelf, and its name.
    fn shelved(shelf: &Shelf, state: &Pairs, archive: &Pairs) -> String {
        let applied = LogId { index: 77, ..openraft::testing::log_id::<super::super::types::Types>(3, 1, 0) };
        let meta = SnapshotMeta { last_log_id: Some(applied), ..SnapshotMeta::default() };
        let file = shelf.temporary().unwrap();
        let mut writer = SnapshotWriter::new(File::create(file.path()).unwrap(), "c", &meta, Rules::FIRST).unwrap();
        state.iter().for_each(|(key, value)| writer.row(Part::State, key, value).unwrap());
        archive.iter().for_each(|(key, value)| writer.row(Part::Archive, key, value).unwrap());
        writer.finish().unwrap();
        shelf.put(&meta, &file).unwrap()
    }

    #[test]
    fn a_crash_in_the_middle_of_an_installation_is_recovered_from_at_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let (state, archive) = (numbered(0..900, "new"), numbered((0..30_000).step_by(3), "done"));
        let name = {
            let (store, shelf) = opened(dir.path());
            let name = shelved(&shelf, &state, &archive);
            store.put_meta_synced(key::INSTALLING, &name).unwrap();
            // As a crash leaves it: some rows are new, some old, some are gone.
            fill(&store, STATE, &numbered((0..2_000).step_by(7), "old"));
            fill(&store, STATE, &state[..100].to_vec());
            fill(&store, ARCHIVE, &numbered((0..40_000).step_by(2), "old"));
            name
        };
        let store = Store::open(&dir.path().join("db"), false, Fatal::default()).unwrap();
        let shelf = Shelf::open(dir.path().join("snapshots"), "c", Rules::NEWEST, Some(&name)).unwrap();
        resume(&store, &shelf).unwrap();
        assert_eq!(rows(&store, STATE), state);
        assert_eq!(rows(&store, ARCHIVE), archive);
        assert_eq!(store.meta::<LogId>(key::APPLIED).unwrap().unwrap().index, 77);
        assert_eq!(store.meta::<String>(key::INSTALLING).unwrap(), None);
        let gone = events::after(&store, 76, 10).unwrap_err();
        assert!(matches!(gone, super::super::error::EventsError::Gone { floor: 77 }));
        assert!(events::after(&store, 77, 10).unwrap().is_empty());
    }

    #[test]
    fn an_installation_whose_file_is_damaged_stops_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let (_store, shelf) = opened(dir.path());
        let name = shelved(&shelf, &numbered(0..10, "new"), &vec![]);
        let path = dir.path().join("snapshots").join(&name);
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(Shelf::open(dir.path().join("snapshots"), "c", Rules::NEWEST, Some(&name)).is_err());
        assert!(path.exists(), "evidence stays");
    }

    #[test]
    #[ignore = "a figure: run it alone, with --nocapture"]
    fn a_hundred_thousand_archived_orders_need_less_than_100_mb() {
        let dir = tempfile::tempdir().unwrap();
        let (store, shelf) = opened(dir.path());
        for chunk in 0..100 {
            fill(&store, ARCHIVE, &numbered(chunk * 1_000..(chunk + 1) * 1_000, &format!("{:026}", chunk * 7_919)));
        }
        drop(store);
        let store = Store::open(&dir.path().join("db"), false, Fatal::default()).unwrap();
        let all = store.scan(ARCHIVE, vec![], None).filter(|row| row.is_ok()).count();
        drop(shelf);
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let resident = status.lines().find(|line| line.starts_with("VmRSS")).unwrap().to_owned();
        println!("{all} archived orders of 1 KiB: {resident}");
        let kb: u64 = resident.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!(kb < 100_000);
    }
}
