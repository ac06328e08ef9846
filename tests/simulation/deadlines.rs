//! Deadlines are state; a node in charge says that some are due, as `leader::deadlines` does.

use brigade::kitchen::{Command, Millis};

use crate::agenda::Event;
use crate::raft::Purpose;
use crate::run::Simulation;

const DEADLINE_PAUSE_MS: Millis = 100;

/// A deadline that is due after so many entries that said so will never be met.
const DEADLINE_REPEATS_MAX: u32 = 50;

impl Simulation {
    /// Proposes `DeadlinesDue` when a deadline has passed, and looks again when the next one will.
    pub fn plan_deadlines(&mut self, node: usize) {
        let now = self.kitchen_now(node);
        let it = &mut self.nodes[node];
        let Some(tenure) = &mut it.tenure else { return };
        if tenure.deadlines_proposed {
            return;
        }
        let wait_ms = it.kitchen.next_deadline().map_or(1_000, |at| at.saturating_sub(now)).min(1_000);
        it.deadline_token += 1;
        let (life, token) = (it.life, it.deadline_token);
        self.agenda.at(self.now + wait_ms.max(1), Event::Deadline { node, life, token });
    }

    /// A deadline may be due.
    pub fn deadline(&mut self, node: usize, token: u64) {
        let now = self.kitchen_now(node);
        let it = &mut self.nodes[node];
        let Some(tenure) = it.tenure.as_mut().filter(|_| it.deadline_token == token) else { return };
        let next = it.kitchen.next_deadline();
        if next.is_none_or(|at| at > now) {
            return self.plan_deadlines(node);
        }
        tenure.deadlines_proposed = true;
        tenure.repeats = if tenure.last_deadline == next { tenure.repeats + 1 } else { 0 };
        tenure.last_deadline = next;
        let (epoch, repeats) = (tenure.epoch, tenure.repeats);
        if repeats > DEADLINE_REPEATS_MAX {
            return self.fail(format!("a deadline stays due: {next:?}"));
        }
        self.propose(node, Command::DeadlinesDue, Some(epoch), Purpose::Deadlines);
    }

    pub fn deadlines_met(&mut self, node: usize) {
        let it = &mut self.nodes[node];
        let Some(tenure) = &mut it.tenure else { return };
        tenure.deadlines_proposed = false;
        if it.kitchen.next_deadline() != tenure.last_deadline {
            return self.plan_deadlines(node);
        }
        it.deadline_token += 1;
        let (life, token) = (it.life, it.deadline_token);
        self.agenda.at(self.now + DEADLINE_PAUSE_MS, Event::Deadline { node, life, token });
    }
}
