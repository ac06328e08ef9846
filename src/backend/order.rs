//! Where an order of the backend stands, and what each input does to it: pure and total.
//!
//! Nothing here reads a clock or a database. The simulation drives exactly these functions; the store writes what they return, by
//! compare-and-set on the row's revision. tests/golden/backend_orders.txt shows every state with every input.
//!
//! The rule that everything else serves: an order is the business of at most one kitchen, the one that `Standing::owner` names. From
//! STARTING on only that kitchen can give it up.

mod state;

use crate::defect;
use crate::protocol::Id;
use crate::protocol::exchange::Progress;

pub use state::State;

/// What decides about an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Where it is.
    pub state: State,
    /// Whose it is, or who ended it; none while it waits, and when the backend ended it.
    pub kitchen: Option<Id>,
    /// How often it was given to a kitchen.
    pub assignment: u64,
    /// The client takes it back, and the kitchen may have begun.
    pub cancel_requested: bool,
}

/// What happens to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// It is given to this kitchen.
    Assign(Id),
    /// The assignment lease of this kitchen is over, proven by the watch: it goes to another one.
    Move {
        /// Whose lease is over.
        from: Id,
        /// Who gets it.
        to: Id,
    },
    /// A kitchen says how far it is, under an assignment.
    News(Id, u64, Progress),
    /// The client takes it back.
    Cancel,
    /// A person, or the policy, gives up what was begun out of reach.
    Fail,
}

/// What comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stands so from now on.
    Change(Standing),
    /// Nothing, and why.
    Unchanged(Why),
}

/// Why an input changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is so already.
    AlreadySo,
    /// It is further than that.
    Behind,
    /// It is not this kitchen's, or not under this assignment: to be answered as revoked.
    NotTheirs,
    /// It ended.
    Ended,
    /// It has a kitchen.
    NotWaiting,
    /// It is begun, or about to be: only its kitchen can give it up.
    Begun,
    /// It is not begun: there is nothing to give up.
    NotBegun,
}

impl Why {
    /// The word for logs and golden files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AlreadySo => "already so",
            Self::Behind => "behind",
            Self::NotTheirs => "not theirs",
            Self::Ended => "ended",
            Self::NotWaiting => "not waiting",
            Self::Begun => "begun",
            Self::NotBegun => "not begun",
        }
    }
}

impl Standing {
    /// How a new order stands: given to a kitchen, or waiting.
    pub fn new(kitchen: Option<Id>) -> Self {
        let state = if kitchen.is_some() { State::Assigned } else { State::Waiting };
        Self { state, assignment: u64::from(kitchen.is_some()), kitchen, cancel_requested: false }
    }

    /// The kitchen that may work at it.
    pub fn owner(&self) -> Option<&Id> {
        if self.state.is_open() { self.kitchen.as_ref() } else { None }
    }

    /// True if this kitchen, under this assignment, is the one that may work at it.
    pub fn is_owned_by(&self, kitchen: &Id, assignment: u64) -> bool {
        self.owner() == Some(kitchen) && self.assignment == assignment
    }

    /// What the input does.
    pub fn decide(&self, input: &Input) -> Verdict {
        match input {
            Input::Assign(to) => self.assign(to),
            Input::Move { from, to } => self.move_away(from, to),
            Input::News(kitchen, assignment, progress) => self.hear(kitchen, *assignment, *progress),
            Input::Cancel => self.cancel(),
            Input::Fail => self.fail(),
        }
    }

    fn assign(&self, to: &Id) -> Verdict {
        match self.state {
            State::Waiting => self.given(to),
            State::Assigned | State::Accepted | State::Starting | State::InProgress => {
                Verdict::Unchanged(Why::NotWaiting)
            }
            State::Ready | State::Collected | State::Cancelled | State::Failed => Verdict::Unchanged(Why::Ended),
        }
    }

    fn move_away(&self, from: &Id, to: &Id) -> Verdict {
        match self.state {
            State::Assigned | State::Accepted if self.kitchen.as_ref() == Some(from) => self.given(to),
            State::Waiting | State::Assigned | State::Accepted => Verdict::Unchanged(Why::NotTheirs),
            State::Starting | State::InProgress => Verdict::Unchanged(Why::Begun),
            State::Ready | State::Collected | State::Cancelled | State::Failed => Verdict::Unchanged(Why::Ended),
        }
    }

