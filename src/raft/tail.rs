//! The log's last entries in memory: what was just written is soon sent to followers and applied, and need not be read back for that.
//!
//! The database has all of them too. Nothing here is ever missed: who finds an entry not here reads it there.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use super::types::LogEntry;

/// How many entries are kept, and how many bytes their records have together, at most.
const ENTRIES_MAX: usize = 1_024;
const BYTES_MAX: usize = 256 << 10;

/// The last entries of the log, without a hole.
#[derive(Default)]
pub(crate) struct Tail(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// Each with the length of its record.
    entries: VecDeque<(LogEntry, usize)>,
    bytes: usize,
}

impl Tail {
    /// These were written, each with the length of its record.
    pub fn push(&self, written: Vec<(LogEntry, usize)>) {
        let mut kept = self.kept();
        for (entry, bytes) in written {
            if kept.last().is_some_and(|last| last + 1 != entry.log_id.index) {
                *kept = Kept::default();
            }
            kept.bytes += bytes;
            kept.entries.push_back((entry, bytes));
            while kept.entries.len() > ENTRIES_MAX || kept.bytes > BYTES_MAX {
                let first = kept.entries.pop_front();
                kept.bytes -= first.map_or(0, |(_, bytes)| bytes);
            }
        }
    }

    /// What lies behind this index was cut off.
    pub fn truncate_after(&self, index: Option<u64>) {
        let mut kept = self.kept();
        while kept.last() > index {
            let last = kept.entries.pop_back();
            kept.bytes -= last.map_or(0, |(_, bytes)| bytes);
        }
    }

    /// The entries `[from, to)`; None if they are not all here.
    pub fn read(&self, from: u64, to: u64) -> Option<Vec<LogEntry>> {
        let kept = self.kept();
        let first = kept.entries.front()?.0.log_id.index;
        let within = from.checked_sub(first)? as usize..to.checked_sub(first)? as usize;
        let is_here = within.start <= within.end && within.end <= kept.entries.len();
        is_here.then(|| kept.entries.range(within).map(|(entry, _)| entry.clone()).collect())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }
}

impl Kept {
    fn last(&self) -> Option<u64> {
        self.entries.back().map(|(entry, _)| entry.log_id.index)
    }
}

#[cfg(test)]
mod tests {
    use openraft::EntryPayload;
    use openraft::testing::log_id;

    use super::super::types::Types;
    use super::*;

    fn entries(indices: impl IntoIterator<Item = u64>, bytes: usize) -> Vec<(LogEntry, usize)> {
        let blank = |index| LogEntry { log_id: log_id::<Types>(1, 1, index), payload: EntryPayload::Blank };
        indices.into_iter().map(|index| (blank(index), bytes)).collect()
    }

    fn read(tail: &Tail, from: u64, to: u64) -> Option<Vec<u64>> {
        tail.read(from, to).map(|found| found.iter().map(|entry| entry.log_id.index).collect())
    }

    #[test]
    fn what_was_written_last_is_here_and_what_is_older_is_not() {
        let tail = Tail::default();
        assert_eq!(read(&tail, 0, 9), None);
        tail.push(entries(5..=8, 10));
        tail.push(entries(9..=10, 10));
        assert_eq!(read(&tail, 5, 8), Some(vec![5, 6, 7]));
        assert_eq!(read(&tail, 9, 11), Some(vec![9, 10]));
        assert_eq!(read(&tail, 9, 12), None, "11 is not written yet, or is in the database alone");
        assert_eq!(read(&tail, 4, 8), None, "4 is in the database alone");
        assert_eq!(read(&tail, 11, 12), None);
    }

    #[test]
    fn what_was_cut_off_is_gone_and_what_replaces_it_is_here() {
        let tail = Tail::default();
        tail.push(entries(5..=8, 10));
        tail.truncate_after(Some(6));
        assert_eq!(read(&tail, 5, 8), None);
        assert_eq!(read(&tail, 5, 7), Some(vec![5, 6]));
        tail.push(entries(7..=7, 10));
        assert_eq!(read(&tail, 5, 8), Some(vec![5, 6, 7]));
        tail.push(entries(20..=21, 10));
        assert_eq!(read(&tail, 7, 9), None, "there is no hole");
        tail.truncate_after(None);
        assert_eq!(read(&tail, 20, 22), None);
    }

    #[test]
    fn neither_many_entries_nor_large_ones_fill_the_memory() {
        let tail = Tail::default();
        tail.push(entries(1..=5_000, 10));
        assert_eq!(read(&tail, 5_000 - ENTRIES_MAX as u64, 5_001), None);
        assert_eq!(read(&tail, 5_001 - ENTRIES_MAX as u64, 5_001).map(|found| found.len()), Some(ENTRIES_MAX));
        tail.push(entries(5_001..=5_020, BYTES_MAX / 4));
        assert_eq!(read(&tail, 5_016, 5_021), None);
        assert_eq!(read(&tail, 5_017, 5_021), Some(vec![5_017, 5_018, 5_019, 5_020]));
        tail.push(entries(5_021..=5_021, BYTES_MAX + 1));
        assert_eq!(read(&tail, 5_021, 5_022), None);
        tail.push(entries(5_022..=5_022, 10));
        assert_eq!(read(&tail, 5_022, 5_023), Some(vec![5_022]));
    }
}
