//! What was heard of the device until now.

use crate::clock;
use crate::protocol::{
    Attempt, CommandResult, Conn, ConnState, Epoch, Facts, Heartbeat, InstructionId, Message, Millis, State, TaskState,
};

/// Heartbeats that are kept.
const BEATS_MAX: usize = 256;

/// A heartbeat and when it came.
#[derive(Clone, Debug)]
pub(super) struct Beat {
    pub(super) at: Millis,
    pub(super) heartbeat: Heartbeat,
}

/// What was heard of the device. Live is what was not delivered as retained.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) facts: Option<Facts>,
    pub(super) facts_live: u64,
    pub(super) state: Option<State>,
    pub(super) states_live: u64,
    pub(super) conn: Option<Conn>,
    /// Live words on its connection, in order.
    pub(super) conns: Vec<Conn>,
    pub(super) beats: Vec<Beat>,
}

impl Seen {
    pub(super) fn take(&mut self, message: Message, is_retained: bool) {
        match message {
            Message::Conn(conn) => {
                self.conns.extend((!is_retained).then(|| conn.clone()));
                self.conn = Some(conn);
            }
            Message::Facts(facts) => {
                self.facts_live += u64::from(!is_retained);
                self.facts = Some(facts);
            }
            Message::State(state) => {
                self.states_live += u64::from(!is_retained);
                self.state = Some(state);
            }
            Message::Heartbeat(heartbeat) if !is_retained => {
                self.beats.push(Beat { at: clock::boottime_ms(), heartbeat });
                if self.beats.len() > BEATS_MAX {
                    self.beats.remove(0);
                }
            }
            Message::Heartbeat(_)
            | Message::Observation(_)
            | Message::Cmd(_)
            | Message::Lease(_)
            | Message::AllCmd(_)
            | Message::Leader(_) => {}
        }
    }

    /// The boot that speaks now: that of the latest heartbeat, which is never old.
    pub(super) fn boot(&self) -> u64 {
        self.beats.last().map_or(0, |beat| beat.heartbeat.boot)
    }

    /// Number of the latest heartbeat.
    pub(super) fn seq(&self) -> u64 {
        self.beats.last().map_or(0, |beat| beat.heartbeat.seq)
    }

    pub(super) fn is_online(&self) -> bool {
        self.conn.as_ref().is_some_and(|conn| conn.st == ConnState::Online)
    }

    pub(super) fn result(&self, id: InstructionId) -> Option<CommandResult> {
        self.state.as_ref()?.cmds.iter().find(|cmd| cmd.id == id).map(|cmd| cmd.res)
    }

    pub(super) fn task(&self, attempt: &Attempt) -> Option<TaskState> {
        self.state.as_ref()?.tasks.iter().find(|line| line.attempt == *attempt).map(|line| line.st)
    }

    /// Some if the task is in this state.
    pub(super) fn task_is(&self, attempt: &Attempt, st: TaskState) -> Option<()> {
        (self.task(attempt) == Some(st)).then_some(())
    }

    pub(super) fn has_fence(&self, epoch: Epoch) -> Option<()> {
        (self.state.as_ref()?.fence.epoch == epoch).then_some(())
    }

    /// What failures show of it.
    pub(super) fn summary(&self) -> String {
        let Some(state) = &self.state else { return "nothing".to_owned() };
        let task = |line: &crate::protocol::TaskLine| format!("{} {:?} {}", line.attempt.id, line.st, line.code);
        let tasks: Vec<String> = state.tasks.iter().map(task).collect();
        let conn = self.conn.as_ref().map_or("no conn".to_owned(), |conn| format!("{:?} n={}", conn.st, conn.n));
        format!(
            "{conn}, rev {}, {:?}, fence {}, tasks [{}], holds {:?}",
            state.rev,
            state.cond,
            state.fence.epoch,
            tasks.iter().map(|task| task.trim_end()).collect::<Vec<_>>().join(", "),
            state.holds.iter().map(|hold| hold.pizza.as_ref().map_or("null", |p| p.as_str())).collect::<Vec<_>>()
        )
    }
}
