//! How this replica stands in its cluster: a cheap copy of openraft's metrics for the rest of the program.
//!
//! For decisions about who may act use `RaftNode::quorum_age_ms` and the epoch; a role alone proves nothing (a leader that was cut
//! off goes on calling itself one).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use openraft::alias::WatchReceiverOf;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::{Instant as _, ServerState};
use serde::Serialize;
use tokio::sync::watch;

use crate::kitchen::NodeId;

use super::clock::SleepGuard;
use super::fatal::Fatal;
use super::types::{Peer, RaftMetrics, Types};

/// What this replica is in Raft.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Receives the log and does not vote (yet).
    #[default]
    Learner,
    /// Receives the log and votes.
    Follower,
    /// Asks for votes.
    Candidate,
    /// Was elected, as far as it knows.
    Leader,
    /// Has stopped.
    Stopped,
}

/// Who leads, and where its API is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeaderInfo {
    /// The node.
    pub node: NodeId,
    /// Address of its HTTP API.
    pub api: String,
}

/// A replica's standing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// What this replica is.
    pub role: Role,
    /// Raft's term.
    pub term: u64,
    /// Who leads, as far as this replica knows.
    pub leader: Option<LeaderInfo>,
    /// Index of the last entry in the log here.
    pub last_log: Option<u64>,
    /// Index of the last entry that is known to be committed.
    pub committed: Option<u64>,
    /// Index of the last applied entry.
    pub applied: Option<u64>,
    /// Index that the newest snapshot covers.
    pub snapshot: Option<u64>,
    /// Index of the last entry that is gone from the log here: a member that is further behind gets a snapshot.
    pub purged: Option<u64>,
    /// The voters and where they are.
    pub voters: BTreeMap<NodeId, String>,
    /// Those that learn and do not vote (yet), and where they are.
    pub learners: BTreeMap<NodeId, String>,
    /// On a leader: milliseconds since a majority acknowledged, when this status was made. Not for leases.
    pub millis_since_quorum_ack: Option<u64>,
    /// On a leader: what each other member has stored.
    pub matched: BTreeMap<NodeId, Option<u64>>,
}

impl Status {
    pub(crate) fn of(metrics: &RaftMetrics) -> Self {
        let membership = &metrics.membership_config;
        let address = |id: &NodeId| membership.get_node(id).map_or(String::new(), |peer| peer.peer.clone());
        let matched = metrics.replication.iter().flatten();
        Self {
            role: role(metrics),
            term: metrics.current_term,
            leader: leader(metrics),
            last_log: metrics.last_log_index,
            committed: metrics.local_committed.map(|id| id.index),
            applied: metrics.last_applied.map(|id| id.index),
            snapshot: metrics.snapshot.map(|id| id.index),
            purged: metrics.purged.map(|id| id.index),
            voters: membership.voter_ids().map(|id| (id, address(&id))).collect(),
            learners: membership.membership().learner_ids().map(|id| (id, address(&id))).collect(),
            millis_since_quorum_ack: metrics.last_quorum_acked.map(|at| at.elapsed().as_millis() as u64),
            matched: matched.map(|(id, log_id)| (*id, log_id.map(|at| at.index))).collect(),
        }
    }
}

/// The leader that these metrics name. It may have been replaced, or be this node cut off from the others.
pub(crate) fn leader(metrics: &RaftMetrics) -> Option<LeaderInfo> {
    let node = metrics.current_leader?;
    let Peer { api, .. } = metrics.membership_config.get_node(&node)?.clone();
    Some(LeaderInfo { node, api })
}

fn role(metrics: &RaftMetrics) -> Role {
    match metrics.state {
        _ if metrics.running_state.is_err() => Role::Stopped,
        ServerState::Learner => Role::Learner,
        ServerState::Follower => Role::Follower,
        ServerState::Candidate => Role::Candidate,
        ServerState::Leader => Role::Leader,
        ServerState::Shutdown => Role::Stopped,
    }
}

/// Age of the last acknowledgement by a majority; None if there was none, or this node does not lead.
pub(crate) fn quorum_age(metrics: &RaftMetrics, sleep: &SleepGuard) -> Option<Duration> {
    if metrics.state != ServerState::Leader || metrics.running_state.is_err() {
        return None;
    }
    let alone = metrics.membership_config.voter_ids().eq([metrics.id]);
    if alone {
        return Some(Duration::ZERO);
    }
    let acked = Instant::now().checked_sub(metrics.last_quorum_acked?.elapsed())?;
    sleep.age(acked)
}

/// Copies the metrics as they change, and raises when openraft has failed. Ends when openraft does.
pub(crate) async fn follow(
    mut metrics: WatchReceiverOf<Types, RaftMetrics>,
    status: Arc<watch::Sender<Status>>,
    fatal: Fatal,
) {
    let mut before: Option<RaftMetrics> = None;
    loop {
        // Looked at and cloned at once: a held borrow would stall openraft's core.
        let changed = {
            let now = metrics.borrow_watched();
            let is_same = before.as_ref().is_some_and(|before| stand_alike(before, &now));
            (!is_same).then(|| now.clone())
        };
        if let Some(now) = changed {
            status.send_replace(Status::of(&now));
            match &now.running_state {
                Err(openraft::errors::Fatal::Stopped) => return,
                Err(error) => return fatal.raise(format!("raft: {error}")),
                Ok(()) => before = Some(now),
            }
        }
        if metrics.changed().await.is_err() {
            // A core that stops says so in its last metrics. One that panics does not, and a replica without it would look alive.
            return fatal.raise("raft ended without a word: it panicked");
        }
    }
}

/// True if all that a status says is the same, but for the age of the last acknowledgement: that changes with every heartbeat, and wakes nobody.
fn stand_alike(one: &RaftMetrics, other: &RaftMetrics) -> bool {
    let of = |m: &RaftMetrics| {
        let log = (m.last_log_index, m.local_committed, m.last_applied, m.snapshot, m.purged);
        (m.running_state.is_ok(), m.state, m.current_term, m.current_leader, log)
    };
    of(one) == of(other) && one.membership_config == other.membership_config && one.replication == other.replication
}
