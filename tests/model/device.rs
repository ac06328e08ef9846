//! One robot with one lane, as `src/device/session/` behaves: what it accepts, refuses, starts and ends.

use super::bus::{Lease, Op};
use super::guards::{Bounds, Guards};
use super::state::{ATTEMPTS, Record, Span};

/// One robot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Device {
    pub boot: u8,
    /// The highest epoch seen in any message.
    pub fence: u8,
    /// How long ago the latest heartbeat was sent that was answered, while that matters.
    pub answered: Option<Span>,
    pub tasks: [Task; ATTEMPTS],
}

/// A task of the device, by its attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Task {
    pub state: TaskState,
    /// The lease that named it last.
    pub named: Option<Named>,
    /// For how long it runs.
    pub runs: Span,
}

/// What is remembered of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Named {
    pub epoch: u8,
    /// How long ago the heartbeat that it answers was sent.
    pub sent: Span,
    /// How long the device thinks that it lasts already: since the sending, where that guard is on.
    pub lasts: Span,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskState {
    #[default]
    Missing,
    Waiting,
    Running,
    Finished,
    Failed,
    /// Cancelled before it ran, refused or expired.
    NotStarted,
}

impl TaskState {
    pub fn is_over(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::NotStarted)
    }
}

impl Task {
    pub fn is_open(&self) -> bool {
        matches!(self.state, TaskState::Waiting | TaskState::Running)
    }
}

impl Device {
    /// It has heard of the first epoch, and was told nothing else.
    pub fn new() -> Self {
        Self { boot: 0, fence: 1, answered: None, tasks: [Task::default(); ATTEMPTS] }
    }

    /// `obey`: an instruction comes in. True if anything changed that the state shows.
    pub fn obey(&mut self, epoch: u8, boot: u8, attempt: usize, op: Op, guards: &Guards) -> bool {
        self.see_epoch(epoch, guards);
        if boot != self.boot && guards.boot_check {
            return false;
        }
        if epoch < self.fence && guards.epoch_check {
            return false;
        }
        let is_busy = self.tasks.iter().any(Task::is_open);
        let task = &mut self.tasks[attempt];
        let state = match (op, task.state) {
            (Op::Start, TaskState::Missing) if is_busy => TaskState::NotStarted,
            (Op::Start, TaskState::Missing) => TaskState::Waiting,
            // What was cancelled before it came never starts.
            (Op::Cancel, TaskState::Missing | TaskState::Waiting) => TaskState::NotStarted,
            (Op::Cancel, TaskState::Running) => TaskState::Failed,
            (Op::Start | Op::Cancel, known) => known,
        };
        self.change(attempt, state)
    }

    /// `take_lease`: it says which waiting tasks may start, and until when. One that it leaves out may not any more.
    pub fn take_lease(&mut self, lease: &Lease, guards: &Guards, bounds: &Bounds) {
        self.see_epoch(lease.epoch, guards);
        let is_ours = lease.boot == self.boot || !guards.boot_check;
        let is_stale = lease.epoch < self.fence && guards.epoch_check;
        if !is_ours || is_stale || self.answered.is_some_and(|answered| lease.sent > answered) {
            return;
        }
        self.answered = Some(lease.sent);
        let lasts = if guards.lease_from_sending { lease.sent } else { 0 };
        if lasts >= bounds.lease {
            return;
        }
        let named = Named { epoch: lease.epoch, sent: lease.sent, lasts };
        for (n, task) in self.tasks.iter_mut().enumerate().filter(|(_, t)| t.state == TaskState::Waiting) {
            task.named = (lease.open & (1 << n) != 0).then_some(named);
        }
    }

    /// A higher epoch ends what lower ones leased.
    pub fn see_epoch(&mut self, epoch: u8, guards: &Guards) {
        if epoch > self.fence {
            self.fence = epoch;
            for task in self.tasks.iter_mut().filter(|_| guards.epoch_check) {
                task.named = None;
            }
        }
    }

    /// `may_start`.
    pub fn may_start(&self, attempt: usize, guards: &Guards, bounds: &Bounds) -> bool {
        let task = &self.tasks[attempt];
        let lasts = |n: Named| n.lasts < bounds.start();
        let is_moving = self.tasks.iter().any(|t| t.state == TaskState::Running);
        let is_named = task.named.is_some_and(lasts) || !guards.start_lease;
        task.state == TaskState::Waiting && is_named && !is_moving
    }

    /// It moves, from here on. What no guard may be trusted with is looked at again here, for the record.
    pub fn start(&mut self, attempt: usize, record: &mut Record, bounds: &Bounds) {
        let named = self.tasks[attempt].named;
        let is_leased = |n: Named| n.epoch == self.fence && n.sent < bounds.start();
        record.starts[attempt] += 1;
        record.below_fence |= named.is_some_and(|n| n.epoch < self.fence);
        record.unleased |= !named.is_some_and(is_leased);
        self.change(attempt, TaskState::Running);
    }

    /// Time passes: leases run out, and the watchdog ends what has run for `max_ms`.
    pub fn tick(&mut self, guards: &Guards, bounds: &Bounds) {
        self.answered = self.answered.map(|s| s + 1).filter(|s| *s < bounds.lease || !guards.lease_from_sending);
        for task in &mut self.tasks {
            let older = task.named.map(|n| Named { sent: (n.sent + 1).min(bounds.start()), lasts: n.lasts + 1, ..n });
            task.named = older.filter(|n| n.lasts < bounds.start());
            task.runs += u8::from(task.state == TaskState::Running);
        }
        let late = |t: &Task| t.runs >= bounds.max;
        if let Some(attempt) = self.tasks.iter().position(late) {
            self.change(attempt, TaskState::Failed);
        }
    }

    /// A task moves on. What its next state does not need is wiped, so that equal states are equal.
    pub fn change(&mut self, attempt: usize, state: TaskState) -> bool {
        let task = &mut self.tasks[attempt];
        if task.state == state {
            return false;
        }
        *task = Task { state, ..Task::default() };
        true
    }

    /// A new life: it remembers nothing, and nothing that moved moves on.
    pub fn reboot(&mut self) {
        *self = Self { boot: self.boot + 1, ..Self::new() };
    }

    /// Grows with every change of a task: how far they are, all together.
    pub fn rev(&self) -> u8 {
        let steps = |task: &Task| match task.state {
            TaskState::Missing => 0,
            TaskState::Waiting => 1,
            TaskState::Running => 2,
            TaskState::Finished | TaskState::Failed | TaskState::NotStarted => 3,
        };
        self.tasks.iter().map(steps).sum()
    }

    /// The state of its tasks, as it reports them.
    pub fn report(&self) -> [TaskState; ATTEMPTS] {
        self.tasks.map(|task| task.state)
    }
}
