//! What a node hears, and what follows: intake, answers to heartbeats, verdicts on devices and on its own ears.

use brigade::kitchen::{Command, DeviceId, Life, Millis};
use brigade::leader::intake::{self, Meaning};
use brigade::leader::lease;
use brigade::leader::memory::Pulse;
use brigade::leader::monitor::{Hearing, devices_to_judge, judge_one};
use brigade::leader::witness::{Testimony, merged};
use brigade::protocol::{Heartbeat, LeaderState, Leaf, Topic, decode};

use crate::agenda::Event;
use crate::bus::{Letter, Sender};
use crate::raft::Purpose;
use crate::run::Simulation;

const TESTIMONY_MS: Millis = 1_000;

impl Simulation {
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

    fn answer_beat(&mut self, node: usize, broker: usize, device: &DeviceId, beat: &Heartbeat) {
        if !self.quorum_holds(node) {
            return self.seen.count("heartbeats not answered for want of a quorum");
        }
        let now = self.kitchen_now(node);
        let it = &mut self.nodes[node];
        let Some(tenure) = &mut it.tenure else { return };
        let answer = lease::answer(&it.kitchen, &mut tenure.memory, tenure.epoch, device, beat, now);
        if let Some(answer) = answer {
            self.check_margin(node);
            self.publish(node, Some(broker), Letter::of(Topic::Device(device.clone(), Leaf::Lease), &answer));
        }
    }

    /// What every proof by time counts on: who was replaced names nothing any more once the margin has passed.
    fn check_margin(&mut self, node: usize) {
        let Some((other, at)) = self.raft.charged.filter(|(other, _)| *other != node) else { return };
        let late_ms = self.now - at;
        if late_ms > self.nodes[node].kitchen.settings().election_max_ms {
            self.fail(format!(
                "node {} answers a heartbeat {late_ms} ms after node {} took charge",
                node + 1,
                other + 1
            ));
        }
    }

    pub fn monitor(&mut self, node: usize) {
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
                self.ambush_verdict(&device);
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
