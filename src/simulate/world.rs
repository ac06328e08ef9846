//! The devices of a run, and what moves between them: what one robot puts down, an oven has.

use std::collections::BTreeMap;

use crate::kitchen::{Action, AttemptId, Content, DeviceId, Instruction, Millis, Op, PizzaId, Place, TaskState};

use super::chance::Chance;
use super::machine::Machine;
use super::plan::Plan;
use super::result::Span;

/// All devices, by number.
pub struct World {
    pub machines: Vec<Machine>,
    by_id: BTreeMap<DeviceId, usize>,
    /// What lies on shelves.
    shelves: BTreeMap<Place, Content>,
    pub chance: Chance,
    noise_permille: u64,
    bad_permille: u64,
    /// What each device did, when.
    pub spans: Vec<Span>,
}

/// A task that started: which machine, which attempt, until when.
pub struct Started {
    pub machine: usize,
    pub attempt: AttemptId,
    pub ends_at: Millis,
}

impl World {
    /// The devices of a plan.
    pub fn new(plan: &Plan) -> Self {
        let mut machines = Vec::new();
        for (name, kind, count, lanes) in plan.line.devices() {
            machines.extend((1..=count).map(|n| Machine::new(format!("{name}{n}"), kind, lanes)));
        }
        let by_id = machines.iter().enumerate().map(|(n, m)| (m.id.clone(), n)).collect();
        let chance = Chance::new(plan.seed);
        let (noise_permille, bad_permille) = (plan.noise_permille, plan.failures.bad_permille);
        Self { machines, by_id, shelves: BTreeMap::new(), chance, noise_permille, bad_permille, spans: Vec::new() }
    }

    /// The number of this device.
    pub fn number(&self, id: &DeviceId) -> usize {
        self.by_id[id]
    }

    /// An instruction reaches its device. One for a former life is thrown away.
    pub fn deliver(&mut self, instruction: Instruction, epoch_is_known: bool) {
        let number = self.number(&instruction.device);
        let machine = &mut self.machines[number];
        if !machine.is_up || machine.boot != instruction.boot || !epoch_is_known {
            return;
        }
        match instruction.op {
            Op::Start(task) => machine.accept(instruction.id, task),
            Op::Cancel(attempt) => machine.cancel(instruction.id, attempt),
            Op::Acknowledge(attempt) => {
                machine.tasks.remove(&attempt);
                machine.is_changed = true;
            }
            Op::SelfTest | Op::Hold | Op::Resume => {
                machine.answer(instruction.id, crate::kitchen::CommandResult::Done);
            }
        }
    }

    /// Starts what may start on every device.
    pub fn start_tasks(&mut self, now: Millis) -> Vec<Started> {
        let mut started = Vec::new();
        for number in 0..self.machines.len() {
            if !self.machines[number].is_up {
                continue;
            }
            for attempt in self.machines[number].startable() {
                started.push(self.start(number, attempt, now));
            }
        }
        started
    }

    fn start(&mut self, number: usize, attempt: AttemptId, now: Millis) -> Started {
        let takes_ms = {
            let task = &self.machines[number].tasks[&attempt].task;
            self.chance.about(task.params.ms, self.noise_permille)
        };
        let machine = &mut self.machines[number];
        let doing = machine.tasks.get_mut(&attempt).expect("it was listed a line ago");
        doing.state = TaskState::Running;
        (doing.started_at, doing.takes_ms) = (now, takes_ms);
        let (action, lane) = (doing.task.action, doing.task.lane);
        if action == Action::Prep {
            machine.holds.insert(lane, Content::Pizza(attempt.task.pizza));
        }
        machine.is_changed = true;
        Started { machine: number, attempt, ends_at: now + takes_ms }
    }

    /// A task may be at its end: what it moved is where it should be.
    pub fn finish(&mut self, number: usize, attempt: AttemptId, now: Millis) {
        let Some(doing) = self.machines[number].tasks.get(&attempt) else { return };
        if doing.state != TaskState::Running || doing.started_at + doing.takes_ms > now {
            return;
        }
        let params = &doing.task.params;
        let (action, lane, slot) = (doing.task.action, doing.task.lane, params.oven.clone().or(params.shelf.clone()));
        self.record(number, attempt, now, "");
        let code = match action {
            Action::Inspect if self.chance.happens(self.bad_permille) => "FAIL",
            Action::Inspect => "PASS",
            _ => "",
        };
        self.moved(number, attempt.task.pizza, action, lane, slot.as_ref());
        let machine = &mut self.machines[number];
        let doing = machine.tasks.get_mut(&attempt).expect("it was there a few lines ago");
        doing.state = TaskState::Finished;
        doing.code = code.to_owned();
        machine.is_changed = true;
    }

    fn moved(&mut self, number: usize, pizza: PizzaId, action: Action, lane: u8, slot: Option<&Place>) {
        match (action, slot) {
            (Action::Load | Action::Shelve, Some(slot)) => {
                self.machines[number].holds.remove(&lane);
                self.put(slot, Some(Content::Pizza(pizza)));
            }
            (Action::Unload, Some(slot)) => {
                self.machines[number].holds.insert(lane, Content::Pizza(pizza));
                self.put(slot, None);
            }
            (Action::Discard, Some(slot)) => self.put(slot, None),
            (Action::Finish | Action::Discard, _) => {
                self.machines[number].holds.remove(&lane);
            }
            _ => {}
        }
    }

    /// Something lies there now, or nothing.
    pub fn put(&mut self, place: &Place, content: Option<Content>) {
        let Some(number) = self.by_id.get(&place.device).copied() else {
            match content {
                Some(content) => self.shelves.insert(place.clone(), content),
                None => self.shelves.remove(place),
            };
            return;
        };
        let machine = &mut self.machines[number];
        match content {
            Some(content) => machine.holds.insert(place.lane, content),
            None => machine.holds.remove(&place.lane),
        };
        machine.is_changed = true;
    }

    /// A device dies. What it was moving is where it was, or in its gripper, by how far it was.
    pub fn fail(&mut self, number: usize, now: Millis) {
        let running: Vec<AttemptId> = self.machines[number]
            .tasks
            .values()
            .filter(|d| d.state == TaskState::Running)
            .map(|d| d.task.attempt)
            .collect();
        for attempt in running {
            self.record(number, attempt, now, "failed");
            let doing = &self.machines[number].tasks[&attempt];
            let half_done = now >= doing.started_at + doing.takes_ms / 2;
            let slot = doing.task.params.oven.clone().filter(|_| half_done);
            if let (Action::Unload, Some(slot)) = (doing.task.action, slot) {
                self.put(&slot, None);
            }
        }
        self.machines[number].is_up = false;
    }

    fn record(&mut self, number: usize, attempt: AttemptId, now: Millis, how: &'static str) {
        let machine = &self.machines[number];
        let doing = &machine.tasks[&attempt];
        self.spans.push(Span {
            device: machine.id.to_string(),
            lane: doing.task.lane,
            job: attempt.task.job,
            pizza: attempt.task.pizza,
            from: doing.started_at,
            until: now,
            how,
        });
    }
}
