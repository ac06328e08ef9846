//! What a session wants done, and what it tells records about.

use crate::protocol::{Attempt, CommandResult, Epoch, InstructionId, Lane, Message, Millis, TaskStart};

/// What the session wants done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Publish this under the device's name, as its leaf asks for.
    Publish(Message),
    /// Start this task now: the lease that allows it ends soon.
    Start(TaskStart),
    /// Stop this task safely.
    Stop(Attempt),
    /// Pause what can be paused (true), or go on.
    Hold(bool),
    /// Oven: do `on_overdue` for this slot.
    Overdue(Lane),
    /// Test yourself.
    Selftest,
    /// These brokers exist, says the controller in charge.
    Brokers(Vec<String>),
    /// Nobody answers: go to the next broker after a random 0 to 1 s.
    NextBroker,
    /// For records.
    Notice(Notice),
}

/// What a session did with an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// An instruction came in.
    Instructed {
        /// Which one.
        id: InstructionId,
        /// Whose.
        epoch: Epoch,
        /// What it wants.
        op: String,
        /// Which attempt it is about.
        attempt: Option<Attempt>,
    },
    /// An instruction was refused.
    Refused {
        /// Which one.
        id: InstructionId,
        /// Why.
        result: CommandResult,
        /// Which attempt it was about.
        attempt: Option<Attempt>,
    },
    /// A higher epoch was seen: what lower ones allowed is void.
    Fenced {
        /// The highest epoch from here on.
        epoch: Epoch,
    },
    /// A start lease named instructions, or left out one that waits.
    Leased {
        /// Whose.
        epoch: Epoch,
        /// When it ends.
        until: Millis,
        /// What may start.
        open: Vec<InstructionId>,
    },
    /// A task was never allowed to start in time.
    Expired {
        /// Which attempt.
        attempt: Attempt,
    },
}
