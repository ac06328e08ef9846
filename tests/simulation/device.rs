//! One device: the product's `Session` and simulated `Machine`, driven with a clock of its own over wires that break.
//!
//! The machine lives in true time, as physics does; the session reads the device's clock.

use std::rc::Rc;

use brigade::device::sim::{Faults, Knobs, Machine, MachineOptions, Place, facts_of};
use brigade::device::{Device, Output, Session};
use brigade::kitchen::{DeviceId, DeviceKind, Lane, Millis};
use brigade::protocol::{Facts, Id, Message, Topic};

use crate::agenda::Event;
use crate::bus::{Letter, Sender};
use crate::clock::Clock;
use crate::run::Simulation;

/// How soon a sensor notices what another device did.
const SENSE_MS: Millis = 20;

/// How long a machine is left alone at the most.
const LOOK_MS: Millis = 1_000;

/// A device, with or without power.
pub struct SimDevice {
    pub id: DeviceId,
    pub facts: Facts,
    pub clock: Clock,
    pub knobs: Knobs,
    /// Machine and session, while it has power.
    pub life: Option<(Machine, Session)>,
    pub is_cut: bool,
    /// It hears, and nobody hears it.
    pub is_mute: bool,
    /// The broker that it uses, or will try next.
    pub broker: usize,
    pub connection: Option<u64>,
    pub token: u64,
    pub connect_token: u64,
    pub occupied: Vec<Lane>,
}

impl SimDevice {
    pub fn new(id: &str, kind: DeviceKind, stage: Option<&str>, lanes: u8, clock: Clock) -> Self {
        let id: DeviceId = id.parse().expect("an id");
        let stages = stage.map(|s| s.parse().expect("an id")).into_iter().collect();
        let facts = Facts { stages, ..facts_of(kind, (0..lanes).collect(), 100, 1_000) };
        let knobs = Knobs::new(Faults::default());
        Self {
            id,
            facts,
            clock,
            knobs,
            life: None,
            is_cut: false,
            is_mute: false,
            broker: 0,
            connection: None,
            token: 0,
            connect_token: 0,
            occupied: Vec::new(),
        }
    }

    /// Its connection, if it stands to this broker.
    pub fn connection_to(&self, broker: usize) -> Option<u64> {
        self.connection.filter(|_| self.broker == broker && self.life.is_some())
    }
}

impl Simulation {
    /// It has power, and a new boot. What lies on it lies on it still.
    pub fn power_up(&mut self, device: usize) {
        if self.devices[device].life.is_some() || self.pulled == Some(device) {
            return;
        }
        let (boot, seed) = (self.chance.any() | 1, self.chance.any());
        let it = &self.devices[device];
        let options =
            MachineOptions { id: it.id.clone(), facts: it.facts.clone(), boot, knobs: it.knobs.clone(), seed };
        let shown = it.clock.at(self.now);
        self.world.record().set_time(self.now);
        let mut machine = Machine::new(options, self.world.clone());
        let status = machine.status(self.now);
        let session = Session::new(shown, boot, self.devices[device].facts.clone(), status);
        self.devices[device].life = Some((machine, session));
        self.trace.note(|| format!("{} has power", self.devices[device].id));
        self.device_goes_on(device);
        self.wake_device(device, 1);
    }

    /// Its power is gone, and with it what it knew and its heat.
    pub fn power_off(&mut self, device: usize) {
        if self.devices[device].life.take().is_none() {
            return;
        }
        let id = Id::from(self.devices[device].id.clone());
        for lane in self.devices[device].facts.lanes.clone() {
            self.world.pass_time(self.now);
            self.world.cool(&Place::new(id.clone(), lane));
        }
        self.trace.note(|| format!("{} has no power", self.devices[device].id));
        self.devices[device].connection = None;
        // What it did before is on record first: it may have begun something in this moment.
        self.check_record();
        self.checks.device_died(device, &self.devices[device].id);
    }

    /// It drops its connection, and tries the next broker after a random wait.
    pub fn device_goes_on(&mut self, device: usize) {
        let wait_ms = self.chance.between(0, 1_000);
        let brokers = self.brokers.len();
        let it = &mut self.devices[device];
        if let Some((_, session)) = &mut it.life {
            session.disconnected();
        }
        it.connection = None;
        it.broker = (it.broker + 1) % brokers;
        it.connect_token += 1;
        let token = it.connect_token;
        self.agenda.at(self.now + wait_ms, Event::DeviceConnects { device, token });
    }

    /// It connects and subscribes, or fails and goes on.
    pub fn device_connects(&mut self, device: usize, token: u64) {
        if self.devices[device].connect_token != token || self.devices[device].connection.is_some() {
            return;
        }
        let broker = self.devices[device].broker;
        if self.devices[device].is_cut || self.brokers[broker].is_down {
            return self.device_goes_on(device);
        }
        self.throw_out_twin(device);
        self.links += 1;
        let (now, connection) = (self.now, self.links);
        let it = &mut self.devices[device];
        let shown = it.clock.at(now);
        let Some((_, session)) = &mut it.life else { return };
        let will = Message::from(session.next_will());
        let outputs = session.connected(shown);
        it.connection = Some(connection);
        let topic = Topic::Device(it.id.clone(), will.leaf());
        let (life, letter) = (self.brokers[broker].life, Rc::new(Letter { topic, bytes: will.encode() }));
        self.wills.insert(connection, (broker, life, letter));
        self.give_retained(broker, Sender::Device(device));
        self.carry_out(device, outputs);
    }

