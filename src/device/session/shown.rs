//! What a session knows, for displays: a person who works as a device sees it at a tablet. Nothing is decided by it.

use super::Session;
use crate::protocol::{Millis, TaskStart, TaskState};

/// A task that waits, runs or is paused.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenTask {
    /// What was asked for.
    pub order: TaskStart,
    /// WAITING, RUNNING or PAUSED.
    pub state: TaskState,
    /// When it expires or when its watchdog ends it, on the clock that the session is told.
    pub ends_at: Option<Millis>,
}

impl Session {
    /// The tasks that are not over, in the order of their acceptance.
    pub fn open_tasks(&self) -> impl Iterator<Item = OpenTask> {
        self.tasks.open()
    }

    /// True while its broker is reached.
    pub fn is_connected(&self) -> bool {
        self.is_connected
    }

    /// True while somebody holds it.
    pub fn is_held(&self) -> bool {
        self.holding.is_held()
    }

    /// The interval of its heartbeats, in milliseconds.
    pub fn heartbeat_ms(&self) -> Millis {
        self.pulse.interval_ms()
    }

    /// When a controller last answered a heartbeat.
    pub fn answered_at(&self) -> Option<Millis> {
        self.pulse.answered_at()
    }
}
