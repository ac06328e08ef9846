//! Facts that apply returns, for logs, metrics, streams and tests. Nothing acts on them: doing starts from the outbox.

use serde::{Deserialize, Serialize};

use super::access::Role;
use super::command::Source;
use super::ids::{DeviceId, Epoch, InstructionId, NodeId, OrderId, PizzaId, TokenId};
use super::order::OrderStatus;
use super::pizza::{PizzaState, Spoiled};
use super::report::AttemptId;
use super::rules::Rules;

/// A fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A node took charge.
    InCharge {
        /// Which node.
        node: NodeId,
        /// Its epoch.
        epoch: Epoch,
    },
    /// The replicas go by newer rules from here on.
    RulesRaised {
        /// The new ones.
        rules: Rules,
    },
    /// An order was accepted.
    OrderAccepted {
        /// The order.
        order: OrderId,
        /// How many pizzas.
        pizzas: u32,
        /// Who ordered.
        source: Source,
    },
    /// An order came to another status.
    OrderChanged {
        /// The order.
        order: OrderId,
        /// Where it is now.
        status: OrderStatus,
    },
    /// A pizza went one state on.
    PizzaChanged {
        /// The pizza.
        pizza: PizzaId,
        /// Its order.
        order: OrderId,
        /// From here.
        from: PizzaState,
        /// To here.
        to: PizzaState,
    },
    /// A pizza will not be delivered.
    PizzaDiscarded {
        /// The pizza.
        pizza: PizzaId,
        /// Its order.
        order: OrderId,
        /// Why.
        reason: Spoiled,
        /// The pizza that replaces it.
        remade_as: Option<PizzaId>,
    },
    /// A device is told to do something.
    AttemptOpened {
        /// The attempt.
        attempt: AttemptId,
        /// On which device.
        device: DeviceId,
        /// By which instruction.
        instruction: InstructionId,
    },
    /// A device reported that it started.
    AttemptStarted {
        /// The attempt.
        attempt: AttemptId,
        /// On which device.
        device: DeviceId,
    },
    /// It is not known what became of an attempt.
    AttemptUnknown {
        /// The attempt.
        attempt: AttemptId,
        /// On which device.
        device: DeviceId,
    },
    /// An attempt is over, with proof.
    AttemptEnded {
        /// The attempt.
        attempt: AttemptId,
        /// On which device.
        device: DeviceId,
        /// SUCCEEDED, or why not.
        outcome: String,
    },
    /// A step went on without a verdict.
    Unverified {
        /// The pizza.
        pizza: PizzaId,
        /// The step.
        step: String,
    },
    /// A device announced itself.
    DeviceAnnounced {
        /// The device.
        device: DeviceId,
    },
    /// A device is in another state.
    DeviceChanged {
        /// The device.
        device: DeviceId,
        /// Where it is now.
        state: String,
        /// Why.
        why: String,
    },
    /// A device failed at something.
    DeviceFailed {
        /// The device.
        device: DeviceId,
        /// At what, and how.
        what: String,
    },
    /// Too many failures: the backend must learn it.
    Escalated {
        /// The device.
        device: DeviceId,
        /// How many failures within the window.
        failures: u32,
    },
    /// A person must decide.
    IncidentRaised {
        /// Its number.
        incident: u64,
        /// The question.
        question: String,
    },
    /// A person decided, or the question answered itself.
    IncidentClosed {
        /// Its number.
        incident: u64,
        /// The answer.
        answer: String,
    },
    /// The kitchen is in another status.
    KitchenChanged {
        /// NORMAL, DEGRADED, DRAINING or OUT_OF_ORDER, with the stages that lack devices.
        status: String,
    },
    /// A recipe is new or changed.
    RecipeChanged {
        /// Its name.
        recipe: String,
        /// Its version.
        version: u32,
    },
    /// Somebody may use the API.
    TokenAdded {
        /// The token's id.
        token: TokenId,
        /// Whose it is.
        name: String,
        /// What it allows.
        role: Role,
        /// Who said so.
        actor: String,
    },
    /// Somebody may use the API no longer.
    TokenRevoked {
        /// The token's id.
        token: TokenId,
        /// Whose it was.
        name: String,
        /// Who said so.
        actor: String,
    },
}
