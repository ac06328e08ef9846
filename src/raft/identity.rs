//! Who this data directory belongs to and what it has promised, in a file outside RocksDB: the guard against amnesia.
//!
//! A voter that forgot a vote or a synced entry can help to elect a leader without an acknowledged write. No mode of RocksDB
//! notices a deleted log file, so this file remembers cluster, node, disk, the highest vote and a floor of the log, and
//! `verify` compares before any peer is answered. Nothing here repairs anything.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::kitchen::NodeId;

use super::types::Vote;

/// Name of the file in the data directory.
pub(super) const FILE: &str = "identity.json";

/// A vote as people can read it: ordered by term, then node, then whether a majority granted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VoteSeen {
    /// Raft's term.
    pub term: u64,
    /// Who asked for the vote.
    pub node: NodeId,
    /// True once a majority granted it.
    pub committed: bool,
}

impl std::fmt::Display for VoteSeen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let by = if self.committed { "a majority's vote" } else { "a vote" };
        write!(f, "{by} for node {} in term {}", self.node, self.term)
    }
}

impl VoteSeen {
    pub(crate) fn of(vote: &Vote) -> Self {
        Self { term: vote.leader_id.term, node: vote.leader_id.node_id, committed: vote.committed }
    }
}

/// The content of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The cluster that this disk is part of.
    pub cluster: String,
    /// The node whose votes and entries it keeps.
    pub node: NodeId,
    /// Drawn when the directory was first used; the database holds the same.
    pub disk: String,
    /// True until the database exists for the first time: nothing has been promised yet.
    pub fresh: bool,
    /// The highest vote that was answered.
    pub vote: Option<VoteSeen>,
    /// Log entries up to here were synced (at most `FLOOR_EVERY` old while entries come).
    pub floor: Option<u64>,
    /// Grows by one with every change of this file. Peers remember it: who shows a lower one than before is an old copy.
    #[serde(default)]
    pub edition: u64,
}

/// What the database holds, to be compared with the identity.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub disk: Option<String>,
    pub vote: Option<VoteSeen>,
    pub last_log: Option<u64>,
}

/// Why this data directory must not serve.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It was made for another node or cluster.
    #[error(
        "the data directory belongs to node {node} of cluster {cluster:?}: give this replica its own directory, or start it \
         with the id and cluster that the directory was made for"
    )]
    Foreign {
        /// Its cluster.
        cluster: String,
        /// Its node.
        node: NodeId,
    },
    /// The database is gone.
    #[error(
        "the database is gone from a data directory that has voted or stored entries: put it back, or take node {node} out \
         of the cluster, empty the directory and let it join under a new node id"
    )]
    DatabaseGone {
        /// This node.
        node: NodeId,
    },
    /// The identity file is gone.
    #[error(
        "{FILE} is gone but a database is present: put the file back, or take this replica out of the cluster, empty the \
         directory and let it join under a new node id"
    )]
    IdentityGone,
    /// The database was copied from elsewhere.
    #[error(
        "the database carries disk id {found:?}, {FILE} says {expected:?}: one of them was copied here. Put back the matching \
         one, or let this replica join under a new node id"
    )]
    ForeignDatabase {
        /// What the file says.
        expected: String,
        /// What the database says.
        found: String,
    },
    /// A vote that was answered is not in the database.
    #[error(
        "the database knows {}, but {expected} was answered: it is an old copy or lost synced writes. Take this replica out of \
         the cluster, empty its data directory and let it join under a new node id (docs/RECOVERY.md)",
        .found.as_ref().map_or("no vote".to_owned(), ToString::to_string)
    )]
    VoteLost {
        /// The highest vote that was answered.
        expected: VoteSeen,
        /// What the database holds.
        found: Option<VoteSeen>,
    },
    /// Synced entries are not in the database.
    #[error(
        "the log ends {}, but entries up to {expected} were synced: it is an old copy or lost synced writes. Take this replica \
         out of the cluster, empty its data directory and let it join under a new node id (docs/RECOVERY.md)",
        .found.map_or("before its first entry".to_owned(), |index| format!("at entry {index}"))
    )]
    LogLost {
        /// The floor.
        expected: u64,
        /// The last entry.
        found: Option<u64>,
    },
    /// The file can't be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which one.
        path: PathBuf,
        /// What is wrong.
        source: io::Error,
    },
}

impl Identity {
    pub(super) fn new(cluster: &str, node: NodeId) -> Self {
        let disk = format!("{:032x}", rand::random::<u128>());
        Self { cluster: cluster.to_owned(), node, disk, fresh: true, vote: None, floor: None, edition: 0 }
    }

    /// Remembers a vote if it is higher.
    pub(crate) fn see_vote(&mut self, vote: VoteSeen) {
        self.vote = self.vote.max(Some(vote));
    }

    /// The log is about to end here.
    pub(crate) fn lower_floor(&mut self, to: Option<u64>) {
        self.floor = self.floor.min(to);
    }

