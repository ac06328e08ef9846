//! One replica: its kitchen and archive, its connections, and how it applies, dies and comes back.

use std::collections::BTreeMap;

use brigade::kitchen::rows::{self, InMemory};
use brigade::kitchen::{Applied, Command, DeviceId, Entry, Kitchen, Millis, Rules, invariants};
use brigade::leader::memory::Pulse;
use brigade::raft::{ReplicatedClock, Stamp};

use crate::agenda::Event;
use crate::clock::Clock;
use crate::raft::QUORUM_LEASE_MS;
use crate::run::Simulation;
use crate::tenure::Tenure;

/// Every so many entries the dear invariants are checked too: those that rebuild the kitchen from its rows.
const DEAR_EVERY: u64 = 97;

/// One replica.
pub struct Node {
    pub life: u32,
    pub is_up: bool,
    /// Frozen until then; 0 when it runs.
    pub paused_until: Millis,
    pub cut_from_peers: bool,
    pub cut_brokers: Vec<bool>,
    pub clock: Clock,
    pub wall_shift_ms: i64,
    /// The rules that its program knows; a restart may bring a newer one.
    pub knows: Rules,
    pub kitchen: Kitchen,
    pub shelf: InMemory,
    pub applied: u64,
    /// An older state of the disk: what a power cut can leave.
    pub saved: (Kitchen, InMemory, u64),
    pub kitchen_clock: ReplicatedClock,
    pub is_measured: bool,
    pub log_at_start: u64,
    /// The term in which it believes that it leads.
    pub leading_term: Option<u64>,
    pub acked_at: Millis,
    pub connections: Vec<Option<u64>>,
    pub subscribed_at: Vec<Option<Millis>>,
    pub witness: BTreeMap<DeviceId, Pulse>,
    pub tenure: Option<Tenure>,
    pub is_trying: bool,
    pub deadline_token: u64,
    /// The next letters leave this much later, and the process stands still meanwhile: it slept between deciding and sending.
    pub stall_ms: Millis,
}

impl Node {
    pub fn new(brokers: usize, clock: Clock) -> Self {
        Self {
            life: 0,
            is_up: true,
            paused_until: 0,
            cut_from_peers: false,
            cut_brokers: vec![false; brokers],
            clock,
            wall_shift_ms: 0,
            knows: Rules::FIRST,
            kitchen: Kitchen::default(),
            shelf: InMemory::default(),
            applied: 0,
            saved: Default::default(),
            kitchen_clock: ReplicatedClock::at_start(0, clock.at(0)),
            is_measured: false,
            log_at_start: 0,
            leading_term: None,
            acked_at: 0,
            connections: vec![None; brokers],
            subscribed_at: vec![None; brokers],
            witness: BTreeMap::new(),
            tenure: None,
            is_trying: false,
            deadline_token: 0,
            stall_ms: 0,
        }
    }

    /// True when it hears other replicas, and they hear it.
    pub fn hears_peers(&self, now: Millis) -> bool {
        self.is_up && !self.cut_from_peers && self.paused_until <= now
    }

    pub fn is_serving_or_trying(&self) -> bool {
        self.tenure.is_some() || self.is_trying
    }

    /// The latest grant of a subscription, as `Links::subscribed_at`.
    pub fn subscribed_at(&self) -> Option<Millis> {
        self.subscribed_at.iter().flatten().max().copied()
    }
}

impl Simulation {
    /// As `lease::QuorumLease::holds`.
    pub fn quorum_holds(&self, node: usize) -> bool {
        let it = &self.nodes[node];
        let is_fresh = self.now.saturating_sub(it.acked_at) <= QUORUM_LEASE_MS;
        it.leading_term.is_some() && (is_fresh || brigade::defect::is("quorum-lease-ignored"))
    }

    /// Applies all that is committed.
    pub fn apply_all(&mut self, node: usize) {
        while self.nodes[node].is_up && self.nodes[node].applied < self.raft.log.len() as u64 {
            self.apply_next(node);
        }
    }

    fn apply_next(&mut self, node: usize) {
        let (now, mono) = (self.now, self.mono(node));
        let it = &mut self.nodes[node];
        let logged = &self.raft.log[it.applied as usize];
        it.applied += 1;
        let index = it.applied;
        let applied = it.kitchen.apply(index, &logged.entry, &it.shelf);
        rows::write(&mut it.shelf, &applied.archive);
        it.is_measured |= index > it.log_at_start && measures_time(&logged.entry);
        let proposal = logged.proposal;
        let stamp = match logged.entry.command {
            _ if self.raft.is_waited_for(proposal, node, it.life) => Stamp::Own,
            Command::TakeCharge { .. } => Stamp::NewCharge,
            _ => Stamp::Other,
        };
        it.kitchen_clock.after_apply(it.kitchen.now(), it.is_measured, stamp, mono);
        let brief = || format!("{:?}", logged.entry.command);
        if self.checks.digests.len() < index as usize {
            self.trace.note_at(now, || format!("#{index} {}", shorten(&brief())));
            applied.events.iter().for_each(|e| self.trace.note_at(now, || format!("    {e:?}")));
        }
        self.check_applied(node, index, &applied);
        self.reply_to_proposer(node, proposal, &applied.reply);
        self.after_apply(node);
    }

