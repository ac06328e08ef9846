//! Applies committed entries: kitchen first, then the touched rows and the applied index in one batch, then the answers.
//!
//! The batch is not synced: the log has the entries, and one write-ahead log keeps the order. Never calls back into Raft, never
//! waits for an observer. Called by openraft's worker alone.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use openraft::storage::{ApplyResponder, EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend};
use rocksdb::WriteBatch;

use crate::defect;
use crate::kitchen::{Applied, Command, Entry, Row, Rules};

use super::archive::Overlay;
use super::clock::Stamp;
use super::error::Error;
use super::events;
use super::fatal::PanicGuard;
use super::install;
use super::observer::{self, Digest, Observer};
use super::options::Options;
use super::replica::Replica;
use super::shelf::Shelf;
use super::snapshot::{SnapshotBuilder, SnapshotFile};
use super::store::{ARCHIVE, STATE, Store, key};
use super::types::{Answer, LogEntry, LogId, Observed, SnapshotMeta, StoredMembership, Types};

/// A batch is written when it holds this many bytes, however many entries are still to come.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// The state machine as openraft drives it.
pub(crate) struct StateMachine {
    store: Arc<Store>,
    replica: Arc<Replica>,
    shelf: Arc<Shelf>,
    applied: Option<LogId>,
    membership: StoredMembership,
    observer: Option<Arc<dyn Observer>>,
    rules_max: Rules,
}

/// What the entries of one batch did, until it is written.
struct Batch<'a> {
    rows: WriteBatch,
    /// The kitchen's rows, of which only the last state is written.
    state: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// Bytes in `state`, with those that were replaced.
    state_bytes: usize,
    archive: Overlay<'a>,
    answers: Vec<(Option<ApplyResponder<Types>>, Answer)>,
    /// For the observer, if there is one.
    digests: Vec<Digest>,
    applied: LogId,
    measured: bool,
    /// Whose clock the entries carry; None while there is none of the kitchen's: Raft's own carry no time.
    stamp: Option<Stamp>,
}

impl StateMachine {
    /// Over an opened database, whose kitchen is in `replica`.
    pub fn new(store: Arc<Store>, replica: Arc<Replica>, shelf: Arc<Shelf>, options: &Options) -> io::Result<Self> {
        let applied = store.meta(key::APPLIED)?;
        let membership = store.meta(key::MEMBERSHIP)?.unwrap_or_default();
        let (observer, rules_max) = (options.observer.clone(), options.rules_max);
        Ok(Self { store, replica, shelf, applied, membership, observer, rules_max })
    }

    fn apply_one(
        &mut self,
        entry: LogEntry,
        responder: Option<ApplyResponder<Types>>,
        batch: &mut Batch<'_>,
    ) -> io::Result<()> {
        let index = entry.log_id.index;
        let mut answer = Answer { reply: None, observed: Arc::new(Observed { index, ..Observed::default() }) };
        match entry.payload {
            EntryPayload::Blank => {}
            EntryPayload::Normal(proposal) => {
                batch.see_stamp(&proposal.0, responder.is_some());
                answer = self.apply_kitchen(index, &proposal.0, batch)?;
            }
            EntryPayload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(entry.log_id), membership);
                self.store.put_meta(&mut batch.rows, key::MEMBERSHIP, &self.membership);
            }
        }
        events::put(&self.store, &mut batch.rows, &answer.observed);
        batch.applied = entry.log_id;
        batch.answers.push((responder, answer));
        Ok(())
    }

    fn apply_kitchen(&self, index: u64, entry: &Entry, batch: &mut Batch<'_>) -> io::Result<Answer> {
        if let Command::RaiseRules { to } = entry.command
            && to > self.rules_max
        {
            let known = self.rules_max;
            return Err(io::Error::other(Error::NewerRules { found: to, known }));
        }
        let applied = self.replica.change(|kitchen| kitchen.apply(index, entry, &batch.archive));
        if self.observer.is_some() {
            batch.digests.push(Digest::of(index, &applied, &self.replica.kitchen()));
        }
        let Applied { reply, events, rows, archive } = applied;
        batch.archive.failure()?;
        for row in &archive {
            self.put_row(&mut batch.rows, ARCHIVE, &row.key, row.value.as_deref());
        }
        batch.archive.add(archive);
        batch.touch(rows);
        batch.measured |= self.replica.is_new(index) && measures_time(entry);
        let observed = Observed { index, at: entry.at, wall: entry.wall, events };
        Ok(Answer { reply: Some(reply), observed: Arc::new(observed) })
    }

    fn put_row(&self, batch: &mut WriteBatch, family: &str, key: &[u8], value: Option<&[u8]>) {
        match value {
            Some(value) => batch.put_cf(self.store.cf(family), key, value),
            None => batch.delete_cf(self.store.cf(family), key),
        }
    }

    /// Written first, answered then.
    fn commit(&mut self, mut batch: Batch<'_>) -> io::Result<()> {
        if batch.stamp.is_some() {
            batch.touch(vec![self.replica.kitchen().first_row()]);
        }
        for (key, value) in &batch.state {
            self.put_row(&mut batch.rows, STATE, key, value.as_deref());
        }
        if !defect::is("applied-not-in-batch") {
            self.store.put_meta(&mut batch.rows, key::APPLIED, &batch.applied);
        }
        self.store.write(batch.rows)?;
        self.applied = Some(batch.applied);
        if let Some(observer) = &self.observer {
            observer.applied(&batch.digests);
        }
        let observed = batch.answers.iter().filter(|(_, answer)| answer.reply.is_some());
        let observed: Vec<_> = observed.map(|(_, answer)| answer.observed.clone()).collect();
        if let Some(stamp) = batch.stamp {
            self.replica.move_clock(batch.measured, stamp);
        }
        // Who proposed is answered before everybody who watches is woken: they would run first.
        for (responder, answer) in batch.answers {
            if let Some(responder) = responder {
                responder.send(answer);
            }
        }
        self.replica.publish(batch.applied.index, observed);
        Ok(())
    }

    async fn apply_all<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<Types>>> + Unpin + OptionalSend,
    {
        let store = self.store.clone();
        let mut batch: Option<Batch<'_>> = None;
        while let Some(item) = entries.next().await {
            let (entry, responder) = item?;
            let current = batch.get_or_insert_with(|| Batch::new(&store, entry.log_id));
            self.apply_one(entry, responder, current)?;
            if current.bytes() >= BATCH_BYTES_MAX {
                batch.take().map_or(Ok(()), |full| self.commit(full))?;
            }
        }
        batch.map_or(Ok(()), |rest| self.commit(rest))
    }
}

