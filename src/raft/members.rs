//! Replicas that join and leave a running cluster. Called on the leader, by an operator's word.
//!
//! A newcomer learns first and votes when it has caught up. Nothing here gives a node id away twice: a replica that lost its disk
//! leaves, and joins under a new id.

use std::collections::BTreeSet;
use std::time::Duration;

use openraft::ChangeMembers;
use openraft::errors::{ClientWriteError, RaftError};
use tokio::time::timeout;

use crate::kitchen::NodeId;

use super::error::MemberError;
use super::node::RaftNode;
use super::types::{Peer, Types};

/// How long a newcomer may take to catch up before `join` says that it has not.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(120);

impl RaftNode {
    /// Lets a new replica learn the log, waits until it has caught up, and gives it a vote. Safe to repeat.
    pub async fn join(&self, node: NodeId, peer: Peer) -> Result<(), MemberError> {
        let learn = self.raft().add_learner(node, peer, true);
        timeout(CATCH_UP_LIMIT, learn).await.map_err(|_| MemberError::TimedOut)?.map_err(|e| self.member_error(e))?;
        self.change(ChangeMembers::AddVoterIds(BTreeSet::from([node]))).await
    }

    /// Takes a replica's vote and removes it. A leader that removes itself steps down afterwards.
    pub async fn leave(&self, node: NodeId) -> Result<(), MemberError> {
        if self.metrics().membership_config.voter_ids().eq([node]) {
            return Err(MemberError::LastVoter);
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
