//! Deadlines are state: the leader proposes that some are due, and apply decides which.

use super::attempt::AttemptState;
use super::command::{Life, Reply};
use super::ids::{DeviceId, Millis, PizzaId};
use super::pizza::{Pizza, PizzaState, Spoiled};
use super::refusal::Refusal;
use super::report::{AttemptId, Job};
use super::{Attempt, Device, Kitchen};

/// Something that happens when its time has come.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Attempt(AttemptId),
    Proof(AttemptId),
    BakeByClock(PizzaId),
    Burns(PizzaId),
    Stale(PizzaId),
    Transfer(PizzaId),
    Verdict(PizzaId),
    Device(DeviceId),
    Incident(u64),
    Instruction(super::InstructionId),
    Return,
    Replan,
}

impl Kitchen {
    /// The earliest moment at which some deadline is due, in kitchen time. The leader proposes `DeadlinesDue` then.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.deadlines().into_iter().map(|(at, _)| at).min()
    }

    pub(super) fn meet_deadlines(&mut self) -> Result<Reply, Refusal> {
        let now = self.meta.now;
        let mut due = self.deadlines();
        due.retain(|(at, _)| *at <= now);
        due.sort();
        if due.is_empty() {
            return Ok(Reply::Unchanged);
        }
        for (_, due) in due {
            self.meet(due);
        }
        Ok(Reply::Done)
    }

    /// All deadlines. Pizzas that wait in the queue have none, so this grows with the devices and not with the orders.
    fn deadlines(&self) -> Vec<(Millis, Due)> {
        let mut all = Vec::new();
        self.attempts.values().for_each(|a| attempt_deadlines(a, &mut all));
        self.active_pizzas().for_each(|p| self.pizza_deadlines(p, &mut all));
        self.devices.values().for_each(|d| device_deadlines(d, &mut all));
        let open = self.incidents.values().filter(|i| i.answer.is_none());
        all.extend(open.filter_map(|i| Some((i.decides_itself_at?, Due::Incident(i.id)))));
        all.extend(
            self.outbox
                .values()
                .filter(|i| self.is_dead_letter(i))
                .map(|i| (i.created_at + i.ttl_ms, Due::Instruction(i.id))),
        );
        all.extend(self.return_due_at().map(|at| (at, Due::Return)));
        all.extend(self.meta.replan_at.map(|at| (at, Due::Replan)));
        all
    }

    /// An instruction that no attempt keeps alive ends with its time to live.
    fn is_dead_letter(&self, instruction: &super::Instruction) -> bool {
        match &instruction.op {
            super::Op::Start(task) => !self.attempts.contains(&task.attempt),
            super::Op::Cancel(attempt) => !self.attempts.contains(attempt),
            super::Op::Acknowledge(_) | super::Op::SelfTest | super::Op::Hold | super::Op::Resume => true,
        }
    }

    fn pizza_deadlines(&self, pizza: &Pizza, all: &mut Vec<(Millis, Due)>) {
        let id = pizza.id;
        match pizza.state {
            PizzaState::Prepped => all.extend(pizza.stale_at.map(|at| (at, Due::Stale(id)))),
            PizzaState::Loading => all.extend(pizza.transfer_by.map(|at| (at, Due::Transfer(id)))),
            PizzaState::Baking if self.bakes_unseen(pizza) => {
                all.extend(pizza.bake_end.map(|at| (at, Due::BakeByClock(id))));
            }
            PizzaState::Baked | PizzaState::Unloading => all.extend(pizza.burn_at.map(|at| (at, Due::Burns(id)))),
            _ => {}
        }
        if let Some(gate) = pizza.gate.as_ref().filter(|g| g.incident.is_none()) {
            all.push((gate.since + self.settings().verdict_wait_ms, Due::Verdict(id)));
        }
    }

    /// The oven is lost, or was stuck: nobody will report the end of the bake.
    pub(super) fn bakes_unseen(&self, pizza: &Pizza) -> bool {
        self.attempt_on(pizza.id, Job::Bake).is_none_or(|a| a.state == AttemptState::Unknown)
    }

    fn meet(&mut self, due: Due) {
        match due {
            Due::Attempt(id) => self.attempt_due(id),
            Due::Proof(id) => self.proven_by_time(id),
            Due::BakeByClock(id) => self.bake_ended(id),
            Due::Burns(id) => self.burns(id),
            Due::Stale(id) => self.discard(id, Spoiled::Stale, true),
            Due::Transfer(id) => self.transfer_due(id),
            Due::Verdict(id) => self.go_without_verdict(id),
            Due::Device(id) => self.device_due(&id),
            Due::Incident(id) => self.answer_by_itself(id),
            Due::Instruction(id) => {
                self.instruction_over(id);
            }
            Due::Return => self.return_orders(),
            Due::Replan => {}
        }
    }

    /// Nothing was heard of an attempt in time: it is cancelled; a device that does not even answer that is stuck.
    fn attempt_due(&mut self, id: AttemptId) {
        let Some(attempt) = self.attempts.get_mut(&id) else { return };
        attempt.due_at = None;
        let device = attempt.device.clone();
        let later = self.meta.now + self.settings().stuck_grace_ms;
        let life = self.devices.get(&device).map_or(Life::Lost, |d| d.life);
        let held = self.is_held(&device) || self.devices.get(&device).is_some_and(|d| d.estop);
        let Some(attempt) = self.attempts.get_mut(&id) else { return };
        if life == Life::Suspect || (held && life == Life::Live) {
            // Suspect: it will be heard again, or lost. Held: it stands still because it was told to.
            attempt.due_at = Some(later);
            return;
        }
        if life != Life::Live {
            return;
        }
        match attempt.state {
            AttemptState::Planned | AttemptState::Accepted if attempt.cancel.is_none() => self.request_cancel(id),
            AttemptState::Planned | AttemptState::Accepted | AttemptState::Running => {
                self.device_stuck(&device, None);
            }
            AttemptState::Unknown => {}
        }
    }

    /// The window has passed. A robot that is already at it is awaited; otherwise the pizza is lost.
    fn burns(&mut self, id: PizzaId) {
        let unloads = |a: &Attempt| a.started_at.is_some() && a.state != AttemptState::Unknown;
        let being_unloaded = self.attempt_on(id, Job::Unload).is_some_and(unloads);
        if being_unloaded {
            if let Some(pizza) = self.pizzas.get_mut(&id) {
                pizza.burn_at = None;
            }
        } else {
            self.discard(id, Spoiled::Burnt, true);
        }
    }

    /// Robot and oven do not agree who has the pizza.
    fn transfer_due(&mut self, id: PizzaId) {
        let slot = self.pizzas.get(&id).and_then(|p| p.oven.clone());
        let oven_has_it = slot.is_some_and(|s| self.lane(&s).is_some_and(|l| l.content.is_some()));
        if let Some(bake) = self.attempt_on(id, Job::Bake).map(|a| a.id) {
            self.request_cancel(bake);
        }
        if oven_has_it {
            // It is inside and nothing bakes it.
            self.discard(id, Spoiled::BakeFailed, true);
        } else {
            self.lose_custody(id);
        }
    }

    fn device_due(&mut self, id: &DeviceId) {
        let now = self.meta.now;
        let Some(device) = self.devices.get_mut(id) else { return };
        if device.rest_until.is_some_and(|at| at <= now) {
            device.rest_until = None;
        }
        let over = device.quarantine.and_then(|q| q.until).is_some_and(|at| at <= now);
        if over {
            self.end_quarantine(id);
        }
    }

    fn instruction_over(&mut self, id: super::InstructionId) {
        use super::device::Recovery;
        let Some(instruction) = self.outbox.remove(&id) else { return };
        let device = instruction.device;
        if self.devices.get(&device).is_some_and(|d| d.recovery == Recovery::SelfTest(id)) {
            self.quarantine(&device, "its self-test brought no answer");
        }
    }
}

fn attempt_deadlines(attempt: &Attempt, all: &mut Vec<(Millis, Due)>) {
    all.extend(attempt.due_at.map(|at| (at, Due::Attempt(attempt.id))));
    if attempt.state == AttemptState::Unknown {
        all.extend(attempt.proof_at.map(|at| (at, Due::Proof(attempt.id))));
    }
}

fn device_deadlines(device: &Device, all: &mut Vec<(Millis, Due)>) {
    all.extend(device.rest_until.map(|at| (at, Due::Device(device.id.clone()))));
    all.extend(device.quarantine.and_then(|q| q.until).map(|at| (at, Due::Device(device.id.clone()))));
}
