//! A node in charge, by the program's own deciders: `intake::read`, `lease::answer`, `dispatch::due`, `monitor::judge_one`, `Ears`.
//! What `leader::serve` does with tasks and awaits is done here with events.

use std::rc::Rc;

use brigade::kitchen::{Command, Life, Millis, Reply};
use brigade::leader::dispatch::{self, Outgoing};
use brigade::leader::intake::{self, Meaning};
use brigade::leader::lease;
use brigade::leader::memory::{Memory, Pulse};
use brigade::leader::monitor::{Ears, Hearing, devices_to_judge, judge_one};
use brigade::leader::witness::{Testimony, merged};
use brigade::protocol::{Heartbeat, Leader, LeaderState, Leaf, Payload, Topic, decode, encode};

use crate::agenda::Event;
use crate::bus::{Letter, Sender};
use crate::node::Tenure;
use crate::raft::Purpose;
use crate::run::Simulation;

const TICK_MS: Millis = 200;
const TESTIMONY_MS: Millis = 1_000;
const DEADLINE_PAUSE_MS: Millis = 100;

/// A deadline that is due after so many entries that said so will never be met.
const DEADLINE_REPEATS_MAX: u32 = 50;

const LINK_MS: Millis = 3_000;

fn letter<P: Payload>(topic: Topic, payload: &P) -> Rc<Letter> {
    Rc::new(Letter { topic, bytes: encode(payload) })
}

