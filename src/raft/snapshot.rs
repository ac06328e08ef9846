//! Builds snapshots from a view of the database, and names a snapshot's file.
//!
//! The view is taken while the state machine stands still, and what the snapshot covers is read from that same view: meta and rows
//! can't be of different moments. Building runs on its own thread and never holds up apply.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use openraft::RaftSnapshotBuilder;
use openraft::alias::SnapshotOf;
use rocksdb::{IteratorMode, ReadOptions, SnapshotWithThreadMode};
use tokio::sync::oneshot;

use crate::kitchen::{Rules, rows};

use super::codec;
use super::shelf::Shelf;
use super::snapshot_file::{Part, SnapshotWriter};
use super::store::{ARCHIVE, META, STATE, Store, key};
use super::types::{SnapshotMeta, Types};

type View<'a> = SnapshotWithThreadMode<'a, rocksdb::DB>;
type Built = io::Result<SnapshotOf<Types, SnapshotFile>>;

/// A snapshot on disk. A temporary one is removed when it is dropped.
#[derive(Debug)]
pub(crate) struct SnapshotFile {
    path: PathBuf,
    temporary: bool,
    /// Opened at once for a kept one, so that a newer snapshot may replace it meanwhile.
    file: Option<File>,
}

impl SnapshotFile {
    pub fn temporary(path: PathBuf) -> io::Result<Self> {
        File::create(&path)?;
        Ok(Self { path, temporary: true, file: None })
    }

    pub fn kept(path: PathBuf) -> io::Result<Self> {
        let file = Some(File::open(&path)?);
        Ok(Self { path, temporary: false, file })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn is_temporary(&self) -> bool {
        self.temporary
    }

    /// The content, from its beginning.
    pub fn into_file(mut self) -> io::Result<File> {
        self.file.take().map_or_else(|| File::open(&self.path), Ok)
    }
}

impl Drop for SnapshotFile {
    fn drop(&mut self) {
        if self.temporary {
            // It is gone already when it was put on the shelf; what can't be removed now is removed at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Holds the view until the snapshot is built, or lets it go when dropped.
pub(crate) struct SnapshotBuilder {
    start: Sender<oneshot::Sender<Built>>,
}

impl SnapshotBuilder {
    /// Takes the view on a thread of its own (a view borrows the database) and waits until it is taken.
    pub async fn take_view(store: Arc<Store>, shelf: Arc<Shelf>) -> Self {
        let (start, started) = channel::<oneshot::Sender<Built>>();
        let (taken, view_taken) = oneshot::channel();
        let work = move || {
            let view = store.db.snapshot();
            let _ = taken.send(());
            if let Ok(answer) = started.recv() {
                let built = build(&store, &view, &shelf);
                let _ = answer.send(store.fatal.check("snapshot", built));
            }
        };
        let thread = std::thread::Builder::new().name("raft-snapshot".to_owned()).spawn(work);
        thread.expect("the system can start a thread");
        // An error means that the thread is gone; then building fails, and says so.
        let _ = view_taken.await;
        Self { start }
    }
}

impl RaftSnapshotBuilder<Types> for SnapshotBuilder {
    type SnapshotData = SnapshotFile;

    async fn build_snapshot(&mut self) -> Built {
        let (answer, built) = oneshot::channel();
        let gone = |_| io::Error::other("the thread with the view of the database has ended");
        self.start.send(answer).map_err(|_| gone(()))?;
        built.await.map_err(|_| gone(()))?
    }
}

fn build(store: &Store, view: &View<'_>, shelf: &Shelf) -> Built {
    let file = shelf.temporary()?;
    let (meta, written) = write(store, view, shelf.cluster(), File::create(file.path())?)?;
    written.sync_all()?;
    // openraft takes the meta from here, and asks for the current snapshot when it sends one.
    let built = SnapshotFile { temporary: false, path: file.path.clone(), file: Some(File::open(&file.path)?) };
    shelf.put(&meta, &file)?;
    Ok(openraft::Snapshot { meta, snapshot: built })
}

/// Writes all that a view sees.
pub(crate) fn write<W: Write>(store: &Store, view: &View<'_>, cluster: &str, to: W) -> io::Result<(SnapshotMeta, W)> {
    let (meta, rules) = (meta(store, view)?, rules(store, view)?);
    let mut writer = SnapshotWriter::new(to, cluster, &meta, rules)?;
    for (part, family) in [(Part::State, STATE), (Part::Archive, ARCHIVE)] {
        // What is read once for the snapshot must not push out what every order looks for.
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        for row in view.iterator_cf_opt(store.cf(family), options, IteratorMode::Start) {
            let (key, value) = row.map_err(io::Error::other)?;
            writer.row(part, &key, &value)?;
        }
    }
    Ok((meta, writer.finish()?))
}

/// What the view covers.
fn meta(store: &Store, view: &View<'_>) -> io::Result<SnapshotMeta> {
    let record = |key: &str| view.get_cf(store.cf(META), key).map_err(io::Error::other);
    let applied = record(key::APPLIED)?.map(|bytes| codec::decode(&bytes)).transpose()?;
    let membership = record(key::MEMBERSHIP)?.map(|bytes| codec::decode(&bytes)).transpose()?;
    Ok(SnapshotMeta { last_log_id: applied, last_membership: membership.unwrap_or_default() })
}

/// The rules that held when the view was taken.
fn rules(store: &Store, view: &View<'_>) -> io::Result<Rules> {
    let row = view.get_cf(store.cf(STATE), rows::meta_key()).map_err(io::Error::other)?;
    rows::rules_in(row.as_deref()).map_err(codec::invalid)
}
