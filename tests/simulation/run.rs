//! One run: three controllers, two brokers, a line of devices, people, and a storm, in virtual time, from one seed.
//!
//! No socket, thread or real clock. One seed decides everything: the same seed gives the same trace, byte for byte.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use brigade::device::sim::{Record, World};
use brigade::kitchen::recipe::{NMinusOne, Settings, built_in_menu};
use brigade::kitchen::{Command, DeviceKind, Entry, Millis, RecipeId};

use crate::agenda::{Agenda, Event};
use crate::ambush::Ambush;
use crate::backend::Backend;
use crate::bus::{Broker, Letter, Weather};
use crate::chance::Chance;
use crate::checks::Checks;
use crate::clock::Clock;
use crate::node::Node;
use crate::people::Placed;
use crate::raft::{Purpose, Raft};
use crate::seen::Seen;
use crate::storm::Climate;
use crate::trace::Trace;

/// How long it storms, in virtual milliseconds.
const STORM_MS: Millis = 16 * 60_000;

/// How long everything may take to end once all is well.
const CALM_MS: Millis = 40 * 60_000;

/// When replicas write down what a power cut would leave of their state.
const SAVE_MS: Millis = 30_000;

/// Everything.
pub struct Simulation {
    pub now: Millis,
    pub chance: Chance,
    pub agenda: Agenda,
    pub brokers: Vec<Broker>,
    pub weather: Weather,
    pub raft: Raft,
    pub nodes: Vec<Node>,
    pub devices: Vec<crate::device::SimDevice>,
    pub world: Arc<World>,
    pub wills: BTreeMap<u64, (usize, u32, Rc<Letter>)>,
    pub orders: Vec<Placed>,
    pub backend: Backend,
    pub recipes: Vec<RecipeId>,
    /// How many times as fast as life recipes are; the devices' rules are as they are.
    pub speed: u64,
    pub climate: Climate,
    pub ambush: Option<Ambush>,
    /// The one of two devices with one id whose plug was pulled: it gets no power any more.
    pub pulled: Option<usize>,
    pub is_healed: bool,
    pub links: u64,
    pub tenures: u64,
    pub checks: Checks,
    pub seen: Seen,
    pub trace: Trace,
    failure: Option<String>,
    saved_at: Millis,
}

/// How a run ended.
pub struct Outcome {
    pub seed: u64,
    pub failure: Option<String>,
    pub seen: Seen,
    pub trace: Trace,
    /// How much kitchen time passed.
    pub virtual_ms: Millis,
}

/// Runs a seed. With `is_shown` the trace is kept.
pub fn run(seed: u64, is_shown: bool) -> Outcome {
    let mut sim = Simulation::new(seed, is_shown);
    sim.play();
    Outcome { seed, failure: sim.failure, seen: sim.seen, trace: sim.trace, virtual_ms: sim.now }
}

/// The entries that a seed's replicas apply, in order.
pub fn log_of(seed: u64) -> Vec<Entry> {
    let mut sim = Simulation::new(seed, false);
    sim.play();
    assert_eq!(sim.failure, None);
    sim.raft.log.into_iter().map(|logged| logged.entry).collect()
}

/// The demo's line.
pub const LINE: [(&str, DeviceKind, Option<&str>, u8); 11] = [
    ("robot1", DeviceKind::BeforeOven, None, 1),
    ("robot2", DeviceKind::BeforeOven, None, 1),
    ("oven1", DeviceKind::Oven, None, 1),
    ("oven2", DeviceKind::Oven, None, 1),
    ("oven3", DeviceKind::Oven, None, 1),
    ("oven4", DeviceKind::Oven, None, 1),
    ("robot3", DeviceKind::AfterOven, None, 1),
    ("robot4", DeviceKind::AfterOven, None, 1),
    ("camera1", DeviceKind::Camera, Some("prep"), 1),
    ("camera2", DeviceKind::Camera, Some("bake"), 1),
    ("camera3", DeviceKind::Camera, Some("finish"), 1),
];

