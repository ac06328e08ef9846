//! A copy of what a replica's directory holds while no process uses it: the way out of the last disk that is left.
//!
//! Nothing in the directory changes. The entries of its log that are not applied yet are applied to the copy: the dead majority may have
//! acknowledged them. One that nobody acknowledged comes true then, which its client can't tell from a late answer.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use openraft::EntryPayload;

use crate::kitchen::{Command, Kitchen, Row, Rules};

use super::super::archive::Overlay;
use super::super::codec::{decode, invalid};
use super::super::identity::{FILE, Identity};
use super::super::install::load_kitchen;
use super::super::log_store::log_key;
use super::super::open::found;
use super::super::snapshot_file::{Part, SnapshotWriter};
use super::super::store::{ARCHIVE, LOG, Store, is_damage, key};
use super::super::types::{LogEntry, LogId, SnapshotMeta};
use super::{CopyFile, Error};

/// Writes a copy of the kitchen in this directory to a file. Returns what its owner should know of it.
pub fn of_directory(data_dir: &Path, to: &Path) -> Result<Vec<String>, Error> {
    let failed = |why: String| Error::Directory { path: data_dir.to_owned(), why };
    let identity = read_identity(data_dir).map_err(|e| failed(format!("{FILE}: {e}")))?;
    let (store, mut notes) = look(&data_dir.join("db")).map_err(|e| failed(e.to_string()))?;
    let found = found(&store).map_err(|e| failed(e.to_string()))?;
    notes.extend(
        identity.verify(&found).err().map(|lost| format!("Something that this replica promised is missing: {lost}")),
    );
    if let Some(name) = store.meta::<String>(key::INSTALLING).map_err(|e| failed(e.to_string()))? {
        let why =
            format!("a snapshot was being put in place when it ended. It is a whole copy itself: use snapshots/{name}");
        return Err(failed(why));
    }
    let replayed = Replay::run(&store).map_err(|e| failed(e.to_string()))?;
    let unwritten = |source| Error::File { path: to.to_owned(), source };
    let file = CopyFile::create(to).map_err(unwritten)?;
    replayed.write(&store, &identity.cluster, file).and_then(|file| file.sync_all()).map_err(unwritten)?;
    Ok(notes)
}

fn read_identity(data_dir: &Path) -> io::Result<Identity> {
    Ok(serde_json::from_slice(&fs::read(data_dir.join(FILE))?)?)
}

fn look(db: &Path) -> io::Result<(Store, Vec<String>)> {
    match Store::peek(db) {
        Err(error) if is_damage(&error) => {
            let note = format!("The database is damaged, and what lies behind the damage is not in the copy: {error}");
            Ok((Store::peek_before_damage(db)?, vec![note]))
        }
        other => Ok((other?, vec![])),
    }
}

/// The kitchen at the end of the log.
struct Replay {
    kitchen: Kitchen,
    meta: SnapshotMeta,
    /// What the entries changed in the archive.
    archive: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Replay {
    fn run(store: &Store) -> io::Result<Self> {
        let (kitchen, applied) = (load_kitchen(store)?, store.meta::<LogId>(key::APPLIED)?);
        let last_membership = store.meta(key::MEMBERSHIP)?.unwrap_or_default();
        let mut this =
            Self { kitchen, meta: SnapshotMeta { last_log_id: applied, last_membership }, archive: BTreeMap::new() };
        let mut overlay = Overlay::new(store);
        for row in store.scan(LOG, log_key(applied.map_or(0, |id| id.index + 1)).to_vec(), None) {
            this.apply(decode(&row?.1)?, &mut overlay)?;
        }
        Ok(this)
    }

    fn apply(&mut self, entry: LogEntry, overlay: &mut Overlay<'_>) -> io::Result<()> {
        let index = entry.log_id.index;
        if self.meta.last_log_id.is_some_and(|last| last.index + 1 != index) {
            return Err(invalid(format!("the log has a hole before entry {index}")));
        }
        self.meta.last_log_id = Some(entry.log_id);
        let EntryPayload::Normal(proposal) = entry.payload else { return Ok(()) };
        if let Command::RaiseRules { to } = proposal.0.command
            && to > Rules::NEWEST
        {
            return Err(invalid(format!("entry {index} needs a newer release")));
        }
        let applied = self.kitchen.apply(index, &proposal.0, overlay);
        overlay.failure()?;
        let changed = applied.archive.iter().map(|Row { key, value }| (key.clone(), value.clone()));
        self.archive.extend(changed);
        overlay.add(applied.archive);
        Ok(())
    }

    /// State, then the archive with what changed laid over it, each in key order.
    fn write<W: Write>(self, store: &Store, cluster: &str, to: W) -> io::Result<W> {
        let mut writer = SnapshotWriter::new(to, cluster, &self.meta, self.kitchen.rules())?;
        for (key, value) in self.kitchen.rows() {
            writer.row(Part::State, &key, &value)?;
        }
        let mut changed = self.archive.into_iter().peekable();
        for stored in store.scan(ARCHIVE, vec![], None) {
            let (key, value) = stored?;
            while let Some((before, value)) = changed.next_if(|(changed, _)| **changed < *key) {
                value.map_or(Ok(()), |value| writer.row(Part::Archive, &before, &value))?;
            }
            match changed.next_if(|(changed, _)| **changed == *key) {
                Some((key, value)) => value.map_or(Ok(()), |value| writer.row(Part::Archive, &key, &value))?,
                None => writer.row(Part::Archive, &key, &value)?,
            }
        }
        for (key, value) in changed {
            value.map_or(Ok(()), |value| writer.row(Part::Archive, &key, &value))?;
        }
        writer.finish()
    }
}
