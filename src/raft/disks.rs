//! Remembers the disk of every peer, and how far its promises had come, so that one that comes back with an empty directory or with an
//! old copy of it under its old id is not taken for itself.
//!
//! Such a replica has forgotten votes and entries without noticing: its own identity file forgot them too. Its peers notice. The first
//! disk id that a node shows is kept in `meta`, and another one is refused, in requests and in answers. The edition of its identity
//! file, which grows with every vote and at least once a second under load, only grows; a lower one is refused, and the replica itself
//! is told with every request how far its peers have seen it. Never forgets.
//!
//! A kitchen that was restored from a backup has a lineage, so that what is left of it from before is not taken for a part of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use rocksdb::WriteBatch;

use crate::kitchen::NodeId;

use super::fatal::Fatal;
use super::log_store::last_log_id;
use super::store::{Store, key};
use super::types::Vote;
use super::wire::Refused;

/// So many editions behind, a request may have been overtaken.
const OVERTAKEN_MAX: u64 = 16;

/// What this replica shows to its peers.
#[derive(Debug)]
pub(crate) struct Own {
    pub node: NodeId,
    pub disk: String,
    /// Of the identity file, as it is on disk.
    pub edition: Arc<AtomicU64>,
}

/// The known disks. Holds the database weakly: it must be closed at the end, whoever still talks.
pub(crate) struct Disks {
    own: Own,
    store: Weak<Store>,
    fatal: Fatal,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    disks: BTreeMap<NodeId, String>,
    editions: BTreeMap<NodeId, u64>,
    /// Which restore this log began with; empty without one.
    lineage: String,
    /// Who was refused for his lineage, and that is in the log.
    strangers: BTreeSet<NodeId>,
    /// What each node acknowledged to this leader: the term, and the last index. In memory: it is of this tenure alone.
    acknowledged: BTreeMap<NodeId, (u64, u64)>,
}

impl Disks {
    pub fn load(store: &Arc<Store>, own: Own) -> io::Result<Self> {
        let disks = store.meta(key::PEER_DISKS)?.unwrap_or_default();
        let editions = store.meta(key::PEER_EDITIONS)?.unwrap_or_default();
        let lineage = store.meta(key::LINEAGE)?.unwrap_or_default();
        let known = Mutex::new(Known { disks, editions, lineage, ..Known::default() });
        let fatal = store.fatal.clone();
        Ok(Self { own, store: Arc::downgrade(store), fatal, known })
    }

    /// The disk id of this replica.
    pub fn own(&self) -> &str {
        &self.own.disk
    }

    /// The edition of this replica's identity file.
    pub fn own_edition(&self) -> u64 {
        self.own.edition.load(Ordering::Acquire)
    }

    /// The highest edition that a node has shown.
    pub fn edition_of(&self, node: NodeId) -> u64 {
        self.known().editions.get(&node).copied().unwrap_or(0)
    }

    /// Which restore this replica's log began with.
    pub fn lineage(&self) -> String {
        self.known().lineage.clone()
    }

    /// Takes requests only from replicas whose log began with the same restore: one that goes on from before a restore holds entries that
    /// the others' log has not. A replica that holds nothing yet takes its first caller's lineage for its own.
    pub fn admit_lineage(&self, node: NodeId, theirs: &str) -> Result<(), Refused> {
        let mut known = self.known();
        if known.lineage == theirs {
            return Ok(());
        }
        let store = self.store.upgrade().ok_or(Refused::Stopped)?;
        if known.lineage.is_empty() && is_blank(&store).map_err(|_| Refused::Stopped)? {
            store.put_meta_synced(key::LINEAGE, &theirs).map_err(|_| Refused::Stopped)?;
            theirs.clone_into(&mut known.lineage);
            return Ok(());
        }
        let refused = Refused::OtherLineage { own: known.lineage.clone(), theirs: theirs.to_owned() };
        if known.strangers.insert(node) {
            tracing::warn!("Node {node} is refused: {refused}");
        }
        Err(refused)
    }