impl<'a> Batch<'a> {
    fn new(store: &'a Store, applied: LogId) -> Self {
        let archive = Overlay::new(store);
        Self {
            rows: WriteBatch::default(),
            state: BTreeMap::new(),
            state_bytes: 0,
            archive,
            answers: vec![],
            digests: vec![],
            applied,
            measured: false,
            stamp: None,
        }
    }

    fn bytes(&self) -> usize {
        self.rows.size_in_bytes() + self.state_bytes
    }

    fn touch(&mut self, rows: Vec<Row>) {
        for Row { key, value } in rows {
            self.state_bytes += key.len() + value.as_ref().map_or(0, Vec::len);
            self.state.insert(key, value);
        }
    }

    /// The last one counts; but once another node has taken charge, its clock leads.
    fn see_stamp(&mut self, entry: &Entry, own: bool) {
        let stamp = match entry.command {
            _ if own => Stamp::Own,
            Command::TakeCharge { .. } => Stamp::NewCharge,
            _ => Stamp::Other,
        };
        if self.stamp != Some(Stamp::NewCharge) {
            self.stamp = Some(stamp);
        }
    }
}

/// An entry of a tenure proves that time was measured, or that the kitchen was told of the gap when the tenure began. A
/// client's entry proves nothing: a node that has just been started stamps it with a clock that stood still.
fn measures_time(entry: &Entry) -> bool {
    entry.epoch.is_some() || matches!(entry.command, Command::TakeCharge { .. })
}

impl RaftStateMachine<Types> for StateMachine {
    type SnapshotData = SnapshotFile;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<S>(&mut self, entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<Types>>> + Unpin + OptionalSend,
    {
        let _guard = PanicGuard(self.store.fatal.clone(), "apply");
        let applied = self.apply_all(entries).await;
        self.store.fatal.check("apply", applied)
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        SnapshotBuilder::take_view(self.store.clone(), self.shelf.clone()).await
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: SnapshotFile) -> io::Result<()> {
        let (store, shelf, expected) = (self.store.clone(), self.shelf.clone(), meta.clone());
        let work = move || install::install(&store, &shelf, &expected, snapshot);
        let installed = tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| Err(io::Error::other(e)));
        let kitchen = self.store.fatal.check("snapshot", installed)?;
        if let Some(observer) = &self.observer {
            observer.installed(meta.last_log_id.map_or(0, |id| id.index), observer::state(&kitchen));
        }
        self.replica.change(|current| *current = kitchen);
        self.applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        // Whose clock leads now is not known: it may be one that is behind.
        self.replica.move_clock(false, Stamp::NewCharge);
        self.replica.publish(meta.last_log_id.map_or(0, |id| id.index), []);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<openraft::alias::SnapshotOf<Types, SnapshotFile>>> {
        let current = self.shelf.current();
        self.store.fatal.check("current snapshot", current)
    }
}
