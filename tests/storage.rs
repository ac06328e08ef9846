//! The replication layer as the layers above see it: real disks, real sockets on loopback, several replicas in one process.

#[path = "storage/backups.rs"]
mod backups;
#[path = "storage/cluster.rs"]
mod cluster;
#[path = "storage/crash.rs"]
mod crash;
#[path = "storage/figures.rs"]
mod figures;
#[path = "storage/members.rs"]
mod members;
#[path = "storage/refusals.rs"]
mod refusals;
#[path = "storage/snapshots.rs"]
mod snapshots;
#[path = "storage/support.rs"]
mod support;
#[path = "storage/witness.rs"]
mod witness;