    /// Takes a request from a node only if it comes from its disk, and from no older edition than the last, but for requests that overtake
    /// each other while the edition grows. The answer tells the node what was seen of it: an old copy ends with the answer to its first
    /// question, and asks for no vote.
    pub fn admit(&self, node: NodeId, disk: &str, edition: u64) -> Result<(), Refused> {
        let seen = self.edition_of(node);
        if edition + OVERTAKEN_MAX < seen {
            return Err(Refused::OldCopy { node, edition, seen });
        }
        self.learn(node, disk, edition)
    }

    /// Takes an answer from a node only if it comes from its disk. It was told what we have seen of it when it was asked, so that an
    /// old copy gives no answer.
    pub fn learn(&self, node: NodeId, disk: &str, edition: u64) -> Result<(), Refused> {
        let mut known = self.known();
        if known.disks.get(&node).is_some_and(|first| first != disk) {
            return Err(Refused::OtherDisk { node });
        }
        let is_new = known.disks.insert(node, disk.to_owned()).is_none();
        let seen = known.editions.entry(node).or_default();
        if !is_new && edition <= *seen {
            return Ok(());
        }
        *seen = edition.max(*seen);
        self.keep(&known, is_new)
    }

    /// A new disk is kept durably. An edition is not: after a power cut here the last one may be a little too low, which admits no more
    /// than what was true a moment before.
    fn keep(&self, known: &Known, is_new: bool) -> Result<(), Refused> {
        let store = self.store.upgrade().ok_or(Refused::Stopped)?;
        let mut batch = WriteBatch::default();
        store.put_meta(&mut batch, key::PEER_DISKS, &known.disks);
        store.put_meta(&mut batch, key::PEER_EDITIONS, &known.editions);
        // A failed write is fatal, and says so itself.
        let kept = if is_new { store.write_synced(batch) } else { store.write(batch) };
        kept.map_err(|_| Refused::Stopped)
    }

    /// A peer tells what it has seen of this replica. If that is more than this directory knows, the directory is an old copy.
    pub fn is_seen_at(&self, seen: u64) -> Result<(), Refused> {
        let (node, edition) = (self.own.node, self.own_edition());
        if seen <= edition {
            return Ok(());
        }
        let old = Refused::OldCopy { node, edition, seen };
        self.fatal.raise(format!("{old}"));
        Err(old)
    }

    /// A node acknowledged to have stored the log up to this index, to this leader of that term.
    pub fn acknowledge(&self, node: NodeId, term: u64, index: u64) {
        let mut known = self.known();
        let last = known.acknowledged.entry(node).or_insert((term, index));
        *last = if last.0 == term { (term, index.max(last.1)) } else { (term, index) };
    }

    /// A node says that it has no such entry. Within a term nobody takes back what he acknowledged to its leader: one that does is an
    /// old copy, taken so shortly before that no edition tells. openraft would panic, here on the leader. It counts as seen further
    /// than it is, so that the next request ends it.
    pub fn deny(&self, node: NodeId, term: u64, index: u64) -> Result<(), Refused> {
        let mut known = self.known();
        if known.acknowledged.get(&node).is_none_or(|last| last.0 != term || last.1 < index) {
            return Ok(());
        }
        let edition = known.editions.get(&node).copied().unwrap_or(0);
        known.editions.insert(node, edition + 1);
        known.acknowledged.remove(&node);
        self.keep(&known, false)?;
        let old = Refused::OldCopy { node, edition, seen: edition + 1 };
        tracing::error!("Node {node} took back entry {index}, which it had acknowledged: {old}");
        Err(old)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().expect("nothing panics while it holds this lock")
    }
}

/// True for a database that holds no vote and no entry: nothing was promised from here.
fn is_blank(store: &Store) -> io::Result<bool> {
    let vote: Option<Vote> = store.meta(key::VOTE)?;
    Ok(vote.is_none() && last_log_id(store)?.1.is_none())
}
