//! The tasks of a device: waiting, running, over and not yet acknowledged (rules 3, 4, 6, 7, 8, 9).

use std::collections::BTreeMap;

use super::super::firmware::{End, Status};
use super::shown::OpenTask;
use super::task::{Task, fits};
use crate::defect;
use crate::protocol::{
    Action, After, Attempt, Facts, Hold, Id, InstructionId, Lane, Lease, Millis, TaskLine, TaskStart, TaskState,
};

/// Finished tasks of a lane that may wait for their acknowledgement (rule 7).
pub(super) const UNACKNOWLEDGED_MAX: usize = 8;
/// Tasks that a device remembers at most, so that `state` keeps its size.
pub(super) const TASKS_MAX: usize = 64;
/// Progress is reported in steps of so many percent.
const PROGRESS_STEP: u8 = 10;

/// What the end of a task means to others.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) task: Id,
    pub(super) action: Option<Action>,
    pub(super) lane: Lane,
    pub(super) state: TaskState,
    pub(super) window_ms: Millis,
}

/// What a cancellation finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Never heard of.
    Unknown,
    /// It waited, and is cancelled now.
    Waiting,
    /// It runs.
    Running(Option<Action>),
    /// It is over.
    Over,
}

/// The tasks of a device, in the order of their acceptance.
#[derive(Debug)]
pub(super) struct Tasks {
    tasks: Vec<Task>,
    is_oven: bool,
    /// What an oven's sensor can't tell: which pizza is in the slot. Known from the bake that waited for it.
    names: BTreeMap<Lane, Id>,
    occupied: Vec<Lane>,
}

impl Tasks {
    pub(super) fn new(is_oven: bool, holds: &[Hold]) -> Self {
        let occupied = holds.iter().map(|hold| hold.lane).collect();
        Self { tasks: Vec::new(), is_oven, names: BTreeMap::new(), occupied }
    }

    /// Accepts a task that the caller has judged.
    pub(super) fn accept(
        &mut self,
        now: Millis,
        id: InstructionId,
        order: TaskStart,
        within_ms: Millis,
        max_ms: Millis,
    ) {
        let is_loaded = match order.after {
            Some(After::Event { lane, .. }) => self.occupied.contains(&lane),
            Some(After::Delay { .. }) | None => true,
        };
        if is_loaded && self.is_oven {
            self.names.insert(order.lane, order.pizza.clone());
        }
        let task = Task::waiting(now, id, order, within_ms, max_ms);
        self.tasks.push(Task { is_loaded, ..task });
    }

    /// Remembers an attempt whose cancellation came first: it never starts.
    pub(super) fn accept_cancelled(&mut self, now: Millis, id: InstructionId, attempt: Attempt) {
        self.tasks.push(Task::named(now, id, attempt, TaskState::Cancelled));
    }

    /// True if this attempt is known; the other instruction that names it is remembered with it.
    pub(super) fn is_known(&mut self, id: InstructionId, attempt: &Attempt) -> bool {
        let Some(task) = self.tasks.iter_mut().find(|task| task.attempt == *attempt) else { return false };
        if !task.ids.contains(&id) && task.ids.len() < UNACKNOWLEDGED_MAX {
            task.ids.push(id);
        }
        true
    }

    /// True if one of its tasks was asked for by this instruction.
    pub(super) fn knows(&self, id: InstructionId) -> bool {
        self.tasks.iter().any(|task| task.ids.contains(&id))
    }

    /// Cancels what waits, and tells what else there is.
    pub(super) fn cancel(&mut self, attempt: &Attempt) -> Found {
        let Some(task) = self.tasks.iter_mut().find(|task| task.attempt == *attempt) else { return Found::Unknown };
        match task.state {
            TaskState::Waiting => {
                task.state = TaskState::Cancelled;
                Found::Waiting
            }
            TaskState::Running | TaskState::Paused => Found::Running(task.action()),
            TaskState::Finished | TaskState::Failed | TaskState::Cancelled | TaskState::Expired => Found::Over,
        }
    }

    /// Forgets a task that is over. The instructions that asked for it, or None if there is no such task.
    pub(super) fn acknowledge(&mut self, attempt: &Attempt) -> Option<Vec<InstructionId>> {
        let at = self.tasks.iter().position(|task| task.attempt == *attempt && task.state.is_over())?;
        Some(self.tasks.remove(at).ids)
    }

