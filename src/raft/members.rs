//! Replicas that join and leave a running cluster. Called on the leader, by an operator's word.
//!
//! A newcomer learns first and votes when it has caught up. Nothing here gives a node id away twice: a replica that lost its disk
//! is replaced by one with a new id. No change is begun that the voters that answer now could not finish (`quorum`).

use std::collections::BTreeSet;
use std::time::Duration;

use openraft::ChangeMembers;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{ChangeMembershipError as Change, ClientWriteError, RaftError};
use tokio::time::{Instant, sleep, timeout};

use crate::kitchen::NodeId;

use super::error::MemberError;
use super::node::RaftNode;
use super::quorum;
use super::types::{Peer, Types};

/// How long a newcomer may take to catch up before `join` says that it has not.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(120);

/// How often a leader looks whether enough voters have answered.
const LOOK_EVERY: Duration = Duration::from_millis(20);

impl RaftNode {
    /// True for a voter, and for a newcomer that learns.
    pub fn is_member(&self, node: NodeId) -> bool {
        self.metrics().membership_config.get_node(&node).is_some()
    }

    /// Lets a new replica learn the log, waits until it has caught up, and gives it a vote. Safe to repeat.
    pub async fn join(&self, node: NodeId, peer: Peer) -> Result<(), MemberError> {
        self.learn(node, peer).await?;
        let change = ChangeMembers::AddVoterIds(BTreeSet::from([node]));
        self.check_quorum(&self.goal(|voters| voters.insert(node))).await?;
        self.change(change, true).await
    }

    /// Puts a new replica in the place of another, dead or alive: it learns, and when it has caught up one change gives it a vote and takes
    /// the other's, so that the cluster never has a voter less than before. Safe to repeat from any point, also when the change was
    /// begun by a leader that died.
    pub async fn replace(&self, old: NodeId, new: NodeId, peer: Peer) -> Result<(), MemberError> {
        let members = self.metrics().membership_config;
        let (is_gone, is_voter) = (members.get_node(&old).is_none(), members.voter_ids().any(|id| id == new));
        let refused = |why: String| Err(MemberError::Refused(why));
        match () {
            () if old == new => return refused(format!("node {old} can't take its own place: give it a new number")),
            () if is_gone && is_voter && members.membership().get_joint_config().len() == 1 => return Ok(()),
            () if is_gone && !is_voter => return refused(format!("node {old} is no member: let node {new} join")),
            () if old == self.node_id() => return refused(format!("node {old} leads: hand leadership over first")),
            () => self.learn(new, peer).await?,
        }
        self.check_quorum(&self.goal(|voters| voters.remove(&old) | voters.insert(new))).await?;
        let vote = ChangeMembers::AddVoterIds(BTreeSet::from([new]));
        let unvote = ChangeMembers::RemoveVoters(BTreeSet::from([old]));
        self.change(ChangeMembers::Batch(vec![vote, unvote]), false).await?;
        match self.is_member(old) {
            // It had no vote to lose.
            true => self.change(ChangeMembers::RemoveNodes(BTreeSet::from([old])), true).await,
            false => Ok(()),
        }
    }

    /// Adds a learner, and waits until it has stored what the log holds now.
    async fn learn(&self, node: NodeId, peer: Peer) -> Result<(), MemberError> {
        let members = self.metrics().membership_config;
        let known = members.get_node(&node);
        if let Some(known) = known.filter(|known| **known != peer) {
            let why =
                format!("node {node} is a member already, at {}: a new replica needs an id of its own", known.peer);
            return Err(MemberError::Refused(why));
        }
        // The lowest number of a file founds: such a newcomer would have founded a cluster of its own.
        if let Some(lowest) = members.voter_ids().min().filter(|lowest| known.is_none() && node < *lowest) {
            let why = format!("a new replica needs a number above {lowest}, the lowest of the members");
            return Err(MemberError::Refused(why));
        }
        let learn = self.raft().add_learner(node, peer, false);
        timeout(CATCH_UP_LIMIT, learn).await.map_err(|_| MemberError::TimedOut)?.map_err(|e| self.member_error(e))?;
        let stored = self.wait_until_stored(node, self.metrics().last_log_index.unwrap_or(0));
        timeout(CATCH_UP_LIMIT, stored).await.map_err(|_| MemberError::TimedOut)?
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
        self.check_quorum(&self.goal(|voters| voters.remove(&node))).await?;
        self.change(ChangeMembers::RemoveVoters(BTreeSet::from([node])), true).await?;
        self.change(ChangeMembers::RemoveNodes(BTreeSet::from([node])), true).await
    }

    /// The voters as they are to be.
    fn goal<T>(&self, change: impl FnOnce(&mut BTreeSet<NodeId>) -> T) -> BTreeSet<NodeId> {
        let members = self.metrics().membership_config;
        let mut voters = members.membership().get_joint_config().last().cloned().unwrap_or_default();
        change(&mut voters);
        voters
    }

    /// Refuses what the voters that answer now could not decide, or what would leave too few of them to decide anything. What they answered
    /// before does not count: one that died a moment ago would stop the kitchen. They have a second for it, as a leader that was just
    /// elected has heard nobody yet.
    async fn check_quorum(&self, goal: &BTreeSet<NodeId>) -> Result<(), MemberError> {
        let began = Instant::now();
        let given_up = began + quorum::heard_limit(self.options());
        loop {
            let metrics = self.metrics();
            let now = metrics.membership_config.membership().get_joint_config().iter();
            let heard = quorum::heard(&metrics, began.elapsed());
            match now.chain([goal]).find_map(|voters| quorum::missing(voters, &heard)) {
                None => return Ok(()),
                Some(missing) if Instant::now() > given_up => {
                    return Err(MemberError::NoQuorum { missing, voters: goal.iter().copied().collect() });
                }
                Some(_) => sleep(LOOK_EVERY).await,
            }
        }
    }

    /// `retain`: whether who loses its vote goes on learning.
    async fn change(&self, change: ChangeMembers<NodeId, Peer>, retain: bool) -> Result<(), MemberError> {
        let changed = timeout(self.options().propose_limit, self.raft().change_membership(change, retain)).await;
        changed.map_err(|_| MemberError::TimedOut)?.map(|_| ()).map_err(|e| self.member_error(e))
    }

    fn member_error(&self, error: RaftError<Types, ClientWriteError<Types>>) -> MemberError {
        use ClientWriteError::{ChangeMembershipError, ForwardToLeader};
        match error {
            RaftError::Fatal(_) => MemberError::Stopped,
            RaftError::APIError(ForwardToLeader(_)) => MemberError::NotLeader,
            // The last change is not committed yet: this one waits for it.
            RaftError::APIError(ChangeMembershipError(Change::InProgress(_))) => MemberError::TimedOut,
            RaftError::APIError(other) => MemberError::Refused(other.to_string()),
        }
    }
}
