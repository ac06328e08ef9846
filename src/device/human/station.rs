//! Where a person stands in for a device: what may be asked of him there, what can go wrong with it, and what he holds afterwards.
//!
//! One station at a time. Who holds dough can't take a pizza out of an oven, and the kitchen reserves the exit of each bake on a hand
//! that it believes to be free: a person who was all robots at once would let pizzas burn.

use crate::protocol::{Action, ActionFacts, CancelClass, DeviceKind, Facts, HEARTBEAT_MS, Id, Millis, ORPHAN_MS};

/// The part of the line that a person stands at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Station {
    /// Makes pizzas and puts them into ovens.
    BeforeOven,
    /// Takes pizzas out of ovens, slices and packs them.
    AfterOven,
    /// Judges what others did.
    Inspection,
}

/// How something failed, as a person can say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Reason {
    /// The code on the wire.
    pub code: &'static str,
    /// What the button says.
    pub text: &'static str,
    /// Whether his hands are empty then; else they hold what they held.
    #[serde(skip)]
    pub empties: bool,
}

/// It lies on the floor.
const DROPPED: Reason = Reason { code: "DROPPED", text: "It fell down", empties: true };
/// It is there, and of no use.
const SPOILT: Reason = Reason { code: "SPOILT", text: "It went wrong", empties: false };
/// Nothing was begun.
const MISSING: Reason = Reason { code: "MISSING", text: "Something is missing for it", empties: true };
/// Where it should go, something is.
const BLOCKED: Reason = Reason { code: "BLOCKED", text: "I can't get there", empties: false };
/// Where it should be, nothing is.
const NOTHING_THERE: Reason = Reason { code: "NOTHING_THERE", text: "There is nothing", empties: true };

impl Station {
    /// What may be asked there.
    fn actions(self) -> &'static [Action] {
        match self {
            Self::BeforeOven => &[Action::Prep, Action::Load, Action::Discard],
            Self::AfterOven => &[Action::Unload, Action::Finish, Action::Shelve, Action::Discard],
            Self::Inspection => &[Action::Inspect],
        }
    }

    /// Who stands there, as the kitchen is told.
    pub fn facts(self, zone: Option<Id>) -> Facts {
        Facts {
            kind: DeviceKind::Human,
            model: Some("a person at a tablet".to_owned()),
            fw: env!("CARGO_PKG_VERSION").to_owned(),
            proto: 1,
            zone,
            lanes: vec![0],
            actions: self.actions().iter().map(|action| facts_of(*action)).collect(),
            hb_ms: HEARTBEAT_MS,
            orphan_ms: ORPHAN_MS,
            stages: Vec::new(),
        }
    }
}

/// What the kitchen counts on before it has seen him at work. A making can be stopped; what is between hands and oven runs to its end.
fn facts_of(action: Action) -> ActionFacts {
    let (typ_ms, cancel): (Millis, _) = match action {
        Action::Prep => (90_000, CancelClass::Always),
        Action::Finish => (60_000, CancelClass::UntilStart),
        Action::Load | Action::Unload | Action::Shelve | Action::Discard => (15_000, CancelClass::UntilStart),
        Action::Inspect => (10_000, CancelClass::Always),
        Action::Bake => (210_000, CancelClass::Never),
    };
    ActionFacts { name: action.into(), idem: action == Action::Inspect, cancel, typ_ms, max_ms: 3 * typ_ms }
}

/// How this can go wrong.
pub fn reasons(action: Action) -> &'static [Reason] {
    match action {
        Action::Prep => &[SPOILT, DROPPED, MISSING],
        Action::Load | Action::Shelve => &[BLOCKED, DROPPED],
        Action::Unload => &[NOTHING_THERE, BLOCKED, DROPPED],
        Action::Finish => &[SPOILT, DROPPED],
        Action::Discard => &[NOTHING_THERE, BLOCKED],
        Action::Inspect => &[NOTHING_THERE],
        Action::Bake => &[],
    }
}

/// What the hands hold once this was done well: Some(true) the pizza, Some(false) nothing, None what they held before.
pub fn holds_after(action: Action) -> Option<bool> {
    match action {
        Action::Prep | Action::Unload => Some(true),
        Action::Load | Action::Finish | Action::Shelve | Action::Discard => Some(false),
        Action::Inspect | Action::Bake => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_may_be_asked_can_fail_for_a_reason() {
        for station in [Station::BeforeOven, Station::AfterOven, Station::Inspection] {
            for action in station.actions() {
                assert!(!reasons(*action).is_empty(), "{station:?}: {action}");
            }
        }
    }

    #[test]
    fn the_kitchen_believes_what_a_station_says_of_itself() {
        use crate::protocol::Message;
        for station in [Station::BeforeOven, Station::AfterOven, Station::Inspection] {
            let said = Message::from(station.facts(Some("line-a".parse().unwrap())));
            assert_eq!(Message::decode(said.leaf(), &said.encode()).unwrap(), said);
        }
    }
}
