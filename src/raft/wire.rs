//! Paths, headers and bodies between replicas: HTTP/1.1, bodies as in `codec`. Used by `network` (client) and `server`.

use serde::{Deserialize, Serialize};

use crate::kitchen::NodeId;

pub(crate) const APPEND: &str = "/raft/append";
pub(crate) const VOTE: &str = "/raft/vote";
pub(crate) const PRE_VOTE: &str = "/raft/pre-vote";
pub(crate) const TRANSFER: &str = "/raft/transfer";
pub(crate) const SNAPSHOT: &str = "/raft/snapshot";
pub(crate) const READ_INDEX: &str = "/raft/read-index";
pub(crate) const MAINTENANCE: &str = "/raft/maintenance";
/// Answered, and then nothing more comes: who asked sees when this process ends.
pub(crate) const ALIVE: &str = "/raft/alive";

/// The cluster of the sender.
pub(crate) const CLUSTER_HEADER: &str = "x-brigade-cluster";
/// The node that the request is meant for: addresses get reused.
pub(crate) const TO_HEADER: &str = "x-brigade-to";
/// The sender of a request.
pub(crate) const FROM_HEADER: &str = "x-brigade-from";
/// The disk id of whoever sends the request, or the answer.
pub(crate) const DISK_HEADER: &str = "x-brigade-disk";
/// The edition of the identity file of whoever sends the request, or the answer.
pub(crate) const EDITION_HEADER: &str = "x-brigade-edition";
/// The highest edition that the sender has seen of the node that the request is meant for.
pub(crate) const SEEN_HEADER: &str = "x-brigade-seen";
/// Which restore the sender's log began with: see `disks`.
pub(crate) const LINEAGE_HEADER: &str = "x-brigade-lineage";
/// The newest rules that whoever sends the request, or the answer, goes by.
pub(crate) const RULES_HEADER: &str = "x-brigade-rules";
/// Who is on the sideline: by an answer, or the request of a candidate, the sender alone; by a leader's request, all whom it knows.
pub(crate) const SIDELINE_HEADER: &str = "x-brigade-sideline";
/// The sender's vote beside a snapshot, as JSON.
pub(crate) const VOTE_HEADER: &str = "x-brigade-vote";

/// The largest body that is no snapshot, in bytes: 256 entries of `COMMAND_BYTES_MAX`, and their envelopes.
pub(crate) const BODY_BYTES_MAX: usize = 24 << 20;

/// Why a replica refuses to talk. JSON on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refused", rename_all = "kebab-case")]
pub enum Refused {
    /// The caller belongs to another cluster.
    #[error("this replica is of cluster {cluster:?}")]
    ForeignCluster {
        /// The cluster here.
        cluster: String,
    },
    /// The request was meant for another node.
    #[error("this is node {node}")]
    WrongNode {
        /// The node here.
        node: NodeId,
    },
    /// The node shows another disk than it did first: it lost its memory, and must join under a new id.
    #[error("node {node} comes with another disk than before; let it leave, and join under a new node id")]
    OtherDisk {
        /// Which node.
        node: NodeId,
    },
    /// The node promised more before than it knows now: its directory is an old copy.
    #[error(
        "the data directory of node {node} is an old copy: it is at edition {edition} of its promises, and its peers saw {seen}. \
         Let the node leave, empty the directory, and let it join under a new node id (docs/RECOVERY.md)"
    )]
    OldCopy {
        /// Which node.
        node: NodeId,
        /// What it shows now.
        edition: u64,
        /// What it showed before.
        seen: u64,
    },
    /// One of both was restored from a backup, and the other goes on from before.
    #[error(
        "this replica is of lineage {own:?} and the caller of {theirs:?}: one of them was restored from a backup, and the other is from \
         before. Empty the data directory of the one that is from before (docs/RECOVERY.md)"
    )]
    OtherLineage {
        /// Of the replica that refuses; empty: never restored.
        own: String,
        /// Of the caller.
        theirs: String,
    },
    /// The body can't be decoded.
    #[error("the body can't be read: {why}")]
    BadBody {
        /// What is wrong.
        why: String,
    },
    /// A snapshot is damaged or too large.
    #[error("the snapshot is refused: {why}")]
    BadSnapshot {
        /// What is wrong.
        why: String,
    },
    /// This node does not lead, or no majority confirmed it.
    #[error("no read index here")]
    NoReadIndex,
    /// The file of this node's maintenance can't be written.
    #[error("the file can't be written: {why}")]
    Unwritten {
        /// What the system says.
        why: String,
    },
    /// This replica has stopped.
    #[error("this replica has stopped")]
    Stopped,
}
