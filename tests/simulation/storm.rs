//! What breaks, how badly and for how long: drawn from the seed, so that some runs are calm and some are not.

use brigade::device::sim::Faults;
use brigade::kitchen::Millis;

use crate::agenda::Event;
use crate::bus::Weather;
use crate::run::{LINE, Simulation};

/// Something that is broken and will be mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A controller is dead.
    Dead(usize),
    /// A controller does not hear the others.
    NoPeers(usize),
    /// A controller and a broker do not hear each other.
    NoBroker(usize, usize),
    /// A broker is dead, and what it knew is gone.
    BrokerDead(usize),
    /// A device has no power.
    NoPower(usize),
    /// A device and its broker do not hear each other, and nobody tells them.
    Cut(usize),
    /// A device hears, and nobody hears it.
    Mute(usize),
    /// The emergency stop of a device is pressed.
    Stopped(usize),
    /// A device works badly.
    Bad(usize),
    /// Letters are lost, doubled, delayed and reordered.
    Weather,
}

/// How stormy a run is.
#[derive(Clone, Copy, Debug)]
pub struct Climate {
    /// Mean time between two faults, in milliseconds; 0 for none at all.
    pub every_ms: Millis,
    /// Which groups of faults there are: controllers, brokers, devices, wires, ambushes.
    pub groups: [bool; 5],
}

impl Climate {
    /// The climate of a run.
    pub fn drawn(sim: &mut Simulation) -> Self {
        let every_ms = [0, 60_000, 25_000, 10_000, 5_000][sim.chance.below(5)];
        let mut groups = [false; 5];
        groups.iter_mut().for_each(|g| *g = sim.chance.happens(7_000));
        Self { every_ms, groups }
    }
}

impl Simulation {
    /// The next fault.
    pub fn breaks(&mut self) {
        if self.is_healed || self.climate.every_ms == 0 {
            return;
        }
        let at = self.now + self.chance.between(self.climate.every_ms / 4, 2 * self.climate.every_ms);
        self.agenda.at(at, Event::Breaks);
        let groups: Vec<usize> = (0..5).filter(|g| self.climate.groups[*g]).collect();
        if groups.is_empty() {
            return;
        }
        match groups[self.chance.below(groups.len())] {
            0 => self.break_controller(),
            1 => self.break_broker(),
            2 => self.break_device(),
            3 => self.break_wires(),
            _ => self.lay_ambush(),
        }
    }

    pub fn mend_later(&mut self, fault: Fault, from_ms: Millis, to_ms: Millis) {
        let span_ms = self.chance.between(from_ms, to_ms);
        self.trace.note(|| format!("!! {fault:?} for {span_ms} ms"));
        self.agenda.at(self.now + span_ms, Event::Mended(fault));
    }

    fn break_controller(&mut self) {
        let node = match (self.raft.leader, self.chance.happens(6_000)) {
            (Some(leader), true) => leader,
            _ => self.chance.below(self.nodes.len()),
        };
        match self.chance.below(9) {
            0 | 1 => {
                let power_cut = self.chance.happens(3_000);
                self.seen.count(if self.raft.leader == Some(node) { "leaders killed" } else { "followers killed" });
                self.crash(node, power_cut);
                self.mend_later(Fault::Dead(node), 500, 20_000);
            }
            2 => {
                self.seen.count("all controllers killed");
                for node in 0..self.nodes.len() {
                    self.crash(node, true);
                    self.mend_later(Fault::Dead(node), 1_000, 15_000);
                }
            }
            3 | 4 => {
                let span_ms = self.chance.between(200, 40_000);
                self.nodes[node].paused_until = self.now + span_ms;
                self.seen.count("controllers frozen");
                self.trace.note(|| format!("!! Frozen({node}) for {span_ms} ms"));
            }
            5 => {
                self.nodes[node].stall_ms = self.chance.between(100, 60_000);
                self.seen.count("controllers frozen while sending");
            }
            6 | 7 => {
                self.cut_from_peers(node, 200, 30_000);
            }
            _ => {
                let shift_ms = self.chance.between(0, 7_200_000) as i64 - 3_600_000;
                self.nodes[node].wall_shift_ms = shift_ms;
                self.seen.count("clocks jumped");
            }
        }
    }

    fn break_broker(&mut self) {
        let broker = self.chance.below(self.brokers.len());
        if self.chance.happens(5_000) {
            self.kill_broker(broker);
            self.seen.count("brokers killed");
            return self.mend_later(Fault::BrokerDead(broker), 200, 20_000);
        }
        let node = self.chance.below(self.nodes.len());
        self.cut_from_broker(node, broker, 500, 30_000);
    }

    /// A controller hears no other one.
    pub fn cut_from_peers(&mut self, node: usize, from_ms: Millis, to_ms: Millis) {
        self.nodes[node].cut_from_peers = true;
        self.seen.count("controllers cut off");
        self.mend_later(Fault::NoPeers(node), from_ms, to_ms);
    }

    /// A controller and a broker do not hear each other, and learn of it after a while.
    pub fn cut_from_broker(&mut self, node: usize, broker: usize, from_ms: Millis, to_ms: Millis) {
        self.nodes[node].cut_brokers[broker] = true;
        self.seen.count("controllers cut off from a broker");
        if let Some(connection) = self.nodes[node].connections[broker] {
            self.agenda.at(self.now + 3_000, Event::NodeLinkDies { node, broker, connection });
        }
        self.mend_later(Fault::NoBroker(node, broker), from_ms, to_ms);
    }

