//! What will happen, and when: events by virtual time, and within a moment in the order in which they were put down.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;

use brigade::kitchen::{Epoch, Millis};
use brigade::protocol::exchange::{ExchangeAnswer, ExchangeRequest};

use crate::bus::Letter;
use crate::storm::Fault;

/// Something that happens at a moment of virtual time. Nodes, devices and brokers are named by position.
#[derive(Debug)]
pub enum Event {
    /// A letter reaches a broker, if that life of it still runs.
    AtBroker { broker: usize, life: u32, letter: Rc<Letter> },
    /// A letter reaches a controller.
    ToNode { node: usize, broker: usize, connection: u64, letter: Rc<Letter>, retained: bool },
    /// A letter reaches a device.
    ToDevice { device: usize, connection: u64, letter: Rc<Letter>, retained: bool },
    /// A controller tries to connect to a broker.
    NodeConnects { node: usize, life: u32, broker: usize },
    /// A controller's connection is found dead.
    NodeLinkDies { node: usize, broker: usize, connection: u64 },
    /// A device tries to connect to its present broker.
    DeviceConnects { device: usize, token: u64 },
    /// A broker notices that a device's connection is gone, and says its will.
    Will { broker: usize, life: u32, letter: Rc<Letter> },
    /// A device looks at its machine and lets time pass.
    DeviceWakes { device: usize, token: u64 },
    /// A tenure looks around.
    Tick { node: usize, life: u32, tenure: u64 },
    /// A tenure asks the main backend.
    AskBackend { node: usize, life: u32, tenure: u64 },
    /// What it asks arrives there.
    AtBackend { node: usize, epoch: Epoch, request: Box<ExchangeRequest> },
    /// The answer arrives.
    BackendAnswers { node: usize, epoch: Epoch, answer: Box<ExchangeAnswer> },
    /// The backend looks whose lease is over.
    BackendLooks,
    /// A deadline of the state may be due.
    Deadline { node: usize, life: u32, token: u64 },
    /// A replica applies what is committed.
    Apply { node: usize, life: u32 },
    /// A majority has stored a proposal.
    Commit { proposal: u64 },
    /// Who proposed waits no longer.
    GiveUp { proposal: u64 },
    /// The replicas look at each other.
    RaftWatch,
    /// The client does something.
    Client,
    /// The client asks again.
    Retry { order: usize },
    /// The person in the kitchen looks at the questions.
    Cook,
    /// The operator interferes.
    Operator,
    /// Something breaks.
    Breaks,
    /// Something is mended.
    Mended(Fault),
    /// Everything is mended.
    Heal,
}

struct Entry {
    at: Millis,
    order: u64,
    event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// Events to come.
#[derive(Default)]
pub struct Agenda {
    entries: BinaryHeap<Reverse<Entry>>,
    put_down: u64,
}

impl Agenda {
    /// Puts an event down.
    pub fn at(&mut self, at: Millis, event: Event) {
        self.put_down += 1;
        self.entries.push(Reverse(Entry { at, order: self.put_down, event }));
    }

    /// The next event.
    pub fn next(&mut self) -> Option<(Millis, Event)> {
        self.entries.pop().map(|Reverse(entry)| (entry.at, entry.event))
    }
}