    /// The invariants hold, and every replica did the same at this index.
    fn check_applied(&mut self, node: usize, index: u64, applied: &Applied) {
        let digest = crate::checks::digest(applied, &self.nodes[node].kitchen.first_row());
        let known = self.checks.digests.get(index as usize - 1).copied();
        match known {
            None => {
                self.checks.digests.push(digest);
                self.check_invariants(node, index);
                if let Err(why) = self.checks.note_events(&applied.events) {
                    self.fail(why);
                }
            }
            Some(known) if known != digest => self.fail(format!("replicas differ at index {index}")),
            Some(_) => {}
        }
    }

    fn check_invariants(&mut self, node: usize, index: u64) {
        let kitchen = &self.nodes[node].kitchen;
        let due = |name: &str| name != invariants::DEAR || index.is_multiple_of(DEAR_EVERY);
        let broken = invariants::ALL
            .iter()
            .filter(|(name, _)| due(name))
            .find_map(|(name, holds)| holds(kitchen).err().map(|why| format!("{name}: {why}")));
        if let Some(broken) = broken {
            self.fail(broken);
        }
    }

    /// Wakes who waits for the applied index.
    fn after_apply(&mut self, node: usize) {
        let epoch = self.nodes[node].kitchen.epoch();
        let Some(tenure) = &self.nodes[node].tenure else { return };
        if tenure.epoch != epoch {
            return self.end_tenure(node, "another node is in charge");
        }
        self.dispatch(node);
        self.plan_deadlines(node);
    }

    /// SIGKILL, or a power cut that also takes what the disk had not yet got of the state (the log has it).
    pub fn crash(&mut self, node: usize, power_cut: bool) {
        let it = &mut self.nodes[node];
        if !it.is_up {
            return;
        }
        it.is_up = false;
        it.life += 1;
        it.paused_until = 0;
        (it.tenure, it.is_trying, it.leading_term) = (None, false, None);
        it.witness.clear();
        it.connections.fill(None);
        it.subscribed_at.fill(None);
        it.stall_ms = 0;
        if power_cut {
            (it.kitchen, it.shelf, it.applied) = it.saved.clone();
        }
    }

    /// The process is started again: it loads its rows, and knows no more than they say.
    pub fn restart(&mut self, node: usize) {
        let (mono, log) = (self.mono(node), self.raft.log.len() as u64);
        let it = &mut self.nodes[node];
        if it.is_up {
            return;
        }
        let loaded = Kitchen::from_rows(it.kitchen.rows());
        it.is_up = true;
        it.knows = Rules::NEWEST;
        it.log_at_start = log;
        it.is_measured = false;
        match loaded {
            Ok(kitchen) => it.kitchen = kitchen,
            Err(bad) => return self.fail(bad.to_string()),
        }
        it.kitchen_clock = ReplicatedClock::at_start(it.kitchen.now(), mono);
        let life = it.life;
        for broker in 0..self.brokers.len() {
            let at = self.now + self.chance.between(10, 100);
            self.agenda.at(at, Event::NodeConnects { node, life, broker });
        }
    }

    /// A snapshot of another replica takes the place of all that this one has.
    pub fn install_snapshot(&mut self, node: usize, from: usize) {
        let (rows, shelf, applied) =
            (self.nodes[from].kitchen.rows(), self.nodes[from].shelf.clone(), self.nodes[from].applied);
        if self.nodes[node].applied >= applied || self.nodes[node].tenure.is_some() {
            return;
        }
        match Kitchen::from_rows(rows) {
            Ok(kitchen) => {
                let mono = self.mono(node);
                let it = &mut self.nodes[node];
                (it.kitchen, it.shelf, it.applied) = (kitchen, shelf, applied);
                it.kitchen_clock.after_apply(it.kitchen.now(), false, Stamp::NewCharge, mono);
                self.seen.count("snapshots installed");
            }
            Err(bad) => self.fail(bad.to_string()),
        }
    }

    /// What the disk holds now, should the power be cut later.
    pub fn save(&mut self, node: usize) {
        let it = &mut self.nodes[node];
        it.saved = (it.kitchen.clone(), it.shelf.clone(), it.applied);
    }
}

/// As `raft::state_machine` has it.
fn measures_time(entry: &Entry) -> bool {
    entry.epoch.is_some() || matches!(entry.command, Command::TakeCharge { .. })
}

fn shorten(text: &str) -> String {
    text.chars().take(400).collect()
}
