//! Writes: stamps a command, puts it into the log, and waits until it is applied here. And linearizable reads.
//!
//! Nothing here repeats a command whose outcome is unknown, but `take_charge`, where a second one does no harm.

use std::sync::Arc;
use std::time::Duration;

use openraft::ReadPolicy;
use openraft::errors::{ClientWriteError, ForwardReason, ForwardToLeader, LinearizableReadError, RaftError};
use tokio::time::{Instant, sleep, timeout_at};

use crate::clock::wall_ms;
use crate::defect;
use crate::kitchen::{Asked, Command, Entry, Epoch, Event, Kitchen, Reply};

use super::codec;
use super::error::{ProposeError, ReadError};
use super::node::RaftNode;
use super::options::Options;
use super::status::LeaderInfo;
use super::types::{Observed, Proposal, Types};

/// A command that was committed, and applied here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// What the kitchen says to it.
    pub reply: Reply,
    /// Its log index.
    pub index: u64,
    /// The entry's time and events.
    pub observed: Arc<Observed>,
}

impl Proposed {
    /// The facts that apply returned.
    pub fn events(&self) -> &[Event] {
        &self.observed.events
    }
}

/// Pause before a leader that is not ready yet is asked again. One that was just elected is ready after a round trip and two syncs, and all
/// devices wait for it; after `SOON` tries the pauses double.
const RETRY_MS: u64 = 1;
const SOON: u32 = 10;

impl RaftNode {
    /// Puts a command into the log, stamped with the replicated time and the wall clock, and waits until it is applied here or
    /// `propose_limit` ends. `epoch` is the tenure that speaks; None for clients.
    ///
    /// A leader that was just elected, or whose peers are slow to answer, refuses new entries for a moment: this waits for that.
    /// After `Unknown` the command may still be applied: its key makes a second try harmless.
    pub async fn propose(&self, command: Command, epoch: Option<Epoch>) -> Result<Proposed, ProposeError> {
        self.propose_entry(command, epoch, None).await
    }

    /// The same for what somebody asked for: it is put on record.
    pub async fn propose_for(
        &self,
        asked: Asked,
        command: Command,
        epoch: Option<Epoch>,
    ) -> Result<Proposed, ProposeError> {
        self.propose_entry(command, epoch, Some(asked)).await
    }

    /// Puts this node in charge: proposes TakeCharge, and returns the epoch once it is applied here. Tries again while this node
    /// leads, up to `propose_limit` a try and three tries.
    pub async fn take_charge(&self, incarnation: u32) -> Result<(Epoch, u64), ProposeError> {
        // Whoever calls this looks first; a node on the sideline is not in charge by mistake either.
        if self.sideline().is_some() {
            return Err(ProposeError::NotLeader { leader: None });
        }
        let mut tries_left = 3;
        loop {
            tries_left -= 1;
            let gap_measured = self.gap_measured();
            let command = Command::TakeCharge {
                node: self.node_id(),
                incarnation,
                gap_measured,
                kitchen: self.options().cluster.clone(),
            };
            match self.propose(command, None).await {
                Ok(Proposed { reply: Reply::InCharge { epoch }, index, .. }) => return Ok((epoch, index)),
                Ok(_) => return Err(ProposeError::Unknown),
                Err(error) if tries_left == 0 || !self.is_leading() => return Err(error),
                Err(
                    error @ (ProposeError::Stopped | ProposeError::TooLarge { .. } | ProposeError::RulesTooOld { .. }),
                ) => return Err(error),
                Err(_) => sleep(Duration::from_millis(RETRY_MS)).await,
            }
        }
    }

    async fn propose_entry(
        &self,
        command: Command,
        epoch: Option<Epoch>,
        asked: Option<Asked>,
    ) -> Result<Proposed, ProposeError> {
        let limit = Instant::now() + self.options().propose_limit;
        let (needs, rules) = (command.since(), self.with_kitchen(Kitchen::rules));
        if needs > rules && self.is_leading() {
            return Err(ProposeError::RulesTooOld { needs, rules });
        }
        let mut entry = Arc::new(Entry { at: 0, wall: 0, epoch, asked, command });
        let (bytes, bytes_max) = (codec::encoded_len(&*entry), Options::COMMAND_BYTES_MAX);
        if bytes > bytes_max {
            return Err(ProposeError::TooLarge { bytes, bytes_max });
        }
        if defect::is("answer-before-commit") && matches!(entry.command, Command::PlaceOrder(_)) && self.is_leading() {
            return Ok(self.answer_too_early(entry));
        }
        let (mut pause, mut tries) = (Duration::from_millis(RETRY_MS), 0);
        loop {
            self.stamp(&mut entry);
            let written = timeout_at(limit, self.group().write(self.raft(), entry.clone())).await;
            let error = match written {
                Err(_) => return Err(ProposeError::Unknown),
                Ok(Ok(response)) => return proposed(response.log_id.index, response.response),
                Ok(Err(error)) => error,
            };
            let refused = self.refused(error)?;
            // Not appended, and this node leads or is about to: it becomes writable when a majority has answered.
            if refused != ProposeError::NoQuorum || Instant::now() + pause > limit {
                return Err(refused);
            }
            sleep(pause).await;
            tries += 1;
            if tries > SOON {
                pause *= 2;
            }
        }
    }