    /// Compares what was promised with what the database holds.
    pub(crate) fn verify(&self, found: &Found) -> Result<(), Error> {
        let disk = found.disk.clone().unwrap_or_default();
        if disk != self.disk {
            return Err(Error::ForeignDatabase { expected: self.disk.clone(), found: disk });
        }
        match self.vote {
            Some(expected) if found.vote < Some(expected) => Err(Error::VoteLost { expected, found: found.vote }),
            _ => match self.floor {
                Some(expected) if found.last_log < Some(expected) => {
                    Err(Error::LogLost { expected, found: found.last_log })
                }
                _ => Ok(()),
            },
        }
    }
}

/// The identity with its place on disk.
#[derive(Debug)]
pub(crate) struct IdentityFile {
    path: PathBuf,
    identity: Identity,
    /// The edition that is on disk, for who shows it to peers.
    edition: Arc<AtomicU64>,
}

impl IdentityFile {
    /// Reads the file of this directory, or makes one if the directory is new.
    pub fn open(data_dir: &Path, database: bool, cluster: &str, node: NodeId) -> Result<Self, Error> {
        let path = data_dir.join(FILE);
        let known = read(&path).map_err(|source| Error::File { path: path.clone(), source })?;
        let identity = match known {
            Some(known) if known.cluster != cluster || known.node != node => {
                return Err(Error::Foreign { cluster: known.cluster, node: known.node });
            }
            Some(known) if !known.fresh && !database => return Err(Error::DatabaseGone { node }),
            Some(known) => known,
            None if database => return Err(Error::IdentityGone),
            None => Identity::new(cluster, node),
        };
        let edition = Arc::new(AtomicU64::new(identity.edition));
        let mut file = Self { path, identity, edition };
        if file.identity.fresh {
            file.update(|_| ()).map_err(|source| Error::File { path: file.path.clone(), source })?;
        }
        Ok(file)
    }

    /// Puts an identity into a directory that has none.
    pub fn create(data_dir: &Path, identity: Identity) -> io::Result<()> {
        let edition = Arc::new(AtomicU64::new(identity.edition));
        Self { path: data_dir.join(FILE), identity, edition }.update(|_| ())
    }

    /// What the file says.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The edition that is on disk, now and later.
    pub fn edition(&self) -> Arc<AtomicU64> {
        self.edition.clone()
    }

    /// Changes the content; returns once the new file is on disk under its name.
    pub fn update(&mut self, change: impl FnOnce(&mut Identity)) -> io::Result<()> {
        let before = self.identity.clone();
        change(&mut self.identity);
        if self.identity == before && self.path.exists() {
            return Ok(());
        }
        self.identity.edition += 1;
        let text = serde_json::to_vec_pretty(&self.identity).expect("an identity is plain data");
        let temporary = self.path.with_extension("json.tmp");
        let mut file = File::create(&temporary)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&temporary, &self.path)?;
        sync_directory(self.path.parent().unwrap_or(Path::new(".")))?;
        self.edition.store(self.identity.edition, Ordering::Release);
        Ok(())
    }
}

fn read(path: &Path) -> io::Result<Option<Identity>> {
    match fs::read(path) {
        Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes a created or renamed file's name durable.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(identity: &Identity) -> Found {
        Found { disk: Some(identity.disk.clone()), vote: identity.vote, last_log: identity.floor }
    }

    #[test]
    fn what_was_promised_must_be_in_the_database() {
        let vote = VoteSeen { term: 3, node: 2, committed: false };
        let identity = Identity { vote: Some(vote), floor: Some(9), ..Identity::new("c", 1) };
        assert!(identity.verify(&found(&identity)).is_ok());
        let copied = Found { disk: Some("other".into()), ..found(&identity) };
        assert!(matches!(identity.verify(&copied), Err(Error::ForeignDatabase { .. })));
        let forgot = Found { vote: Some(VoteSeen { node: 1, ..vote }), ..found(&identity) };
        assert!(matches!(identity.verify(&forgot), Err(Error::VoteLost { .. })));
        for last_log in [None, Some(8)] {
            let short = Found { last_log, ..found(&identity) };
            assert!(matches!(identity.verify(&short), Err(Error::LogLost { expected: 9, .. })));
        }
    }

    #[test]
    fn a_directory_is_new_once_and_keeps_its_disk_id() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = IdentityFile::open(dir.path(), false, "c", 1).unwrap();
        file.update(|identity| identity.fresh = false).unwrap();
        let again = IdentityFile::open(dir.path(), true, "c", 1).unwrap();
        assert_eq!(again.identity(), file.identity());
        assert!(matches!(IdentityFile::open(dir.path(), false, "c", 1), Err(Error::DatabaseGone { node: 1 })));
        assert!(matches!(IdentityFile::open(dir.path(), true, "c", 2), Err(Error::Foreign { node: 1, .. })));
        assert!(matches!(IdentityFile::open(dir.path(), true, "d", 1), Err(Error::Foreign { .. })));
    }

    #[test]
    fn a_start_that_was_cut_short_is_repeated() {
        let dir = tempfile::tempdir().unwrap();
        let first = IdentityFile::open(dir.path(), false, "c", 1).unwrap();
        let again = IdentityFile::open(dir.path(), false, "c", 1).unwrap();
        assert_eq!(again.identity(), first.identity());
    }
}
