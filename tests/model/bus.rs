//! The bus: a set of all that was sent. What is never taken out of it is lost, what is taken late was delayed, what is taken again was
//! doubled, and nothing has an order. A controller's pause between deciding and sending is a delay like any other.

use super::device::TaskState;
use super::guards::Bounds;
use super::state::{ATTEMPTS, BOTH, Span, State};

/// What is on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bus(pub(super) Vec<Message>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    Cmd(Cmd),
    Lease(Lease),
    Report(Report),
}

/// `task.start` or `task.cancel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cmd {
    pub device: u8,
    pub boot: u8,
    pub epoch: u8,
    pub attempt: usize,
    pub op: Op,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    Start,
    Cancel,
}

/// The answer to a heartbeat, which is known by how long ago it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lease {
    pub device: u8,
    pub boot: u8,
    pub epoch: u8,
    pub sent: Span,
    /// The attempts that may start, one bit each.
    pub open: u8,
}

/// A device's whole state at one revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Report {
    pub device: u8,
    pub boot: u8,
    pub rev: u8,
    pub tasks: [TaskState; ATTEMPTS],
}

impl Message {
    /// An instruction or a lease for this device.
    pub fn is_for(&self, of: u8) -> bool {
        match self {
            Self::Cmd(Cmd { device, .. }) | Self::Lease(Lease { device, .. }) => *device == of,
            Self::Report(_) => false,
        }
    }
}

impl Bus {
    pub fn send(&mut self, message: Message) {
        if let Err(at) = self.0.binary_search(&message) {
            self.0.insert(at, message);
        }
    }

    /// Time passes.
    pub fn tick(&mut self, bounds: &Bounds) {
        for message in &mut self.0 {
            if let Message::Lease(lease) = message {
                lease.sent = (lease.sent + 1).min(bounds.start() + 1);
            }
        }
        self.0.dedup();
    }

    pub fn iter(&self) -> impl Iterator<Item = &Message> {
        self.0.iter()
    }
}

impl State {
    /// Whatever a controller sees in its outbox is on the bus: it may send it at any time, and what is sent late might as well have
    /// been sent at once and delayed.
    pub fn dispatch(&mut self) {
        for node in BOTH {
            let controller = self.controllers[usize::from(node)];
            let view = *controller.sees(&self.kitchen);
            for (attempt, seen) in view.attempts.iter().enumerate().filter_map(|(n, a)| Some((n, a.as_ref()?))) {
                let op = if seen.is_in_outbox() { Op::Start } else { Op::Cancel };
                if controller.epoch > 0 && !seen.is_over() && (seen.is_in_outbox() || seen.is_cancelled) {
                    let cmd = Cmd { device: seen.device, boot: seen.boot, epoch: controller.epoch, attempt, op };
                    self.bus.send(Message::Cmd(cmd));
                }
            }
        }
    }
}
