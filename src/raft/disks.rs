//! Remembers the disk of every peer, so that one that comes back with an empty directory under its old id is not taken for itself.
//!
//! Such a replica has forgotten its votes and entries without noticing: its own identity file is new too. Its peers notice: the
//! first disk id that a node shows is kept in `meta`, and another one is refused, in requests and in answers. Never forgets.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, Weak};

use crate::kitchen::NodeId;

use super::store::{Store, key};
use super::wire::Refused;

/// The known disks. Holds the database weakly: it must be closed at the end, whoever still talks.
pub(crate) struct Disks {
    own: String,
    store: Weak<Store>,
    known: Mutex<BTreeMap<NodeId, String>>,
}

impl Disks {
    pub fn load(store: &std::sync::Arc<Store>, own: String) -> io::Result<Self> {
        let known = store.meta(key::PEER_DISKS)?.unwrap_or_default();
        Ok(Self { own, store: std::sync::Arc::downgrade(store), known: Mutex::new(known) })
    }

    /// The disk id of this replica.
    pub fn own(&self) -> &str {
        &self.own
    }

    /// Accepts the disk that a node shows, and keeps it durably if it is the first.
    pub fn admit(&self, node: NodeId, disk: &str) -> Result<(), Refused> {
        let mut known = self.known.lock().expect("nothing panics while it holds this lock");
        match known.get(&node) {
            Some(first) if first == disk => Ok(()),
            Some(_) => Err(Refused::OtherDisk { node }),
            None => {
                known.insert(node, disk.to_owned());
                let store = self.store.upgrade().ok_or(Refused::Stopped)?;
                // A failed write is fatal, and says so itself.
                store.put_meta_synced(key::PEER_DISKS, &*known).map_err(|_| Refused::Stopped)
            }
        }
    }
}
