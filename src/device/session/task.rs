//! One task of a device: what was asked, how far it is, and when which of its times runs out.

use crate::protocol::{
    Action, After, Attempt, DeviceKind, Facts, Hold, InstructionId, Lane, Millis, TaskLine, TaskStart, TaskState,
};

/// One task.
#[derive(Debug)]
pub(super) struct Task {
    /// Instructions that asked for it; a lease names it by any of them.
    pub(super) ids: Vec<InstructionId>,
    pub(super) attempt: Attempt,
    /// None where a cancellation came before the task.
    pub(super) order: Option<TaskStart>,
    pub(super) state: TaskState,
    pub(super) pct: Option<u8>,
    pub(super) code: String,
    pub(super) detail: String,
    /// Measured by the machine at its end.
    pub(super) temp_dc: Option<i32>,
    pub(super) accepted_at: Millis,
    pub(super) expires_at: Millis,
    /// True once its `after` has come to pass; false while it waits for LOADED.
    pub(super) is_loaded: bool,
    /// Until when the last lease that named it lets it start.
    pub(super) named_until: Option<Millis>,
    pub(super) started_at: Millis,
    pub(super) max_ms: Millis,
}

impl Task {
    /// A task that waits.
    pub(super) fn waiting(now: Millis, id: InstructionId, order: TaskStart, within_ms: Millis, max_ms: Millis) -> Self {
        let (expires_at, attempt) = (now.saturating_add(within_ms), order.attempt.clone());
        Self { expires_at, max_ms, order: Some(order), ..Self::named(now, id, attempt, TaskState::Waiting) }
    }

    /// A task of which only the name is known.
    pub(super) fn named(now: Millis, id: InstructionId, attempt: Attempt, state: TaskState) -> Self {
        Self {
            ids: vec![id],
            attempt,
            order: None,
            state,
            pct: None,
            code: String::new(),
            detail: String::new(),
            temp_dc: None,
            accepted_at: now,
            expires_at: now,
            is_loaded: true,
            named_until: None,
            started_at: 0,
            max_ms: 0,
        }
    }

    pub(super) fn action(&self) -> Option<Action> {
        self.order.as_ref().and_then(|order| order.act.known())
    }

    pub(super) fn lane(&self) -> Option<Lane> {
        self.order.as_ref().map(|order| order.lane)
    }

    pub(super) fn delayed_until(&self) -> Option<Millis> {
        match self.order.as_ref().and_then(|order| order.after.as_ref()) {
            Some(After::Delay { ms }) => Some(self.accepted_at.saturating_add(*ms)),
            Some(After::Event { .. }) | None => None,
        }
    }

    pub(super) fn is_due(&self, now: Millis) -> bool {
        self.is_loaded && self.delayed_until().is_none_or(|at| now >= at)
    }

    pub(super) fn watchdog_at(&self) -> Option<Millis> {
        let is_moving = matches!(self.state, TaskState::Running | TaskState::Paused);
        let is_watched = is_moving && self.action() != Some(Action::Bake);
        is_watched.then(|| self.started_at.saturating_add(self.max_ms))
    }

    /// True if it waits for just this: its slot filled, with its pizza or with something unknown.
    pub(super) fn waits_for_loading(&self, hold: &Hold) -> bool {
        let Some(order) = self.order.as_ref().filter(|_| self.state == TaskState::Waiting) else { return false };
        let is_its_pizza = hold.pizza.as_ref().is_none_or(|pizza| *pizza == order.pizza);
        matches!(order.after, Some(After::Event { lane, .. }) if lane == hold.lane) && is_its_pizza
    }

    pub(super) fn line(&self) -> TaskLine {
        TaskLine {
            attempt: self.attempt.clone(),
            pizza: self.order.as_ref().map(|order| order.pizza.clone()),
            act: self.order.as_ref().map(|order| order.act.clone()),
            lane: self.lane(),
            st: self.state,
            pct: self.pct,
            code: self.code.clone(),
            detail: self.detail.clone(),
            temp_dc: self.temp_dc,
        }
    }
}

/// True if the lane holds what the action needs: nothing to prepare or unload, this pizza to load, bake, finish or shelve.
pub(super) fn fits(facts: &Facts, order: &TaskStart, holds: &[Hold]) -> bool {
    let held = holds.iter().find(|hold| hold.lane == order.lane);
    let is_this_pizza = held.is_some_and(|hold| hold.pizza.as_ref() == Some(&order.pizza));
    match order.act.known() {
        _ if facts.kind == DeviceKind::Human => true,
        Some(Action::Prep | Action::Unload) => held.is_none(),
        Some(Action::Load | Action::Bake | Action::Finish | Action::Shelve) => is_this_pizza,
        Some(Action::Discard | Action::Inspect) | None => true,
    }
}
