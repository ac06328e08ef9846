//! What a firmware author implements: `Device`. The session decides what may move; the device moves, and says what happened.

use serde_json::{Map, Value};

use super::session::{Notice, Session};
use crate::protocol::{Attempt, Condition, Facts, Fault, Hold, Lane, Millis, Mode, Observation, TaskStart};

/// A machine, as the session sees it. No method may block.
pub trait Device: Send {
    /// Who it is and what it can do.
    fn facts(&self) -> Facts;

    /// How it is now: sensors, switches, what is on it.
    fn status(&mut self, now: Millis) -> Status;

    /// Start this task now. The session has checked that it may; the device answers with happenings.
    fn start(&mut self, now: Millis, task: &TaskStart);

    /// Stop this task safely. The device answers with `End::Cancelled`, or with another end where it was already there.
    fn stop(&mut self, now: Millis, attempt: &Attempt);

    /// Pause what can be paused, or go on. Heat is never paused.
    fn hold(&mut self, now: Millis, held: bool);

    /// Oven: what lies in this slot lies there too long. Heat off, or eject it to the warm shelf.
    fn on_overdue(&mut self, now: Millis, lane: Lane);

    /// Test yourself. Called only while no task is active.
    fn selftest(&mut self, now: Millis) {
        let _ = now;
    }

    /// What happened since the last call.
    fn poll(&mut self, now: Millis) -> Vec<Happening>;

    /// When `poll` should be called again, if the device knows; otherwise it is called every 20 ms.
    fn next_poll(&self, now: Millis) -> Option<Millis> {
        let _ = now;
        None
    }

    /// For records and displays: what the session did with instructions.
    fn notice(&mut self, now: Millis, notice: &Notice) {
        let _ = (now, notice);
    }

    /// For displays: the session, after each step. A person sees at his tablet what he is asked.
    fn look(&mut self, now: Millis, session: &Session) {
        let _ = (now, session);
    }
}

/// How a device is at this moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// Who may move it.
    pub mode: Mode,
    /// STOPPED, ABORTED or SUSPENDED where it is so; None: the session tells from its tasks.
    pub condition: Option<Condition>,
    /// True while an emergency stop is pressed or not reset.
    pub estop: bool,
    /// False while it takes nothing new (cleaning, refilling): refused as REJECTED_BUSY.
    pub accepts: bool,
    /// What is physically on it. An oven's sensor may leave `pizza` open: the session knows it from the bake.
    pub holds: Vec<Hold>,
    /// Present errors of the machine.
    pub errors: Vec<Fault>,
    /// Measurements.
    pub telem: Option<Map<String, Value>>,
    /// None: what a lease names starts at once. Otherwise it waits until it is among these: a person has said that he begins it.
    pub begins: Option<Vec<Attempt>>,
}

impl Default for Status {
    fn default() -> Self {
        let (condition, holds, errors, telem, begins) = (None, vec![], vec![], None, None);
        Self { mode: Mode::Automatic, condition, estop: false, accepts: true, holds, errors, telem, begins }
    }
}

/// Something that happened at a device.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// A task got on; in percent.
    Progress {
        /// Which attempt.
        attempt: Attempt,
        /// How far, 0 to 100.
        pct: u8,
    },
    /// A task ended.
    Ended {
        /// Which attempt.
        attempt: Attempt,
        /// How.
        end: End,
    },
    /// A camera saw something.
    Seen(Observation),
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Well. A camera's code is its verdict; others leave it empty.
    Finished {
        /// PASS, FAIL, UNSURE, or empty.
        code: String,
        /// The temperature that it was done at, in tenths of a degree Celsius, if the machine measures one.
        temp_dc: Option<i32>,
    },
    /// Badly.
    Failed {
        /// Why, in capitals: DROPPED, JAMMED, …
        code: String,
        /// For people.
        detail: String,
    },
    /// It was told to stop, and has stopped.
    Cancelled,
}
