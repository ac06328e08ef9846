//! The latest messages of the stream of events, read and written out once for everybody who follows it.
//!
//! A follower that is near the end finds here what comes next; one that is further behind reads the ring in the database itself. Nothing is here
//! that the ring does not have, and what is here has no gap: so it does not matter to a follower where its messages come from.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::raft::{Observed, RaftNode};

use super::views::event::EntryView;

/// How many log indices it reaches back. A page that was loaded a moment ago, or a stream that moved here from another replica, is near.
const REACH: u64 = 1_024;

/// One entry, as polls and streams send it.
#[derive(Clone)]
pub struct Line {
    /// Its log index.
    pub index: u64,
    /// For pages.
    pub entry: Arc<EntryView>,
    /// The same as text, for streams.
    pub text: Arc<str>,
}

impl Line {
    /// An entry of the ring.
    pub fn of(observed: &Observed) -> Self {
        let entry = Arc::new(EntryView::of(observed));
        let text = serde_json::to_string(&entry).unwrap_or_default().into();
        Self { index: observed.index, entry, text }
    }
}

/// The latest entries with events.
#[derive(Default)]
pub struct Recent(Mutex<Window>);

#[derive(Default)]
struct Window {
    /// It has all that is behind this index …
    after: u64,
    /// … up to this one.
    upto: u64,
    lines: VecDeque<Line>,
}

impl Recent {
    /// At most `limit` lines behind `after`, as far as `upto` is applied; none if they are not all here.
    pub async fn behind(&self, node: &RaftNode, after: u64, upto: u64, limit: usize) -> Option<Vec<Line>> {
        // Held while the database is read: the others want the same.
        let mut window = self.0.lock().await;
        if window.upto < upto {
            window.read_on(node, upto).await;
        }
        window.behind(after, limit)
    }
}

impl Window {
    async fn read_on(&mut self, node: &RaftNode, upto: u64) {
        if upto - self.upto > REACH {
            // Nobody followed for a while.
            *self = Self { after: upto - REACH, upto: upto - REACH, lines: VecDeque::new() };
        }
        let (node, after) = (node.clone(), self.upto);
        let read = tokio::task::spawn_blocking(move || node.events_after(after, REACH as usize)).await;
        match read {
            Ok(Ok(entries)) => {
                self.lines.extend(entries.iter().map(Line::of));
                self.upto = entries.last().map_or(upto, |last| last.index.max(upto));
                self.forget();
            }
            // A gap, or no database: followers ask the ring themselves, and are told.
            Ok(Err(_)) | Err(_) => *self = Self { after: upto, upto, lines: VecDeque::new() },
        }
    }

    fn forget(&mut self) {
        self.after = self.after.max(self.upto.saturating_sub(REACH));
        while self.lines.front().is_some_and(|line| line.index <= self.after) {
            self.lines.pop_front();
        }
    }

    fn behind(&self, after: u64, limit: usize) -> Option<Vec<Line>> {
        let first = self.lines.partition_point(|line| line.index <= after);
        (after >= self.after).then(|| self.lines.range(first..).take(limit).cloned().collect())
    }
}
