//! What a device does with a `cmd`: the checks in their order, then the op (rules 2, 3, 5, 7, 10).

use super::task::fits;
use super::tasks::Found;
use super::{Notice, Output, Session};
use crate::defect;
use crate::protocol::{
    Action, After, Attempt, CancelClass, Cmd, CommandResult, DeviceKind, InstructionId, Millis, Op, Setting, TaskStart,
};

/// Bounds of `hb_ms` in `config.set`, in milliseconds.
const HEARTBEAT_MS: std::ops::RangeInclusive<Millis> = 50..=10_000;
/// Largest `orphan_ms` in `config.set`, in milliseconds.
const ORPHAN_MS_MAX: Millis = 600_000;

impl Session {
    pub(super) fn obey(&mut self, now: Millis, cmd: Cmd) {
        let attempt = cmd.attempt();
        let op = cmd.op.name().to_owned();
        let notice = Notice::Instructed { id: cmd.id, epoch: cmd.epoch, op, attempt: attempt.clone() };
        self.out.push(Output::Notice(notice));
        self.see_epoch(now, cmd.epoch);
        if cmd.boot != self.boot {
            return self.answer(now, cmd.id, attempt, CommandResult::StaleBoot);
        }
        if cmd.epoch < self.fence && !defect::is("no-fence-check") {
            return self.answer(now, cmd.id, attempt, CommandResult::StaleEpoch);
        }
        if self.memory.knows(cmd.id) || self.tasks.knows(cmd.id) {
            // Whoever repeats it has not seen the answer: show it again, and do nothing.
            return self.show();
        }
        match self.act_on(now, &cmd) {
            Some(result) => self.answer(now, cmd.id, attempt, result),
            None => self.show(),
        }
    }

    /// Shows the state, unless it has changed (by a higher epoch): then it is published anyway, under its next `rev`.
    fn show(&mut self) {
        if !self.is_changed {
            self.say(self.state());
        }
    }

    /// Obeys the op. None: it is answered by the state itself.
    fn act_on(&mut self, now: Millis, cmd: &Cmd) -> Option<CommandResult> {
        match &cmd.op {
            Op::TaskStart(task) => Some(self.accept(now, cmd.id, task, cmd.ttl_ms)),
            Op::TaskCancel(attempt) => Some(self.cancel(now, cmd.id, attempt)),
            Op::Hold => Some(self.hold(true, cmd.idx)),
            Op::Resume => Some(self.hold(false, cmd.idx)),
            Op::StateGet => None,
            Op::FactsGet => {
                self.say(self.facts.clone());
                None
            }
            Op::ConfigSet(setting) => Some(self.configure(setting)),
            Op::Selftest => Some(self.selftest()),
            Op::Ack(attempt) => Some(self.acknowledge(now, attempt)),
            Op::Unknown(_) => Some(CommandResult::RejectedUnsupported),
        }
    }

    /// Records what became of an instruction.
    pub(super) fn answer(&mut self, now: Millis, id: InstructionId, attempt: Option<Attempt>, result: CommandResult) {
        self.is_changed |= self.memory.record(id, result);
        match result {
            CommandResult::Done => self.memory.remember(now, id),
            // The same instruction may come again with the right boot or epoch, and must be obeyed then.
            CommandResult::StaleBoot | CommandResult::StaleEpoch => {}
            CommandResult::Duplicate
            | CommandResult::RejectedMode
            | CommandResult::RejectedBusy
            | CommandResult::RejectedUnsupported
            | CommandResult::RejectedInvalid
            | CommandResult::RejectedOccupied => self.memory.remember(now, id),
        }
        if result != CommandResult::Done {
            self.out.push(Output::Notice(Notice::Refused { id, result, attempt }));
        }
    }

    fn accept(&mut self, now: Millis, id: InstructionId, task: &TaskStart, ttl_ms: Millis) -> CommandResult {
        if self.tasks.is_known(id, &task.attempt) || self.memory.knows_attempt(&task.attempt) {
            return CommandResult::Duplicate;
        }
        if let Some(refusal) = self.refusal(task) {
            // The refusal is the device's word that this attempt never runs.
            self.memory.remember_attempt(now, task.attempt.clone());
            return refusal;
        }
        let max_ms = task.max_ms.or_else(|| task.act.known().and_then(|act| Some(self.facts.action(act)?.max_ms)));
        let within_ms = task.start_within_ms.unwrap_or(ttl_ms);
        self.tasks.accept(now, id, task.clone(), within_ms, max_ms.unwrap_or(0));
        self.beat(now);
        CommandResult::Done
    }

