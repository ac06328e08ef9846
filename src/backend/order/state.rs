//! The states of an order, their words on the wire and in the database, and the four classic statuses.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The state of an order. They are in the order of its life, so that what comes late is seen as late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Accepted, and with no kitchen at present.
    Waiting,
    /// Given to a kitchen that has not confirmed it.
    Assigned,
    /// In the kitchen's state, not begun.
    Accepted,
    /// The kitchen is about to begin it: from here on no other kitchen may.
    Starting,
    /// At least one pizza is begun.
    InProgress,
    /// All packed.
    Ready,
    /// Handed out.
    Collected,
    /// Cancelled.
    Cancelled,
    /// It can't be made: a person decided so, or the policy for what was begun out of reach.
    Failed,
}

impl State {
    /// Every state, in the order of an order's life.
    pub const ALL: [Self; 9] = [
        Self::Waiting,
        Self::Assigned,
        Self::Accepted,
        Self::Starting,
        Self::InProgress,
        Self::Ready,
        Self::Collected,
        Self::Cancelled,
        Self::Failed,
    ];

    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Assigned => "ASSIGNED",
            Self::Accepted => "ACCEPTED",
            Self::Starting => "STARTING",
            Self::InProgress => "IN_PROGRESS",
            Self::Ready => "READY",
            Self::Collected => "COLLECTED",
            Self::Cancelled => "CANCELLED",
            Self::Failed => "FAILED",
        }
    }

    /// One of the four classic statuses.
    pub fn classic(self) -> &'static str {
        match self {
            Self::Waiting | Self::Assigned | Self::Accepted => "new",
            Self::Starting | Self::InProgress => "in_progress",
            Self::Ready | Self::Collected => "completed",
            Self::Cancelled | Self::Failed => "failed",
        }
    }

    /// True while a kitchen still has work with it, or must be found.
    pub fn is_open(self) -> bool {
        match self {
            Self::Waiting | Self::Assigned | Self::Accepted | Self::Starting | Self::InProgress => true,
            Self::Ready | Self::Collected | Self::Cancelled | Self::Failed => false,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for State {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let words = || Self::ALL.map(Self::as_str).join(", ");
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or_else(|| format!("{text:?} is none of {}", words()))
    }
}
