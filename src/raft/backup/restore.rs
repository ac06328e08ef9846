//! Makes a kitchen of a copy: a new cluster whose first replica has the copy's state, and whose others bring empty directories.
//!
//! What the kitchen did after the copy was taken is forgotten, but devices and clients are not told: so nothing of the new time may bear
//! a name of the old one. The incarnation is raised, so that devices obey; log indices go on far behind any that can have been used, as orders,
//! pizzas and instructions are named after them (`kitchen::restored` renames what is open); and the cluster gets a lineage, so that a directory
//! from before is not taken for a part of it.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use openraft::Membership;
use rocksdb::WriteBatch;

use crate::clock::wall_ms;
use crate::kitchen::{Kitchen, invariants};

use super::super::events;
use super::super::fatal::Fatal;
use super::super::identity::{Identity, IdentityFile, VoteSeen, sync_directory};
use super::super::options::Options;
use super::super::snapshot_file::{Part, SnapshotReader};
use super::super::store::{ARCHIVE, STATE, Store, key};
use super::super::types::{LogId, StoredMembership, Vote};
use super::{Error, Summary, verify};

/// Indices are behind all that were used if they grow by less than so many a second, since `EPOCH_S`: no disk commits more often.
const INDICES_A_SECOND: u64 = 1_000;
/// 2023-11-14, in seconds since 1970: before any kitchen.
const EPOCH_S: u64 = 1_700_000_000;
/// At least so far behind the copy's, whatever the clock says.
const INDICES_AHEAD: u64 = 1_000_000;
const BATCH_BYTES_MAX: usize = 1 << 20;

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What the copy holds.
    pub copy: Summary,
    /// The new incarnation.
    pub incarnation: u32,
    /// Where its log goes on.
    pub index: u64,
    /// The new cluster's lineage.
    pub lineage: String,
}

/// Verifies a copy, and makes the data directory of these options of it; the directory must be empty or missing. A crash in
/// between leaves a directory that is refused at the start: empty it, and restore again.
pub fn restore(from: &Path, options: &Options, incarnation: Option<u32>) -> Result<Restored, Error> {
    let first = options.peers.keys().next().copied().unwrap_or(options.node_id);
    if first != options.node_id {
        return Err(Error::NotFirst { node: options.node_id, first });
    }
    let dir = options.data_dir.as_path();
    let file = |source| Error::File { path: dir.to_owned(), source };
    is_empty(dir).map_err(file)?.then_some(()).ok_or_else(|| Error::NotEmpty { path: dir.to_owned() })?;
    let copy = verify(from)?;
    if copy.kitchen != options.cluster {
        return Err(Error::OtherKitchen { found: copy.kitchen, wanted: options.cluster.clone() });
    }
    let above = copy.incarnation;
    let incarnation = incarnation.unwrap_or(above + 1);
    if incarnation <= above {
        return Err(Error::Incarnation { given: incarnation, above });
    }
    let by_clock = (wall_ms() / 1_000).saturating_sub(EPOCH_S).saturating_mul(INDICES_A_SECOND);
    let index = by_clock.max(copy.index + INDICES_AHEAD);
    let restored = Restored { lineage: format!("{incarnation}-{index}"), copy, incarnation, index };
    let owner = fs::metadata(dir).ok();
    fill(from, options, &restored).map_err(file)?;
    owner.map_or(Ok(()), |owner| give_to(dir, &owner)).map_err(file)?;
    Ok(restored)
}

/// True for a directory without anything that a replica keeps there.
fn is_empty(dir: &Path) -> io::Result<bool> {
    match fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

fn fill(from: &Path, options: &Options, restored: &Restored) -> io::Result<()> {
    let dir = options.data_dir.as_path();
    fs::create_dir_all(dir)?;
    let mut identity = Identity { fresh: false, ..Identity::new(&options.cluster, options.node_id) };
    let db = dir.join("db");
    let store = Store::open(&db, true, Fatal::default())?;
    let mut reader = SnapshotReader::open(File::open(from)?)?;
    // A term above every one that the copy knows: what it led is over.
    let old = reader.meta.last_log_id.map_or(Vote::new(0, options.node_id).leader_id, |id| id.leader_id);
    let vote = Vote::new(old.term + 1, options.node_id);
    let last = LogId::new(old, restored.index);
    let mut state = vec![];
    let mut batch = WriteBatch::default();
    while let Some((part, rows)) = reader.next()? {
        for row in rows {
            let (key, value) = row?;
            match part {
                Part::State => state.push((key, value)),
                Part::Archive => batch.put_cf(store.cf(ARCHIVE), key, value),
            }
            if batch.size_in_bytes() >= BATCH_BYTES_MAX {
                store.write(std::mem::take(&mut batch))?;
            }
        }
    }
    let kitchen = Kitchen::from_rows(state).and_then(|k| k.restored(restored.incarnation, restored.index));
    let kitchen = kitchen.map_err(io::Error::other)?;
    invariants::check(&kitchen).map_err(io::Error::other)?;
    for (key, value) in kitchen.rows() {
        batch.put_cf(store.cf(STATE), key, value);
    }
    let voters = options.peers.keys().copied().collect();
    let members = Membership::new(vec![voters], options.peers.clone()).map_err(io::Error::other)?;
    store.put_meta(&mut batch, key::DISK, &identity.disk);
    store.put_meta(&mut batch, key::LINEAGE, &restored.lineage);
    store.put_meta(&mut batch, key::VOTE, &vote);
    store.put_meta(&mut batch, key::PURGED, &last);
    store.put_meta(&mut batch, key::APPLIED, &last);
    store.put_meta(&mut batch, key::MEMBERSHIP, &StoredMembership::new(Some(last), members));
    events::clear(&store, &mut batch, restored.index);
    store.write_synced(batch)?;
    drop(store);
    sync_directory(&db)?;
    sync_directory(dir)?;
    // A database without an identity is refused at the start: until here nothing was restored.
    identity.see_vote(VoteSeen::of(&vote));
    identity.floor = Some(restored.index);
    IdentityFile::create(dir, identity)
}

/// Everything belongs to whom the directory belonged to: who restores may be root, and who runs the replica is not.
fn give_to(path: &Path, owner: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, chown};
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            give_to(&entry.path(), owner)?;
        }
        chown(entry.path(), Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}