    /// A letter comes in.
    pub fn device_hears(&mut self, device: usize, connection: u64, letter: &Letter, retained: bool) {
        if self.devices[device].connection != Some(connection) || self.devices[device].is_cut {
            return;
        }
        let now = self.now;
        let it = &mut self.devices[device];
        let shown = it.clock.at(now);
        let Some((_, session)) = it.life.as_mut().filter(|_| !it.knobs.get().silent) else { return };
        let leaf = letter.topic.leaf();
        self.checks.device_hears(device, shown, leaf, retained, &letter.bytes);
        let outputs = session.receive_bytes(shown, leaf, retained, &letter.bytes);
        if let Err(why) = self.checks.refused_former(device, &self.devices[device].id, &outputs) {
            self.fail(why);
        }
        self.carry_out(device, outputs);
        self.wake_device(device, 0);
    }

    /// It looks at its machine and lets time pass.
    pub fn device_wakes(&mut self, device: usize, token: u64) {
        if self.devices[device].token != token {
            return;
        }
        let now = self.now;
        self.world.record().set_time(now);
        let it = &mut self.devices[device];
        let shown = it.clock.at(now);
        let Some((machine, session)) = &mut it.life else { return };
        let happenings = machine.poll(now);
        let status = machine.status(now);
        it.occupied = status.holds.iter().map(|h| h.lane).collect();
        let mut outputs = session.observe(shown, status, happenings);
        outputs.extend(session.tick(shown));
        self.carry_out(device, outputs);
        self.wake_sensors(device);
        let it = &self.devices[device];
        let Some((machine, session)) = &it.life else { return };
        let session_ms = session.next_deadline(shown).map(|at| it.clock.when(at).saturating_sub(now));
        let wait_ms = [session_ms, machine.next_change_ms(), Some(LOOK_MS)].into_iter().flatten().min();
        self.wake_device(device, wait_ms.unwrap_or(LOOK_MS).max(1));
    }

    /// It will be looked at in so many milliseconds.
    pub fn wake_device(&mut self, device: usize, in_ms: Millis) {
        self.devices[device].token += 1;
        let token = self.devices[device].token;
        self.agenda.at(self.now + in_ms, Event::DeviceWakes { device, token });
    }

    /// Other devices notice what changed on them.
    fn wake_sensors(&mut self, but_not: usize) {
        for device in 0..self.devices.len() {
            let it = &self.devices[device];
            let changed =
                device != but_not && it.life.is_some() && self.world.occupied(&Id::from(it.id.clone())) != it.occupied;
            if changed {
                let in_ms = self.chance.between(1, SENSE_MS);
                self.wake_device(device, in_ms);
            }
        }
    }

    fn carry_out(&mut self, device: usize, outputs: Vec<Output>) {
        for output in outputs {
            self.carry_out_one(device, output);
        }
        self.check_record();
    }

    fn carry_out_one(&mut self, device: usize, output: Output) {
        let now = self.now;
        self.world.record().set_time(now);
        let it = &mut self.devices[device];
        let shown = it.clock.at(now);
        let Some((machine, _)) = &mut it.life else { return };
        match output {
            Output::Publish(message) => self.device_says(device, shown, &message),
            Output::Start(task) => {
                if it.knobs.get().estop {
                    let id = it.id.clone();
                    self.fail(format!("{id} starts {}#{} under an emergency stop", task.attempt.id, task.attempt.att));
                }
                let it = &self.devices[device];
                if let Err(why) = self.checks.may_start(device, shown, &task, it.facts.orphan_ms) {
                    let id = it.id.clone();
                    self.fail(format!("{id} starts {}#{}: {why}", task.attempt.id, task.attempt.att));
                }
                if let Some((machine, _)) = &mut self.devices[device].life {
                    machine.start(now, &task);
                }
                self.ambush_start(device, &task);
                self.wake_device(device, 1);
            }
            Output::Stop(attempt) => machine.stop(now, &attempt),
            Output::Hold(is_held) => machine.hold(now, is_held),
            Output::Overdue(lane) => machine.on_overdue(now, lane),
            Output::Selftest => machine.selftest(now),
            Output::Brokers(_) => {}
            Output::NextBroker => {
                self.seen.count("devices moved to the next broker");
                self.device_goes_on(device);
            }
            Output::Notice(notice) => {
                machine.notice(now, &notice);
                self.seen.notice(&notice);
            }
        }
    }

    fn device_says(&mut self, device: usize, shown: Millis, message: &Message) {
        use brigade::device::runtime::Wire;
        let it = &mut self.devices[device];
        self.checks.device_says(device, shown, message);
        let copies = it.knobs.copies(message);
        let (id, broker, stands) = (it.id.clone(), it.broker, it.connection.is_some());
        if stands {
            let topic = Topic::Device(id, message.leaf());
            let letter = Rc::new(Letter { topic, bytes: message.encode() });
            self.ambush_report(broker, message, &letter);
            (0..copies).for_each(|_| self.send(Sender::Device(device), broker, letter.clone()));
        }
    }
}
