//! What the log has decided, as `src/kitchen/` decides it: who is in charge, the attempts at one step, and when they are over.
//! Every replica that has applied the same entries has the same of it.

use super::device::TaskState;
use super::guards::{Bounds, Guards};
use super::state::{ATTEMPTS, BOTH, Span};

/// The replicated state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kitchen {
    /// The present epoch.
    pub epoch: u8,
    /// For how long.
    pub since: Span,
    /// The attempts, in their order.
    pub attempts: [Option<Attempt>; ATTEMPTS],
    /// What is known of both devices.
    pub devices: [Known; 2],
}

/// What the kitchen knows of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Known {
    pub boot: u8,
    pub rev: u8,
    /// LOST or STUCK: no new work.
    pub is_lost: bool,
}

/// One try at the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    pub device: u8,
    pub boot: u8,
    pub epoch: u8,
    pub state: AttemptState,
    /// How long until time proves it over, once it is UNKNOWN.
    pub proof_in: Span,
    /// Its cancellation is in the outbox, in the place of its start.
    pub is_cancelled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttemptState {
    Planned,
    Accepted,
    Running,
    Unknown,
    Over(Outcome),
}

/// By which proof an attempt is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// (a) It was reported.
    Succeeded,
    /// (a) It was reported.
    Failed,
    /// (b) The device's word: cancelled, refused, expired.
    NotStarted,
    /// (b) A new boot.
    Rebooted,
    /// (c) No lease ever named it.
    NeverNamed,
    /// (d) Time.
    ByTime,
    /// Without any proof: only where that guard is off.
    Guessed,
}

impl Attempt {
    pub fn is_over(&self) -> bool {
        matches!(self.state, AttemptState::Over(_))
    }

    /// Its start is in the outbox: it may be sent and named by a lease.
    pub fn is_in_outbox(&self) -> bool {
        !self.is_cancelled && !matches!(self.state, AttemptState::Unknown | AttemptState::Over(_))
    }

    /// `end_attempt`. What only an open attempt needs is wiped, so that equal states are equal.
    fn end(&mut self, outcome: Outcome) {
        let state = AttemptState::Over(outcome);
        *self = Self { device: self.device, boot: 0, epoch: 0, state, proof_in: 0, is_cancelled: false };
    }
}

impl Kitchen {
    /// Its first leader has been in charge for long.
    pub fn new() -> Self {
        Self { epoch: 1, since: Span::MAX, attempts: [None; ATTEMPTS], devices: [Known::default(); 2] }
    }

    /// The node in charge: the two take turns, the first epoch is node 0's.
    pub fn node(&self) -> u8 {
        (self.epoch + 1) % 2
    }

    /// `take_charge`: the entry's index is the epoch.
    pub fn take_charge(&mut self) {
        self.epoch += 1;
        self.since = 0;
    }

    /// Time passes, as far as it is counted.
    pub fn tick(&mut self, guards: &Guards, bounds: &Bounds) {
        self.since = self.since.saturating_add(1);
        if self.since >= bounds.proof(guards) {
            self.since = Span::MAX;
        }
        for attempt in self.attempts.iter_mut().flatten() {
            attempt.proof_in = attempt.proof_in.saturating_sub(1);
        }
    }

    /// What a node goes on by that does not know that it was replaced: the outbox, and no time.
    pub fn as_seen_by_a_former_leader(mut self) -> Self {
        self.since = 0;
        self.attempts.iter_mut().flatten().for_each(|attempt| attempt.proof_in = 0);
        self
    }

    /// Where the next attempt may be opened: only when all before it are over, and none was the last.
    pub fn openings(&self) -> impl Iterator<Item = u8> + use<> {
        let open = |a: &Attempt| !a.is_over() || a.state == AttemptState::Over(Outcome::Succeeded);
        let is_wanted = self.attempts.iter().any(Option::is_none) && !self.attempts.iter().flatten().any(open);
        // Both robots are alike: the first attempt is on the first, and half of the states need no look.
        let is_first = self.attempts[0].is_none();
        let devices = self.devices;
        BOTH.into_iter().filter(move |d| is_wanted && !devices[usize::from(*d)].is_lost && !(is_first && *d == 1))
    }

