//! Merging what a device lists: its tasks, open or over, and what became of its last instructions.

use super::Kitchen;
use super::attempt::{Attempt, AttemptState, Outcome};
use super::device::Recovery;
use super::ids::{DeviceId, InstructionId};
use super::outbox::Op;
use super::report::{AttemptId, CommandResult, Job, Report, TaskReport, TaskState};

impl Kitchen {
    pub(super) fn merge_tasks(&mut self, id: &DeviceId, tasks: &[TaskReport]) {
        for task in tasks {
            self.merge_task(id, task);
        }
        self.forget_acknowledged(id, tasks);
        let listed = |a: &AttemptId| tasks.iter().any(|t| t.attempt == *a);
        let missing: Vec<AttemptId> =
            self.attempts.iter().filter(|(a, at)| at.device == *id && !listed(a)).map(|(a, _)| *a).collect();
        for attempt in missing {
            self.merge_missing(attempt);
        }
    }

    fn merge_task(&mut self, id: &DeviceId, task: &TaskReport) {
        let ours = self.attempts.get(&task.attempt).filter(|a| a.device == *id);
        let Some(attempt) = ours else { return self.answer_unknown_task(id, task) };
        let (state, started) = (attempt.state, attempt.started_at.is_some());
        let fenced = !self.pizzas.contains(&task.attempt.task.pizza) && task.attempt.task.job != Job::Discard;
        let code = task.code.clone();
        if task.temp_dc.is_some()
            && let Some(attempt) = self.attempts.get_mut(&task.attempt)
        {
            attempt.temp_dc = task.temp_dc;
        }
        match task.state {
            TaskState::Waiting if state == AttemptState::Planned => {
                let attempt = self.attempts.get_mut(&task.attempt).expect("it was there a line ago");
                attempt.state = AttemptState::Accepted;
            }
            TaskState::Waiting if state == AttemptState::Unknown => self.request_cancel(task.attempt),
            TaskState::Waiting => {}
            TaskState::Running | TaskState::Paused => {
                let unmeasured = self.pizzas.get(&task.attempt.task.pizza).is_some_and(|p| p.unmeasured);
                if state != AttemptState::Running || unmeasured {
                    self.attempt_started(task.attempt);
                }
                if fenced {
                    self.request_cancel(task.attempt);
                }
            }
            TaskState::Finished => self.end_attempt(task.attempt, &Outcome::Succeeded(code)),
            TaskState::Failed => self.end_attempt(task.attempt, &Outcome::Failed(code)),
            TaskState::Cancelled if started => self.end_attempt(task.attempt, &Outcome::Failed("CANCELLED".to_owned())),
            TaskState::Cancelled => self.end_attempt(task.attempt, &Outcome::NotStarted("CANCELLED".to_owned())),
            TaskState::Expired => self.end_attempt(task.attempt, &Outcome::NotStarted("EXPIRED".to_owned())),
        }
        if task.state.is_over() {
            self.acknowledge(id, task.attempt);
        }
    }

    /// A task that is none of ours any more: its end is acknowledged, its work is stopped.
    fn answer_unknown_task(&mut self, id: &DeviceId, task: &TaskReport) {
        if task.state.is_over() {
            self.acknowledge(id, task.attempt);
        } else if !self.told(id, &Op::Cancel(task.attempt)) {
            self.instruct(id, Op::Cancel(task.attempt), self.settings().start_within_ms);
        }
    }

    /// Tells the device, once, that the end of a task is on record.
    fn acknowledge(&mut self, id: &DeviceId, attempt: AttemptId) {
        if !self.told(id, &Op::Acknowledge(attempt)) {
            self.instruct(id, Op::Acknowledge(attempt), self.settings().start_within_ms);
        }
    }

    fn told(&self, id: &DeviceId, op: &Op) -> bool {
        self.outbox.values().any(|i| i.device == *id && i.op == *op)
    }

    /// What the device no longer lists needs no more acknowledging, nor cancelling.
    fn forget_acknowledged(&mut self, id: &DeviceId, tasks: &[TaskReport]) {
        let listed = |a: &AttemptId| tasks.iter().any(|t| t.attempt == *a);
        let over = |op: &Op| match op {
            Op::Acknowledge(attempt) => !listed(attempt),
            Op::Cancel(attempt) => !self.attempts.contains(attempt) && !listed(attempt),
            Op::Start(_) | Op::SelfTest | Op::Hold | Op::Resume => false,
        };
        let done: Vec<InstructionId> =
            self.outbox.iter().filter(|(_, i)| i.device == *id && over(&i.op)).map(|(n, _)| *n).collect();
        for instruction in done {
            self.outbox.remove(&instruction);
        }
    }