    /// True while a task waits, runs or is paused.
    pub(super) fn is_active(&self) -> bool {
        self.tasks.iter().any(|task| !task.state.is_over())
    }

    /// True while a task runs.
    pub(super) fn is_moving(&self) -> bool {
        self.tasks.iter().any(|task| task.state == TaskState::Running)
    }

    /// True if this lane has a task that waits, runs or is paused.
    pub(super) fn is_busy(&self, lane: Lane) -> bool {
        self.tasks.iter().any(|task| task.lane() == Some(lane) && !task.state.is_over())
    }

    /// True if the lane, or the device, remembers as much as it may (rule 7).
    pub(super) fn is_full(&self, lane: Lane) -> bool {
        let of_lane = |is_over: bool| {
            self.tasks.iter().filter(|task| task.lane() == Some(lane) && task.state.is_over() == is_over).count()
        };
        of_lane(true) >= UNACKNOWLEDGED_MAX || of_lane(false) >= UNACKNOWLEDGED_MAX || self.is_full_device()
    }

    /// True if the device remembers as many tasks as it may.
    pub(super) fn is_full_device(&self) -> bool {
        self.tasks.len() >= TASKS_MAX
    }

    /// A lease came: it says which waiting tasks may start, and until when. One that it leaves out may not any more; true if there is one.
    pub(super) fn name(&mut self, lease: &Lease, sent_at: Millis) -> bool {
        let mut left_out = false;
        for task in self.tasks.iter_mut().filter(|task| task.state == TaskState::Waiting) {
            let is_named =
                task.ids.iter().any(|id| lease.open.contains(id)) || defect::is("start-without-naming-lease");
            task.named_until = is_named.then(|| sent_at.saturating_add(lease.l_ms));
            left_out |= !is_named;
        }
        left_out
    }

    /// A higher epoch was seen: what lower ones allowed is void.
    pub(super) fn forget_leases(&mut self) {
        for task in &mut self.tasks {
            task.named_until = None;
        }
    }

    /// Starts the first task that may start now, if any.
    pub(super) fn start_next(&mut self, now: Millis, facts: &Facts, status: &Status) -> Option<TaskStart> {
        let holds = self.named(&status.holds);
        let is_begun = |task: &Task| status.begins.as_ref().is_none_or(|begun| begun.contains(&task.attempt));
        let may = |task: &Task| is_begun(task) && self.may_start(task, now, facts, &holds);
        let at = self.tasks.iter().position(may)?;
        let task = &mut self.tasks[at];
        task.state = TaskState::Running;
        task.started_at = now;
        task.pct = Some(0);
        task.order.clone()
    }

    fn may_start(&self, task: &Task, now: Millis, facts: &Facts, holds: &[Hold]) -> bool {
        let Some(order) = task.order.as_ref().filter(|_| task.state == TaskState::Waiting) else { return false };
        // Rule 8: only what was accepted with `after` outlives its lease, and only by orphan_ms.
        let grace_ms = if order.after.is_some() { facts.orphan_ms } else { 0 };
        let is_named =
            task.named_until.is_some_and(|until| now < until.saturating_add(grace_ms)) || defect::is("lease-ignored");
        let lane_moves = |other: &Task| {
            let is_moving = matches!(other.state, TaskState::Running | TaskState::Paused);
            other.lane() == Some(order.lane) && is_moving
        };
        is_named && task.is_due(now) && !self.tasks.iter().any(lane_moves) && fits(facts, order, holds)
    }

    /// Tasks that were not allowed to start in time.
    pub(super) fn expire(&mut self, now: Millis) -> Vec<Attempt> {
        let is_late = |task: &&mut Task| task.state == TaskState::Waiting && now >= task.expires_at;
        let expire = |task: &mut Task| {
            task.state = TaskState::Expired;
            task.attempt.clone()
        };
        self.tasks.iter_mut().filter(is_late).map(expire).collect()
    }

    /// Ends tasks that have run longer than they may (rule 9). Bakes are exempt.
    pub(super) fn watch(&mut self, now: Millis) -> Vec<Attempt> {
        let is_late = |task: &&mut Task| task.watchdog_at().is_some_and(|at| now >= at);
        let fail = |task: &mut Task| {
            task.state = TaskState::Failed;
            task.code = "WATCHDOG".to_owned();
            task.detail = format!("still running after {} ms", task.max_ms);
            task.attempt.clone()
        };
        self.tasks.iter_mut().filter(is_late).map(fail).collect()
    }

