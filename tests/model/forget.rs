//! What is wiped because nothing looks at it any more, so that states which differ in nothing else are one: without this the model would
//! be too large to look at as a whole. Nothing here may hide a way to break a property; each line says why it can't.

use super::bus::{Cmd, Lease, Message, Op, Report};
use super::controller::Controller;
use super::device::{Device, TaskState};
use super::guards::{Bounds, Guards};
use super::kitchen::Kitchen;
use super::state::{ATTEMPTS, Span, State};

impl State {
    /// The first attempt is over, or was named, or the last one is open.
    pub fn forget_what_is_decided(&mut self, guards: &Guards, bounds: &Bounds) {
        let first = self.kitchen.attempts[0];
        let is_over = first.is_some_and(|a| a.is_over());
        let leader = self.leader_mut();
        // The last attempt is never judged: nobody asks what named it. The first one, once it is over, neither.
        leader.named[ATTEMPTS - 1] = None;
        if is_over {
            leader.named[0] = None;
            (leader.judged, leader.overdue, leader.withheld) = ([None; 2], [None; 2], [false; 2]);
        }
        // A proof counts from the naming, which is later than taking charge.
        let is_named = leader.named[0].is_some();
        if is_over || is_named {
            self.kitchen.since = Span::MAX;
        }
        // No attempt is opened, and no report taken, after the last one.
        for device in self.kitchen.devices.iter_mut().filter(|_| self.kitchen.attempts[ATTEMPTS - 1].is_some()) {
            (device.is_lost, device.rev) = (false, 0);
        }
        self.forget_former_leaders(guards, bounds);
    }

    /// A former leader that no device would listen to any more.
    fn forget_former_leaders(&mut self, guards: &Guards, bounds: &Bounds) {
        let (epoch, devices) = (self.kitchen.epoch, self.devices);
        let may_listen =
            |device: u8| devices[usize::from(device)].fence < epoch || self.record.reboots < bounds.reboots;
        for controller in self.controllers.iter_mut().filter(|_| guards.epoch_check && guards.commit_first) {
            let Some(view) = controller.view else { continue };
            if !view.attempts.iter().flatten().any(|a| may_listen(a.device)) {
                *controller = Controller::default();
            }
        }
    }

    /// Takes off the bus what its receiver would ignore from now on: states that differ in nothing else are the same.
    pub fn forget_what_can_not_matter(&mut self, guards: &Guards, bounds: &Bounds) {
        let (devices, kitchen) = (self.devices, self.kitchen);
        self.bus.0.retain(|message| match message {
            Message::Cmd(cmd) => cmd.matters(&devices[usize::from(cmd.device)], guards),
            Message::Lease(lease) => lease.matters(&devices[usize::from(lease.device)], guards, bounds.lease),
            Message::Report(report) => report.matters(&kitchen),
        });
    }
}

impl Cmd {
    fn matters(&self, device: &Device, guards: &Guards) -> bool {
        // One that will be refused stays: that this happens is looked at. What it teaches of epochs is heard elsewhere as well.
        let is_for_it = self.boot == device.boot || !guards.boot_check;
        let is_new = match (self.op, device.tasks[self.attempt].state) {
            (_, TaskState::Missing) | (Op::Cancel, TaskState::Waiting | TaskState::Running) => true,
            (Op::Start, _) | (Op::Cancel, _) => false,
        };
        !is_for_it || is_new
    }
}

impl Lease {
    fn matters(&self, device: &Device, guards: &Guards, span: Span) -> bool {
        let is_for_it = self.boot == device.boot || !guards.boot_check;
        let is_stale = self.epoch < device.fence && guards.epoch_check;
        let is_behind = device.answered.is_some_and(|answered| self.sent > answered);
        let is_over = guards.lease_from_sending && self.sent >= span;
        is_for_it && !is_stale && !is_behind && !is_over
    }
}

impl Report {
    /// Of the last attempt only the start is looked at; what became of it need not be known.
    fn matters(&self, kitchen: &Kitchen) -> bool {
        let known = kitchen.devices[usize::from(self.device)];
        let is_news = self.boot > known.boot || (self.boot == known.boot && self.rev >= known.rev);
        let works = kitchen.attempts[0].is_some_and(|a| a.device == self.device && !a.is_over());
        let is_asked = works || known.is_lost || self.boot > known.boot;
        is_news && is_asked && kitchen.attempts[ATTEMPTS - 1].is_none()
    }
}
