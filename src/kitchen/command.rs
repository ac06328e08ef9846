//! What is proposed to the Raft log, and what comes back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::access::NewToken;
use super::assignment::{AssignedOrder, BackendAnswer};
use super::audit::Asked;
use super::device::Facts;
use super::ids::{DeviceId, Epoch, InstructionId, Millis, NodeId, OrderId, PizzaId, RecipeId, TokenId};
use super::incident::Decision;
use super::recipe::{Recipe, Settings};
use super::refusal::Refusal;
use super::report::Report;
use super::rules::Rules;

/// What the Raft log holds: a command with the proposer's timestamp.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The kitchen's replicated time: monotonic, decides everything.
    pub at: Millis,
    /// Wall clock, milliseconds since 1970: for people, decides nothing.
    pub wall: u64,
    /// The tenure that proposes; None for requests of clients and operators.
    pub epoch: Option<Epoch>,
    /// Who asked for it by the API, and why: for the audit log. It decides nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    /// What is proposed.
    pub command: Command,
}

/// The longest promise of an order: a day.
pub const PROMISE_MS_MAX: Millis = 24 * 3_600_000;

/// What is proposed to the Raft log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// A client orders at this kitchen.
    PlaceOrder(NewOrder),
    /// A client or operator takes an order back.
    CancelOrder {
        /// Which order.
        order: OrderId,
        /// Why, for the record.
        reason: String,
    },
    /// The order was handed out.
    CollectOrder {
        /// Which order.
        order: OrderId,
    },
    /// A recipe is new or changed.
    PutRecipe {
        /// All of it.
        recipe: Recipe,
    },
    /// The site's settings change.
    Configure {
        /// All of them.
        settings: Settings,
    },
    /// The kitchen finishes what it has (true), or takes orders again (false).
    Drain {
        /// Whether it drains.
        draining: bool,
    },
    /// A zone stops (true) or goes on (false).
    HoldZone {
        /// The zone; empty for the whole kitchen.
        zone: String,
        /// Whether it is held.
        held: bool,
        /// Who says so.
        actor: String,
    },
    /// An operator's word about a device.
    DirectDevice {
        /// Which one.
        device: DeviceId,
        /// What.
        directive: Directive,
        /// Who says so.
        actor: String,
    },
    /// A person decides an incident.
    DecideIncident {
        /// Its number.
        incident: u64,
        /// What is decided.
        decision: Decision,
        /// Who decides.
        actor: String,
        /// Why.
        reason: String,
    },
    /// A person says that a pizza is bad: it is thrown away and made again.
    RemakePizza {
        /// Which one, with its generation.
        pizza: PizzaId,
        /// Who says so.
        actor: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Somebody may use the API.
    AddToken {
        /// All of it but the token itself.
        new: NewToken,
        /// The kitchen's first: added only while no admin's token is there that never ends.
        first: bool,
        /// Who says so.
        actor: String,
    },
    /// Somebody may use the API no longer.
    RevokeToken {
        /// Which token.
        token: TokenId,
        /// Whether the last admin's may go: true where the configuration holds another one.
        even_last: bool,
        /// Who says so.
        actor: String,
    },
    /// A token was used, for the first time in an hour.
    NoteTokenUse {
        /// Which token.
        token: TokenId,
        /// The hour, counted from 1970.
        hour: u64,
    },
    /// Something is done outside the kitchen's own state: it is put on record, and changes nothing here.
    NoteAct {
        /// What.
        act: Act,
        /// Why it was not done after all; None before it is tried.
        refused: Option<String>,
    },

    /// A node takes charge; the index of this entry makes its epoch.
    TakeCharge {
        /// Which node.
        node: NodeId,
        /// Bootstrap or restore of the cluster that it belongs to.
        incarnation: u32,
        /// False when no node measured how much time passed since the last entry.
        gap_measured: bool,
        /// The kitchen's name, for its records; empty from an earlier release.
        #[serde(default)]
        kitchen: String,
    },
    /// Tenure: every member's program knows these rules, and all go by them from here on.
    RaiseRules {
        /// The new rules.
        to: Rules,
    },
    /// Tenure: a device says who it is.
    RecordFacts {
        /// Which device.
        device: DeviceId,
        /// Its life.
        boot: u64,
        /// What it says.
        facts: Facts,
    },
    /// Tenure: a device says how it is.
    RecordReport {
        /// Which device.
        device: DeviceId,
        /// What it says.
        report: Report,
    },
    /// Tenure: a device's heart stopped, or beats again.
    JudgeDevice {
        /// Which device.
        device: DeviceId,
        /// What the monitor saw.
        life: Life,
        /// When a lease of this tenure last named each of its instructions, in kitchen time. What is missing was never named.
        named: BTreeMap<InstructionId, Millis>,
    },
    /// Tenure: some deadline of the state has passed; apply decides which.
    DeadlinesDue,
    /// Tenure: the main backend answered.
    FollowBackend(BackendAnswer),
    /// Tenure: the main backend gives this kitchen an order.
    TakeAssignment(AssignedOrder),
}

/// A local order, as its client states it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewOrder {
    /// The client's key.
    pub id: OrderId,
    /// One recipe for each pizza.
    pub items: Vec<RecipeId>,
    /// Higher goes first; 0 is usual.
    pub priority: i8,
    /// Ready within so many milliseconds from now; None takes the site's promise.
    pub promise_ms: Option<Millis>,
}

/// Where an order comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Placed at this kitchen.
    Local,
    /// Given to this kitchen by the main backend.
    Backend,
}

/// What an operator says about a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Directive {
    /// It belongs to this kitchen.
    Adopt,
    /// It finishes what it has and gets nothing more.
    Drain,
    /// It stops where it is.
    Hold,
    /// It goes on, after a hold, a drain or maintenance.
    Resume,
    /// A technician has it.
    Maintain,
    /// Out of quarantine: it works again after a self-test and one trial task.
    Release,
    /// It is gone for good.
    Retire,
}

/// What an operator does to the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Leadership is handed over.
    Transfer {
        /// To whom; to the one that has stored most if it is None.
        to: Option<NodeId>,
    },
    /// A replica joins.
    Join {
        /// Its number.
        node: NodeId,
        /// Where other replicas reach it.
        peer: String,
    },
    /// A replica leaves.
    Leave {
        /// Its number.
        node: NodeId,
    },
}

/// Whether a device is alive, as the monitor sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Life {
    /// Its heart beats.
    Live,
    /// Three heartbeats are missing, or its will arrived: no new work.
    Suspect,
    /// Silent for five seconds on every broker.
    Lost,
    /// Its heart beats and its work does not move.
    Stuck,
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Done, nothing to say.
    Done,
    /// Nothing changed: it was so already.
    Unchanged,
    /// The order is accepted.
    Placed {
        /// Its number: the log index that accepted it.
        number: u64,
        /// False when it was accepted before, with the same content.
        created: bool,
    },
    /// A node is in charge.
    InCharge {
        /// Its epoch.
        epoch: Epoch,
    },
    /// No, and why.
    Refused(Refusal),
}