    /// A device hears nobody, and nobody hears it.
    pub fn cut_off(&mut self, device: usize, from_ms: Millis, to_ms: Millis) {
        self.devices[device].is_cut = true;
        self.seen.count("devices cut off");
        self.mend_later(Fault::Cut(device), from_ms, to_ms);
    }

    /// A device stands still in what it does, until its watchdog ends that.
    pub fn hang(&mut self, device: usize) {
        self.devices[device].knobs.change(|f| f.stuck = true);
        self.mend_later(Fault::Bad(device), 20_000, 60_000);
    }

    fn break_device(&mut self) {
        let device = self.chance.below(LINE.len());
        match self.chance.below(10) {
            0 | 1 => {
                self.seen.count("devices without power");
                self.lose_power(device);
                self.mend_later(Fault::NoPower(device), 300, 60_000);
            }
            2 | 3 => {
                self.cut_off(device, 500, 60_000);
            }
            4 => self.press_stop(device),
            5 => self.plug_in_twin(),
            _ => {
                let faults = self.bad_habits();
                self.trace.note(|| format!("!! {} {faults:?}", self.devices[device].id));
                self.devices[device].knobs.change(|f| *f = Faults { estop: f.estop, ..faults });
                self.seen.count("devices with bad habits");
                self.mend_later(Fault::Bad(device), 1_000, 90_000);
            }
        }
    }

    pub fn lose_power(&mut self, device: usize) {
        self.say_will(device);
        self.power_off(device);
    }

    /// Its broker will notice in a while that its connection is gone.
    pub fn say_will(&mut self, device: usize) {
        let will = self.devices[device].connection.and_then(|c| self.wills.remove(&c));
        if let Some((broker, life, letter)) = will {
            let at = self.now + self.chance.between(1, 8_000);
            self.agenda.at(at, Event::Will { broker, life, letter });
        }
    }

    fn bad_habits(&mut self) -> Faults {
        let mut faults = Faults::default();
        match self.chance.below(8) {
            0 => faults.silent = true,
            1 => faults.slow_pct = self.chance.between(60, 300) as u32,
            2 => faults.stuck = true,
            3 => faults.refuse = true,
            4 => faults.fail = true,
            5 => faults.double_report = true,
            6 => faults.lost_reports = self.chance.between(1, 30) as u32,
            _ => (faults.wrong_verdict_pct, faults.unsure_pct) = (20, 30),
        }
        faults
    }

    fn break_wires(&mut self) {
        let delay_ms_max = [500, 5_000, 60_000][self.chance.below(3)];
        self.weather = Weather {
            lost: self.chance.between(0, 1_500),
            doubled: self.chance.between(0, 1_500),
            delayed: self.chance.between(0, 2_000),
            delay_ms_max,
        };
        self.seen.count("spells of bad wires");
        self.mend_later(Fault::Weather, 1_000, 60_000);
    }

    /// Something works again.
    pub fn mended(&mut self, fault: Fault) {
        self.trace.note(|| format!("!! {fault:?} is over"));
        match fault {
            Fault::Dead(node) => {
                self.restart(node);
                self.maybe_snapshot(node);
            }
            Fault::NoPeers(node) => {
                self.nodes[node].cut_from_peers = false;
                self.maybe_snapshot(node);
            }
            Fault::NoBroker(node, broker) => self.nodes[node].cut_brokers[broker] = false,
            Fault::BrokerDead(broker) => self.brokers[broker].is_down = false,
            Fault::NoPower(device) => self.power_up(device),
            Fault::Cut(device) => self.devices[device].is_cut = false,
            Fault::Mute(device) => self.devices[device].is_mute = false,
            Fault::Stopped(device) => self.reset_stop(device),
            Fault::Bad(device) => {
                self.devices[device].knobs.change(|f| *f = Faults { estop: f.estop, ..Faults::default() });
                self.wake_device(device, 1);
            }
            Fault::Weather => self.weather = Weather::default(),
        }
    }

    /// Who was away for long gets a snapshot instead of the log.
    fn maybe_snapshot(&mut self, node: usize) {
        if let Some(leader) = self.raft.leader.filter(|l| *l != node && self.chance.happens(5_000)) {
            self.install_snapshot(node, leader);
        }
    }

    /// Everything is mended, and nothing more breaks.
    pub fn heal(&mut self) {
        self.is_healed = true;
        self.ambush = None;
        self.trace.note(|| "!! everything heals".to_owned());
        for node in 0..self.nodes.len() {
            self.nodes[node].stall_ms = 0;
            self.nodes[node].paused_until = self.nodes[node].paused_until.min(self.now);
            self.mended(Fault::NoPeers(node));
            self.restart(node);
            for broker in 0..self.brokers.len() {
                self.mended(Fault::NoBroker(node, broker));
            }
        }
        (0..self.brokers.len()).for_each(|broker| self.mended(Fault::BrokerDead(broker)));
        for device in 0..self.devices.len() {
            for fault in [Fault::Cut(device), Fault::Mute(device), Fault::Stopped(device), Fault::Bad(device)] {
                self.mended(fault);
            }
        }
        (0..LINE.len()).for_each(|device| self.power_up(device));
        self.mended(Fault::Weather);
    }
}
