//! What is looked at in everything that a device says, whatever is tried meanwhile: forms, `rev`, the way of tasks.

use std::collections::{BTreeMap, BTreeSet};

use crate::mqtt;
use crate::protocol::{
    Attempt, Condition, Conn, ConnState, Error, Facts, Heartbeat, Leaf, Message, Millis, State, TaskState,
};

/// Usual and greatest duration of an action, and thereby of `orphan_ms`, that facts may name: four hours.
const ACTION_MS_MAX: Millis = 4 * 3_600_000;
/// The greatest `orphan_ms`.
const ORPHAN_MS_MAX: Millis = 600_000;
/// Heartbeat intervals that facts may name.
const HEARTBEAT_MS: std::ops::RangeInclusive<Millis> = 20..=60_000;

/// What was seen of it, and the first violation of each rule.
#[derive(Debug, Default)]
pub(super) struct Watch {
    last: Option<State>,
    conn: Option<Conn>,
    beat: Option<Heartbeat>,
    acknowledged: BTreeSet<Attempt>,
    /// States may have been lost since the last one: the connection was.
    is_gap: bool,
    violations: BTreeMap<&'static str, (String, String)>,
}

impl Watch {
    /// What was seen against this rule, as expected and came.
    pub(super) fn violation(&self, rule: &str) -> Option<&(String, String)> {
        self.violations.get(rule)
    }

    /// All that was seen, a text each.
    pub(super) fn all(&self) -> impl Iterator<Item = String> {
        self.violations.iter().map(|(rule, (expected, came))| format!("{rule}: expected {expected}, came {came}"))
    }

    /// The bench acknowledges this attempt: it may go.
    pub(super) fn acknowledged(&mut self, attempt: &Attempt) {
        self.acknowledged.insert(attempt.clone());
    }

    /// Looks at a message of the device.
    pub(super) fn look(&mut self, leaf: Leaf, message: &mqtt::Message, decoded: &Result<Message, Error>) {
        if !message.is_retained() {
            let (qos, shown) = (u8::from(message.wants_ack()), String::from_utf8_lossy(message.payload()));
            self.hold(qos == leaf.qos(), "T2", || {
                (format!("{leaf} with QoS {}", leaf.qos()), format!("QoS {qos}: {shown}"))
            });
        } else if !leaf.retain() {
            self.hold(false, "T2", || (format!("{leaf} not retained"), "it was retained".to_owned()));
        }
        match decoded {
            Err(error) => self.misformed(leaf, error),
            Ok(Message::State(state)) if !message.is_retained() => self.look_at_state(state),
            Ok(Message::Facts(facts)) => self.look_at_facts(facts),
            Ok(Message::Conn(conn)) if !message.is_retained() => self.look_at_conn(conn),
            Ok(Message::Heartbeat(beat)) => self.look_at_beat(beat),
            Ok(_) => {}
        }
    }

    fn hold(&mut self, is_kept: bool, rule: &'static str, violation: impl FnOnce() -> (String, String)) {
        if !is_kept && !self.violations.contains_key(rule) {
            self.violations.insert(rule, violation());
        }
    }

    fn misformed(&mut self, leaf: Leaf, error: &Error) {
        let of_form = match leaf {
            Leaf::Conn => "M1",
            Leaf::Facts => "M5",
            Leaf::State => "M6",
            Leaf::Hb => "M11",
            Leaf::Obs | Leaf::Lease | Leaf::Cmd | Leaf::AllCmd | Leaf::Leader => "C6",
        };
        let rule = match error {
            Error::TooLarge { .. } | Error::Topic { .. } => "C6",
            Error::Version { .. } => "C8",
            Error::Form { why, .. } if why.contains("`v`") => "C8",
            Error::Form { .. } => of_form,
        };
        self.hold(false, rule, || (format!("{leaf} in its form"), error.to_string()));
    }

    fn look_at_facts(&mut self, facts: &Facts) {
        let of_actions = facts.actions.iter().all(|a| a.typ_ms <= ACTION_MS_MAX && a.max_ms <= ACTION_MS_MAX);
        let is_fine = facts.proto == crate::protocol::VERSION
            && HEARTBEAT_MS.contains(&facts.hb_ms)
            && facts.orphan_ms <= ORPHAN_MS_MAX
            && !facts.lanes.is_empty()
            && of_actions;
        self.hold(is_fine, "M5", || ("facts within their bounds".to_owned(), format!("{facts:?}")));
    }

