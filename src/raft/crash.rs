//! Replaces a leader whose process has died, without waiting until its lease would end.
//!
//! Each replica holds a request at the leader that is never answered. When a process dies, its system breaks its connections at once; if
//! nobody accepts a new one either, it is gone. Then this replica stops respecting that leader's lease, and the replicas ask for votes one
//! after the other. A machine that dies, freezes or is cut off breaks nothing: the election timeout finds it, as ever.
//!
//! To be wrong costs an election and nothing else. One replica that is wrong changes nothing: the others refuse it their votes while they
//! hear the leader, and so does it once it hears the leader again. Where a majority is wrong, the former leader's quorum lease ends
//! `election_min_ms` after their last acknowledgement, and proofs by time wait `election_max_ms` for that.

use std::sync::{Arc, Weak};
use std::time::Duration;

use openraft::raft::TransferLeaderRequest;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::kitchen::NodeId;

use super::network::Parted;
use super::node::{Inner, RaftNode};
use super::types::Peer;

/// Before a leader that could not be asked, or said goodbye, is asked again.
const AGAIN: Duration = Duration::from_millis(200);

/// How long a process that lives may take to accept a connection, and how long a connection to it must stay: that of one that is dying is
/// accepted by its system, and broken in the next moment.
const STANDS_FOR: Duration = Duration::from_millis(50);

/// So much later than the one before it each replica asks for votes: two at once could share them. One that has more of the log than
/// whoever asks does not wait.
const TURN: Duration = Duration::from_millis(50);

/// Between two tries: the others may have noticed a moment later.
const TRY_EVERY: Duration = Duration::from_millis(10);

/// Tries before this is left to the election timeout.
const TRIES: u32 = 20;

/// Starts `follow`.
pub(super) fn watch(inner: &Arc<Inner>) {
    tokio::spawn(follow(Arc::downgrade(inner)));
}

/// Ends with the replica.
async fn follow(inner: Weak<Inner>) {
    let Some(mut status) = inner.upgrade().map(|inner| RaftNode::of(inner).watch_status()) else { return };
    loop {
        let led_by = status.borrow_and_update().leader.as_ref().map(|leader| leader.node);
        let waits = tokio::select! {
            changed = status.wait_for(|now| now.leader.as_ref().map(|l| l.node) != led_by) => match changed {
                Ok(_) => continue,
                Err(_) => return,
            },
            ended = stand_by(&inner, led_by) => ended,
        };
        let Some(node) = inner.upgrade().map(RaftNode::of) else { return };
        match (waits, led_by) {
            (Some(peer), Some(leader)) if !accepts(&peer).await => node.take_the_place_of(leader).await,
            _ => sleep(AGAIN).await,
        }
    }
}

/// Returns when the connection to the leader broke: where it is. None: it said goodbye, or can't be asked. Never, if this node leads or
/// nobody does.
async fn stand_by(inner: &Weak<Inner>, leader: Option<NodeId>) -> Option<Peer> {
    let node = inner.upgrade().map(RaftNode::of)?;
    let other = leader.filter(|leader| *leader != node.node_id()).and_then(|id| Some((id, node.peers().remove(&id)?)));
    let Some((leader, peer)) = other else {
        drop(node);
        return std::future::pending().await;
    };
    let network = node.network().clone();
    drop(node);
    (network.stand_by(leader, &peer).await == Parted::Broken).then_some(peer)
}

/// A server that nobody asks anything is silent: whatever comes is the end of the connection.
async fn accepts(peer: &Peer) -> bool {
    match timeout(STANDS_FOR, TcpStream::connect(&peer.peer)).await {
        Ok(Ok(mut connection)) => timeout(STANDS_FOR, connection.read_u8()).await.is_err(),
        Ok(Err(_)) | Err(_) => false,
    }
}

impl RaftNode {
    /// A candidate was refused because this node has more of the log. For whoever waits now: a refusal of long ago is no reason not to wait.
    pub(super) fn has_more_than_a_candidate(&self) {
        self.has_more().notify_waiters();
    }

    /// Stops respecting the lease of a leader that is dead, and asks for votes when it is this node's turn. Returns when somebody else leads, or
    /// nobody grants a vote for a while.
    pub async fn take_the_place_of(&self, dead: NodeId) {
        tracing::info!("The process of node {dead}, which led, has ended: a replica takes its place");
        let Ok(vote) = self.raft().with_raft_state(|state| *state.vote_ref()).await else { return };
        // A transfer to a node that is not this one: all that it does here is end the lease.
        let _ = self.raft().handle_transfer_leader(TransferLeaderRequest::new(vote, dead, None)).await;
        let Some(turn) = self.turn_after(dead) else { return };
        tokio::select! {
            () = sleep(TURN * turn) => {}
            () = self.has_more().notified() => {}
        }
        for _ in 0..TRIES {
            if self.status().leader.is_none_or(|leader| leader.node != dead) {
                return;
            }
            // Asks first whether the others would vote for it: who hears the leader, or has more of the log, would not.
            if self.raft().trigger().elect(true).await.is_err() {
                return;
            }
            sleep(TRY_EVERY).await;
        }
    }

    /// How many others ask for votes before this node; None if it does not ask, as it is on the sideline or has no vote.
    fn turn_after(&self, dead: NodeId) -> Option<u32> {
        let metrics = self.metrics();
        let able = metrics.membership_config.voter_ids().filter(|id| *id != dead && self.sideline_of(*id).is_none());
        let able: std::collections::BTreeSet<NodeId> = able.collect();
        able.iter().position(|id| *id == self.node_id()).map(|turn| turn as u32)
    }
}
