//! The replicated log of a kitchen: openraft over one RocksDB, between replicas by HTTP.
//!
//! `RaftNode` is what other layers see: start it, propose commands, read the kitchen, watch. This is the only place that names
//! openraft and rocksdb. It knows the kitchen's interface and never what a command means (but TakeCharge, whose fields it fills).
//!
//! Writing: `propose` → `group` → openraft → `log_store` (written) → `writer` (synced) → majority → `state_machine` (applied, one batch)
//! → answer. Starting: `open` → `identity` → `store` → `install` (what a crash cut short) → openraft → `server`.

mod archive;
pub mod backup;
mod clock;
mod codec;
mod crash;
mod disks;
mod error;
mod events;
mod fatal;
mod group;
mod identity;
mod install;
mod last_resort;
mod lead;
mod log_store;
mod maintenance;
mod manifest;
mod members;
mod network;
mod node;
mod observer;
mod open;
mod options;
mod peer_rules;
mod propose;
mod quorum;
mod replica;
mod scrub;
pub mod server;
mod shelf;
mod sideline;
mod snapshot;
mod snapshot_file;
mod space;
mod state_machine;
mod status;
mod store;
mod tail;
mod types;
mod wire;
mod writer;

#[cfg(test)]
mod decoders;
#[cfg(test)]
mod figures;
#[cfg(test)]
mod suite;

pub use archive::ArchiveRow;
pub use clock::{Anchor, ReplicatedClock, Stamp};
pub use error::{Error, EventsError, MemberError, ProposeError, ReadError, TransferError, says_disk_full};
pub use events::RING_INDICES;
pub use fatal::EXIT_CODE;
pub use identity::{Error as IdentityError, Identity, VoteSeen};
pub use node::RaftNode;
pub use observer::{Digest, Observer};
pub use options::Options;
pub use propose::Proposed;
pub use sideline::Sideline;
pub use space::Space;
pub use status::{LeaderInfo, Role, Status};
pub use types::{Observed, Peer};
pub use wire::Refused;
