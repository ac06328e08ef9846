//! The kitchen: one replicated state machine. `Kitchen::apply` takes a committed entry and returns what it did.
//!
//! It is synchronous, total and deterministic: two replicas that have applied the same index are equal, bit for bit.
//! Nothing here reads a clock, draws an id, writes a log line, uses a float or a hash map, or knows of nodes, brokers and
//! disks. Who calls it: `raft::state_machine`, and tests and simulations directly.
//!
//! Reading order: `pizza` (the state machine of one pizza), `command` and `event` (what goes in and comes out), `schedule`
//! (what is begun next), `outcome` and `steps` (what follows from a report), `lives` (devices that are lost, stuck or rebooted).

pub mod access;
pub mod assignment;
pub mod assignments;
pub mod attempt;
pub mod audit;
pub mod clearing;
pub mod command;
pub mod deadline;
pub mod device;
pub mod directives;
pub mod discipline;
pub mod event;
pub mod feed;
pub mod food_safety;
pub mod gates;
pub mod ids;
pub mod in_charge;
pub mod incident;
pub mod incidents;
pub mod invariants;
pub mod learned;
pub mod limit;
pub mod lives;
pub mod merge;
pub mod opening;
pub mod order;
pub mod orders;
pub mod outbox;
pub mod outcome;
pub mod pizza;
mod queue;
pub mod recipe;
pub mod refusal;
pub mod remake;
pub mod report;
pub mod reports;
pub mod restored;
pub mod retention;
pub mod rows;
pub mod rules;
pub mod schedule;
pub mod shelves;
pub mod spoil;
pub mod status;
pub mod steps;
pub mod table;
pub mod view;
pub mod vocabulary;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::defect;

pub use access::{NewToken, Role, Token, TokenHash};
pub use assignment::{AssignedOrder, Assignment, BackendAnswer, BackendStanding};
pub use attempt::{Attempt, AttemptState, Outcome};
pub use audit::{Asked, AuditOutcome, AuditRecord};
pub use command::{Act, Command, Directive, Entry, Life, NewOrder, Reply, Source};
pub use device::{ActionFact, Device, Facts, Standing};
pub use event::Event;
pub use ids::{DeviceId, Epoch, InstructionId, Lane, Millis, NodeId, OrderId, PizzaId, RecipeId, TokenId};
pub use in_charge::InCharge;
pub use incident::{Decision, Incident, Question};
pub use order::{ArchivedOrder, Order, OrderStatus};
pub use outbox::{After, Instruction, Op, Params, Task};
pub use pizza::{Custody, Pizza, PizzaState, Place, Spoiled};
pub use recipe::{Gate, Recipe, Settings};
pub use refusal::Refusal;
pub use report::{AttemptId, CommandResult, Condition, Content, Job, Mode, Report, TaskId, TaskReport, TaskState};
pub use rows::{Archive, BadRow, Row};
pub use rules::Rules;
pub use status::KitchenStatus;
pub use vocabulary::{Action, DeviceKind, Verdict};

use feed::Outcome as FeedOutcome;
use queue::Queue;
use schedule::QueueKey;
use table::Table;

/// What one entry did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// For the proposer.
    pub reply: Reply,
    /// For observers.
    pub events: Vec<Event>,
    /// Rows of the state that changed, but the first one, which every entry changes: see `Kitchen::first_row`.
    pub rows: Vec<Row>,
    /// Rows of the archive that changed.
    pub archive: Vec<Row>,
}

/// What is neither order, pizza nor device: the first row. Every entry changes it, so it is small.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// By which rules apply works.
    #[serde(default)]
    pub rules: Rules,
    /// The replicated time of the last entry.
    pub now: Millis,
    /// Wall time of the last entry, for people.
    pub wall: u64,
    /// Log index of the last entry.
    pub index: u64,
    /// Who is in charge.
    pub in_charge: Option<InCharge>,
    /// The kitchen takes no new orders.
    pub draining: bool,
    /// Zones that stand still; the empty name is the whole kitchen.
    pub held_zones: BTreeSet<String>,
    /// The kitchen's status after the last entry.
    pub status: KitchenStatus,
    /// Since when nothing can be cooked.
    #[serde(default)]
    pub out_of_order_since: Option<Millis>,
    /// The longest start lease that earlier settings allowed: a device may still hold one.
    #[serde(default)]
    pub lease_ms_max: Millis,
    /// How many pizzas are open.
    pub open_pizzas: u32,
    /// When something that was put off may be begun.
    pub replan_at: Option<Millis>,
    /// Numbers the attempts to throw something away, whose pizzas are gone from the state.
    pub discards: u32,
    /// The last incident's number.
    pub incidents: u64,
    /// What is known of the main backend.
    #[serde(default)]
    pub backend: BackendStanding,
    /// When this kitchen was first in anybody's charge, in wall time: names its outcomes' numbering.
    #[serde(default)]
    pub born_wall: u64,
    /// The last outcome's number in the feed.
    pub feed_last: u64,
    /// Orders that ended, by end: ready, cancelled, failed, returned.
    pub ended: [u64; 4],
    /// Orders that were ready when promised, and those that were not.
    #[serde(default)]
    pub promises: [u64; 2],
    /// When the last few pizzas were packed, the latest last.
    #[serde(default)]
    pub packed_at: Vec<Millis>,
    /// Pizzas packed.
    pub packed: u64,
    /// Pizzas discarded.
    pub discarded: u64,
    /// Where the chain of food-safety records ends.
    #[serde(default)]
    pub food: food_safety::Chain,
    /// The audit log's last number.
    #[serde(default)]
    pub audited: u64,
    /// How many archived orders were let go.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub orders_let_go: u64,
    /// The number of the last of them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub orders_let_go_upto: u64,
}