fn clock(chance: &mut Chance) -> Clock {
    Clock { offset_ms: chance.between(1_000, 1_000_000_000), pace: chance.between(995_000, 1_005_000) }
}

impl Simulation {
    fn new(seed: u64, is_shown: bool) -> Self {
        let mut chance = Chance::new(seed);
        let brokers = 1 + chance.below(3);
        let speed = [1, 2, 4, 8][chance.below(4)];
        let nodes = (0..3).map(|_| Node::new(brokers, clock(&mut chance))).collect();
        let mut device = |&(id, kind, stage, lanes): &(&str, DeviceKind, Option<&str>, u8)| {
            crate::device::SimDevice::new(id, kind, stage, lanes, clock(&mut chance))
        };
        // The last one is the twin of a camera, in a cupboard.
        let devices = LINE.iter().chain([&LINE[8]]).map(&mut device).collect();
        let backend = Backend::new(clock(&mut chance));
        let mut sim = Self {
            now: 0,
            chance,
            agenda: Agenda::default(),
            brokers: (0..brokers).map(|_| Broker::default()).collect(),
            weather: Weather::default(),
            raft: Raft::default(),
            nodes,
            devices,
            world: Arc::new(World::new(Record::in_virtual_time())),
            wills: BTreeMap::new(),
            orders: Vec::new(),
            backend,
            recipes: Vec::new(),
            speed,
            climate: Climate { every_ms: 0, groups: [false; 5] },
            ambush: None,
            pulled: None,
            is_healed: false,
            links: 0,
            tenures: 0,
            checks: Checks::default(),
            seen: Seen::default(),
            trace: Trace { is_on: is_shown, ..Trace::default() },
            failure: None,
            saved_at: 0,
        };
        sim.climate = Climate::drawn(&mut sim);
        sim.open();
        sim
    }

    fn open(&mut self) {
        for node in 0..self.nodes.len() {
            for broker in 0..self.brokers.len() {
                self.agenda.at(5, Event::NodeConnects { node, life: 0, broker });
            }
        }
        self.agenda.at(10, Event::RaftWatch);
        for device in 0..LINE.len() {
            self.power_up(device);
        }
        self.elect(None);
        let leader = self.raft.leader.expect("everybody hears everybody");
        let speed = self.speed;
        let n_minus_one = [NMinusOne::Off, NMinusOne::Shelf, NMinusOne::Strict][self.chance.below(3)];
        let shelf = self.chance.happens(5_000).then(|| ("shelf1".parse().expect("an id"), 2));
        let shelves = shelf.into_iter().collect();
        let settings = Settings { quarantine_ms: 20_000, n_minus_one, shelves, ..Settings::default() };
        self.propose(leader, Command::Configure { settings }, None, Purpose::Other);
        for recipe in built_in_menu() {
            self.recipes.push(recipe.id.clone());
            self.propose(leader, Command::PutRecipe { recipe: recipe.sped_up(speed) }, None, Purpose::Other);
        }
        self.agenda.at(1_000, Event::BackendLooks);
        self.agenda.at(3_000, Event::Client);
        self.agenda.at(5_000, Event::Cook);
        self.agenda.at(60_000, Event::Operator);
        self.agenda.at(15_000, Event::Breaks);
        self.agenda.at(STORM_MS, Event::Heal);
    }

    /// Something must never happen and did. The first one is told.
    pub fn fail(&mut self, why: String) {
        self.trace.note(|| format!("FAILED: {why}"));
        self.failure.get_or_insert(why);
    }

    fn play(&mut self) {
        while self.failure.is_none() {
            let Some((at, event)) = self.agenda.next() else { break };
            self.now = at;
            self.trace.now = at;
            self.happen(event);
            self.save_now_and_then();
            if self.is_over() {
                self.check_record();
                self.check_backend();
                return self.judge();
            }
            if self.now > STORM_MS + CALM_MS {
                self.judge();
                self.fail("it never came to an end".to_owned());
            }
        }
    }

