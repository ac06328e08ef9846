//! What was heard: ids of instructions, attempts that are over and acknowledged, results (rules 2, 3 and 7).
//!
//! RAM is enough: after a reboot the boot differs, and everything of the former life is refused.

use std::collections::VecDeque;

use crate::protocol::{Attempt, CommandResult, InstructionId, InstructionResult, Millis};

/// Results that `state` shows.
const RESULTS_MAX: usize = 32;
/// How long an id is remembered at least, in milliseconds.
const REMEMBERED_MS: Millis = 10_000;
/// How many are remembered even when they are older.
const REMEMBERED_MIN: usize = 512;
/// How many are remembered at most, whatever their age: a flood must not eat the memory.
const REMEMBERED_MAX: usize = 8_192;

/// What was heard.
#[derive(Debug, Default)]
pub(super) struct Memory {
    instructions: Recent<InstructionId>,
    attempts: Recent<Attempt>,
    results: VecDeque<InstructionResult>,
}

impl Memory {
    pub(super) fn knows(&self, id: InstructionId) -> bool {
        self.instructions.contains(&id)
    }

    pub(super) fn remember(&mut self, now: Millis, id: InstructionId) {
        self.instructions.push(now, id);
    }

    pub(super) fn knows_attempt(&self, attempt: &Attempt) -> bool {
        self.attempts.contains(attempt)
    }

    pub(super) fn remember_attempt(&mut self, now: Millis, attempt: Attempt) {
        self.attempts.push(now, attempt);
    }

    /// Records what became of an instruction. True if `state` shows something new by it.
    pub(super) fn record(&mut self, id: InstructionId, res: CommandResult) -> bool {
        let result = InstructionResult { id, res };
        if self.results.contains(&result) {
            return false;
        }
        self.results.retain(|known| known.id != id);
        self.results.push_back(result);
        if self.results.len() > RESULTS_MAX {
            self.results.pop_front();
        }
        true
    }

    pub(super) fn results(&self) -> Vec<InstructionResult> {
        self.results.iter().cloned().collect()
    }
}

/// The latest of something, with the time when each was remembered.
#[derive(Debug)]
struct Recent<T> {
    items: VecDeque<(Millis, T)>,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { items: VecDeque::new() }
    }
}

impl<T: PartialEq> Recent<T> {
    fn contains(&self, item: &T) -> bool {
        self.items.iter().any(|(_, known)| known == item)
    }

    fn push(&mut self, now: Millis, item: T) {
        self.items.push_back((now, item));
        while self.items.len() > REMEMBERED_MIN && self.is_front_spare(now) {
            self.items.pop_front();
        }
    }

    fn is_front_spare(&self, now: Millis) -> bool {
        let is_old = self.items.front().is_some_and(|(at, _)| now.saturating_sub(*at) > REMEMBERED_MS);
        is_old || self.items.len() > REMEMBERED_MAX
    }
}