    pub(super) fn next_watchdog(&self) -> Option<Millis> {
        self.tasks.iter().filter_map(Task::watchdog_at).min()
    }

    /// When a waiting task next expires or falls due.
    pub(super) fn next_due(&self, now: Millis) -> Option<Millis> {
        let waiting = self.tasks.iter().filter(|task| task.state == TaskState::Waiting);
        // A task that is due and may not start yet waits for a message or for its lane, not for time.
        let due_at = |task: &Task| task.delayed_until().filter(|at| *at > now);
        waiting.flat_map(|task| [Some(task.expires_at), due_at(task)]).flatten().min()
    }

    /// True if the progress is worth a report.
    pub(super) fn progress(&mut self, attempt: &Attempt, pct: u8) -> bool {
        let running = self.tasks.iter_mut().find(|task| task.attempt == *attempt && !task.state.is_over());
        let Some(task) = running else { return false };
        let step = pct.min(100) / PROGRESS_STEP * PROGRESS_STEP;
        let is_further = task.pct.is_none_or(|before| step > before);
        if is_further {
            task.pct = Some(step);
        }
        is_further
    }

    /// A task ended. None if it was over before: a task only moves forward (rule 6).
    pub(super) fn end(&mut self, attempt: &Attempt, end: End) -> Option<Ended> {
        let is_running = |task: &&mut Task| matches!(task.state, TaskState::Running | TaskState::Paused);
        let task = self.tasks.iter_mut().filter(is_running).find(|task| task.attempt == *attempt)?;
        (task.state, task.code, task.detail, task.temp_dc) = match end {
            End::Finished { code, temp_dc } => (TaskState::Finished, code, String::new(), temp_dc),
            End::Failed { code, detail } => (TaskState::Failed, code, detail, None),
            End::Cancelled => (TaskState::Cancelled, String::new(), String::new(), None),
        };
        if task.state == TaskState::Finished {
            task.pct = Some(100);
        }
        let window_ms = task.order.as_ref().and_then(|order| order.params.window_ms).unwrap_or(0);
        let (action, lane) = (task.action(), task.lane().unwrap_or(0));
        Some(Ended { task: task.attempt.id.clone(), action, lane, state: task.state, window_ms })
    }

    /// Pauses what runs, or lets it go on. Bakes go on: heat is never paused.
    pub(super) fn pause(&mut self, is_held: bool) {
        for task in self.tasks.iter_mut().filter(|task| task.action() != Some(Action::Bake)) {
            match (task.state, is_held) {
                (TaskState::Running, true) => task.state = TaskState::Paused,
                (TaskState::Paused, false) => task.state = TaskState::Running,
                _ => {}
            }
        }
    }

    /// Lanes were filled or emptied: LOADED comes to pass, and names go with what they named.
    pub(super) fn lanes_changed(&mut self, holds: &[Hold]) {
        for hold in holds.iter().filter(|hold| !self.occupied.contains(&hold.lane)) {
            for task in self.tasks.iter_mut().filter(|task| task.waits_for_loading(hold)) {
                task.is_loaded = true;
                self.names.extend(task.order.as_ref().map(|order| (hold.lane, order.pizza.clone())));
            }
        }
        self.occupied = holds.iter().map(|hold| hold.lane).collect();
        self.names.retain(|lane, _| self.occupied.contains(lane));
    }

    /// What the lanes hold, with the names that an oven's sensor does not know.
    pub(super) fn named(&self, holds: &[Hold]) -> Vec<Hold> {
        let name = |hold: &Hold| hold.pizza.clone().or_else(|| self.names.get(&hold.lane).cloned());
        holds.iter().map(|hold| Hold { lane: hold.lane, pizza: name(hold) }).collect()
    }

    /// The tasks that are not over, for displays.
    pub(super) fn open(&self) -> impl Iterator<Item = OpenTask> {
        let open = |task: &Task| {
            let ends_at = if task.state == TaskState::Waiting { Some(task.expires_at) } else { task.watchdog_at() };
            let order = task.order.clone().filter(|_| !task.state.is_over())?;
            Some(OpenTask { order, state: task.state, ends_at })
        };
        self.tasks.iter().filter_map(open)
    }

    /// The tasks as `state` shows them.
    pub(super) fn lines(&self) -> Vec<TaskLine> {
        self.tasks.iter().map(Task::line).collect()
    }
}
