//! What a replica is told when it starts. Nothing here reads a file or the environment.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::kitchen::{NodeId, Rules};
use crate::tls::Dialer;

use super::error::Error;
use super::observer::Observer;
use super::types::Peer;

/// The settings of one replica.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of the cluster: every request between replicas carries it, and a foreign one is refused.
    pub cluster: String,
    /// This replica's number. Never given to another disk.
    pub node_id: NodeId,
    /// Where identity, database and snapshots are kept.
    pub data_dir: PathBuf,
    /// All founding replicas, this one included. Read when the cluster is founded, and to greet peers.
    pub peers: BTreeMap<NodeId, Peer>,
    /// True for a witness: it votes and keeps the log, and is never in charge.
    pub witness: bool,
    /// Milliseconds between two heartbeats of the leader.
    pub heartbeat_ms: u64,
    /// The shortest time without a leader before an election, in milliseconds.
    pub election_min_ms: u64,
    /// The longest; also the leader's quorum lease.
    pub election_max_ms: u64,
    /// Log entries between two snapshots.
    pub snapshot_every: u64,
    /// Log entries kept behind a snapshot, so that a replica that was away for a while needs none.
    pub log_keep: u64,
    /// How long `propose` waits before the outcome is called unknown.
    pub propose_limit: Duration,
    /// The largest snapshot that is taken from a peer, in bytes.
    pub snapshot_bytes_max: u64,
    /// With less room than this on the disk, in bytes, it counts as low.
    pub free_min_bytes: u64,
    /// How other replicas are reached.
    pub dialer: Dialer,
    /// The newest rules that this replica goes by: all that its program knows, or less while an upgrade is held back.
    pub rules_max: Rules,
    /// Who is told what each entry did; None: nobody, at no cost.
    pub observer: Option<Arc<dyn Observer>>,
}

impl Options {
    /// The usual settings for `node_id` of `cluster`.
    pub fn new(
        cluster: impl Into<String>,
        node_id: NodeId,
        data_dir: impl Into<PathBuf>,
        peers: BTreeMap<NodeId, Peer>,
    ) -> Self {
        Self {
            cluster: cluster.into(),
            node_id,
            data_dir: data_dir.into(),
            peers,
            witness: false,
            heartbeat_ms: 50,
            election_min_ms: 150,
            election_max_ms: 300,
            snapshot_every: 100_000,
            log_keep: 5_000,
            propose_limit: Duration::from_secs(3),
            snapshot_bytes_max: 8 << 30,
            free_min_bytes: 256 << 20,
            dialer: Dialer::plain(),
            rules_max: Rules::NEWEST,
            observer: None,
        }
    }

    /// The largest command, as a log record in bytes: keeps a full append request below the servers' body limit.
    pub const COMMAND_BYTES_MAX: usize = 64 * 1024;

    /// openraft's settings.
    pub(crate) fn config(&self) -> Result<openraft::Config, Error> {
        if !self.peers.contains_key(&self.node_id) {
            return Err(Error::Options(format!("node {} is not among the peers", self.node_id)));
        }
        let config = openraft::Config {
            cluster_name: self.cluster.clone(),
            heartbeat_interval: self.heartbeat_ms,
            election_timeout_min: self.election_min_ms,
            election_timeout_max: self.election_max_ms,
            install_snapshot_timeout: 120_000,
            max_payload_entries: 256,
            replication_lag_threshold: self.snapshot_every + self.log_keep,
            snapshot_policy: openraft::SnapshotPolicy::LogsSinceLast(self.snapshot_every),
            max_in_snapshot_log_to_keep: self.log_keep,
            // A purge is a DeleteRange, and each leaves a tombstone: few and large.
            purge_batch_size: (self.snapshot_every / 2).max(1),
            enable_pre_vote: Some(true),
            // A restarted leader asks for votes like everybody else.
            enable_leader_restore: Some(false),
            allow_log_reversion: Some(false),
            // Lets the connected majority elect when a leader hears too few to commit (openraft #2080).
            quorum_loss_probe_interval: Some(2 * self.election_max_ms + self.election_min_ms),
            broadcast_submitted_on_append: Some(true),
            backoff: "20ms 40ms 80ms ...400ms".to_owned(),
            ..openraft::Config::default()
        };
        config.validate().map_err(|e| Error::Options(e.to_string()))
    }

    /// How long a peer may take to answer an append that carries entries: below the election timeout.
    pub(crate) fn append_deadline(&self) -> Duration {
        Duration::from_millis(self.election_min_ms * 3 / 4)
    }
}
