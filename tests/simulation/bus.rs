//! Brokers and wires: letters are lost, doubled, delayed and reordered; brokers die and forget.
//!
//! A letter travels twice: to the broker, and from there to each subscriber on the connection that stood when it was sent on.

use std::collections::BTreeMap;
use std::rc::Rc;

use brigade::kitchen::Millis;
use brigade::protocol::{Leaf, Payload, Topic, encode};

use crate::agenda::Event;
use crate::run::Simulation;

/// One message on its way.
#[derive(Debug)]
pub struct Letter {
    pub topic: Topic,
    pub bytes: Vec<u8>,
}

impl Letter {
    /// A letter that says this.
    pub fn of<P: Payload>(topic: Topic, payload: &P) -> Rc<Self> {
        Rc::new(Self { topic, bytes: encode(payload) })
    }
}

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    Node(usize),
    Device(usize),
}

/// One broker.
#[derive(Default)]
pub struct Broker {
    pub is_down: bool,
    pub life: u32,
    retained: BTreeMap<Topic, Rc<Letter>>,
}

/// How bad the wires are at the moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// Lost letters in ten thousand.
    pub lost: u64,
    /// Doubled letters in ten thousand.
    pub doubled: u64,
    /// Letters that lie somewhere, in ten thousand.
    pub delayed: u64,
    /// … for so long at the most.
    pub delay_ms_max: Millis,
}

impl Simulation {
    /// Sends a letter to a broker.
    pub fn send(&mut self, from: Sender, broker: usize, letter: Rc<Letter>) {
        let reaches = match from {
            Sender::Node(node) => !self.nodes[node].cut_brokers[broker],
            Sender::Device(device) => !self.devices[device].is_cut && !self.devices[device].is_mute,
        };
        if !reaches || self.brokers[broker].is_down || self.chance.happens(self.weather.lost) {
            return;
        }
        let life = self.brokers[broker].life;
        for _ in 0..self.copies() {
            let at = self.now + self.delay_ms();
            self.agenda.at(at, Event::AtBroker { broker, life, letter: letter.clone() });
        }
    }

    fn copies(&mut self) -> u32 {
        if self.chance.happens(self.weather.doubled) { 2 } else { 1 }
    }

    fn delay_ms(&mut self) -> Millis {
        let usual = self.chance.between(0, 2);
        let lies = self.chance.happens(self.weather.delayed);
        if lies { usual + self.chance.between(0, self.weather.delay_ms_max) } else { usual }
    }

    /// A letter is at a broker: it is kept where that is asked for, and sent on to who is connected.
    pub fn at_broker(&mut self, broker: usize, life: u32, letter: Rc<Letter>) {
        if self.brokers[broker].is_down || self.brokers[broker].life != life {
            return;
        }
        if letter.topic.leaf().retain() {
            self.brokers[broker].retained.insert(letter.topic.clone(), letter.clone());
        }
        match letter.topic.clone() {
            Topic::Device(_, leaf) if Leaf::FROM_DEVICE.contains(&leaf) => self.on_to_nodes(broker, &letter),
            Topic::Device(id, _) => {
                let of_name = |device: &usize| self.devices[*device].id == id;
                let named: Vec<usize> = (0..self.devices.len()).filter(of_name).collect();
                named.into_iter().for_each(|device| self.on_to_device(broker, device, &letter, false));
            }
            Topic::All => self.on_to_devices(broker, &letter),
            Topic::Leader => {
                self.on_to_devices(broker, &letter);
                self.on_to_nodes(broker, &letter);
            }
        }
    }

    fn on_to_nodes(&mut self, broker: usize, letter: &Rc<Letter>) {
        for node in 0..self.nodes.len() {
            self.on_to_node(broker, node, letter, false);
        }
    }

    fn on_to_devices(&mut self, broker: usize, letter: &Rc<Letter>) {
        for device in 0..self.devices.len() {
            self.on_to_device(broker, device, letter, false);
        }
    }

    fn on_to_node(&mut self, broker: usize, node: usize, letter: &Rc<Letter>, retained: bool) {
        let Some(connection) = self.nodes[node].connections[broker] else { return };
        if self.nodes[node].cut_brokers[broker] || self.chance.happens(self.weather.lost) {
            return;
        }
        for _ in 0..self.copies() {
            let (at, letter) = (self.now + self.delay_ms(), letter.clone());
            self.agenda.at(at, Event::ToNode { node, broker, connection, letter, retained });
        }
    }

    fn on_to_device(&mut self, broker: usize, device: usize, letter: &Rc<Letter>, retained: bool) {
        let Some(connection) = self.devices[device].connection_to(broker) else { return };
        if self.devices[device].is_cut || self.chance.happens(self.weather.lost) {
            return;
        }
        for _ in 0..self.copies() {
            let (at, letter) = (self.now + self.delay_ms(), letter.clone());
            self.agenda.at(at, Event::ToDevice { device, connection, letter, retained });
        }
    }

    /// Who just subscribed gets what the broker has kept.
    pub fn give_retained(&mut self, broker: usize, to: Sender) {
        let kept: Vec<Rc<Letter>> = self.brokers[broker].retained.values().cloned().collect();
        for letter in kept {
            let from_device = Leaf::FROM_DEVICE.contains(&letter.topic.leaf());
            match to {
                Sender::Node(node) => self.on_to_node(broker, node, &letter, true),
                Sender::Device(device) if !from_device => self.on_to_device(broker, device, &letter, true),
                Sender::Device(_) => {}
            }
        }
    }

    /// A broker dies; what it had in memory is gone.
    pub fn kill_broker(&mut self, broker: usize) {
        self.brokers[broker].is_down = true;
        self.brokers[broker].life += 1;
        self.brokers[broker].retained.clear();
        for node in 0..self.nodes.len() {
            if let Some(connection) = self.nodes[node].connections[broker] {
                self.agenda.at(self.now + 1, Event::NodeLinkDies { node, broker, connection });
            }
        }
        for device in 0..self.devices.len() {
            if self.devices[device].connection_to(broker).is_some() {
                self.device_goes_on(device);
            }
        }
    }
}
