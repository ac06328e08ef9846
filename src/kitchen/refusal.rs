//! A business "no", returned as a value: nothing changed, and the text says what to do.

use serde::{Deserialize, Serialize};

use super::ids::{DeviceId, Epoch, Millis, OrderId, PizzaId, RecipeId, TokenId};
use super::vocabulary::DeviceKind;

/// Why the kitchen said no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refusal", rename_all = "kebab-case")]
pub enum Refusal {
    /// The order names a recipe that the menu does not have.
    #[error("recipe {recipe} is not on the menu: see /v1/recipes")]
    UnknownRecipe {
        /// The name that was asked for.
        recipe: RecipeId,
    },
    /// The id is taken by an order with another content.
    #[error("order {order} exists with another content: use a new id for a new order")]
    IdempotencyKeyReused {
        /// The order that has the id.
        order: OrderId,
    },
    /// No such order, neither open nor archived.
    #[error("there is no order {order}")]
    UnknownOrder {
        /// The id that was asked for.
        order: OrderId,
    },
    /// Too late to cancel.
    #[error("order {order} is {status}: it can't be cancelled any more")]
    PointOfNoReturn {
        /// The order.
        order: OrderId,
        /// Where it is.
        status: String,
    },
    /// The order can't be collected, as it is not ready.
    #[error("order {order} is {status}, not READY: collect it when it is ready")]
    NotReady {
        /// The order.
        order: OrderId,
        /// Where it is.
        status: String,
    },
    /// No such pizza, neither of an open order nor of an archived one.
    #[error("there is no pizza {pizza}: an order names its pizzas")]
    UnknownPizza {
        /// The id that was asked for.
        pizza: PizzaId,
    },
    /// The pizza is not begun, or out of the kitchen's hands.
    #[error("pizza {pizza} is {state}: {hint}")]
    NothingToRemake {
        /// The pizza.
        pizza: PizzaId,
        /// Where it is, or its order.
        state: String,
        /// What would help.
        hint: String,
    },
    /// No such device.
    #[error("there is no device {device}: see /v1/devices")]
    UnknownDevice {
        /// The id that was asked for.
        device: DeviceId,
    },
    /// The device is in no state for this.
    #[error("device {device} is {state}: {hint}")]
    DeviceState {
        /// The device.
        device: DeviceId,
        /// Where it is.
        state: String,
        /// What would help.
        hint: String,
    },
    /// A device says that it is something else than what was adopted, or claims actions of another kind.
    #[error(
        "device {device} was adopted as {adopted} and now says {claimed}: retire it first, or give the new one an id of its own"
    )]
    KindChanged {
        /// The device.
        device: DeviceId,
        /// What it was.
        adopted: DeviceKind,
        /// What it says it is.
        claimed: DeviceKind,
    },
    /// The kitchen finishes what it has and takes no more.
    #[error("the kitchen is draining: it takes no new orders")]
    Draining,
    /// Too much is open.
    #[error("{open} pizzas are open of at most {max}: try again later")]
    CapacityExceeded {
        /// Pizzas not yet packed.
        open: u32,
        /// The site's limit.
        max: u32,
    },
    /// So much is open that the order could not be ready in time.
    #[error("it would be ready in {} minutes, and is promised in {}: promise more time, or try again later", .ready_in_ms.div_ceil(60_000), .promise_ms.div_ceil(60_000))]
    TooMuchAhead {
        /// When it would be ready, from now.
        ready_in_ms: Millis,
        /// When it should be.
        promise_ms: Millis,
    },
    /// The proposer is no longer in charge.
    #[error("epoch {epoch} is over: {current} is in charge")]
    StaleEpoch {
        /// The proposer's.
        epoch: Epoch,
        /// The present one.
        current: Epoch,
    },
    /// No such incident, or it is decided.
    #[error("there is no open incident {incident}: see /v1/incidents")]
    UnknownIncident {
        /// Its number.
        incident: u64,
    },
    /// No such token.
    #[error("there is no token {token}: see /v1/tokens")]
    UnknownToken {
        /// The id that was asked for.
        token: TokenId,
    },
    /// The id is taken by a token with another content.
    #[error("token {token} exists with another content: use a new id for a new token")]
    TokenKeyReused {
        /// The token that has the id.
        token: TokenId,
    },
    /// Without it nobody could add a token any more.
    #[error("token {token} is the last admin's that never ends: add another one first")]
    LastAdmin {
        /// The token.
        token: TokenId,
    },
    /// Something about the request is wrong.
    #[error("{what}")]
    Invalid {
        /// What, and what to do.
        what: String,
    },
}