    fn look_at_conn(&mut self, conn: &Conn) {
        self.is_gap = true;
        // A will may come late, after the birth of the next connection; what is wrong with it is M4.
        if conn.st != ConnState::Online {
            return;
        }
        let before = self.conn.replace(conn.clone()).filter(|before| before.boot == conn.boot);
        let of_birth = before.map_or(0, |before| before.n);
        let is_fine = conn.n >= of_birth.max(1);
        self.hold(is_fine, "M2", || (format!("n of at least {}", of_birth.max(1)), format!("{}", conn.n)));
    }

    fn look_at_beat(&mut self, beat: &Heartbeat) {
        if let Some(before) = self.beat.replace(beat.clone()).filter(|before| before.boot == beat.boot) {
            let is_next = beat.seq > before.seq;
            self.hold(is_next, "M11", || (format!("s above {}", before.seq), beat.seq.to_string()));
            let is_later = beat.up_ms >= before.up_ms;
            self.hold(is_later, "M13", || (format!("up of at least {}", before.up_ms), beat.up_ms.to_string()));
        }
    }

    fn look_at_state(&mut self, state: &State) {
        let is_gap = std::mem::take(&mut self.is_gap);
        let runs = state.tasks.iter().any(|line| line.st == TaskState::Running);
        let is_fine = match state.cond {
            Condition::Execute => runs,
            Condition::Idle => !runs,
            Condition::Held | Condition::Suspended | Condition::Stopped | Condition::Aborted => true,
        };
        self.hold(is_fine, "M8", || ("EXECUTE just while a task runs".to_owned(), shown(state)));
        let mut lanes: Vec<_> = state.holds.iter().map(|hold| hold.lane).collect();
        lanes.dedup();
        self.hold(lanes.len() == state.holds.len(), "M8", || ("one line for each lane".to_owned(), shown(state)));
        let is_step = state.tasks.iter().all(|line| line.pct.is_none_or(|pct| pct % 10 == 0 && pct <= 100));
        self.hold(is_step, "M10", || ("pct in steps of 10".to_owned(), shown(state)));
        if let Some(before) = self.last.replace(state.clone()).filter(|before| before.boot == state.boot) {
            self.look_at_change(&before, state, is_gap);
        }
    }

    fn look_at_change(&mut self, before: &State, state: &State, is_gap: bool) {
        let is_same = state.rev == before.rev;
        self.hold(!is_same || state == before, "M7", || {
            (format!("the state of rev {} unchanged: {}", before.rev, shown(before)), shown(state))
        });
        let is_next = is_same || state.rev == before.rev + 1 || is_gap && state.rev > before.rev;
        self.hold(is_next, "M7", || {
            (format!("rev {} or {}", before.rev, before.rev + 1), format!("rev {}", state.rev))
        });
        for was in &before.tasks {
            match state.tasks.iter().find(|line| line.attempt == was.attempt) {
                Some(is) => self.hold(is_forward(was.st, is.st), "R6.1", || {
                    (format!("{} to go forward from {:?}", was.attempt.id, was.st), format!("{:?}", is.st))
                }),
                None => {
                    let is_kept = self.acknowledged.contains(&was.attempt);
                    self.hold(is_kept, "R7.1", || {
                        (format!("{} in tasks until it is acknowledged", was.attempt.id), shown(state))
                    });
                }
            }
        }
    }
}

/// Rule 6. What happened between two reports is not seen: a short task may be over in the next one.
fn is_forward(from: TaskState, to: TaskState) -> bool {
    match from {
        TaskState::Waiting => true,
        TaskState::Running | TaskState::Paused => to != TaskState::Waiting,
        TaskState::Finished | TaskState::Failed | TaskState::Cancelled | TaskState::Expired => from == to,
    }
}

fn shown(state: &State) -> String {
    serde_json::to_string(state).unwrap_or_default()
}
