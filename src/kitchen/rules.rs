//! The replicated version: by which rules apply works. Every release knows those of all releases before it.
//!
//! Replicas of two releases apply one log while an upgrade rolls through a kitchen. A release that adds a kind of command, or changes what
//! apply does with an existing entry, does so under new rules: the old ones hold until the log says otherwise, which the node in charge
//! proposes once every member's program knows the new ones (`leader::rules`). From that entry on all replicas go by them, and no program
//! that does not know them may go on.
//!
//! What belongs to which rules is asked here and in `Command::since`; docs/UPGRADES.md says how a change is added.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Kitchen;
use super::command::{Command, Reply};
use super::event::Event;

/// A number of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rules(pub u32);

impl Rules {
    /// Those of the first release.
    pub const FIRST: Self = Self(1);
    /// The archive lets old orders and records go: `retention`.
    pub const RETENTION: Self = Self(2);
    /// The newest that this program knows.
    pub const NEWEST: Self = Self::RETENTION;
}

impl Default for Rules {
    fn default() -> Self {
        Self::FIRST
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Command {
    /// The rules that first have this command, as it is filled: under older ones it must not reach the log.
    pub fn since(&self) -> Rules {
        match self {
            Self::Configure { settings } => settings.since(),
            Self::PlaceOrder(_)
            | Self::CancelOrder { .. }
            | Self::CollectOrder { .. }
            | Self::PutRecipe { .. }
            | Self::Drain { .. }
            | Self::HoldZone { .. }
            | Self::DirectDevice { .. }
            | Self::DecideIncident { .. }
            | Self::RemakePizza { .. }
            | Self::AddToken { .. }
            | Self::RevokeToken { .. }
            | Self::NoteTokenUse { .. }
            | Self::NoteAct { .. }
            | Self::TakeCharge { .. }
            | Self::RaiseRules { .. }
            | Self::RecordFacts { .. }
            | Self::RecordReport { .. }
            | Self::JudgeDevice { .. }
            | Self::DeadlinesDue
            | Self::FollowBackend(_)
            | Self::TakeAssignment(_) => Rules::FIRST,
        }
    }
}

impl Kitchen {
    /// The rules that hold.
    pub fn rules(&self) -> Rules {
        self.meta.rules
    }

    /// Rules are only raised: what was done under newer ones stays.
    pub(super) fn raise_rules(&mut self, to: Rules) -> Reply {
        if to <= self.meta.rules {
            return Reply::Unchanged;
        }
        self.meta.rules = to;
        self.event(Event::RulesRaised { rules: to });
        Reply::Done
    }
}
