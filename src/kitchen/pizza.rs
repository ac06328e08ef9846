//! One pizza, and the state machine that it goes through: `advance`.
//!
//! The machine is pure: it knows which state follows which input and nothing else. Who gives the inputs: `outcome` (what
//! devices reported) and `schedule` (what is begun next). The table of states × inputs is a golden file.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::ids::{DeviceId, Lane, Millis, OrderId, PizzaId, RecipeId};
use super::report::Job;
use super::vocabulary::Verdict;

/// Where a pizza is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PizzaState {
    /// Nothing is done yet.
    Queued,
    /// A before-oven robot makes it.
    Prepping,
    /// Made, in the gripper of its robot.
    Prepped,
    /// An oven slot and an exit are reserved; the robot puts it in.
    Loading,
    /// In the oven.
    Baking,
    /// Done, still in the oven: from now on it can burn.
    Baked,
    /// An after-oven robot takes it out.
    Unloading,
    /// In the gripper of an after-oven robot.
    Unloaded,
    /// On a shelf.
    Shelved,
    /// Sliced and packed.
    Finishing,
    /// Packed, not yet judged.
    Finished,
    /// Done: it can be handed out.
    Packed,
    /// Nobody knows where it is.
    Uncertain,
}

impl PizzaState {
    /// Every state.
    pub const ALL: [Self; 13] = [
        Self::Queued,
        Self::Prepping,
        Self::Prepped,
        Self::Loading,
        Self::Baking,
        Self::Baked,
        Self::Unloading,
        Self::Unloaded,
        Self::Shelved,
        Self::Finishing,
        Self::Finished,
        Self::Packed,
        Self::Uncertain,
    ];
}

/// What happens to a pizza.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
    /// A robot is told to make it.
    PrepOpened,
    /// It was not begun after all.
    PrepAbandoned,
    /// It is made.
    PrepDone,
    /// A slot and an exit are reserved for it.
    SlotReserved,
    /// The load came to nothing: its robot still holds it.
    LoadAbandoned,
    /// The oven has it and bakes.
    BakeStarted,
    /// The bake is over.
    BakeEnded,
    /// A robot is told to take it out.
    UnloadOpened,
    /// The unload came to nothing: the oven still holds it.
    UnloadAbandoned,
    /// A robot has it.
    UnloadDone,
    /// It lies on a shelf.
    Shelved,
    /// A robot took it from the shelf.
    Fetched,
    /// A robot is told to finish it.
    FinishOpened,
    /// It was not begun after all: the robot holds it.
    FinishAbandoned,
    /// It is sliced and packed.
    FinishDone,
    /// Nothing more is to be judged.
    Released,
    /// Nobody knows where it is.
    CustodyLost,
}

impl Input {
    /// Every input.
    pub const ALL: [Self; 17] = [
        Self::PrepOpened,
        Self::PrepAbandoned,
        Self::PrepDone,
        Self::SlotReserved,
        Self::LoadAbandoned,
        Self::BakeStarted,
        Self::BakeEnded,
        Self::UnloadOpened,
        Self::UnloadAbandoned,
        Self::UnloadDone,
        Self::Shelved,
        Self::Fetched,
        Self::FinishOpened,
        Self::FinishAbandoned,
        Self::FinishDone,
        Self::Released,
        Self::CustodyLost,
    ];
}

/// The state after an input; None where the input has no meaning in this state and must change nothing.
///
/// A pizza whose place was uncertain may turn up in any of the places that a transfer can leave it.
pub fn advance(state: PizzaState, input: Input) -> Option<PizzaState> {
    use PizzaState as S;
    let next = match (input, state) {
        (Input::PrepOpened, S::Queued) => S::Prepping,
        (Input::PrepAbandoned, S::Prepping) => S::Queued,
        (Input::PrepDone, S::Prepping) => S::Prepped,
        (Input::SlotReserved, S::Prepped) => S::Loading,
        (Input::LoadAbandoned, S::Loading | S::Uncertain) => S::Prepped,
        (Input::BakeStarted, S::Loading | S::Uncertain) => S::Baking,
        (Input::BakeEnded, S::Baking) => S::Baked,
        (Input::UnloadOpened, S::Baked) => S::Unloading,
        (Input::UnloadAbandoned, S::Unloading | S::Uncertain) => S::Baked,
        (Input::UnloadDone, S::Unloading | S::Uncertain) => S::Unloaded,
        (Input::Shelved, S::Unloaded) => S::Shelved,
        (Input::Fetched, S::Shelved) => S::Unloaded,
        (Input::FinishOpened, S::Unloaded) => S::Finishing,
        (Input::FinishAbandoned, S::Finishing) => S::Unloaded,
        (Input::FinishDone, S::Finishing) => S::Finished,
        (Input::Released, S::Finished) => S::Packed,
        (Input::CustodyLost, S::Loading | S::Baking | S::Unloading) => S::Uncertain,
        _ => return None,
    };
    Some(next)
}

/// Why a pizza will not be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Spoiled {
    /// Too long in the oven.
    Burnt,
    /// Its robot failed with it, or at it.
    Dropped,
    /// A camera or a person judged it bad.
    JudgedBad,
    /// It waited too long before the oven, or nobody knows how long.
    Stale,
    /// Its oven failed, or its bake was interrupted.
    BakeFailed,
    /// Nobody knows where it is.
    Lost,
    /// Its order was cancelled.
    Cancelled,
}

