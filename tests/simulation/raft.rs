//! The replicas' consensus, as far as anybody above it can see: one log, one leader in a term, a majority that commits.
//!
//! What it keeps of Raft: a commit needs a majority; a leader that is cut off is not told; what it proposed and did not commit is
//! committed by the next leader or lost, a prefix of it; no error proves that an entry was not applied. What it leaves to the real
//! replicas in tests/storage, tests/chaos and tests/power: votes, disks and wires.

use std::collections::VecDeque;

use brigade::kitchen::{Command, Entry, Epoch, Millis, Reply};

use crate::agenda::Event;
use crate::run::Simulation;

/// How often replicas look at each other.
pub const WATCH_MS: Millis = 50;

/// How long a proposer waits before it calls the outcome unknown.
const PROPOSE_LIMIT_MS: Millis = 3_000;

/// The smallest election timeout: also the age up to which an acknowledgement of a majority is a quorum lease.
pub const QUORUM_LEASE_MS: Millis = 150;

/// What a proposer wants to know of its proposal.
#[derive(Clone, Debug)]
pub enum Purpose {
    /// To be in charge.
    Charge,
    /// What a device said.
    Report(Command),
    /// What the monitor saw of a device.
    Judgement(brigade::kitchen::DeviceId),
    /// Deadlines.
    Deadlines,
    /// A client's order, by its position.
    Order(usize),
    /// Nothing: it comes up again by itself.
    Other,
}

/// An entry that is not committed yet.
#[derive(Clone, Debug)]
pub struct Proposal {
    id: u64,
    node: usize,
    life: u32,
    term: u64,
    entry: Entry,
}

/// An entry of the log, with the proposal that it came from.
pub struct Logged {
    pub entry: Entry,
    pub proposal: u64,
}

/// The cluster.
#[derive(Default)]
pub struct Raft {
    pub log: Vec<Logged>,
    pub term: u64,
    pub leader: Option<usize>,
    /// Who took charge last, and when.
    pub charged: Option<(usize, Millis)>,
    pending: VecDeque<Proposal>,
    waiting: std::collections::BTreeMap<u64, (usize, u32, Purpose)>,
    proposals: u64,
    committed_at: Millis,
    /// Until then disks are slow, and what is proposed takes its time.
    pub slow_until: Millis,
    silent_since: Option<Millis>,
    patience_ms: Millis,
}

impl Raft {
    /// True if this node proposed it, in this life, and waits for the answer.
    pub fn is_waited_for(&self, proposal: u64, node: usize, life: u32) -> bool {
        self.waiting.get(&proposal).is_some_and(|(proposer, its, _)| (*proposer, *its) == (node, life))
    }
}

