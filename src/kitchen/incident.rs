//! Questions that a person answers. Nothing else in the kitchen waits for the answer.

use serde::{Deserialize, Serialize};

use super::ids::{DeviceId, Epoch, Millis, OrderId, PizzaId};
use super::pizza::Place;
use super::report::Job;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Question {
    /// Where is this pizza? It is remade after a while all the same.
    WhereIsPizza {
        /// The pizza.
        pizza: PizzaId,
    },
    /// Something lies on this lane and nobody knows what: is it cleared?
    ClearLane {
        /// The lane.
        place: Place,
    },
    /// A required verdict is missing: is the pizza good?
    JudgePizza {
        /// The pizza.
        pizza: PizzaId,
        /// Which step.
        job: Job,
    },
    /// This item failed on different devices: try again, or give up?
    ItemFails {
        /// The order.
        order: OrderId,
        /// The pizza.
        pizza: PizzaId,
        /// The recipe to blame.
        recipe: String,
    },
    /// Two devices answer to one id: which one is switched off? The other one is restarted too: a life that another one followed stays
    /// over, or a late message of it could end what runs.
    TwinDevices {
        /// The id.
        device: DeviceId,
    },
    /// The device has seen a higher epoch than ours.
    ObeysAnotherController {
        /// The device.
        device: DeviceId,
        /// What it has seen.
        seen: Epoch,
    },
    /// An emergency stop was pressed: is everything safe again?
    EmergencyStop {
        /// The device that reported it.
        device: DeviceId,
        /// The zone that is held since.
        zone: String,
    },
    /// A packed pizza was judged bad, or was replaced before it was packed: is it off the counter?
    RemoveFromCounter {
        /// The pizza.
        pizza: PizzaId,
    },
}

impl Question {
    /// The question in words, with the decisions that answer it.
    pub fn text(&self) -> String {
        match self {
            Self::WhereIsPizza { pizza } => {
                format!("Where is pizza {pizza}? Decide: pizza_gone (it is remade), on_device (name the place)")
            }
            Self::ClearLane { place } => format!("Something lies on {place}. Take it away, then decide: lane_clear"),
            Self::JudgePizza { pizza, job } => {
                format!("No camera judged {pizza} ({}). Decide: good, or bad (it is remade)", job.as_str())
            }
            Self::ItemFails { order, pizza, recipe } => {
                format!("{pizza} of order {order} ({recipe}) fails on different devices. Decide: retry, or give_up")
            }
            Self::TwinDevices { device } => {
                format!(
                    "Two devices answer to the id {device}. Switch one off, restart the other one, then decide: resolved"
                )
            }
            Self::ObeysAnotherController { device, seen } => {
                let incarnation = seen.incarnation() + 1;
                format!(
                    "{device} obeys another controller (epoch {seen}). Raise ours: set incarnation = {incarnation} in every node's configuration and restart; then decide: resolved"
                )
            }
            Self::EmergencyStop { device, zone } => {
                format!(
                    "{device} reported an emergency stop; zone {zone:?} is held. Reset it by hand, then decide: resolved"
                )
            }
            Self::RemoveFromCounter { pizza } => {
                format!(
                    "Pizza {pizza} is not for the customer. If it lies on the counter, bin it; then decide: resolved"
                )
            }
        }
    }
}

/// A person's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// The pizza is gone: remake it.
    PizzaGone,
    /// The pizza is here, and good.
    OnDevice {
        /// Where.
        place: Place,
    },
    /// Nothing lies on the lane any more.
    LaneClear,
    /// The pizza is good.
    Good,
    /// The pizza is bad.
    Bad,
    /// Try again.
    Retry,
    /// The order fails.
    GiveUp,
    /// What was asked for is done.
    Resolved,
}

/// A question, open until it is decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its number: grows.
    pub id: u64,
    /// What is asked.
    pub question: Question,
    /// When it was raised, in kitchen time.
    pub raised_at: Millis,
    /// When it was raised, for people.
    pub raised_wall: u64,
    /// What happens without an answer, and when, in kitchen time.
    pub decides_itself_at: Option<Millis>,
    /// The answer, once there is one.
    pub answer: Option<Answer>,
}

/// Who decided what, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The decision, or what made the question go away.
    pub decision: String,
    /// Who; empty when it answered itself.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When, in kitchen time.
    pub at: Millis,
}
