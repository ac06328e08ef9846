//! Why a replica refuses to start, to write or to read. Each says what to do.

use std::path::PathBuf;

use crate::kitchen::{NodeId, Rules};

use super::identity;
use super::status::LeaderInfo;

/// Why a replica did not start. It answered no peer before it said so.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The options contradict each other.
    #[error("options of the replica: {0}")]
    Options(String),
    /// The data directory does not belong to this replica, or lost what it had promised.
    #[error(transparent)]
    Identity(#[from] identity::Error),
    /// The database can't be opened or read: damaged, full, or in use by another process.
    #[error(
        "database {path}: {source}. Nothing was changed. If it is damaged, take this replica out of the cluster, empty \
         its data directory and let it join under a new node id (docs/RECOVERY.md)"
    )]
    Database {
        /// Where it is.
        path: PathBuf,
        /// What RocksDB or the decoder says.
        source: std::io::Error,
    },
    /// The disk is full: nothing is damaged, and room is all that is needed.
    #[error("the disk of {path} is full: make room there; then this replica starts as it is, and catches up")]
    DiskFull {
        /// The data directory.
        path: PathBuf,
    },
    /// A file or directory beside the database.
    #[error("{path}: {source}")]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The rows of the state can't be read by this program.
    #[error("the state can't be loaded: {0}")]
    State(#[from] crate::kitchen::BadRow),
    /// The kitchen goes by rules that this program does not know, or was told not to.
    #[error(
        "the kitchen goes by rules {found}, and this replica knows them up to {known}: start the release that wrote this directory, or \
         a newer one (and take rules_max out of the configuration, if it is there). Nothing was changed"
    )]
    NewerRules {
        /// The kitchen's.
        found: Rules,
        /// This replica's newest.
        known: Rules,
    },
    /// openraft did not start.
    #[error("raft did not start: {0}")]
    Raft(String),
}

/// True if a text of the system or of RocksDB says that the disk is full. Both give nothing better than text once they are wrapped.
pub fn says_disk_full(text: &str) -> bool {
    text.contains("No space left on device")
}

impl Error {
    /// The same; or that the disk is full, if that is the cause.
    pub(crate) fn or_disk_full(self, data_dir: &std::path::Path) -> Self {
        if says_disk_full(&self.to_string()) { Self::DiskFull { path: data_dir.to_owned() } } else { self }
    }
}

/// Why a proposal got no reply. Unless it says otherwise, the command may or may not be applied later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// Another node leads, or none does. The command was not appended here.
    #[error("this replica does not lead{}", .leader.as_ref().map_or(String::new(), |l| format!("; node {} does, at {}", l.node, l.api)))]
    NotLeader {
        /// Who leads, as far as this replica knows.
        leader: Option<LeaderInfo>,
    },
    /// This node calls itself leader but no majority has answered it lately. The command was not appended.
    #[error("no majority of the replicas answers")]
    NoQuorum,
    /// The time limit ended, or the entry was replaced by another leader's: it may be applied, or not.
    #[error("the outcome is unknown: it may have been applied")]
    Unknown,
    /// The command is too large for the log. It was not appended.
    #[error("the command has {bytes} bytes; the log takes {bytes_max}")]
    TooLarge {
        /// Its size as a log record.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The command is of newer rules than those that hold. It was not appended.
    #[error(
        "this needs rules {needs}, and the kitchen goes by rules {rules} until every replica's program knows newer ones"
    )]
    RulesTooOld {
        /// The rules that first have it.
        needs: Rules,
        /// Those that hold.
        rules: Rules,
    },
    /// The replica is shutting down, or stopped by an error.
    #[error("this replica has stopped")]
    Stopped,
}

/// Why a linearizable read is not possible here and now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Ask the leader.
    #[error("this replica does not lead")]
    NotLeader {
        /// Who leads, as far as this replica knows.
        leader: Option<LeaderInfo>,
    },
    /// No majority confirmed in time that this node still leads.
    #[error("no majority of the replicas answers")]
    NoQuorum,
    /// The replica is shutting down, or stopped by an error.
    #[error("this replica has stopped")]
    Stopped,
}

/// Why leadership stayed, or why it is unclear who leads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// Only the leader can hand over.
    #[error("this replica does not lead")]
    NotLeader,
    /// The target is no other voter.
    #[error("node {0} is no other voter of this cluster")]
    NoSuchVoter(NodeId),
    /// The target votes, and is not in charge.
    #[error("node {0} is a witness, or in maintenance: it is not in charge")]
    OnSideline(NodeId),
    /// There is nobody to hand over to.
    #[error("no other replica may be in charge: they are witnesses, or in maintenance")]
    Nobody,
    /// Nobody took over in time. This node takes no more writes in this term; a peer is elected when its lease ends.
    #[error("no other replica took over in time")]
    TimedOut,
    /// The replica is shutting down, or stopped by an error.
    #[error("this replica has stopped")]
    Stopped,
}

/// Why a replica did not join or leave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// Only the leader changes members.
    #[error("this replica does not lead")]
    NotLeader,
    /// Nobody would be left to vote.
    #[error("it is the last voter of this cluster")]
    LastVoter,
    /// The voters that answer now are too few: the change could not be finished, or the cluster could not go on after it.
    #[error(
        "the voters would be {voters:?}, and {missing:?} can't be reached: the kitchen would stand still until they are back. \
         Start them, or replace them, first"
    )]
    NoQuorum {
        /// Those that do not answer.
        missing: Vec<NodeId>,
        /// The voters after the change.
        voters: Vec<NodeId>,
    },
    /// Every other node is a witness, in maintenance, or does not answer.
    #[error("nobody could be in charge without node {0}: the others are witnesses, in maintenance, or do not answer")]
    NobodyElse(NodeId),
    /// The change makes no sense.
    #[error("the change is refused: {0}")]
    Refused(String),
    /// It did not catch up, or no majority agreed, in time. The change may still happen; repeating it is safe.
    #[error("the change was not confirmed in time")]
    TimedOut,
    /// The replica is shutting down, or stopped by an error.
    #[error("this replica has stopped")]
    Stopped,
}

/// Why the events after an index can't be listed.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// They are no longer, or never were, in this replica's ring (it is bounded, and snapshots bring none).
    #[error("events up to index {floor} are gone from this replica's ring; read the state and go on from there")]
    Gone {
        /// The ring is complete after this index.
        floor: u64,
    },
    /// The database can't be read.
    #[error("events: {0}")]
    Database(#[from] std::io::Error),
}
