//! What one order may do, as a small sequential machine. The kitchen moves an order forward between calls, unseen: a state here stands
//! for itself and everything that the kitchen can make of it.

use crate::history::{Answer, Ask};

/// Where an order is at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Status {
    Accepted,
    InProgress,
    Ready,
    Collected,
    Cancelled,
    Failed,
    Returned,
}

impl Status {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "ACCEPTED" => Self::Accepted,
            "IN_PROGRESS" => Self::InProgress,
            "READY" => Self::Ready,
            "COLLECTED" => Self::Collected,
            "CANCELLED" => Self::Cancelled,
            "FAILED" => Self::Failed,
            "RETURNED" => Self::Returned,
            _ => return None,
        })
    }

    /// True if the kitchen can make `to` of this by itself: forward only, and never out of an end.
    fn may_become(self, to: Self) -> bool {
        let by_itself = match self {
            Self::Accepted => [Self::InProgress, Self::Ready, Self::Failed, Self::Returned].as_slice(),
            Self::InProgress => [Self::Ready, Self::Failed, Self::Returned].as_slice(),
            Self::Ready | Self::Collected | Self::Cancelled | Self::Failed | Self::Returned => &[],
        };
        self == to || by_itself.contains(&to)
    }

    fn is_open(self) -> bool {
        matches!(self, Self::Accepted | Self::InProgress)
    }
}

/// An order: not placed yet, or its content and status.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Order(pub Option<(Vec<String>, Status)>);

impl Order {
    /// The order after this call took effect, or None when it could not have been answered so.
    pub(super) fn after(&self, ask: &Ask, answer: Option<&Answer>) -> Option<Self> {
        match answer {
            None | Some(Answer::Unknown { .. }) => Some(self.changed_by(ask)),
            Some(Answer::NotApplied { .. }) => Some(self.clone()),
            Some(Answer::Placed { created, .. }) => self.placed(ask, *created),
            Some(Answer::Shown { status, .. }) => self.seen_as(Status::parse(status)?),
            Some(Answer::Done) => self.done(ask),
            Some(Answer::Refused { problem, status }) => self.refused(ask, problem, status.as_deref()),
        }
    }

    fn with(&self, status: Status) -> Self {
        Self(self.0.as_ref().map(|(items, _)| (items.clone(), status)))
    }

    /// What the call does if it takes effect.
    fn changed_by(&self, ask: &Ask) -> Self {
        match (ask, &self.0) {
            (Ask::Place { items, .. }, None) => Self(Some((items.clone(), Status::Accepted))),
            (Ask::Cancel { .. }, Some((_, status))) if status.is_open() => self.with(Status::Cancelled),
            (Ask::Collect { .. }, Some((_, status))) if status.may_become(Status::Ready) => {
                self.with(Status::Collected)
            }
            _ => self.clone(),
        }
    }

    fn placed(&self, ask: &Ask, created: bool) -> Option<Self> {
        let Ask::Place { items, .. } = ask else { return None };
        match &self.0 {
            None => created.then(|| self.changed_by(ask)),
            Some((known, _)) => (!created && known == items).then(|| self.clone()),
        }
    }

    fn seen_as(&self, status: Status) -> Option<Self> {
        let (_, at_least) = self.0.as_ref()?;
        at_least.may_become(status).then(|| self.with(status))
    }

    fn done(&self, ask: &Ask) -> Option<Self> {
        let (_, status) = self.0.as_ref()?;
        match ask {
            Ask::Cancel { .. } => {
                (status.is_open() || *status == Status::Cancelled).then(|| self.with(Status::Cancelled))
            }
            Ask::Collect { .. } => {
                let can_be = status.may_become(Status::Ready) || *status == Status::Collected;
                can_be.then(|| self.with(Status::Collected))
            }
            Ask::Place { .. } | Ask::Show { .. } => None,
        }
    }

    fn refused(&self, ask: &Ask, problem: &str, status: Option<&str>) -> Option<Self> {
        match (problem, ask, &self.0) {
            ("unknown-order", _, known) => known.is_none().then(|| self.clone()),
            ("idempotency-key-reused", Ask::Place { items, .. }, Some((known, _))) => {
                (known != items).then(|| self.clone())
            }
            ("point-of-no-return", Ask::Cancel { .. }, Some(_)) => {
                let is = Status::parse(status?)?;
                (!is.is_open() && is != Status::Cancelled).then(|| self.seen_as(is)).flatten()
            }
            ("not-ready", Ask::Collect { .. }, Some(_)) => {
                let is = Status::parse(status?)?;
                (!matches!(is, Status::Ready | Status::Collected)).then(|| self.seen_as(is)).flatten()
            }
            ("idempotency-key-reused" | "point-of-no-return" | "not-ready", _, _) => None,
            // Draining, full, an unknown recipe: a "no" that says nothing about the order.
            _ => Some(self.clone()),
        }
    }
}