/// A field that is not written until it is used, so that a row is the same under older rules.
fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}

/// What a single entry gathers; not part of the state.
#[derive(Clone, Debug, Default)]
struct Scratch {
    events: Vec<Event>,
    archive: Vec<Row>,
    instructions: u32,
}

/// A device that failed too often, on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    /// Which device.
    pub device: DeviceId,
    /// So many failures …
    pub failures: u32,
    /// … within so many milliseconds.
    pub within_ms: Millis,
    /// When, in kitchen time.
    pub at: Millis,
    /// When, for people.
    pub wall: u64,
}

/// The state machine.
#[derive(Clone, Debug, Default)]
pub struct Kitchen {
    meta: Meta,
    settings: Table<u8, Settings>,
    recipes: Table<RecipeId, Recipe>,
    orders: Table<OrderId, Order>,
    pizzas: Table<PizzaId, Pizza>,
    attempts: Table<AttemptId, Attempt>,
    devices: Table<DeviceId, Device>,
    learned: Table<(Option<DeviceId>, Action), learned::Learned>,
    outbox: Table<InstructionId, Instruction>,
    incidents: Table<u64, Incident>,
    escalations: Table<u64, Escalation>,
    feed: Table<u64, FeedOutcome>,
    /// Who may use the API.
    tokens: Table<TokenId, Token>,
    /// Pizzas to begin, by urgency. Derived from `pizzas` and `orders`.
    queue: Queue,
    /// Pizzas of the backend's orders that it does not know to be about to begin. Derived likewise.
    unannounced: Queue,
    /// Pizzas of those that it was told of, and has not acknowledged. Derived likewise.
    announced: BTreeSet<QueueKey>,
    /// Pizzas begun and not packed, with their states. Derived from `pizzas`.
    active: BTreeMap<PizzaId, PizzaState>,
    scratch: Scratch,
}

/// Two kitchens are equal when their rows and what is derived from them are; scratch space does not count.
impl PartialEq for Kitchen {
    fn eq(&self, other: &Self) -> bool {
        self.meta == other.meta
            && self.settings == other.settings
            && self.recipes == other.recipes
            && self.orders == other.orders
            && self.pizzas == other.pizzas
            && self.attempts == other.attempts
            && self.devices == other.devices
            && self.learned == other.learned
            && self.outbox == other.outbox
            && self.incidents == other.incidents
            && self.escalations == other.escalations
            && self.feed == other.feed
            && self.tokens == other.tokens
            && self.queue == other.queue
            && self.unannounced == other.unannounced
            && self.announced == other.announced
            && self.active == other.active
    }
}

impl Eq for Kitchen {}

impl Kitchen {
    /// Applies one committed entry. Total: a business "no" is a reply, and what is impossible changes nothing.
    pub fn apply(&mut self, index: u64, entry: &Entry, archive: &dyn Archive) -> Applied {
        let at = if defect::is("wall-clock-in-apply") { entry.wall } else { entry.at };
        self.meta.now = self.meta.now.max(at);
        self.meta.wall = entry.wall;
        self.meta.index = index;
        self.scratch = Scratch::default();
        let reply = match self.check_epoch(entry) {
            Ok(()) => self.execute(&entry.command, archive).unwrap_or_else(Reply::Refused),
            Err(refusal) => Reply::Refused(refusal),
        };
        if let Some(asked) = &entry.asked {
            self.audit(entry, asked, &reply);
        }
        self.let_go(archive);
        self.settle();
        let rows = self.drain_rows();
        let scratch = std::mem::take(&mut self.scratch);
        Applied { reply, events: scratch.events, rows, archive: scratch.archive }
    }

