//! A node in charge, by the program's own deciders: how its tenure begins, looks around, ends and hands over.
//! What `leader::serve` does with tasks and awaits is done here, and in `ears`, `voice` and `deadlines`, with events.

use std::collections::BTreeSet;

use brigade::kitchen::{Command, DeviceId, Epoch, Millis, Reply};
use brigade::leader::memory::Memory;
use brigade::leader::monitor::Ears;
use brigade::leader::rules;
use brigade::leader::witness::Testimony;
use brigade::protocol::LeaderState;

use crate::agenda::Event;
use crate::raft::Purpose;
use crate::run::Simulation;

const TICK_MS: Millis = 200;

/// What a node in charge remembers, as `leader::Tenure` does.
pub struct Tenure {
    pub number: u64,
    pub epoch: Epoch,
    pub since_ms: Millis,
    pub memory: Memory,
    pub ears: Ears,
    pub testimonies: (Millis, Vec<Testimony>),
    pub judging: BTreeSet<DeviceId>,
    pub deadlines_proposed: bool,
    pub last_deadline: Option<Millis>,
    pub repeats: u32,
}

impl Simulation {
    /// A node that leads puts itself in charge through the log.
    pub fn try_to_take_charge(&mut self, node: usize) {
        let gap_measured = self.nodes[node].is_measured;
        self.nodes[node].is_trying = true;
        let command =
            Command::TakeCharge { node: node as u64 + 1, incarnation: 1, gap_measured, kitchen: String::new() };
        self.propose(node, command, None, Purpose::Charge);
    }

    /// The answer to what a node proposed; None: unknown.
    pub fn answered(&mut self, node: usize, purpose: Purpose, reply: Option<Reply>) {
        match (purpose, reply) {
            (Purpose::Charge, reply) => self.charge_answered(node, reply),
            (Purpose::Order(order), reply) => self.order_answered(order, reply),
            (Purpose::Report(_), None) => self.end_tenure(node, "its entries no longer go through"),
            (Purpose::Report(command), Some(Reply::Refused(_))) => {
                if let Some(tenure) = &mut self.nodes[node].tenure {
                    tenure.memory.refuse(command);
                }
            }
            (Purpose::Judgement(device), reply) => {
                if let Some(tenure) = &mut self.nodes[node].tenure {
                    tenure.judging.remove(&device);
                    if reply.is_some() {
                        tenure.memory.unsettled.remove(&device);
                    }
                }
            }
            (Purpose::Deadlines, None) => self.end_tenure(node, "its entries no longer go through"),
            (Purpose::Deadlines, Some(_)) => {
                self.deadlines_met(node);
            }
            (Purpose::Report(_), Some(_)) | (Purpose::Other, _) => {}
        }
    }

    fn charge_answered(&mut self, node: usize, reply: Option<Reply>) {
        self.nodes[node].is_trying = false;
        let Some(Reply::InCharge { epoch }) = reply else { return };
        if self.nodes[node].kitchen.epoch() != epoch {
            return;
        }
        self.tenures += 1;
        self.raft.charged = Some((node, self.now));
        let memory = Memory { pulses: self.nodes[node].witness.clone(), ..Memory::default() };
        let (number, since_ms) = (self.tenures, self.mono(node));
        let (ears, testimonies) = (Ears::default(), (0, Vec::new()));
        let judging = Default::default();
        let (deadlines_proposed, last_deadline, repeats) = (false, None, 0);
        let tenure = Tenure {
            number,
            epoch,
            since_ms,
            memory,
            ears,
            testimonies,
            judging,
            deadlines_proposed,
            last_deadline,
            repeats,
        };
        self.nodes[node].tenure = Some(tenure);
        self.trace.note(|| format!("node {} is in charge: epoch {epoch}", node + 1));
        self.seen.count("tenures");
        self.announce(node, LeaderState::Up);
        let life = self.nodes[node].life;
        self.agenda.at(self.now, Event::Tick { node, life, tenure: number });
        self.agenda.at(self.now, Event::AskBackend { node, life, tenure: number });
        self.dispatch(node);
        self.plan_deadlines(node);
    }

    /// A tenure ends: its connections end with it, and what it remembered is forgotten.
    pub fn end_tenure(&mut self, node: usize, why: &str) {
        self.nodes[node].is_trying = false;
        if self.nodes[node].tenure.take().is_none() {
            return;
        }
        self.trace.note(|| format!("the tenure of node {} ends: {why}", node + 1));
        let life = self.nodes[node].life;
        for broker in 0..self.brokers.len() {
            self.nodes[node].connections[broker] = None;
            self.nodes[node].subscribed_at[broker] = None;
            let at = self.now + self.chance.between(5, 100);
            self.agenda.at(at, Event::NodeConnects { node, life, broker });
        }
    }

    /// It lets another node lead.
    pub fn hand_over(&mut self, node: usize, why: &str) {
        self.announce(node, LeaderState::Down);
        self.end_tenure(node, why);
        if self.raft.leader == Some(node) && self.nodes[node].hears_peers(self.now) {
            self.nodes[node].leading_term = None;
            self.seen.count("hand-overs");
            self.elect(Some(node));
        }
    }

    /// The tenure's regular look around: dispatch and monitor.
    pub fn tick(&mut self, node: usize, number: u64) {
        if self.nodes[node].tenure.as_ref().is_none_or(|t| t.number != number) {
            return;
        }
        let life = self.nodes[node].life;
        self.agenda.at(self.now + TICK_MS, Event::Tick { node, life, tenure: number });
        self.dispatch(node);
        self.monitor(node);
        self.raise_rules(node);
    }

    /// Every member says which rules its program knows.
    fn raise_rules(&mut self, node: usize) {
        let heard = self.nodes.iter().zip(1u64..).map(|(it, id)| (id, it.knows)).collect();
        let (it, members) = (&self.nodes[node], 1..=self.nodes.len() as u64);
        let epoch = it.tenure.as_ref().map(|t| t.epoch);
        if let Some(to) = rules::due(it.kitchen.rules(), members, &heard) {
            self.seen.count("rules raised");
            self.propose(node, Command::RaiseRules { to }, epoch, Purpose::Other);
        }
    }
}