    fn hear(&self, kitchen: &Id, assignment: u64, progress: Progress) -> Verdict {
        let theirs = self.kitchen.as_ref() == Some(kitchen) && self.assignment == assignment;
        if !theirs && !defect::is("outcome-of-anyone") {
            return Verdict::Unchanged(Why::NotTheirs);
        }
        match (self.state, progress) {
            (State::Ready, Progress::Collected) => self.at(State::Collected),
            (State::Ready, Progress::Ready) | (State::Collected, Progress::Collected) => {
                Verdict::Unchanged(Why::AlreadySo)
            }
            (State::Ready | State::Collected | State::Cancelled | State::Failed, _) => Verdict::Unchanged(Why::Ended),
            (
                State::Waiting | State::Assigned | State::Accepted | State::Starting | State::InProgress,
                Progress::Returned,
            ) => self.given_back(),
            (
                State::Waiting | State::Assigned | State::Accepted | State::Starting | State::InProgress,
                Progress::Accepted
                | Progress::Starting
                | Progress::InProgress
                | Progress::Ready
                | Progress::Collected
                | Progress::Cancelled
                | Progress::Failed,
            ) => self.go_on(progress),
        }
    }

    fn go_on(&self, progress: Progress) -> Verdict {
        let Some(state) = state_of(progress) else { return self.given_back() };
        if state == self.state {
            Verdict::Unchanged(Why::AlreadySo)
        } else if state < self.state {
            Verdict::Unchanged(Why::Behind)
        } else {
            self.at(state)
        }
    }

    fn given_back(&self) -> Verdict {
        // What the client has taken back meanwhile needs no other kitchen.
        let state = if self.cancel_requested { State::Cancelled } else { State::Waiting };
        Verdict::Change(Self { state, kitchen: None, ..self.clone() })
    }

    fn cancel(&self) -> Verdict {
        match self.state {
            State::Waiting | State::Assigned | State::Accepted => {
                Verdict::Change(Self { state: State::Cancelled, kitchen: None, cancel_requested: true, ..self.clone() })
            }
            State::Starting | State::InProgress if self.cancel_requested => Verdict::Unchanged(Why::AlreadySo),
            State::Starting | State::InProgress => Verdict::Change(Self { cancel_requested: true, ..self.clone() }),
            State::Cancelled => Verdict::Unchanged(Why::AlreadySo),
            State::Ready | State::Collected | State::Failed => Verdict::Unchanged(Why::Ended),
        }
    }

    fn fail(&self) -> Verdict {
        match self.state {
            State::Starting | State::InProgress => {
                Verdict::Change(Self { state: State::Failed, kitchen: None, ..self.clone() })
            }
            State::Waiting | State::Assigned | State::Accepted => Verdict::Unchanged(Why::NotBegun),
            State::Failed => Verdict::Unchanged(Why::AlreadySo),
            State::Ready | State::Collected | State::Cancelled => Verdict::Unchanged(Why::Ended),
        }
    }

    fn given(&self, to: &Id) -> Verdict {
        let (state, kitchen, assignment) = (State::Assigned, Some(to.clone()), self.assignment + 1);
        Verdict::Change(Self { state, kitchen, assignment, cancel_requested: false })
    }

    fn at(&self, state: State) -> Verdict {
        Verdict::Change(Self { state, ..self.clone() })
    }
}

/// The state that a kitchen's word means; none for an order that is given back.
fn state_of(progress: Progress) -> Option<State> {
    match progress {
        Progress::Accepted => Some(State::Accepted),
        Progress::Starting => Some(State::Starting),
        Progress::InProgress => Some(State::InProgress),
        Progress::Ready => Some(State::Ready),
        Progress::Collected => Some(State::Collected),
        Progress::Cancelled => Some(State::Cancelled),
        Progress::Failed => Some(State::Failed),
        Progress::Returned => None,
    }
}