impl Spoiled {
    /// The word on the wire and on record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Burnt => "BURNT",
            Self::Dropped => "DROPPED",
            Self::JudgedBad => "JUDGED_BAD",
            Self::Stale => "STALE",
            Self::BakeFailed => "BAKE_FAILED",
            Self::Lost => "LOST",
            Self::Cancelled => "CANCELLED",
        }
    }
}

/// Who has the pizza.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Custody {
    /// It does not exist yet.
    None,
    /// A lane of a device.
    On(Place),
    /// It is being moved.
    Between(Place, Place),
    /// Packed, on the counter.
    Counter,
    /// Nobody knows.
    Unknown,
}

/// A lane of a device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The device.
    pub device: DeviceId,
    /// Its lane.
    pub lane: Lane,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.device, self.lane)
    }
}

/// The after-oven robot that is reserved to take a pizza out, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// The robot.
    pub device: DeviceId,
    /// From this moment …
    pub from: Millis,
    /// … until this one.
    pub until: Millis,
}

/// A step that waits for a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenGate {
    /// Which inspection.
    pub job: Job,
    /// How many looks were taken.
    pub looks: u8,
    /// Since when it waits.
    pub since: Millis,
    /// The incident that asks a person, once raised.
    pub incident: Option<u64>,
}

/// What a camera or a person said of a step; None says that nobody judged it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// The inspection.
    pub job: Job,
    /// What was said.
    pub verdict: Option<Verdict>,
    /// When.
    pub at: Millis,
}

/// One attempt that is over, for the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastAttempt {
    /// What was tried.
    pub job: Job,
    /// Which try.
    pub number: u32,
    /// On which device.
    pub device: DeviceId,
    /// When it was decided, in kitchen time.
    pub opened_at: Millis,
    /// When the device reported that it started.
    pub started_at: Option<Millis>,
    /// When its end was recorded.
    pub ended_at: Millis,
    /// SUCCEEDED, or why not; OVERTAKEN if it still ran when its pizza was discarded.
    pub outcome: String,
    /// When its end was recorded, in wall time; 0 in what an earlier release recorded.
    #[serde(default)]
    pub ended_wall: u64,
    /// The temperature that its device reported, in tenths of a degree Celsius.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temp_dc: Option<i32>,
}

/// One pizza that is open. A discarded one leaves the state; what was its own is in its order's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pizza {
    /// Its id.
    pub id: PizzaId,
    /// Its order.
    pub order: OrderId,
    /// How it is made.
    pub recipe: RecipeId,
    /// The version of its recipe when it was begun; 0 before that.
    #[serde(default)]
    pub recipe_version: u32,
    /// Where it is on its way.
    pub state: PizzaState,
    /// Since when.
    pub since: Millis,
    /// Who has it.
    pub custody: Custody,
    /// Promised moment, in kitchen time.
    pub promised_at: Millis,
    /// Priority of its order.
    pub priority: i8,
    /// All the work of its recipe when it was ordered, without waiting.
    pub work_ms: Millis,
    /// When its dough is stale.
    pub stale_at: Option<Millis>,
    /// The oven slot that is reserved for it, or has it.
    pub oven: Option<Place>,
    /// The robot that will take it out.
    pub exit: Option<Exit>,
    /// When its bake ends, as planned or as reported.
    pub bake_end: Option<Millis>,
    /// When it burns.
    pub burn_at: Option<Millis>,
    /// When a transfer must be agreed on by both sides.
    pub transfer_by: Option<Millis>,
    /// The verdict that it waits for.
    pub gate: Option<OpenGate>,
    /// Verdicts so far.
    pub judgements: Vec<Judgement>,
    /// Tries so far, by job.
    pub tries: BTreeMap<Job, u32>,
    /// Devices that failed at this item, over all its generations.
    pub failed_on: BTreeSet<DeviceId>,
    /// The incident that parks it: nothing is begun until a person decides.
    pub parked: Option<u64>,
    /// The incident that asks where it is.
    pub incident: Option<u64>,
    /// Nobody measured how long it has been where it is (cold start of all replicas).
    pub unmeasured: bool,
    /// What was tried.
    pub history: Vec<PastAttempt>,
}

impl Pizza {
    /// A new one, with nothing done.
    pub fn new(id: PizzaId, order: &super::order::Order, recipe: RecipeId, work_ms: Millis, now: Millis) -> Self {
        Self {
            id,
            order: order.id.clone(),
            recipe,
            recipe_version: 0,
            state: PizzaState::Queued,
            since: now,
            custody: Custody::None,
            promised_at: order.promised_at,
            priority: order.priority,
            work_ms,
            stale_at: None,
            oven: None,
            exit: None,
            bake_end: None,
            burn_at: None,
            transfer_by: None,
            gate: None,
            judgements: Vec::new(),
            tries: BTreeMap::new(),
            failed_on: BTreeSet::new(),
            parked: None,
            incident: None,
            unmeasured: false,
            history: Vec::new(),
        }
    }

    /// The lane that holds it, if one does.
    pub fn place(&self) -> Option<&Place> {
        match &self.custody {
            Custody::On(place) => Some(place),
            Custody::None | Custody::Between(..) | Custody::Counter | Custody::Unknown => None,
        }
    }
}
