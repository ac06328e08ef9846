//! The closed sets of words on the wire, for the description of the API: clients can match on them.
//!
//! The kitchen's enums know nothing of this description, so their words stand here a second time; a test compares the two. A word more
//! is a change of the API: docs/api.md tells clients what to do with one that they don't know.

use std::borrow::Cow;

use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// A schema of text that is one of these words.
fn one_of(words: &[&'static str], what: &str) -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words.iter().copied()));
    text.description(Some(what.trim())).into()
}

macro_rules! words {
    ($(#[doc = $doc:literal] $name:ident: $($word:literal)+;)*) => { $(
        #[doc = $doc]
        pub enum $name {}

        impl $name {
            /// All of them.
            pub const ALL: &[&'static str] = &[$($word),+];
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                one_of(Self::ALL, $doc)
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    )* };
}

words! {
    /// Where an order is.
    OrderStatusWord: "ACCEPTED" "IN_PROGRESS" "READY" "COLLECTED" "CANCELLED" "FAILED" "RETURNED";
    /// Where an order is, in the four words that every client knows.
    ClassicStatusWord: "new" "in_progress" "completed" "failed";
    /// Which orders a list holds: all, by whether they are open, by status, or by one of the four classic words.
    StatusFilterWord: "all" "open" "ended" "accepted" "in_progress" "ready" "collected" "cancelled" "failed" "returned" "new" "completed";
    /// Who placed an order: a client of this kitchen, or the main backend.
    SourceWord: "local" "backend";
    /// How far a pizza is.
    PizzaStateWord: "QUEUED" "PREPPING" "PREPPED" "LOADING" "BAKING" "BAKED" "UNLOADING" "UNLOADED" "SHELVED" "FINISHING" "FINISHED" "PACKED" "UNCERTAIN" "DISCARDED";
    /// Who has a pizza.
    CustodyWord: "nobody" "device" "between" "counter" "unknown";
    /// Why a pizza is not delivered.
    SpoiledWord: "BURNT" "DROPPED" "JUDGED_BAD" "STALE" "BAKE_FAILED" "LOST" "CANCELLED";
    /// What a camera or a person says of a step.
    VerdictWord: "PASS" "FAIL" "UNSURE";
    /// What a token allows.
    TokenRoleWord: "viewer" "operator" "backend" "admin";
    /// What came of a request: `begun` is about to be tried by the cluster, and leaves another record if it fails.
    AuditOutcomeWord: "done" "unchanged" "begun" "refused";
    /// What a device is.
    DeviceKindWord: "robot.before_oven" "oven" "robot.after_oven" "camera" "human";
    /// How a device is, in one word.
    DeviceStateWord: "IDLE" "BUSY" "HELD" "SUSPENDED" "SUSPECT" "LOST" "STUCK" "QUARANTINED" "DRAINING" "MAINTENANCE" "PENDING" "RETIRED";
    /// Whether a device belongs to the kitchen.
    StandingWord: "PENDING" "ADOPTED" "DRAINING" "MAINTENANCE" "RETIRED";
    /// Whether a device is alive.
    LifeWord: "LIVE" "SUSPECT" "LOST" "STUCK";
    /// Who may move a device.
    ModeWord: "AUTOMATIC" "INTERVENED" "MANUAL" "SERVICE" "STARTUP";
    /// How a device says that it is.
    ConditionWord: "IDLE" "EXECUTE" "HELD" "SUSPENDED" "STOPPED" "ABORTED";
    /// How far a device is on its way back after a failure.
    RecoveryWord: "READY" "CLEARING" "SELF_TEST" "TRIAL";
    /// What a device can do.
    ActionWord: "prep" "load" "bake" "unload" "finish" "discard" "shelve" "inspect";
    /// How a kitchen is.
    KitchenStateWord: "NORMAL" "DEGRADED" "DRAINING" "OUT_OF_ORDER";
    /// What bounds a line.
    BottleneckWord: "prep" "ovens" "finish" "the longest pizza";
    /// What a person is asked.
    QuestionWord: "where_is_pizza" "clear_lane" "judge_pizza" "item_fails" "twin_devices" "obeys_another_controller" "emergency_stop" "remove_from_counter";
    /// What must still hold if any one after-oven robot is lost.
    NMinusOneWord: "off" "shelf" "strict";
    /// What a replica is in its cluster.
    RoleWord: "learner" "follower" "candidate" "leader" "stopped";
    /// Why a replica is not in charge, whoever leads.
    SidelineWord: "witness" "maintenance";
    /// What happened.
    EventWord: "in_charge" "rules_raised" "order_accepted" "order_changed" "pizza_changed" "pizza_discarded" "attempt_opened" "attempt_started" "attempt_unknown" "attempt_ended" "unverified" "device_announced" "device_changed" "device_failed" "escalated" "incident_raised" "incident_closed" "kitchen_changed" "recipe_changed" "token_added" "token_revoked";
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;
    use crate::http::views::word;
    use crate::kitchen::access::Role;
    use crate::kitchen::device::Standing;
    use crate::kitchen::limit::Bottleneck;
    use crate::kitchen::recipe::NMinusOne;
    use crate::kitchen::status::KitchenState;
    use crate::kitchen::{
        Action, Condition, DeviceKind, Event, Life, Mode, OrderStatus, PizzaState, Source, Spoiled, Verdict,
    };

    /// What the kitchen says it would have taken instead of this.
    fn known_to<T: DeserializeOwned>(nonsense: Value) -> Vec<String> {
        let refused = serde_json::from_value::<T>(nonsense).err().expect("it is none").to_string();
        refused.split('`').skip(3).step_by(2).map(ToOwned::to_owned).collect()
    }

    /// The kitchen reads each of the words, and names no other when it refuses one.
    fn are_those_of<T: DeserializeOwned>(words: &[&str]) {
        for word in words {
            serde_json::from_value::<T>(json!(word)).unwrap_or_else(|e| panic!("{word}: {e}"));
        }
        assert_eq!(known_to::<T>("no such word".into()).len(), words.len(), "{words:?}");
    }

    #[test]
    fn the_description_has_the_words_of_the_kitchen() {
        are_those_of::<OrderStatus>(OrderStatusWord::ALL);
        are_those_of::<Source>(SourceWord::ALL);
        are_those_of::<Spoiled>(SpoiledWord::ALL);
        are_those_of::<Verdict>(VerdictWord::ALL);
        are_those_of::<Role>(TokenRoleWord::ALL);
        are_those_of::<DeviceKind>(DeviceKindWord::ALL);
        are_those_of::<Standing>(StandingWord::ALL);
        are_those_of::<Life>(LifeWord::ALL);
        are_those_of::<Mode>(ModeWord::ALL);
        are_those_of::<Condition>(ConditionWord::ALL);
        are_those_of::<Action>(ActionWord::ALL);
        are_those_of::<KitchenState>(KitchenStateWord::ALL);
        are_those_of::<NMinusOne>(NMinusOneWord::ALL);
        for word in StatusFilterWord::ALL {
            assert!(word.parse::<crate::http::views::order::StatusFilter>().is_ok(), "{word}");
        }
        // A discarded pizza is no pizza of the state any more: the word is the API's own.
        are_those_of::<PizzaState>(&PizzaStateWord::ALL[..PizzaStateWord::ALL.len() - 1]);
        assert_eq!(PizzaState::ALL.map(|s| word(&s)), PizzaStateWord::ALL[..13]);
        assert_eq!(known_to::<Event>(json!({ "event": "no such word" })), EventWord::ALL);
        let bounds = [Bottleneck::Prep, Bottleneck::Bake, Bottleneck::Finish, Bottleneck::LongestJob];
        assert_eq!(bounds.map(Bottleneck::as_str), BottleneckWord::ALL);
    }
}
