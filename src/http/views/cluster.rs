//! The replicas, as one of them sees them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::raft::Space;

use super::words::{RoleWord, SidelineWord};

/// The cluster.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ClusterView {
    /// Its name.
    pub cluster: String,
    /// The kitchen's name.
    pub kitchen: String,
    /// The program's version, on the replica that answered.
    pub version: String,
    /// The rules that all replicas go by; they are raised when every member's program knows newer ones.
    pub rules: u32,
    /// The replica that answered: the view is its own.
    pub seen_by: u64,
    /// Who leads, as far as it knows.
    pub leader: Option<u64>,
    /// Raft's term.
    pub term: u64,
    /// The voters, and those that learn.
    pub members: Vec<MemberView>,
    /// How many more voters may be lost while the others still decide; 0: the next one stops the kitchen. The leader counts those that
    /// answer it now; others, who hear the leader alone, all voters.
    pub tolerates: u64,
    /// The log, here.
    pub log: LogView,
    /// On the leader: how long ago a majority acknowledged it.
    pub quorum_age_ms: Option<u64>,
    /// Being in charge, here.
    pub tenure: TenureView,
    /// The disk, here.
    pub storage: StorageView,
}

/// The disk of the replica that answered.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct StorageView {
    /// True when new orders are refused for want of room.
    pub low: bool,
    /// Room for this program; null if the file system does not tell.
    pub free_bytes: Option<u64>,
    /// With less than this it is low.
    pub free_min_bytes: u64,
}

impl From<Space> for StorageView {
    fn from(space: Space) -> Self {
        let Space { free_bytes, free_min_bytes } = space;
        Self { low: space.is_low(), free_bytes, free_min_bytes }
    }
}

/// A voter, or one that learns.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MemberView {
    /// Its number.
    pub node: u64,
    /// leader, follower, candidate, learner or stopped, as far as the answering replica knows.
    #[schema(value_type = RoleWord)]
    pub role: String,
    /// witness: it votes and keeps the log, and is never in charge; maintenance: it is not in charge until that ends; null: it may be in
    /// charge. As it said itself, or its leader said of it.
    #[schema(value_type = Option<SidelineWord>)]
    pub sideline: Option<String>,
    /// Where its API is.
    pub api: Option<String>,
    /// Where other replicas reach it.
    pub peer: String,
    /// The newest rules that its program knows, or is told to go by, as far as the answering replica has heard from it.
    pub rules: Option<u32>,
    /// On the leader: the last entry that this member has stored.
    pub stored: Option<u64>,
    /// On the leader: how many entries this member has yet to store.
    pub lag: Option<u64>,
}

/// The log of the replica that answered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LogView {
    /// The last entry here.
    pub last: Option<u64>,
    /// The last entry that is known to be committed.
    pub committed: Option<u64>,
    /// The last entry that is applied.
    pub applied: u64,
    /// The last entry in the newest snapshot.
    pub snapshot: Option<u64>,
}

/// What a replica says of being in charge.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TenureView {
    /// Whether it gives the instructions.
    pub in_charge: bool,
    /// The epoch of its tenure.
    pub epoch: Option<u64>,
    /// How many tenures this process has begun.
    pub tenures: u64,
    /// Instructions published by this process, repetitions included.
    pub instructions_published: u64,
    /// Leases answered by this process.
    pub leases_answered: u64,
    /// Payloads refused by this process.
    pub payloads_refused: u64,
    /// The message brokers.
    pub brokers: Vec<BrokerView>,
    /// In charge: the nodes whose disks are nearly full.
    pub storage_low: Vec<u64>,
}

/// One broker.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BrokerView {
    /// Its address.
    pub url: String,
    /// Connected and subscribed.
    pub connected: bool,
}

/// After a hand-over.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct TransferView {
    /// Who leads now.
    pub leader: u64,
}

/// Whether a replica should get requests.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReadyView {
    /// True when it should.
    pub ready: bool,
    /// Why not.
    pub reasons: Vec<String>,
    /// What needs a person soon, and is no reason to ask another replica.
    pub warnings: Vec<String>,
}
