//! What one controller believes and remembers, as `src/leader/` does: its epoch, its view of the kitchen, and what it named.
//! A controller that was replaced and does not know it goes on by the view that it had.

use super::guards::{Bounds, Guards};
use super::kitchen::Kitchen;
use super::state::{ATTEMPTS, Span};

/// One controller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Controller {
    /// The epoch under which it serves; 0 while it only follows.
    pub epoch: u8,
    /// What it sees of the kitchen once it was replaced; in charge it sees what the log has decided.
    pub view: Option<Kitchen>,
    /// How long ago another node was elected, while the quorum lease may last.
    pub replaced: Option<Span>,
    /// A heartbeat of each device that passed the check of the quorum lease, by how long ago it was sent, and is not yet answered: the
    /// pause between deciding and sending.
    pub admitted: [Option<Span>; 2],
    /// How long ago a lease of this tenure last named each attempt.
    pub named: [Option<Span>; ATTEMPTS],
    /// Devices that get no lease.
    pub withheld: [bool; 2],
    /// Devices whose judgement is on its way through the log, with what `named` was when it was made.
    pub judged: [Option<[Option<Span>; ATTEMPTS]>; 2],
    /// Devices about which "deadlines are due" is on its way through the log, with that entry's age.
    pub overdue: [Option<Span>; 2],
}

impl Controller {
    /// A new tenure remembers nothing.
    pub fn take_charge(&mut self, epoch: u8) {
        *self = Self { epoch, ..Self::default() };
    }

    /// Another node was put in charge. What was on its way through the log is refused there.
    pub fn replaced(&mut self, kitchen: &Kitchen) {
        self.view = Some(kitchen.as_seen_by_a_former_leader());
        self.replaced = Some(0);
        (self.judged, self.overdue, self.named) = ([None; 2], [None; 2], [None; ATTEMPTS]);
    }

    /// Time passes. A heartbeat whose answer would come too late is as good as unanswered; and whose quorum lease is over says nothing
    /// that it could not have said before.
    pub fn tick(&mut self, guards: &Guards, bounds: &Bounds) {
        let age = |span: &mut Option<Span>| *span = span.map(|s| (s + 1).min(bounds.proof(guards)));
        let judged = self.judged.iter_mut().flatten().flatten();
        self.named.iter_mut().chain(&mut self.overdue).chain(judged).for_each(age);
        let is_worth = |s: Span| s < bounds.lease || !guards.lease_from_sending;
        self.admitted = self.admitted.map(|sent| sent.map(|s| s + 1).filter(|s| is_worth(*s)));
        self.replaced = self.replaced.map(|s| (s + 1).min(bounds.margin + 1));
        if !self.quorum_holds(guards, bounds) && self.admitted == [None; 2] && guards.commit_first {
            *self = Self::default();
        }
    }

    /// What it sees.
    pub fn sees<'a>(&'a self, kitchen: &'a Kitchen) -> &'a Kitchen {
        self.view.as_ref().unwrap_or(kitchen)
    }

    /// `QuorumLease::holds`: another node can have been elected before it ends, but at most the largest election timeout before.
    pub fn quorum_holds(&self, guards: &Guards, bounds: &Bounds) -> bool {
        let lasts = self.replaced.is_none_or(|ago| ago <= bounds.margin);
        self.epoch > 0 && (lasts || !guards.quorum_lease)
    }

    /// `lease::answer`: the attempts, as bits, that this device may start now. None: it gets no lease.
    pub fn names(&mut self, device: u8, boot: u8, kitchen: &Kitchen, guards: &Guards) -> Option<u8> {
        let view = *self.sees(kitchen);
        let d = usize::from(device);
        if view.devices[d].boot != boot || (self.withheld[d] && guards.withheld) {
            return None;
        }
        let is_overdue = self.overdue[d].is_some() && guards.overdue_unnamed;
        let mut open = 0;
        for (n, attempt) in view.attempts.iter().enumerate().filter_map(|(n, a)| Some((n, a.as_ref()?))) {
            if attempt.device == device && attempt.boot == boot && attempt.is_in_outbox() && !is_overdue {
                open |= 1 << n;
                // A controller that was replaced is asked no more what it named.
                self.named[n] = (guards.names_remembered && self.view.is_none()).then_some(0);
            }
        }
        Some(open)
    }

    /// The device is heard again: it gets leases once its judgement is settled.
    pub fn heard(&mut self, device: usize) {
        self.withheld[device] &= self.judged[device].is_some();
    }
}
