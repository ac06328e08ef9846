//! The directory of snapshots: the current one, those that are being written or received, and what a crash left behind.
//!
//! A file gets its final name only when it is complete and on disk (write, fsync, rename, fsync of the directory). Which one is
//! current is kept in memory: a listing of the directory beside a rename and a removal can miss both the old and the new one.
//! Nothing here touches the database.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::kitchen::Rules;

use super::error::Error;
use super::identity::sync_directory;
use super::snapshot::SnapshotFile;
use super::snapshot_file::{self, SnapshotReader};
use super::types::{SnapshotMeta, Types};

const SUFFIX: &str = "snapshot";

/// Where the snapshots of one replica are.
pub(crate) struct Shelf {
    dir: PathBuf,
    cluster: String,
    rules_max: Rules,
    /// The newest complete one. Files are named, opened and removed under this lock.
    current: Mutex<Option<SnapshotMeta>>,
    temporaries: AtomicU64,
}

impl Shelf {
    /// Opens the directory and removes what was not finished, and what is no snapshot from its beginning to its end. That is no loss: its
    /// rows are in the database, and openraft asks for a new one. What is between is looked through later (`scrub`): it is the whole
    /// archive. `keep` is being installed: it is looked through at once, and must stay as it is.
    pub fn open(dir: PathBuf, cluster: &str, rules_max: Rules, keep: Option<&str>) -> io::Result<Self> {
        let is_new = !dir.exists();
        fs::create_dir_all(&dir)?;
        // A power cut must not take the directory away from under a snapshot that is being installed.
        dir.parent().filter(|_| is_new).map_or(Ok(()), sync_directory)?;
        let (current, temporaries) = (Mutex::new(None), AtomicU64::new(0));
        let shelf = Self { dir, cluster: cluster.to_owned(), rules_max, current, temporaries };
        let mut whole: Vec<SnapshotMeta> = vec![];
        for entry in fs::read_dir(&shelf.dir)? {
            let (path, name) = entry.map(|e| (e.path(), e.file_name().to_string_lossy().into_owned()))?;
            let checked = if keep == Some(&name) { shelf.check(&path) } else { shelf.check_outline(&path) };
            match checked {
                Ok(meta) => whole.push(meta),
                Err(error) if keep == Some(&name) => return Err(error),
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "Snapshot {name} is removed: {error}");
                    fs::remove_file(&path)?;
                }
            }
        }
        whole.sort_by_key(|meta| meta.last_log_id);
        let newest = whole.pop();
        for old in whole.iter().map(name).filter(|old| keep != Some(old)) {
            fs::remove_file(shelf.dir.join(old))?;
        }
        *shelf.lock() = newest;
        Ok(shelf)
    }

    /// The cluster that snapshots are made in and taken from.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The newest complete snapshot, opened: it can be read even after it was replaced.
    pub fn current(&self) -> io::Result<Option<openraft::alias::SnapshotOf<Types, SnapshotFile>>> {
        let current = self.lock();
        let Some(meta) = current.clone() else { return Ok(None) };
        let snapshot = SnapshotFile::kept(self.dir.join(name(&meta)))?;
        Ok(Some(openraft::Snapshot { meta, snapshot }))
    }

    /// A file for a snapshot that is being built or received; it goes when it is dropped without having been put on the shelf.
    pub fn temporary(&self) -> io::Result<SnapshotFile> {
        let n = self.temporaries.fetch_add(1, Ordering::Relaxed);
        SnapshotFile::temporary(self.dir.join(format!("{n}.tmp")))
    }

    /// Gives a complete and synced file its name, and removes the one that it replaces. An older one than the current is only
    /// dropped. Returns the name.
    pub fn put(&self, meta: &SnapshotMeta, file: &SnapshotFile) -> io::Result<String> {
        let mut current = self.lock();
        let path = self.dir.join(name(meta));
        if current.as_ref().is_some_and(|c| c.last_log_id > meta.last_log_id) {
            return Ok(name(meta));
        }
        if file.is_temporary() {
            fs::rename(file.path(), &path)?;
        } else if file.path() != path {
            fs::copy(file.path(), &path)?;
            File::open(&path)?.sync_all()?;
        }
        sync_directory(&self.dir)?;
        match current.replace(meta.clone()).map(|old| self.dir.join(name(&old))) {
            Some(old) if old != path => fs::remove_file(old)?,
            _ => {}
        }
        Ok(name(meta))
    }

    /// Opens a snapshot by name.
    pub fn open_named(&self, name: &str) -> io::Result<SnapshotReader> {
        SnapshotReader::open(File::open(self.dir.join(name))?)
    }

    /// A file must be whole, and of this cluster.
    pub fn check(&self, path: &Path) -> io::Result<SnapshotMeta> {
        if path.extension().is_none_or(|e| e != SUFFIX) {
            return Err(io::Error::other("it was not finished"));
        }
        self.check_content(path)
    }

    /// A file must begin and end as a whole one of this cluster does.
    fn check_outline(&self, path: &Path) -> io::Result<SnapshotMeta> {
        if path.extension().is_none_or(|e| e != SUFFIX) {
            return Err(io::Error::other("it was not finished"));
        }
        let reader = self.open_ours(path)?;
        snapshot_file::check_end(&mut File::open(path)?)?;
        Ok(reader.meta)
    }

    /// Looks through the current one. It may be replaced meanwhile: what was opened can be read all the same.
    pub fn check_current(&self) -> io::Result<()> {
        let Some(current) = self.current()? else { return Ok(()) };
        SnapshotReader::open(current.snapshot.into_file()?)?.verify().map(drop)
    }

    fn open_ours(&self, path: &Path) -> io::Result<SnapshotReader> {
        let reader = SnapshotReader::open(File::open(path)?)?;
        if reader.cluster != self.cluster {
            return Err(super::codec::invalid(format!("it was made in cluster {:?}", reader.cluster)));
        }
        let (found, known) = (reader.rules, self.rules_max);
        if found > known {
            return Err(io::Error::other(Error::NewerRules { found, known }));
        }
        Ok(reader)
    }

    /// The same as `check`, for a file that has no name yet.
    pub fn check_content(&self, path: &Path) -> io::Result<SnapshotMeta> {
        self.open_ours(path)?.verify()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<SnapshotMeta>> {
        self.current.lock().expect("nothing panics while it holds this lock")
    }
}

fn name(meta: &SnapshotMeta) -> String {
    let (index, term, node) = meta.last_log_id.map_or((0, 0, 0), |id| {
        let leader = id.leader_id;
        (id.index, leader.term, leader.node_id)
    });
    format!("{index:020}-{term:010}-{node:010}.{SUFFIX}")
}