    fn save_now_and_then(&mut self) {
        if self.now >= self.saved_at + SAVE_MS {
            self.saved_at = self.now;
            let node = self.chance.below(self.nodes.len());
            self.save(node);
            if self.is_healed {
                self.let_go();
            }
        }
    }

    /// All orders have ended, nothing is in doubt, and nobody is asked anything.
    fn is_over(&self) -> bool {
        let Some(node) = self.in_charge().filter(|_| self.is_healed) else { return false };
        let kitchen = &self.nodes[node].kitchen;
        let answered = |o: &Placed| o.acknowledged;
        kitchen.orders().next().is_none()
            && kitchen.attempts().next().is_none()
            && kitchen.incidents().all(|i| i.answer.is_some())
            && self.orders.iter().all(answered)
            && self.backend_is_done()
            && self.nodes[node].applied == self.raft.log.len() as u64
    }

    /// The node that an event is for, with the life that it was for.
    fn node_of(event: &Event) -> Option<(usize, Option<u32>)> {
        match event {
            Event::ToNode { node, .. } | Event::NodeLinkDies { node, .. } | Event::BackendAnswers { node, .. } => {
                Some((*node, None))
            }
            Event::NodeConnects { node, life, .. }
            | Event::Tick { node, life, .. }
            | Event::AskBackend { node, life, .. }
            | Event::Deadline { node, life, .. }
            | Event::Apply { node, life } => Some((*node, Some(*life))),
            _ => None,
        }
    }

    fn happen(&mut self, event: Event) {
        if let Some((node, life)) = Self::node_of(&event) {
            let it = &self.nodes[node];
            if !it.is_up || life.is_some_and(|life| life != it.life) {
                return;
            }
            if it.paused_until > self.now {
                // A frozen process finds it when it wakes.
                return self.agenda.at(it.paused_until, event);
            }
        }
        match event {
            Event::AtBroker { broker, life, letter } | Event::Will { broker, life, letter } => {
                self.at_broker(broker, life, letter);
            }
            Event::ToNode { node, broker, connection, letter, retained } => {
                if self.nodes[node].connections[broker] == Some(connection) {
                    self.node_hears(node, broker, &letter, retained);
                }
            }
            Event::ToDevice { device, connection, letter, retained } => {
                self.device_hears(device, connection, &letter, retained);
            }
            Event::NodeConnects { node, broker, .. } => self.node_connects(node, broker),
            Event::NodeLinkDies { node, broker, connection } => self.node_link_dies(node, broker, connection),
            Event::DeviceConnects { device, token } => self.device_connects(device, token),
            Event::DeviceWakes { device, token } => self.device_wakes(device, token),
            Event::Tick { node, tenure, .. } => self.tick(node, tenure),
            Event::AskBackend { node, tenure, .. } => self.ask_backend(node, tenure),
            Event::AtBackend { node, epoch, request } => self.at_backend(node, epoch, &request),
            Event::BackendAnswers { node, epoch, answer } => self.backend_answers(node, epoch, &answer),
            Event::BackendLooks => self.backend_looks(),
            Event::Deadline { node, token, .. } => self.deadline(node, token),
            Event::Apply { node, .. } => self.apply_if_heard(node),
            Event::Commit { proposal } => self.commit(proposal),
            Event::GiveUp { proposal } => self.give_up(proposal),
            Event::RaftWatch => self.raft_watch(),
            Event::Client => self.client(),
            Event::Retry { order } => self.place(order),
            Event::Cook => self.cook(),
            Event::Operator => self.operator(),
            Event::Breaks => self.breaks(),
            Event::Mended(fault) => self.mended(fault),
            Event::Heal => self.heal(),
        }
    }

    fn apply_if_heard(&mut self, node: usize) {
        if self.nodes[node].hears_peers(self.now) {
            self.apply_all(node);
        }
    }
}
