//! Pizzas that lie in a slot too long (rule 9): after a bake's window, and at power-up.

use std::collections::BTreeMap;

use super::tasks::Ended;
use crate::protocol::{Action, Fault, Hold, Id, Lane, Level, Millis, TaskState};

/// Slots whose pizza waits for its unloading, and slots where it came to nothing.
#[derive(Debug, Default)]
pub(super) struct Overdue {
    due: BTreeMap<Lane, (Millis, Option<Id>)>,
    overdue: BTreeMap<Lane, Option<Id>>,
}

impl Overdue {
    /// An oven that boots with an occupied slot knows nothing about it: overdue at once.
    pub(super) fn at_power_up(is_oven: bool, now: Millis, holds: &[Hold]) -> Self {
        let occupied = holds.iter().filter(|_| is_oven).map(|hold| (hold.lane, (now, None)));
        Self { due: occupied.collect(), overdue: BTreeMap::new() }
    }

    /// A bake is over: its window begins.
    pub(super) fn baked(&mut self, now: Millis, ended: &Ended) {
        if ended.action == Some(Action::Bake) && ended.state == TaskState::Finished {
            self.due.insert(ended.lane, (now + ended.window_ms, Some(ended.task.clone())));
        }
    }

    /// What has left its slot is no longer waited for.
    pub(super) fn lanes_changed(&mut self, holds: &[Hold]) {
        let is_occupied = |lane: &Lane| holds.iter().any(|hold| hold.lane == *lane);
        self.due.retain(|lane, _| is_occupied(lane));
        self.overdue.retain(|lane, _| is_occupied(lane));
    }

    /// Slots whose window ends now.
    pub(super) fn due(&mut self, now: Millis) -> Vec<Lane> {
        let lanes: Vec<Lane> = self.due.iter().filter(|(_, (at, _))| now >= *at).map(|(lane, _)| *lane).collect();
        for lane in &lanes {
            let task = self.due.remove(lane).and_then(|(_, task)| task);
            self.overdue.insert(*lane, task);
        }
        lanes
    }

    pub(super) fn next_at(&self) -> Option<Millis> {
        self.due.values().map(|(at, _)| *at).min()
    }

    /// OVERDUE, for each slot where it came to that.
    pub(super) fn errors(&self) -> impl Iterator<Item = Fault> {
        self.overdue.iter().map(|(lane, task)| Fault {
            code: "OVERDUE".to_owned(),
            lvl: Level::Critical,
            task: task.clone(),
            detail: format!("slot {lane} was not emptied in time"),
        })
    }
}