    /// An attempt that its device does not list. What it had accepted it would list, so it forgot; what it was never seen to
    /// have may still be on its way, and is cancelled when nobody knows.
    fn merge_missing(&mut self, id: AttemptId) {
        let Some(attempt) = self.attempts.get(&id) else { return };
        match attempt.state {
            AttemptState::Planned => {}
            AttemptState::Unknown => self.request_cancel(id),
            AttemptState::Accepted => self.end_attempt(id, &Outcome::NotStarted("FORGOTTEN".to_owned())),
            AttemptState::Running => self.end_attempt(id, &Outcome::Failed("FORGOTTEN".to_owned())),
        }
    }

    pub(super) fn merge_results(&mut self, id: &DeviceId, report: &Report) {
        for (instruction, result) in &report.results {
            match self.outbox.get(instruction).filter(|i| i.device == *id).map(|i| i.op.clone()) {
                Some(op) => self.merge_result(id, *instruction, &op, *result, report),
                None => self.merge_late_refusal(id, *instruction, *result),
            }
        }
    }

    fn merge_result(
        &mut self,
        id: &DeviceId,
        instruction: InstructionId,
        op: &Op,
        result: CommandResult,
        report: &Report,
    ) {
        match (op, result) {
            (_, CommandResult::Duplicate | CommandResult::StaleEpoch | CommandResult::StaleBoot) => {}
            (Op::Start(_), CommandResult::Done) => {}
            (Op::Start(task), refused) => self.start_refused(id, task.attempt, refused),
            (Op::SelfTest, CommandResult::Done) => self.self_test_done(id, instruction),
            (Op::SelfTest, _) => {
                self.outbox.remove(&instruction);
                self.quarantine(id, "its self-test was refused or failed");
            }
            (Op::Hold | Op::Resume, _) => {
                self.outbox.remove(&instruction);
            }
            // Cancelled, and not among its tasks: the device had refused it, and keeps it from ever starting.
            (Op::Cancel(attempt), CommandResult::Done) if report.tasks.iter().all(|t| t.attempt != *attempt) => {
                self.end_attempt(*attempt, &Outcome::NotStarted("CANCELLED".to_owned()));
            }
            (Op::Cancel(_) | Op::Acknowledge(_), _) => {}
        }
    }

    /// A start was refused after it was taken back here: its cancellation crossed the refusal.
    fn merge_late_refusal(&mut self, id: &DeviceId, instruction: InstructionId, result: CommandResult) {
        let started_by = |a: &&Attempt| a.instruction == instruction && a.device == *id;
        let attempt = self.attempts.values().find(started_by).map(|a| a.id);
        if let Some(attempt) = attempt {
            self.start_refused(id, attempt, result);
        }
    }

    /// The device's word: it refused, so it never started, and never will.
    fn start_refused(&mut self, id: &DeviceId, attempt: AttemptId, result: CommandResult) {
        let open = self.attempts.get(&attempt);
        let waits = |a: &Attempt| matches!(a.state, AttemptState::Planned | AttemptState::Unknown);
        let Some(was_wanted) = open.filter(|a| waits(a)).map(|a| a.cancel.is_none()) else { return };
        let code = match result {
            CommandResult::RejectedMode => "REJECTED_MODE",
            CommandResult::RejectedBusy => "REJECTED_BUSY",
            CommandResult::RejectedUnsupported => "REJECTED_UNSUPPORTED",
            CommandResult::RejectedInvalid => "REJECTED_INVALID",
            CommandResult::RejectedOccupied => "REJECTED_OCCUPIED",
            CommandResult::Done | CommandResult::Duplicate | CommandResult::StaleBoot | CommandResult::StaleEpoch => {
                return;
            }
        };
        self.end_attempt(attempt, &Outcome::NotStarted(code.to_owned()));
        let its_fault = matches!(
            result,
            CommandResult::RejectedUnsupported | CommandResult::RejectedInvalid | CommandResult::RejectedOccupied
        );
        if its_fault && was_wanted {
            self.device_failed(id, &format!("{attempt} {code}"), None);
        }
    }

    fn self_test_done(&mut self, id: &DeviceId, instruction: InstructionId) {
        self.outbox.remove(&instruction);
        let Some(device) = self.devices.get_mut(id) else { return };
        if device.recovery == Recovery::SelfTest(instruction) {
            device.recovery = Recovery::Trial;
            self.device_changed(id, "its self-test passed: one task on trial");
        }
    }
}
