//! Replicas that join and leave a running cluster. Called on the leader, by an operator's word.
//!
//! A newcomer learns first and votes when it has caught up. Nothing here gives a node id away twice: a replica that lost its disk
//! leaves, and joins under a new id.

use std::collections::BTreeSet;
use std::time::Duration;

use openraft::ChangeMembers;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{ClientWriteError, RaftError};
use tokio::time::timeout;

use crate::kitchen::NodeId;

use super::error::MemberError;
use super::node::RaftNode;
use super::types::{Peer, Types};

/// How long a newcomer may take to catch up before `join` says that it has not.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(120);

impl RaftNode {
    /// True for a voter, and for a newcomer that learns.
    pub fn is_member(&self, node: NodeId) -> bool {
        self.metrics().membership_config.get_node(&node).is_some()
    }

    /// Lets a new replica learn the log, waits until it has caught up, and gives it a vote. Safe to repeat.
    pub async fn join(&self, node: NodeId, peer: Peer) -> Result<(), MemberError> {
        let members = self.metrics().membership_config;
        if let Some(known) = members.get_node(&node).filter(|known| **known != peer) {
            let why =
                format!("node {node} is a member already, at {}: a new replica needs an id of its own", known.peer);
            return Err(MemberError::Refused(why));
        }
        let learn = self.raft().add_learner(node, peer, false);
        timeout(CATCH_UP_LIMIT, learn).await.map_err(|_| MemberError::TimedOut)?.map_err(|e| self.member_error(e))?;
        let stored = self.wait_until_stored(node, self.metrics().last_log_index.unwrap_or(0));
        timeout(CATCH_UP_LIMIT, stored).await.map_err(|_| MemberError::TimedOut)??;
        self.change(ChangeMembers::AddVoterIds(BTreeSet::from([node]))).await
    }

    /// openraft's own wait calls a learner caught up that lacks no more than a snapshot is worth: in a young kitchen that is everything,
    /// also for a newcomer that nobody reaches.
    async fn wait_until_stored(&self, node: NodeId, index: u64) -> Result<(), MemberError> {
        let mut metrics = self.raft().metrics();
        loop {
            let now = metrics.borrow_watched().clone();
            let replication = now.replication.ok_or(MemberError::NotLeader)?;
            if replication.get(&node).copied().flatten().is_some_and(|stored| stored.index >= index) {
                return Ok(());
            }
            metrics.changed().await.map_err(|_| MemberError::Stopped)?;
        }
    }

    /// Takes a replica's vote and removes it; one that is none of the members is removed already. The leader does not remove itself.
    pub async fn leave(&self, node: NodeId) -> Result<(), MemberError> {
        let members = self.metrics().membership_config;
        if members.voter_ids().eq([node]) {
            return Err(MemberError::LastVoter);
        }
        if members.get_node(&node).is_none() {
            return Ok(());
        }
        if node == self.node_id() {
            return Err(MemberError::Refused(format!("node {node} leads: hand leadership over first")));
        }
        self.change(ChangeMembers::RemoveVoters(BTreeSet::from([node]))).await?;
        self.change(ChangeMembers::RemoveNodes(BTreeSet::from([node]))).await
    }

    async fn change(&self, change: ChangeMembers<NodeId, Peer>) -> Result<(), MemberError> {
        let changed = timeout(self.options().propose_limit, self.raft().change_membership(change, true)).await;
        changed.map_err(|_| MemberError::TimedOut)?.map(|_| ()).map_err(|e| self.member_error(e))
    }

    fn member_error(&self, error: RaftError<Types, ClientWriteError<Types>>) -> MemberError {
        match error {
            RaftError::Fatal(_) => MemberError::Stopped,
            RaftError::APIError(ClientWriteError::ForwardToLeader(_)) => MemberError::NotLeader,
            RaftError::APIError(other) => MemberError::Refused(other.to_string()),
        }
    }
}