impl Simulation {
    /// Nodes that hear each other.
    fn connected(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|n| self.nodes[*n].hears_peers(self.now)).collect()
    }

    fn is_majority(&self, nodes: &[usize]) -> bool {
        2 * nodes.len() > self.nodes.len()
    }

    fn leader_is_well(&self) -> bool {
        let connected = self.connected();
        // A restarted leader asks for votes like everybody else.
        let leads = |l: usize| connected.contains(&l) && self.nodes[l].leading_term == Some(self.raft.term);
        self.raft.leader.is_some_and(leads) && self.is_majority(&connected)
    }

    /// Looks after leadership: acknowledgements, elections, and who learns of them.
    pub fn raft_watch(&mut self) {
        self.agenda.at(self.now + WATCH_MS, Event::RaftWatch);
        let connected = self.connected();
        if self.leader_is_well() {
            self.raft.silent_since = None;
            let leader = self.raft.leader.expect("it is well");
            self.nodes[leader].acked_at = self.now;
        } else if self.raft.silent_since.is_none() {
            self.raft.silent_since = Some(self.now);
            // A restarted voter remembers no lease and lets another one lead at once; so do voters that believe the leader's process dead.
            let at_once = self.chance.happens(5_000);
            self.raft.patience_ms = self.chance.between(if at_once { 0 } else { QUORUM_LEASE_MS }, 500);
        } else if self.raft.silent_since.is_some_and(|at| at + self.raft.patience_ms <= self.now) {
            self.elect(None);
        }
        for node in connected {
            self.learn_of_leader(node);
        }
    }

    fn learn_of_leader(&mut self, node: usize) {
        let (term, leads) = (self.raft.term, self.raft.leader == Some(node));
        let before = self.nodes[node].leading_term;
        if before.is_some_and(|t| t < term || !leads) {
            self.nodes[node].leading_term = None;
            self.end_tenure(node, "another node leads");
        }
        if leads && self.nodes[node].leading_term == Some(term) && !self.nodes[node].is_serving_or_trying() {
            self.try_to_take_charge(node);
        }
        if self.nodes[node].applied < self.raft.log.len() as u64 && self.raft.leader != Some(node) {
            let (at, life) = (self.now + self.chance.between(0, 8), self.nodes[node].life);
            self.agenda.at(at, Event::Apply { node, life });
        }
    }

    /// Another node leads, if a majority hears each other.
    pub fn elect(&mut self, but_not: Option<usize>) {
        let connected = self.connected();
        if !self.is_majority(&connected) {
            return;
        }
        let candidates: Vec<usize> = connected.into_iter().filter(|n| Some(*n) != but_not).collect();
        let leader = candidates[self.chance.below(candidates.len())];
        self.raft.term += 1;
        self.raft.leader = Some(leader);
        self.raft.silent_since = None;
        self.settle_pending();
        let term = self.raft.term;
        self.nodes[leader].leading_term = Some(term);
        self.nodes[leader].acked_at = self.now;
        self.trace.note(|| format!("node {} leads in term {term}", leader + 1));
        self.seen.count("elections");
        self.apply_all(leader);
        self.try_to_take_charge(leader);
    }

    /// What the last leader did not commit: a prefix of it is in the next one's log.
    fn settle_pending(&mut self) {
        let kept = self.chance.below(self.raft.pending.len() + 1);
        let pending: Vec<Proposal> = self.raft.pending.drain(..).collect();
        for (n, proposal) in pending.into_iter().enumerate() {
            if n < kept {
                self.seen.count("entries committed by the next leader");
                self.raft.log.push(Logged { entry: proposal.entry, proposal: proposal.id });
            } else {
                self.seen.count("entries lost with their leader");
            }
        }
    }

    /// A node proposes something. The answer comes to `answered`.
    pub fn propose(&mut self, node: usize, command: Command, epoch: Option<Epoch>, purpose: Purpose) {
        self.raft.proposals += 1;
        let (id, life) = (self.raft.proposals, self.nodes[node].life);
        self.raft.waiting.insert(id, (node, life, purpose));
        let Some(term) = self.nodes[node].leading_term else {
            return self.agenda.at(self.now, Event::GiveUp { proposal: id });
        };
        self.agenda.at(self.now + PROPOSE_LIMIT_MS, Event::GiveUp { proposal: id });
        if term != self.raft.term {
            return;
        }
        let entry = Entry { at: self.kitchen_now(node), wall: self.wall(node), epoch, asked: None, command };
        self.raft.pending.push_back(Proposal { id, node, life, term, entry });
        let latency_ms = match (self.now < self.raft.slow_until, self.chance.happens(50)) {
            (true, _) => self.chance.between(400, 2_500),
            (false, true) => self.chance.between(20, 400),
            (false, false) => self.chance.between(1, 4),
        };
        self.raft.committed_at = self.raft.committed_at.max(self.now + latency_ms);
        self.agenda.at(self.raft.committed_at, Event::Commit { proposal: id });
    }

    /// A majority has stored a proposal, if its leader still leads and is well. The order is the order of proposing.
    pub fn commit(&mut self, id: u64) {
        let Some(first) = self.raft.pending.front() else { return };
        if first.id > id {
            return;
        }
        let (node, life, term) = (first.node, first.life, first.term);
        let leads = self.raft.leader == Some(node) && term == self.raft.term && self.nodes[node].life == life;
        if !leads || !self.leader_is_well() {
            return self.agenda.at(self.now + WATCH_MS, Event::Commit { proposal: id });
        }
        while self.raft.pending.front().is_some_and(|p| p.id <= id) {
            let proposal = self.raft.pending.pop_front().expect("it is there");
            self.raft.log.push(Logged { entry: proposal.entry, proposal: proposal.id });
        }
        self.apply_all(node);
        for follower in self.connected().into_iter().filter(|n| *n != node) {
            let (at, life) = (self.now + self.chance.between(0, 8), self.nodes[follower].life);
            self.agenda.at(at, Event::Apply { node: follower, life });
        }
    }

    /// Who proposed an entry gets its reply when its own replica has applied it.
    pub fn reply_to_proposer(&mut self, node: usize, proposal: u64, reply: &Reply) {
        if self.raft.is_waited_for(proposal, node, self.nodes[node].life) {
            let (_, _, purpose) = self.raft.waiting.remove(&proposal).expect("it is there");
            self.answered(node, purpose, Some(reply.clone()));
        }
    }

    /// The proposer's patience is over: the outcome is unknown.
    pub fn give_up(&mut self, proposal: u64) {
        let Some((node, life, purpose)) = self.raft.waiting.remove(&proposal) else { return };
        if self.nodes[node].life == life && self.nodes[node].is_up {
            self.answered(node, purpose, None);
        } else if let Purpose::Order(order) = purpose {
            self.order_answered(order, None);
        }
    }
}
