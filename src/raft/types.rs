//! What openraft is told about us: the log's payload, its answer, and a member's addresses.
//!
//! Nothing here does I/O. Used inside `raft/` alone; only `Peer` and `Observed` are shown to other layers.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::kitchen::{Entry, Event, Millis, NodeId, Reply};

openraft::declare_raft_types!(
    /// The types that openraft works with.
    pub(crate) Types:
        D = Proposal,
        R = Answer,
        NodeId = NodeId,
        Node = Peer,
);

pub(crate) type LogId = openraft::alias::LogIdOf<Types>;
pub(crate) type LogEntry = openraft::alias::EntryOf<Types>;
pub(crate) type Vote = openraft::alias::VoteOf<Types>;
pub(crate) type StoredMembership = openraft::alias::StoredMembershipOf<Types>;
pub(crate) type SnapshotMeta = openraft::alias::SnapshotMetaOf<Types>;
pub(crate) type RaftMetrics = openraft::RaftMetrics<Types>;

/// Where a member of the cluster is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// `host:port` of its Raft server, for the other replicas.
    pub peer: String,
    /// `host:port` (or URL) of its HTTP API, for clients that must be sent to the leader.
    pub api: String,
}

/// A kitchen entry on its way into the log, to the followers, and into the kitchen: one for all.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Proposal(pub Arc<Entry>);

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry at {} ms", self.0.at)
    }
}

/// What applying one log entry gave. `reply` is None for Raft's own entries (blank, membership).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub reply: Option<Reply>,
    pub observed: Arc<Observed>,
}

/// One applied entry as observers see it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// Its log index.
    pub index: u64,
    /// The kitchen's replicated time in milliseconds, as the entry carried it.
    pub at: Millis,
    /// Wall clock of the proposer, milliseconds since 1970; for people.
    pub wall: u64,
    /// The facts that apply returned.
    pub events: Vec<Event>,
}