    /// Why this task is not accepted (rule 5).
    fn refusal(&self, task: &TaskStart) -> Option<CommandResult> {
        let Some(action) = task.act.known().filter(|action| self.facts.action(*action).is_some()) else {
            return Some(CommandResult::RejectedUnsupported);
        };
        if !self.is_automatic() || self.holding.is_held() {
            return Some(CommandResult::RejectedMode);
        }
        if !self.facts.lanes.contains(&task.lane) || task.params.missing(action).is_some() || !self.can_wait_for(task) {
            return Some(CommandResult::RejectedInvalid);
        }
        let is_delayed = matches!(task.after, Some(After::Delay { .. }));
        let is_lane_busy = self.tasks.is_busy(task.lane) && !is_delayed;
        if !self.status.accepts || is_lane_busy || self.tasks.is_full(task.lane) {
            return Some(CommandResult::RejectedBusy);
        }
        self.misfit(task, action, is_delayed)
    }

    /// An oven waits for its own slot; anybody waits for time.
    fn can_wait_for(&self, task: &TaskStart) -> bool {
        match task.after {
            Some(After::Event { lane, .. }) => self.facts.kind == DeviceKind::Oven && lane == task.lane,
            Some(After::Delay { .. }) | None => true,
        }
    }

    /// What is on the lane and in the way, or not on the lane and needed. What waits is looked at when it starts.
    fn misfit(&self, task: &TaskStart, action: Action, is_delayed: bool) -> Option<CommandResult> {
        let holds = self.tasks.named(&self.status.holds);
        let is_empty = !holds.iter().any(|hold| hold.lane == task.lane);
        let waits_for_loading = task.after.is_some() && !is_delayed && is_empty;
        if is_delayed || waits_for_loading || fits(&self.facts, task, &holds) {
            return None;
        }
        let needs_its_pizza = !matches!(action, Action::Prep | Action::Unload);
        let is_missing = needs_its_pizza && is_empty;
        Some(if is_missing { CommandResult::RejectedInvalid } else { CommandResult::RejectedOccupied })
    }

    fn cancel(&mut self, now: Millis, id: InstructionId, attempt: &Attempt) -> CommandResult {
        match self.tasks.cancel(attempt) {
            Found::Waiting | Found::Over => CommandResult::Done,
            Found::Unknown if self.memory.knows_attempt(attempt) => CommandResult::Done,
            Found::Unknown if self.tasks.is_full_device() => CommandResult::RejectedBusy,
            Found::Unknown => {
                self.tasks.accept_cancelled(now, id, attempt.clone());
                CommandResult::Done
            }
            Found::Running(action) => {
                let class = action.and_then(|action| self.facts.action(action)).map(|facts| facts.cancel);
                match class {
                    Some(CancelClass::Always) => {
                        self.out.push(Output::Stop(attempt.clone()));
                        CommandResult::Done
                    }
                    // It runs to its natural end (rule 10).
                    Some(CancelClass::UntilStart | CancelClass::Never) | None => CommandResult::RejectedUnsupported,
                }
            }
        }
    }

    fn hold(&mut self, is_held: bool, idx: u64) -> CommandResult {
        match self.holding.instruction_says(is_held, idx) {
            Some(change) => {
                self.hold_changed(change);
                CommandResult::Done
            }
            None => CommandResult::Duplicate,
        }
    }

    fn configure(&mut self, setting: &Setting) -> CommandResult {
        let is_valid = setting.hb_ms.is_none_or(|ms| HEARTBEAT_MS.contains(&ms))
            && setting.orphan_ms.is_none_or(|ms| ms <= ORPHAN_MS_MAX);
        if !is_valid {
            return CommandResult::RejectedInvalid;
        }
        if self.tasks.is_active() {
            return CommandResult::RejectedBusy;
        }
        self.facts.hb_ms = setting.hb_ms.unwrap_or(self.facts.hb_ms);
        self.facts.orphan_ms = setting.orphan_ms.unwrap_or(self.facts.orphan_ms);
        self.pulse.set_interval(self.facts.hb_ms);
        self.say(self.facts.clone());
        CommandResult::Done
    }

    fn selftest(&mut self) -> CommandResult {
        if self.tasks.is_active() {
            return CommandResult::RejectedBusy;
        }
        self.out.push(Output::Selftest);
        CommandResult::Done
    }

    fn acknowledge(&mut self, now: Millis, attempt: &Attempt) -> CommandResult {
        if let Some(ids) = self.tasks.acknowledge(attempt) {
            for id in ids {
                self.memory.remember(now, id);
            }
            self.memory.remember_attempt(now, attempt.clone());
            self.is_changed = true;
            return CommandResult::Done;
        }
        // Forgotten already, or not over yet: nothing is acknowledged twice or too early.
        let is_active = self.tasks.lines().iter().any(|line| line.attempt == *attempt);
        if is_active { CommandResult::RejectedBusy } else { CommandResult::Done }
    }
}

impl Cmd {
    /// The attempt that it is about.
    fn attempt(&self) -> Option<Attempt> {
        match &self.op {
            Op::TaskStart(task) => Some(task.attempt.clone()),
            Op::TaskCancel(attempt) | Op::Ack(attempt) => Some(attempt.clone()),
            Op::Hold | Op::Resume | Op::StateGet | Op::FactsGet | Op::ConfigSet(_) | Op::Selftest | Op::Unknown(_) => {
                None
            }
        }
    }
}