impl Simulation {
    /// A node that leads puts itself in charge through the log.
    pub fn try_to_take_charge(&mut self, node: usize) {
        let gap_measured = self.nodes[node].is_measured;
        self.nodes[node].is_trying = true;
        let command = Command::TakeCharge { node: node as u64 + 1, incarnation: 1, gap_measured };
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

    fn announce(&mut self, node: usize, st: LeaderState) {
        let Some(tenure) = &self.nodes[node].tenure else { return };
        let brokers = (1..=self.brokers.len()).map(|n| format!("mqtt://broker{n}")).collect();
        let said = Leader { epoch: tenure.epoch, node: node as u64 + 1, st, brokers };
        self.publish(node, None, letter(Topic::Leader, &said));
    }

    /// Publishes on one link, or on all.
    fn publish(&mut self, node: usize, link: Option<usize>, letter: Rc<Letter>) -> bool {
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

    /// A letter comes in. Who is not in charge hears hearts and nothing else.
    pub fn node_hears(&mut self, node: usize, broker: usize, letter: &Letter, retained: bool) {
        let mono = self.mono(node);
        let it = &mut self.nodes[node];
        let Some(tenure) = &mut it.tenure else {
            if let (Topic::Device(device, Leaf::Hb), false) = (&letter.topic, retained)
                && let Ok(beat) = decode::<Heartbeat>(&letter.bytes)
            {
                it.witness.insert(device.clone(), Pulse::of(&beat, broker, mono));
            }
            return;
        };
        let meaning =
            intake::read(&it.kitchen, &mut tenure.memory, broker, &letter.topic, &letter.bytes, retained, mono);
        let epoch = tenure.epoch;
        match meaning {
            Err(error) => self.fail(format!("a payload of our own was refused: {error}")),
            Ok(Meaning::Nothing) => {}
            Ok(Meaning::Beat(device, beat)) => {
                self.nodes[node].witness.insert(device.clone(), Pulse::of(&beat, broker, mono));
                self.answer_beat(node, broker, &device, &beat);
            }
            Ok(Meaning::Record(command)) => {
                self.propose(node, command.clone(), Some(epoch), Purpose::Report(command));
            }
            Ok(Meaning::Leader(said)) => {
                if intake::is_to_be_contradicted(&said, epoch) && self.quorum_holds(node) {
                    self.announce(node, LeaderState::Up);
                }
            }
        }
    }

    fn answer_beat(&mut self, node: usize, broker: usize, device: &brigade::kitchen::DeviceId, beat: &Heartbeat) {
        if !self.quorum_holds(node) {
            return self.seen.count("heartbeats not answered for want of a quorum");
        }
        let now = self.kitchen_now(node);
        let it = &mut self.nodes[node];
        let Some(tenure) = &mut it.tenure else { return };
        let answer = lease::answer(&it.kitchen, &mut tenure.memory, tenure.epoch, device, beat, now);
        if let Some(answer) = answer {
            self.publish(node, Some(broker), letter(Topic::Device(device.clone(), Leaf::Lease), &answer));
        }
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
            self.publish(node, None, letter(Topic::All, &zone));
        }
        for (out, link) in outgoing.into_iter().zip(links) {
            let topic = Topic::Device(out.device.clone(), Leaf::Cmd);
            if !self.publish(node, link, letter(topic, &out.cmd))
                && let Some(tenure) = &mut self.nodes[node].tenure
            {
                tenure.memory.sent.remove(&out.cmd.id);
                tenure.memory.asked.remove(&out.device);
            }
        }
        self.nodes[node].stall_ms = 0;
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
    }

    fn monitor(&mut self, node: usize) {
        let mono = self.mono(node);
        let asked_at = self.nodes[node].tenure.as_ref().map_or(0, |t| t.testimonies.0);
        let asks = asked_at + TESTIMONY_MS <= mono;
        let testimonies = if asks { Some(self.testimonies(node)) } else { None };
        let subscribed_at = self.nodes[node].subscribed_at();
        let it = &mut self.nodes[node];
        let Some(tenure) = &mut it.tenure else { return };
        if let Some(testimonies) = testimonies {
            tenure.testimonies = (mono, testimonies);
        }
        let others = merged(&tenure.testimonies.1, tenure.testimonies.0);
        let hearing = Hearing { mono, in_charge_since: tenure.since_ms, subscribed_at, others };
        let devices = devices_to_judge(&it.kitchen, &mut tenure.memory, &hearing);
        let mut verdicts = Vec::new();
        for device in devices {
            if !tenure.judging.contains(&device)
                && let Some((life, named)) = judge_one(&it.kitchen, &mut tenure.memory, &hearing, &device)
            {
                tenure.judging.insert(device.clone());
                verdicts.push((device, life, named));
            }
        }
        let epoch = tenure.epoch;
        let impaired = tenure.ears.judge(&it.kitchen, &tenure.memory, &hearing, &tenure.testimonies.1);
        for (device, life, named) in verdicts {
            if life == Life::Lost {
                self.seen.count("devices lost");
            }
            let command = Command::JudgeDevice { device: device.clone(), life, named };
            self.propose(node, command, Some(epoch), Purpose::Judgement(device));
        }
        if let Some(impaired) = impaired {
            self.seen.count("tenures ended deaf");
            self.hand_over(node, &format!("{impaired:?}"));
        }
    }

    /// What the other replicas have heard, of those that answer.
    fn testimonies(&self, node: usize) -> Vec<Testimony> {
        if !self.nodes[node].hears_peers(self.now) {
            return Vec::new();
        }
        let others = (0..self.nodes.len()).filter(|n| *n != node && self.nodes[*n].hears_peers(self.now));
        others
            .map(|n| {
                let (it, mono) = (&self.nodes[n], self.mono(n));
                let ages = it.witness.iter().map(|(id, p)| (id.clone(), mono.saturating_sub(p.heard_ms)));
                Testimony { listening: it.subscribed_at().is_some(), ages_ms: ages.collect(), ..Testimony::default() }
            })
            .collect()
    }

    /// Proposes `DeadlinesDue` when a deadline has passed, and looks again when the next one will.
    pub fn plan_deadlines(&mut self, node: usize) {
        let now = self.kitchen_now(node);
        let it = &mut self.nodes[node];
        let Some(tenure) = &mut it.tenure else { return };
        if tenure.deadlines_proposed {
            return;
        }
        let wait_ms = it.kitchen.next_deadline().map_or(1_000, |at| at.saturating_sub(now)).min(1_000);
        it.deadline_token += 1;
        let (life, token) = (it.life, it.deadline_token);
        self.agenda.at(self.now + wait_ms.max(1), Event::Deadline { node, life, token });
    }

    /// A deadline may be due.
    pub fn deadline(&mut self, node: usize, token: u64) {
        let now = self.kitchen_now(node);
        let it = &mut self.nodes[node];
        let Some(tenure) = it.tenure.as_mut().filter(|_| it.deadline_token == token) else { return };
        let next = it.kitchen.next_deadline();
        if next.is_none_or(|at| at > now) {
            return self.plan_deadlines(node);
        }
        tenure.deadlines_proposed = true;
        tenure.repeats = if tenure.last_deadline == next { tenure.repeats + 1 } else { 0 };
        tenure.last_deadline = next;
        let (epoch, repeats) = (tenure.epoch, tenure.repeats);
        if repeats > DEADLINE_REPEATS_MAX {
            return self.fail(format!("a deadline stays due: {next:?}"));
        }
        self.propose(node, Command::DeadlinesDue, Some(epoch), Purpose::Deadlines);
    }

    fn deadlines_met(&mut self, node: usize) {
        let it = &mut self.nodes[node];
        let Some(tenure) = &mut it.tenure else { return };
        tenure.deadlines_proposed = false;
        if it.kitchen.next_deadline() != tenure.last_deadline {
            return self.plan_deadlines(node);
        }
        it.deadline_token += 1;
        let (life, token) = (it.life, it.deadline_token);
        self.agenda.at(self.now + DEADLINE_PAUSE_MS, Event::Deadline { node, life, token });
    }

    /// A node's connection to a broker stands, with a subscription.
    pub fn node_connects(&mut self, node: usize, broker: usize) {
        let life = self.nodes[node].life;
        if self.nodes[node].connections[broker].is_some() {
            return;
        }
        if self.brokers[broker].is_down || self.nodes[node].cut_brokers[broker] {
            let at = self.now + self.chance.between(200, 500);
            return self.agenda.at(at, Event::NodeConnects { node, life, broker });
        }
        self.links += 1;
        self.nodes[node].connections[broker] = Some(self.links);
        self.nodes[node].subscribed_at[broker] = Some(self.mono(node).max(1));
        self.give_retained(broker, Sender::Node(node));
        self.announce(node, LeaderState::Up);
    }

    /// A node finds its connection dead.
    pub fn node_link_dies(&mut self, node: usize, broker: usize, connection: u64) {
        if self.nodes[node].connections[broker] == Some(connection) {
            self.nodes[node].connections[broker] = None;
            self.nodes[node].subscribed_at[broker] = None;
            let (at, life) = (self.now + self.chance.between(20, 500), self.nodes[node].life);
            self.agenda.at(at, Event::NodeConnects { node, life, broker });
        }
    }
}