    /// `open_attempt`: its start is in the outbox, for the device's present life.
    pub fn open_attempt(&mut self, device: u8) {
        let (boot, epoch) = (self.devices[usize::from(device)].boot, self.epoch);
        let state = AttemptState::Planned;
        let free = self.attempts.iter_mut().find(|a| a.is_none()).expect("the caller asked for an opening");
        *free = Some(Attempt { device, boot, epoch, state, proof_in: 0, is_cancelled: false });
    }

    /// The attempts on a device that are not over.
    pub fn open_on(&mut self, device: u8) -> impl Iterator<Item = (usize, &mut Attempt)> {
        let open = self.attempts.iter_mut().enumerate().filter_map(|(n, a)| Some((n, a.as_mut()?)));
        open.filter(move |(_, a)| a.device == device && !a.is_over())
    }

    /// `record_report`: a lower revision is ignored, a new boot ends what the former life did.
    pub fn record_report(&mut self, device: u8, boot: u8, rev: u8, tasks: &[TaskState; ATTEMPTS]) {
        let known = &mut self.devices[usize::from(device)];
        let is_news = boot > known.boot || rev > known.rev || (rev == known.rev && known.is_lost);
        if boot < known.boot || !is_news {
            return;
        }
        let rebooted = boot > known.boot;
        *known = Known { boot, rev, is_lost: false };
        for (n, attempt) in self.open_on(device) {
            if rebooted {
                attempt.end(Outcome::Rebooted);
            } else {
                attempt.merge(tasks[n]);
            }
        }
    }

    /// `device_lost` and `device_stuck`: every attempt on it is UNKNOWN, except what no lease can have named.
    pub fn doubt_attempts(&mut self, device: u8, named: [Option<Span>; ATTEMPTS], guards: &Guards, bounds: &Bounds) {
        let (epoch, since) = (self.epoch, self.since);
        self.devices[usize::from(device)].is_lost = true;
        for (n, attempt) in self.open_on(device) {
            let of_this_tenure = attempt.epoch == epoch || !guards.former_names;
            if !guards.proof {
                attempt.end(Outcome::Guessed);
            } else if attempt.state == AttemptState::Planned && of_this_tenure && named[n].is_none() {
                attempt.end(Outcome::NeverNamed);
            } else {
                attempt.state = AttemptState::Unknown;
                attempt.proof_in = bounds.proof(guards).saturating_sub(named[n].unwrap_or(since).min(since));
            }
        }
    }

    /// `proven_by_time`, where its time has come.
    pub fn prove(&mut self) {
        let due = |a: &&mut Attempt| a.state == AttemptState::Unknown && a.proof_in == 0;
        if let Some(attempt) = self.attempts.iter_mut().flatten().find(due) {
            attempt.end(Outcome::ByTime);
        }
    }
}

impl Attempt {
    /// `merge_task` and `merge_missing`.
    fn merge(&mut self, task: TaskState) {
        match (task, self.state) {
            (TaskState::Waiting, AttemptState::Planned) => self.state = AttemptState::Accepted,
            (TaskState::Missing | TaskState::Waiting, AttemptState::Unknown) => self.is_cancelled = true,
            (TaskState::Missing, AttemptState::Accepted | AttemptState::Running) => self.end(Outcome::Failed),
            (TaskState::Missing | TaskState::Waiting, _) => {}
            (TaskState::Running, _) => {
                self.state = AttemptState::Running;
                self.proof_in = 0;
            }
            (TaskState::Finished, _) => self.end(Outcome::Succeeded),
            (TaskState::Failed, _) => self.end(Outcome::Failed),
            (TaskState::NotStarted, _) => self.end(Outcome::NotStarted),
        }
    }
}
