//! Copies of a whole kitchen in one file: taken from a replica that runs or from the directory of one that does not, verified, and made a kitchen
//! again.
//!
//! The file is a snapshot as replicas send it to each other (`snapshot_file`): every frame has a checksum, and an end says that it is
//! whole. `verify` holds what is in it against itself too. `restore` makes a new cluster of it, of one replica at first.

mod directory;
mod file;
mod paced;
mod restore;
mod verify;

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;

use crate::kitchen::{NodeId, Rules};

use super::node::RaftNode;
use super::snapshot;

use paced::Paced;

pub use directory::of_directory;
pub use file::CopyFile;
pub use restore::{Restored, restore};
pub use verify::verify;

/// What a copy holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The kitchen.
    pub kitchen: String,
    /// The last log entry in it.
    pub index: u64,
    /// Wall time of that entry, in milliseconds since 1970: how old the copy is.
    pub wall: u64,
    /// The replicated rules.
    pub rules: Rules,
    /// The incarnation.
    pub incarnation: u32,
    /// Orders that have not ended.
    pub open_orders: u64,
    /// Orders that have.
    pub archived_orders: u64,
    /// Food-safety records.
    pub food_safety_records: u64,
    /// Records of the audit log.
    pub audit_records: u64,
    /// The file's size.
    pub bytes: u64,
}

/// Why a copy can't be taken, trusted or restored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file can't be read or written.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not what was written.
    #[error("{path} can't be trusted: {why}. Use another copy", path = .path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A replica's directory that can't be read.
    #[error("the data directory {path} can't be copied: {why}", path = .path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// It is another kitchen's.
    #[error(
        "the copy is of kitchen {found:?}, and the configuration of {wanted:?}: use the other one's copy, or its configuration"
    )]
    OtherKitchen {
        /// The copy's.
        found: String,
        /// The configuration's.
        wanted: String,
    },
    /// Something is in the data directory already.
    #[error("the data directory {path} is not empty: move what is in it away first, and keep it", path = .path.display())]
    NotEmpty {
        /// Which.
        path: PathBuf,
    },
    /// Another node must be the first.
    #[error(
        "node {node} can't be the first of the restored kitchen: restore on node {first}, and start the others with empty directories"
    )]
    NotFirst {
        /// The configuration's.
        node: NodeId,
        /// The node with the lowest number.
        first: NodeId,
    },
    /// Devices would not obey.
    #[error("incarnation {given} is too low: devices obeyed {at_least} or a later one; leave it out, or give one above", at_least = .above)]
    Incarnation {
        /// What was asked for.
        given: u32,
        /// The copy's.
        above: u32,
    },
    /// A newer release wrote it.
    #[error(
        "the copy is of a kitchen that went by rules {found}, and this program knows them up to {known}: use the release that wrote it, or a newer one"
    )]
    NewerRules {
        /// The copy's.
        found: Rules,
        /// This program's.
        known: Rules,
    },
}

impl RaftNode {
    /// Writes a copy of this replica's kitchen, as it is now, and returns where it went. Blocking, as long as the writing takes, which is longer
    /// than it must: orders go on.
    pub fn back_up<W: Write>(&self, to: W) -> io::Result<W> {
        let store = self.store()?;
        let view = store.db.snapshot();
        let written = snapshot::write(&store, &view, &self.options().cluster, Paced::new(to))?;
        Ok(written.1.into_inner())
    }
}
