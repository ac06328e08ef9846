//! What a node in charge says: who is in charge, and what `dispatch::due` picks.

use std::rc::Rc;

use brigade::kitchen::Millis;
use brigade::leader::dispatch::{self, Outgoing};
use brigade::protocol::{Leader, LeaderState, Leaf, Op, Topic};

use crate::agenda::Event;
use crate::bus::{Letter, Sender};
use crate::run::Simulation;

/// As `leader::serve::link_of` has it.
const LINK_MS: Millis = 3_000;

impl Simulation {
    pub fn announce(&mut self, node: usize, st: LeaderState) {
        let Some(tenure) = &self.nodes[node].tenure else { return };
        let brokers = (1..=self.brokers.len()).map(|n| format!("mqtt://broker{n}")).collect();
        let said = Leader { epoch: tenure.epoch, node: node as u64 + 1, st, brokers };
        self.publish(node, None, Letter::of(Topic::Leader, &said));
    }

    /// Publishes on one link, or on all.
    pub fn publish(&mut self, node: usize, link: Option<usize>, letter: Rc<Letter>) -> bool {
        let known = link.filter(|l| self.nodes[node].subscribed_at[*l].is_some());
        let links: Vec<usize> = match known {
            Some(link) => vec![link],
            None => (0..self.brokers.len()).filter(|l| self.nodes[node].subscribed_at[*l].is_some()).collect(),
        };
        for link in &links {
            self.send_or_stall(node, *link, letter.clone());
        }
        !links.is_empty()
    }

    /// A process can be stopped between deciding and sending; what it decided leaves when it wakes.
    fn send_or_stall(&mut self, node: usize, broker: usize, letter: Rc<Letter>) {
        let stall_ms = self.nodes[node].stall_ms;
        if stall_ms == 0 {
            return self.send(Sender::Node(node), broker, letter);
        }
        let life = self.brokers[broker].life;
        self.nodes[node].paused_until = self.now + stall_ms;
        self.seen.count("letters sent late");
        self.agenda.at(self.now + stall_ms, Event::AtBroker { broker, life, letter });
    }

    /// Sends what is due.
    pub fn dispatch(&mut self, node: usize) {
        if !self.quorum_holds(node) || self.nodes[node].subscribed_at().is_none() {
            return;
        }
        let (now, mono) = (self.kitchen_now(node), self.mono(node));
        let it = &mut self.nodes[node];
        let Some(tenure) = &mut it.tenure else { return };
        let (kitchen, memory, epoch) = (&it.kitchen, &mut tenure.memory, tenure.epoch);
        let zones = dispatch::zones_due(kitchen, memory, epoch);
        let outgoing = dispatch::due(kitchen, memory, epoch, now, mono);
        memory.forget_except(|id| kitchen.is_open(id));
        let heard = |o: &Outgoing| {
            memory.pulses.get(&o.device).filter(|p| p.heard_ms + LINK_MS > mono && !p.will_arrived).map(|p| p.link)
        };
        let links: Vec<Option<usize>> = outgoing.iter().map(heard).collect();
        for zone in zones {
            self.publish(node, None, Letter::of(Topic::All, &zone));
        }
        for (out, link) in outgoing.into_iter().zip(links) {
            if matches!(out.cmd.op, Op::TaskStart(_)) {
                self.ambush_instruction(&out.device);
            }
            let topic = Topic::Device(out.device.clone(), Leaf::Cmd);
            if !self.publish(node, link, Letter::of(topic, &out.cmd))
                && let Some(tenure) = &mut self.nodes[node].tenure
            {
                tenure.memory.sent.remove(&out.cmd.id);
                tenure.memory.asked.remove(&out.device);
            }
        }
        self.nodes[node].stall_ms = 0;
    }
}