    fn stamp(&self, entry: &mut Arc<Entry>) {
        let entry = Arc::make_mut(entry);
        (entry.at, entry.wall) = (self.now(), wall_ms());
    }

    /// A defect: somebody is told that an order is accepted, and nobody has stored it.
    fn answer_too_early(&self, mut entry: Arc<Entry>) -> Proposed {
        self.stamp(&mut entry);
        let (raft, index) = (self.raft().clone(), self.applied_index());
        tokio::spawn(async move { drop(raft.client_write(Proposal(entry)).await) });
        let reply = Reply::Placed { number: index + 1, created: true };
        Proposed { reply, index, observed: Arc::new(Observed { index, ..Observed::default() }) }
    }

    /// Ok: the entry was not appended, for this reason. Err: it may have been, or trying again makes no sense.
    fn refused(&self, error: RaftError<Types, ClientWriteError<Types>>) -> Result<ProposeError, ProposeError> {
        match error {
            RaftError::Fatal(_) => Err(ProposeError::Stopped),
            RaftError::APIError(ClientWriteError::ForwardToLeader(forward)) => match forward.reason {
                ForwardReason::LeaseExpired if self.is_leading() => Ok(ProposeError::NoQuorum),
                _ => Ok(ProposeError::NotLeader { leader: self.other_leader(forward) }),
            },
            RaftError::APIError(_) => Err(ProposeError::Unknown),
        }
    }

    fn other_leader(&self, forward: ForwardToLeader<Types>) -> Option<LeaderInfo> {
        let known = forward.leader_id.zip(forward.leader_node).map(|(node, peer)| LeaderInfo { node, api: peer.api });
        known.or_else(|| self.leader()).filter(|leader| leader.node != self.node_id())
    }

    /// Returns once everything that was committed anywhere before this call has been applied here; the index it waited for.
    /// Asks a majority (on a follower: through the leader); no lease is trusted.
    pub async fn read_barrier(&self) -> Result<u64, ReadError> {
        let limit = Instant::now() + self.options().propose_limit;
        let index = match self.read_index().await {
            Err(ReadError::NotLeader { leader: Some(leader) }) => self.ask_read_index(&leader).await?,
            other => other?,
        };
        let mut applied = self.applied_watch();
        match timeout_at(limit, applied.wait_for(|applied| *applied >= index)).await {
            Ok(Ok(_)) => Ok(index),
            Ok(Err(_)) => Err(ReadError::Stopped),
            Err(_) => Err(ReadError::NoQuorum),
        }
    }

    /// The index that a linearizable read must wait for, if this node leads and a majority confirms it now.
    pub(crate) async fn read_index(&self) -> Result<u64, ReadError> {
        let limit = Instant::now() + self.options().propose_limit;
        match timeout_at(limit, self.raft().get_read_log_id(ReadPolicy::ReadIndex)).await {
            Ok(Ok((read, _))) => Ok(read.index()),
            Err(_) | Ok(Err(RaftError::APIError(LinearizableReadError::QuorumNotEnough(_)))) => {
                Err(ReadError::NoQuorum)
            }
            Ok(Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(forward)))) => {
                Err(ReadError::NotLeader { leader: self.other_leader(forward) })
            }
            Ok(Err(RaftError::Fatal(_))) => Err(ReadError::Stopped),
        }
    }

    async fn ask_read_index(&self, leader: &LeaderInfo) -> Result<u64, ReadError> {
        let not_leader = || ReadError::NotLeader { leader: Some(leader.clone()) };
        let peer = self.peers().remove(&leader.node).ok_or_else(not_leader)?;
        let answer = self.network().read_index(leader.node, &peer, self.options().propose_limit).await;
        answer.map_err(|why| {
            tracing::debug!(leader = leader.node, %why, "No read index from node {}: {why}", leader.node);
            ReadError::NoQuorum
        })
    }
}

fn proposed(index: u64, answer: super::types::Answer) -> Result<Proposed, ProposeError> {
    let reply = answer.reply.expect("apply replies to every kitchen entry");
    Ok(Proposed { reply, index, observed: answer.observed })
}
