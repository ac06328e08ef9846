//! Leadership on purpose: founding the cluster once, and handing over.
//!
//! Elections are openraft's. Nothing here runs by itself.

use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{InitializeError, RaftError};
use tokio::time::{Instant, timeout_at};

use crate::kitchen::NodeId;

use super::error::{Error, TransferError};
use super::node::RaftNode;
use super::types::RaftMetrics;

impl RaftNode {
    /// Founds the cluster if this node has the lowest id of its options and nothing was ever stored here; else does nothing. Safe
    /// to call on every node at every start: one node alone founds, and a founded one refuses. True if this call did it.
    pub async fn bootstrap(&self) -> Result<bool, Error> {
        let failed = |e: &dyn std::fmt::Display| Error::Raft(e.to_string());
        let peers = &self.options().peers;
        if peers.keys().next() != Some(&self.node_id()) {
            return Ok(false);
        }
        if self.raft().is_initialized().await.map_err(|e| failed(&e))? {
            return Ok(false);
        }
        match self.raft().initialize(peers.clone()).await {
            Ok(()) => Ok(true),
            Err(RaftError::APIError(InitializeError::NotAllowed(_))) => Ok(false),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Hands leadership to `to`, or to the voter that has stored most and may be in charge; returns the new leader.
    ///
    /// openraft may say yes and do nothing, so this watches for the new leader and tries the next voter. From the first try on
    /// this node accepts no entries and sends no heartbeats: if nobody takes over, the others elect when its lease ends.
    pub async fn transfer_leadership(&self, to: Option<NodeId>) -> Result<NodeId, TransferError> {
        let metrics = self.metrics();
        if !self.is_leading() {
            return Err(TransferError::NotLeader);
        }
        let candidates = self.candidates(&metrics, to)?;
        for target in candidates {
            self.raft().trigger().transfer_leader(target).await.map_err(|_| TransferError::Stopped)?;
            if let Some(leader) = self.wait_for_other_leader().await? {
                return Ok(leader);
            }
        }
        Err(TransferError::TimedOut)
    }

    /// Some(the new leader), or None when an election would have ended by now.
    async fn wait_for_other_leader(&self) -> Result<Option<NodeId>, TransferError> {
        let limit = Instant::now() + Duration::from_millis(3 * self.options().election_max_ms);
        let mut metrics = self.raft().metrics();
        loop {
            let leader = metrics.borrow_watched().current_leader;
            if let Some(other) = leader.filter(|leader| *leader != self.node_id()) {
                return Ok(Some(other));
            }
            match timeout_at(limit, metrics.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(TransferError::Stopped),
                Err(_) => return Ok(None),
            }
        }
    }

    /// The wanted voter first, then the others, whoever has stored most first. Nobody on the sideline: it would hand over again.
    fn candidates(&self, metrics: &RaftMetrics, to: Option<NodeId>) -> Result<Vec<NodeId>, TransferError> {
        let mut others: Vec<NodeId> = metrics.membership_config.voter_ids().filter(|id| *id != metrics.id).collect();
        match to {
            Some(wanted) if !others.contains(&wanted) => return Err(TransferError::NoSuchVoter(wanted)),
            Some(wanted) if self.sideline_of(wanted).is_some() => return Err(TransferError::OnSideline(wanted)),
            Some(_) | None => others.retain(|id| self.sideline_of(*id).is_none()),
        }
        if others.is_empty() {
            return Err(TransferError::Nobody);
        }
        let matched = |id: &NodeId| metrics.replication.as_ref().and_then(|all| all.get(id).copied().flatten());
        others.sort_by_key(|id| (to != Some(*id), std::cmp::Reverse(matched(id)), *id));
        Ok(others)
    }
}
