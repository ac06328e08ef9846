//! Faults that wait for their moment: what a device does, or is about to do, decides when and whom they meet.
//!
//! A fault that comes at any time meets the few milliseconds that matter once in thousands of seeds. Each of these is laid for
//! something that a proof rests on, and springs as soon as somebody comes by.

use std::rc::Rc;

use brigade::kitchen::DeviceId;
use brigade::protocol::{Action, Message, TaskStart};

use crate::agenda::Event;
use crate::bus::Letter;
use crate::run::Simulation;
use crate::storm::Fault;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ambush {
    /// A device starts something: it loses its connection or its power, and may hang until its watchdog ends it.
    Start,
    /// The same, for what takes a pizza from one place to another, or away.
    Transfer,
    /// A device is given work: nobody hears it any more, though it hears, until it is judged lost.
    Instruction,
    /// A device tells how its work stands: the same comes a second time, when it stands otherwise.
    Report,
    /// This device is judged lost: it is heard again while that verdict is on its way through the log.
    Verdict(usize),
}

/// How long disks are slow where a verdict is waited for, in milliseconds: some heartbeats come in meanwhile.
const SLOW_MS: u64 = 500;

impl Simulation {
    /// Lays an ambush in place of the last one.
    pub fn lay_ambush(&mut self) {
        let kinds = [Ambush::Start, Ambush::Transfer, Ambush::Instruction, Ambush::Report];
        self.ambush = Some(kinds[self.chance.below(kinds.len())]);
        self.trace.note(|| format!("!! {:?} is waited for", self.ambush));
    }

    fn springs(&mut self, what: &str) {
        self.trace.note(|| format!("!! {:?} has come", self.ambush));
        self.seen.count(what);
        self.ambush = None;
    }

    /// A device starts something.
    pub fn ambush_start(&mut self, device: usize, task: &TaskStart) {
        let is_transfer = matches!(task.act.known(), Some(Action::Load | Action::Unload | Action::Discard));
        match self.ambush {
            Some(Ambush::Start) => self.springs("ambushes at a start"),
            Some(Ambush::Transfer) if is_transfer => self.springs("ambushes at a transfer"),
            Some(Ambush::Transfer | Ambush::Instruction | Ambush::Report | Ambush::Verdict(_)) | None => return,
        }
        match self.chance.below(5) {
            0 => {
                self.lose_power(device);
                self.mend_later(Fault::NoPower(device), 2_000, 40_000);
            }
            1 | 2 => self.hang(device),
            _ => {}
        }
        self.cut_off(device, 2_000, 40_000);
    }

    /// A node sends work to a device.
    pub fn ambush_instruction(&mut self, id: &DeviceId) {
        let device = self.devices.iter().position(|d| d.id == *id);
        let Some(device) = device.filter(|_| self.ambush == Some(Ambush::Instruction)) else { return };
        self.springs("ambushes at an instruction");
        self.devices[device].is_mute = true;
        self.mend_later(Fault::Mute(device), 10_000, 30_000);
        self.ambush = Some(Ambush::Verdict(device));
    }

    /// A device says something to a broker.
    pub fn ambush_report(&mut self, broker: usize, message: &Message, letter: &Rc<Letter>) {
        let is_at_work = matches!(message, Message::State(state) if !state.tasks.is_empty());
        if is_at_work && self.ambush == Some(Ambush::Report) {
            self.springs("ambushes at a report");
            let (at, life) = (self.now + self.chance.between(200, 20_000), self.brokers[broker].life);
            self.agenda.at(at, Event::AtBroker { broker, life, letter: letter.clone() });
        }
    }

    /// A node proposes that a device is lost.
    pub fn ambush_verdict(&mut self, id: &DeviceId) {
        let Some(Ambush::Verdict(device)) = self.ambush else { return };
        if self.devices[device].id != *id {
            return;
        }
        self.springs("ambushes at a verdict");
        self.raft.slow_until = self.now + SLOW_MS;
        self.mended(Fault::Mute(device));
    }
}
