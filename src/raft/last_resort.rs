//! What a node on the sideline does beside voting: it campaigns as a last resort, and hands leadership back at once.
//!
//! An entry may be on the dead leader and on the witness only. Then no other node can be elected before it has that entry, and the witness
//! alone can give it: it leads for a moment, and takes charge of nothing. It waits until the others have had the time for an
//! election of their own. Campaigning runs beside everything else on every node, and does nothing on one that is not on the sideline; who calls
//! `hand_back` is `leader/`.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use openraft::Instant as _;
use tokio::sync::watch;

use crate::kitchen::NodeId;

use super::node::{Inner, RaftNode};
use super::quorum;
use super::sideline::Sideline;

/// So many of the longest elections pass without a leader before a node on the sideline campaigns.
const ELECTIONS_MISSED: u32 = 3;

/// How often a node on the sideline looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Starts `follow`.
pub(super) fn watch(inner: &Arc<Inner>) {
    tokio::spawn(follow(Arc::downgrade(inner)));
}

/// Ends with the replica.
async fn follow(inner: Weak<Inner>) {
    let Some(mut own) = inner.upgrade().map(|inner| RaftNode::of(inner).watch_sideline()) else { return };
    let started = Instant::now();
    let mut campaigned = started;
    while let Some(node) = inner.upgrade().map(RaftNode::of) {
        own.mark_unchanged();
        // Openraft campaigns by itself only where somebody may take charge.
        node.raft().runtime_config().elect(node.sideline().is_none());
        let patience = Duration::from_millis(node.options().election_max_ms) * ELECTIONS_MISSED;
        if node.sideline().is_some() && !node.is_stopped() {
            let silence = node.silence().await.unwrap_or_else(|| started.elapsed()).min(campaigned.elapsed());
            if !node.is_leading() && silence > patience {
                campaigned = Instant::now();
                campaign(&node).await;
            }
        }
        let stands_aside = node.sideline().is_some();
        drop(node);
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY), if stands_aside => {}
            changed = own.changed() => if changed.is_err() { return },
        }
    }
}

/// Asks the others first whether they would vote for it: nobody does who hears a leader, or has more of the log.
async fn campaign(node: &RaftNode) {
    if node.raft().trigger().elect(true).await.is_ok() && node.status().leader.is_none() {
        tracing::debug!("No node leads: this one, on the sideline, asks for votes as a last resort");
    }
}

impl RaftNode {
    /// Why this node must not be in charge; None: it may be.
    pub fn sideline(&self) -> Option<Sideline> {
        self.sidelines().own()
    }

    /// Wakes whoever waits until `sideline` says something else.
    pub fn watch_sideline(&self) -> watch::Receiver<bool> {
        self.sidelines().watch_own()
    }

    /// The same of another node, as far as this one was told.
    pub fn sideline_of(&self, node: NodeId) -> Option<Sideline> {
        self.sidelines().of(node)
    }

    /// The voters beside this one that may be in charge and answer; for a leader, which alone hears them.
    pub fn able_others(&self) -> BTreeSet<NodeId> {
        let metrics = self.metrics();
        let heard = quorum::heard(&metrics, quorum::heard_limit(self.options()));
        let voters = metrics.membership_config.voter_ids().filter(|id| *id != self.node_id() && heard.contains(id));
        voters.filter(|id| self.sideline_of(*id).is_none()).collect()
    }

    /// Hands leadership to a node that may be in charge, as soon as one has stored what this node had when it was elected. Called on a
    /// node that leads and is on the sideline, again and again, never during a tenure.
    pub async fn hand_back(&self) {
        let Some(to) = self.has_caught_up() else { return };
        match self.transfer_leadership(Some(to)).await {
            Ok(leader) => tracing::info!("This node is on the sideline: it handed leadership to node {leader}"),
            Err(error) => {
                tracing::warn!(%error, "This node is on the sideline, leads, and could not hand over to node {to}")
            }
        }
    }

    /// One of them that has stored an entry of this term, and so all that was there before.
    fn has_caught_up(&self) -> Option<NodeId> {
        let metrics = self.metrics();
        let replication = metrics.replication.as_ref()?;
        let stored = |id: &NodeId| replication.get(id).copied().flatten();
        let of_this_term = |id: &NodeId| stored(id).is_some_and(|at| at.leader_id.term == metrics.current_term);
        self.able_others().into_iter().filter(of_this_term).max_by_key(|id| stored(id).map(|at| at.index))
    }

    /// How long this node has heard of no leader and given no vote; None if it never did since it started. The leader that it names may be
    /// long dead: without a majority nobody takes its place.
    pub async fn silence(&self) -> Option<Duration> {
        let heard = self.raft().with_raft_state(|state| state.vote_last_modified()).await;
        heard.ok().flatten().map(|at| at.elapsed())
    }
}
