//! Opening an attempt: its number, the lanes that it blocks, and its instruction in the outbox.

use super::Kitchen;
use super::attempt::{Attempt, AttemptState};
use super::event::Event;
use super::ids::{DeviceId, InstructionId, Millis, PizzaId};
use super::outbox::{After, Instruction, Op, Params, Task};
use super::pizza::Place;
use super::report::{AttemptId, Job, TaskId};

/// What is to be begun on a device.
pub(super) struct Start {
    pub job: Job,
    pub device: DeviceId,
    /// Its own lane first, then the other end of a transfer.
    pub touches: Vec<Place>,
    pub params: Params,
    pub has_watchdog: bool,
    pub after: Option<After>,
    pub start_within_ms: Millis,
}

impl Kitchen {
    pub(super) fn attempt_on(&self, pizza: PizzaId, job: Job) -> Option<&Attempt> {
        let task = TaskId { pizza, job };
        let all = AttemptId { task, number: 0 }..=AttemptId { task, number: u32::MAX };
        self.attempts.range(all).next_back().map(|(_, a)| a)
    }

    pub(super) fn start(&self, job: Job, touches: Vec<Place>, params: Params) -> Start {
        Start {
            job,
            device: touches[0].device.clone(),
            touches,
            params,
            has_watchdog: true,
            after: None,
            start_within_ms: self.settings().start_within_ms,
        }
    }

    /// Opens an attempt: from here on its lanes are blocked, and its instruction is in the outbox.
    pub(super) fn open_attempt(&mut self, pizza: PizzaId, start: Start) -> AttemptId {
        let number = self.next_number(pizza, start.job);
        let id = AttemptId { task: TaskId { pizza, job: start.job }, number };
        // A watchdog leaves a slow device twice its time, and short tasks two seconds more.
        let expected_ms = self.expected_ms(&start.device, start.job.action(), start.params.ms);
        let max_ms = start.has_watchdog.then_some(2 * expected_ms.max(start.params.ms) + 2_000);
        let task = Task {
            attempt: id,
            action: start.job.action(),
            lane: start.touches[0].lane,
            params: start.params.clone(),
            start_within_ms: start.start_within_ms,
            max_ms: max_ms.unwrap_or(0),
            after: start.after,
        };
        let instruction = self.instruct(&start.device, Op::Start(task), start.start_within_ms);
        let attempt = Attempt {
            id,
            device: start.device.clone(),
            touches: start.touches,
            state: AttemptState::Planned,
            instruction,
            epoch: self.epoch(),
            opened_at: self.meta.now,
            started_at: None,
            typ_ms: start.params.ms,
            max_ms,
            has_after: start.after.is_some(),
            due_at: Some(self.meta.now + start.start_within_ms + self.settings().stuck_grace_ms),
            proof_at: None,
            cancel: None,
            temp_dc: None,
        };
        self.block_lanes(&attempt);
        self.attempts.insert(id, attempt);
        self.event(Event::AttemptOpened { attempt: id, device: start.device, instruction });
        id
    }

    /// Nothing else may touch these lanes until there is proof that the attempt is over.
    fn block_lanes(&mut self, attempt: &Attempt) {
        for place in &attempt.touches {
            if let Some(lane) = self.devices.get_mut(&place.device).and_then(|d| d.lanes.get_mut(&place.lane)) {
                lane.busy.insert(attempt.id);
            }
        }
    }

    fn next_number(&mut self, pizza: PizzaId, job: Job) -> u32 {
        if job == Job::Discard {
            self.meta.discards += 1;
            return self.meta.discards;
        }
        let pizza = self.pizzas.get_mut(&pizza).expect("only a pizza of the state is worked on");
        let tries = pizza.tries.entry(job).or_insert(0);
        *tries += 1;
        *tries
    }

    /// Puts an instruction for the device's present life into the outbox.
    pub(super) fn instruct(&mut self, device: &DeviceId, op: Op, ttl_ms: Millis) -> InstructionId {
        let id = self.next_instruction();
        let boot = self.devices.get(device).and_then(|d| d.boot).unwrap_or(0);
        let created_at = self.meta.now;
        self.outbox.insert(id, Instruction { id, device: device.clone(), boot, created_at, ttl_ms, op });
        id
    }
}
