//! How a device with a flaw speaks.

use brigade::mqtt::{Publication, Qos};
use brigade::protocol::*;
use serde_json::Value;

use crate::broken::{Broken, HB_MS};
use crate::flaws::{Flaw, SECOND};

impl Broken {
    /// What it makes of what it says. None: it does not say it.
    pub fn outbound(&mut self, mut message: Message) -> Option<Publication> {
        match &mut message {
            Message::Facts(facts) => {
                if self.flaw == Flaw::ForgetsFacts && self.now - self.connected_at < 100 {
                    return None;
                }
                self.say_facts(facts);
            }
            Message::State(state) => self.say_state(state),
            Message::Heartbeat(beat) => match self.flaw {
                Flaw::OldRevInBeats => beat.rev = beat.rev.saturating_sub(1),
                Flaw::RevStands => beat.rev = 1,
                Flaw::StoppedClock => beat.up_ms = 1_000,
                Flaw::LazyHeart if self.now - self.beat_at < HB_MS * 7 / 4 => return None,
                _ => self.beat_at = self.now,
            },
            Message::Conn(conn) => match self.flaw {
                Flaw::CountsDown => conn.n = 1_000 - conn.n,
                Flaw::TwoBoots => conn.boot ^= 1,
                _ => {}
            },
            _ => {}
        }
        let mut publication = self.publication(&message);
        if message.leaf() == Leaf::Facts && self.flaw == Flaw::TalksTooMuch {
            change_json(&mut publication, |value| value["x-more"] = "x".repeat(17_000).into());
        }
        if message.leaf() == Leaf::State {
            match self.flaw {
                Flaw::NoVersion => change_json(&mut publication, |value| {
                    value.as_object_mut().unwrap().remove("v");
                }),
                Flaw::StateNotRetained => publication.retain = false,
                Flaw::StateOnce => publication.qos = Qos::AtMostOnce,
                Flaw::NoErrorsField => change_json(&mut publication, |value| {
                    value.as_object_mut().unwrap().remove("errors");
                }),
                _ => {}
            }
        }
        Some(publication)
    }

    fn say_facts(&self, facts: &mut Facts) {
        match self.flaw {
            Flaw::StopsWhatMustEnd => {
                facts.actions.iter_mut().for_each(|action| action.cancel = CancelClass::UntilStart)
            }
            Flaw::TwoTasksInOnePlace => facts.lanes = vec![0],
            Flaw::NeverStops => facts.actions.iter_mut().for_each(|action| action.cancel = CancelClass::Always),
            Flaw::OutOfBounds => facts.actions.iter_mut().for_each(|action| action.typ_ms = 100_000_000),
            Flaw::OrphansNeverStart | Flaw::OrphansStartLate => facts.orphan_ms = self.orphan_ms,
            _ => {}
        }
    }

    fn say_state(&mut self, state: &mut State) {
        for line in &mut state.tasks {
            line.attempt.att -= if (SECOND..2 * SECOND).contains(&line.attempt.att) { SECOND } else { 0 };
        }
        match self.flaw {
            Flaw::TwoTasksInOnePlace => state.tasks.iter_mut().for_each(|line| line.lane = line.lane.map(|_| 0)),
            Flaw::UnknownIsInvalid => {
                self.reword(state, CommandResult::RejectedUnsupported, CommandResult::RejectedInvalid)
            }
            Flaw::HeldIsBusy => self.reword(state, CommandResult::RejectedMode, CommandResult::RejectedBusy),
            Flaw::InvalidIsUnsupported => {
                self.reword(state, CommandResult::RejectedInvalid, CommandResult::RejectedUnsupported);
            }
            Flaw::FullIsInvalid => self.reword(state, CommandResult::RejectedOccupied, CommandResult::RejectedInvalid),
            Flaw::HoldComesFirst if state.cond == Condition::Held => {
                self.reword(state, CommandResult::RejectedUnsupported, CommandResult::RejectedMode);
            }
            Flaw::TakesANinthDone if state.tasks.iter().filter(|line| line.st.is_over()).count() >= 8 => {
                self.reword(state, CommandResult::RejectedBusy, CommandResult::Done);
            }
            Flaw::TakesANinthToDo if state.tasks.iter().filter(|line| !line.st.is_over()).count() >= 8 => {
                self.reword(state, CommandResult::RejectedBusy, CommandResult::Done);
            }
            Flaw::SettlesWhileBusy => {
                let is_busy = |cmd: &&mut InstructionResult| {
                    cmd.res == CommandResult::RejectedBusy && !self.starts.contains_key(&cmd.id)
                };
                state.cmds.iter_mut().filter(is_busy).for_each(|cmd| cmd.res = CommandResult::Done);
            }
            Flaw::ShamsHolds if self.shams_hold => state.cond = Condition::Held,
            Flaw::CallsItExpired => {
                for line in state.tasks.iter_mut().filter(|line| line.st == TaskState::Cancelled) {
                    if self.fates.get(&line.attempt) == Some(&"cancelled in time") {
                        line.st = TaskState::Expired;
                    }
                }
            }
            Flaw::ShortMemory => {
                let many = state.cmds.len();
                state.cmds.drain(..many.saturating_sub(3));
            }
            Flaw::AlwaysIdle if state.cond == Condition::Execute => state.cond = Condition::Idle,
            Flaw::AnswersQuestions => {
                let answer = |id: &InstructionId| InstructionResult { id: *id, res: CommandResult::Done };
                state.cmds.extend(self.questions.iter().rev().take(4).map(answer));
            }
            Flaw::DancesOnDemand => {
                for cmd in &mut state.cmds {
                    if !self.starts.contains_key(&cmd.id) && cmd.res == CommandResult::RejectedUnsupported {
                        cmd.res = CommandResult::Done;
                    }
                }
            }
            Flaw::RevStands => state.rev = 1,
            Flaw::OddProgress => {
                for line in &mut state.tasks {
                    line.pct = line.pct.map(|pct| if pct == 0 || pct == 100 { pct } else { pct + 1 });
                }
            }
            Flaw::GoesBack => self.go_back(state),
            Flaw::NamesNoPizza => state.holds.iter_mut().for_each(|hold| hold.pizza = None),
            Flaw::RemembersItsPizza if self.booted_full => {
                state.holds.iter_mut().for_each(|hold| hold.pizza = Some("pizza-1".parse().unwrap()));
            }
            Flaw::NeverOverdue => state.errors.retain(|fault| fault.code != "OVERDUE"),
            Flaw::ForgetsThatItWasFull if self.booted_full => state.errors.retain(|fault| fault.code != "OVERDUE"),
            _ => {}
        }
    }

    /// Has another word for what became of a task's start.
    fn reword(&self, state: &mut State, from: CommandResult, to: CommandResult) {
        let is_meant = |cmd: &&mut InstructionResult| cmd.res == from && self.starts.contains_key(&cmd.id);
        state.cmds.iter_mut().filter(is_meant).for_each(|cmd| cmd.res = to);
    }

    /// Shows a task that is over as running once more, in the first state after the one that said so.
    fn go_back(&mut self, state: &mut State) {
        for line in state.tasks.iter_mut().filter(|line| line.st.is_over()) {
            let told = *self.told_over.entry(line.attempt.clone()).or_insert(state.rev);
            if state.rev == told + 1 {
                (line.st, state.cond) = (TaskState::Running, Condition::Execute);
            }
        }
    }
}

fn change_json(publication: &mut Publication, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&publication.payload).unwrap();
    change(&mut value);
    publication.payload = value.to_string().into();
}