    fn execute(&mut self, command: &Command, archive: &dyn Archive) -> Result<Reply, Refusal> {
        match command {
            Command::PlaceOrder(new) => self.place_order(new, archive),
            Command::CancelOrder { order, reason } => self.cancel_order(order, reason, archive),
            Command::CollectOrder { order } => self.collect_order(order, archive),
            Command::PutRecipe { recipe } => self.put_recipe(recipe),
            Command::Configure { settings } => self.configure(settings),
            Command::Drain { draining } => self.drain(*draining),
            Command::HoldZone { zone, held, actor: _ } => self.hold_zone(zone, *held),
            Command::DirectDevice { device, directive, actor } => self.direct_device(device, *directive, actor),
            Command::DecideIncident { incident, decision, actor, reason } => {
                self.decide_incident(*incident, decision, actor, reason)
            }
            Command::RemakePizza { pizza, actor, reason } => self.remake_pizza(*pizza, actor, reason, archive),
            Command::AddToken { new, first, actor } => self.add_token(new, *first, actor),
            Command::RevokeToken { token, even_last, actor } => self.revoke_token(token, *even_last, actor),
            Command::NoteTokenUse { token, hour } => self.note_token_use(token, *hour),
            Command::NoteAct { .. } => Ok(Reply::Done),
            Command::TakeCharge { node, incarnation, gap_measured, kitchen } => {
                self.name_kitchen(kitchen);
                self.take_charge(*node, *incarnation, *gap_measured)
            }
            Command::RaiseRules { to } => Ok(self.raise_rules(*to)),
            Command::RecordFacts { device, boot, facts } => self.record_facts(device, *boot, facts),
            Command::RecordReport { device, report } => self.record_report(device, report),
            Command::JudgeDevice { device, life, named } => self.judge_device(device, *life, named),
            Command::DeadlinesDue => self.meet_deadlines(),
            Command::FollowBackend(answer) => self.follow_backend(answer, archive),
            Command::TakeAssignment(assigned) => Ok(self.take_assignment(assigned, archive)),
        }
    }

    fn put_recipe(&mut self, recipe: &Recipe) -> Result<Reply, Refusal> {
        recipe.check()?;
        let before = self.recipes.get(&recipe.id);
        let version = before.map_or(1, |r| r.version + 1);
        if before.is_some_and(|r| Recipe { version: 0, ..r.clone() } == Recipe { version: 0, ..recipe.clone() }) {
            return Ok(Reply::Unchanged);
        }
        self.recipes.insert(recipe.id.clone(), Recipe { version, ..recipe.clone() });
        self.queue.recipes_changed();
        self.unannounced.recipes_changed();
        self.event(Event::RecipeChanged { recipe: recipe.id.to_string(), version });
        Ok(Reply::Done)
    }

    fn configure(&mut self, settings: &Settings) -> Result<Reply, Refusal> {
        settings.check()?;
        if self.settings() == settings {
            return Ok(Reply::Unchanged);
        }
        self.meta.lease_ms_max = self.meta.lease_ms_max.max(self.settings().lease_ms);
        self.settings.insert(0, settings.clone());
        Ok(Reply::Done)
    }

    fn drain(&mut self, draining: bool) -> Result<Reply, Refusal> {
        self.meta.draining = draining;
        Ok(Reply::Done)
    }

    fn hold_zone(&mut self, zone: &str, held: bool) -> Result<Reply, Refusal> {
        if zone.len() > 48 {
            return Err(Refusal::Invalid { what: "a zone's name has at most 48 bytes".to_owned() });
        }
        let changed =
            if held { self.meta.held_zones.insert(zone.to_owned()) } else { self.meta.held_zones.remove(zone) };
        Ok(if changed { Reply::Done } else { Reply::Unchanged })
    }

    /// The replicated time of the last entry.
    pub fn now(&self) -> Millis {
        self.meta.now
    }

    /// The site's settings.
    pub fn settings(&self) -> &Settings {
        static DEFAULT: std::sync::OnceLock<Settings> = std::sync::OnceLock::new();
        self.settings.get(&0).unwrap_or_else(|| DEFAULT.get_or_init(Settings::default))
    }

    fn event(&mut self, event: Event) {
        self.scratch.events.push(event);
    }

    /// The next instruction's id: this entry's index and a running number.
    fn next_instruction(&mut self) -> InstructionId {
        let id = InstructionId { index: self.meta.index, n: self.scratch.instructions };
        self.scratch.instructions += 1;
        id
    }

    fn zone_held(&self, zone: &str) -> bool {
        self.meta.held_zones.contains("") || self.meta.held_zones.contains(zone)
    }
}
