//! A node's maintenance, begun and ended by an operator's word to the leader, who tells the node.
//!
//! The node keeps it itself (`sideline`); the leader only sees to it that somebody is left to be in charge.

use std::io;

use crate::kitchen::NodeId;

use super::error::MemberError;
use super::node::RaftNode;

impl RaftNode {
    /// Tells a member, this one included, that it is in maintenance, or no longer. Called on the leader; safe to repeat.
    pub async fn set_maintenance(&self, node: NodeId, on: bool) -> Result<(), MemberError> {
        if !self.is_leading() {
            return Err(MemberError::NotLeader);
        }
        let Some(peer) = self.peers().remove(&node) else {
            return Err(MemberError::Refused(format!("node {node} is no member")));
        };
        let mut able = self.able_others();
        able.remove(&node);
        if on && able.is_empty() && (node == self.node_id() || self.sideline().is_some()) {
            return Err(MemberError::NobodyElse(node));
        }
        if node == self.node_id() {
            return self.set_own_maintenance(on).await.map_err(|e| MemberError::Refused(e.to_string()));
        }
        let told = self.network().set_maintenance(node, &peer, on, self.options().propose_limit).await;
        told.map_err(|why| MemberError::Refused(format!("node {node} was not told: {why}")))
    }

    /// Keeps it here; on disk when it returns.
    pub(crate) async fn set_own_maintenance(&self, on: bool) -> io::Result<()> {
        let node = self.clone();
        let kept = tokio::task::spawn_blocking(move || node.sidelines().set_maintenance(on)).await;
        kept.unwrap_or_else(|e| Err(io::Error::other(e)))?;
        match on {
            true => tracing::info!("Node {} is in maintenance: it votes, and is not in charge", self.node_id()),
            false => tracing::info!("The maintenance of node {} is over", self.node_id()),
        }
        Ok(())
    }
}
