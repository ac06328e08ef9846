//! Heartbeats and the leases that answer them (rules 4 and 8).

use std::collections::VecDeque;

use crate::defect;
use crate::protocol::{Heartbeat, Lease, Millis};

/// Heartbeats whose sending times are remembered: more than are sent within any lease.
const REMEMBERED_MAX: usize = 64;
/// Unanswered heartbeats after which the device goes to the next broker.
const UNANSWERED_MAX: u32 = 3;

/// When heartbeats were sent, and which were answered.
#[derive(Debug)]
pub(super) struct Pulse {
    interval_ms: Millis,
    seq: u64,
    sent: VecDeque<(u64, Millis)>,
    next_at: Millis,
    /// Heartbeats in a row, one interval apart, that nobody answered. Extra ones count for nothing: three within a
    /// millisecond prove no silence.
    unanswered: u32,
    /// The latest answered heartbeat: an answer to an earlier one is out of date.
    answered_seq: u64,
    /// When the last answer came.
    answered_at: Option<Millis>,
}

impl Pulse {
    pub(super) fn new(interval_ms: Millis) -> Self {
        let (sent, answered_at) = (VecDeque::new(), None);
        Self { interval_ms, seq: 0, sent, next_at: 0, unanswered: 0, answered_seq: 0, answered_at }
    }

    pub(super) fn interval_ms(&self) -> Millis {
        self.interval_ms
    }

    pub(super) fn answered_at(&self) -> Option<Millis> {
        self.answered_at
    }

    pub(super) fn set_interval(&mut self, interval_ms: Millis) {
        self.interval_ms = interval_ms;
    }

    /// A new connection: nothing is unanswered on it yet.
    pub(super) fn connected(&mut self, now: Millis) {
        self.unanswered = 0;
        self.next_at = now + self.interval_ms;
    }

    pub(super) fn is_due(&self, now: Millis) -> bool {
        now >= self.next_at
    }

    pub(super) fn next_at(&self) -> Millis {
        self.next_at
    }

    pub(super) fn is_unanswered(&self) -> bool {
        self.unanswered >= UNANSWERED_MAX
    }

    /// The next heartbeat, sent now.
    pub(super) fn beat(&mut self, now: Millis, boot: u64, rev: u64, up_ms: Millis) -> Heartbeat {
        if self.is_due(now) {
            self.unanswered += 1;
            self.next_at = now + self.interval_ms;
        }
        self.seq += 1;
        self.sent.push_back((self.seq, now));
        if self.sent.len() > REMEMBERED_MAX {
            self.sent.pop_front();
        }
        Heartbeat { boot, seq: self.seq, rev, up_ms }
    }

    /// Takes an answer. When the heartbeat was sent that it answers, if the answer is still worth anything.
    pub(super) fn answered(&mut self, now: Millis, lease: &Lease) -> Option<Millis> {
        let (_, sent_at) = *self.sent.iter().find(|(seq, _)| *seq == lease.seq)?;
        if lease.seq < self.answered_seq {
            return None;
        }
        self.answered_seq = lease.seq;
        (self.unanswered, self.answered_at) = (0, Some(now));
        let sent_at = if defect::is("lease-from-receipt") { now } else { sent_at };
        (now < sent_at.saturating_add(lease.l_ms)).then_some(sent_at)
    }
}
