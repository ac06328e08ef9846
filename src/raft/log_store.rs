//! The Raft log and the vote, as openraft writes and reads them.
//!
//! An append is written at once (so that it can be read and sent to followers) and answered by `writer` after the sync. What was
//! written last is read from memory (`tail`). Nothing here syncs by itself, and nothing here is called but by openraft.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::{LogState, OptionalSend, RaftLogReader};
use rocksdb::{IteratorMode, ReadOptions, WriteBatch};

use super::codec::{decode, encode, invalid};
use super::identity::VoteSeen;
use super::store::{LOG, Store, key};
use super::tail::Tail;
use super::types::{LogEntry, LogId, Types, Vote};
use super::writer::{Job, Writer};

/// The log over the database. Clones share everything.
#[derive(Clone)]
pub(crate) struct LogStore {
    store: Arc<Store>,
    writer: Writer,
    /// The first index that is not purged. Reads start here, so that they never walk over the tombstones of purges.
    first: Arc<AtomicU64>,
    tail: Arc<Tail>,
}

impl LogStore {
    /// The log of an opened database.
    pub fn new(store: Arc<Store>, writer: Writer) -> io::Result<Self> {
        let purged: Option<LogId> = store.meta(key::PURGED)?;
        let first = AtomicU64::new(purged.map_or(0, |id| id.index + 1));
        Ok(Self { store, writer, first: Arc::new(first), tail: Arc::default() })
    }

    fn first(&self) -> u64 {
        self.first.load(Ordering::Acquire)
    }

    fn decode(&self, value: &[u8]) -> io::Result<LogEntry> {
        self.store.fatal.check("log entry", decode(value))
    }

    fn read(&self, from: u64, to: u64) -> io::Result<Vec<LogEntry>> {
        let from = from.max(self.first());
        if from >= to {
            return Ok(vec![]);
        }
        if let Some(entries) = self.tail.read(from, to) {
            return Ok(entries);
        }
        let mut entries: Vec<LogEntry> = Vec::with_capacity((to - from).min(1024) as usize);
        for row in self.store.scan(LOG, log_key(from).to_vec(), Some(log_key(to).to_vec())) {
            let entry = self.decode(&row?.1)?;
            if entries.last().is_some_and(|last| last.log_id.index + 1 != entry.log_id.index) {
                return Err(invalid(format!("the log has a hole before entry {}", entry.log_id.index)));
            }
            entries.push(entry);
        }
        Ok(entries)
    }
}

/// The last entry of the log, or else what was purged last. Also used at start, before there is a `LogStore`.
pub(crate) fn last_log_id(store: &Store) -> io::Result<(Option<LogId>, Option<LogId>)> {
    let purged: Option<LogId> = store.meta(key::PURGED)?;
    let mut options = ReadOptions::default();
    options.set_iterate_lower_bound(log_key(purged.map_or(0, |id| id.index + 1)).to_vec());
    let last = store.db.iterator_cf_opt(store.cf(LOG), options, IteratorMode::End).next();
    let last = last.transpose().map_err(io::Error::other)?;
    let last = last.map(|(_, value)| decode::<LogEntry>(&value)).transpose()?;
    Ok((purged, last.map(|entry| entry.log_id).or(purged)))
}

/// The key of a log entry: sorts like the index.
pub(crate) fn log_key(index: u64) -> [u8; 8] {
    index.to_be_bytes()
}

/// `[from, to)` of any range of indices.
fn bounds(range: &impl RangeBounds<u64>) -> (u64, u64) {
    let from = match range.start_bound() {
        Bound::Included(&at) => at,
        Bound::Excluded(&at) => at + 1,
        Bound::Unbounded => 0,
    };
    let to = match range.end_bound() {
        Bound::Included(&at) => at + 1,
        Bound::Excluded(&at) => at,
        Bound::Unbounded => u64::MAX,
    };
    (from, to)
}

impl RaftLogReader<Types> for LogStore {
    async fn try_get_log_entries<RB>(&mut self, range: RB) -> io::Result<Vec<LogEntry>>
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let (from, to) = bounds(&range);
        self.read(from, to)
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        self.store.meta(key::VOTE)
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<Types>> {
        let (last_purged_log_id, last_log_id) = last_log_id(&self.store)?;
        Ok(LogState { last_purged_log_id, last_log_id })
    }

    async fn get_log_reader(&mut self) -> Self::LogReader {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        let mut batch = WriteBatch::default();
        self.store.put_meta(&mut batch, key::VOTE, vote);
        self.store.write(batch)?;
        self.writer.wait(|done| Job::Vote(VoteSeen::of(vote), done)).await
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> io::Result<()>
    where
        I: IntoIterator<Item = LogEntry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut batch = WriteBatch::default();
        let mut written = Vec::new();
        for entry in entries {
            let record = encode(&entry);
            batch.put_cf(self.store.cf(LOG), log_key(entry.log_id.index), &record);
            written.push((entry, record.len()));
        }
        let Some(last) = written.last().map(|(entry, _)| entry.log_id.index) else {
            callback.io_completed(Ok(()));
            return Ok(());
        };
        self.store.write(batch)?;
        self.tail.push(written);
        self.writer.submit(Job::Append(last, callback));
        Ok(())
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> io::Result<()> {
        let keep = last_log_id.map(|id| id.index);
        self.writer.wait(|done| Job::LowerFloor(keep, done)).await?;
        let mut batch = WriteBatch::default();
        batch.delete_range_cf(self.store.cf(LOG), log_key(keep.map_or(0, |index| index + 1)), log_key(u64::MAX));
        // No sync: what replaces these entries comes later in the same write-ahead log, and is synced.
        self.store.write(batch)?;
        self.tail.truncate_after(keep);
        Ok(())
    }

    async fn purge(&mut self, log_id: LogId) -> io::Result<()> {
        let mut batch = WriteBatch::default();
        self.store.put_meta(&mut batch, key::PURGED, &log_id);
        batch.delete_range_cf(self.store.cf(LOG), log_key(self.first()), log_key(log_id.index + 1));
        self.store.write(batch)?;
        self.first.fetch_max(log_id.index + 1, Ordering::AcqRel);
        Ok(())
    }
}
