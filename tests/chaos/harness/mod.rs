//! A kitchen of real processes that a test may break: three controllers, brokers, a line of devices, guests, and a history of it all.
//!
//! Its pizza is made in seconds, with food deadlines as long as a site's would be against its controllers' failover. It never sleeps but
//! to pace its polling, and ends every process it started.

mod api;
mod backend;
mod book;
mod devices;
mod faults;
mod guests;
mod late;
mod look;
mod mosquitto;
mod namespaces;
mod net;
mod person;
mod process;
mod proxies;
mod site;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use brigade::history::{Answer, Ask, BrokerDeed, Fault};
use reqwest::Method;
use serde_json::json;
use tokio::runtime::Runtime;

use api::Api;
use backend::Backend;
use book::Book;
use devices::Devices;
use guests::Guests;
use late::Late;
use mosquitto::Mosquitto;
use net::Net;
use process::Running;
use site::Site;

pub use devices::line_with;
pub use net::{Party, Wiring};
pub use site::{Brokers, Plan};
pub use verdict::Verdict;

/// How long anything here may take: the machine may be busy with other things.
const PATIENCE: Duration = Duration::from_secs(90);

/// A kitchen with orders in it. What runs ends before what it runs on.
pub struct Dinner {
    controllers: BTreeMap<u64, Running>,
    /// Those that run the release before.
    old: BTreeSet<u64>,
    /// Those that were stopped with SIGSTOP.
    paused: Vec<u64>,
    devices: Devices,
    mosquittos: BTreeMap<u64, Mosquitto>,
    guests: Option<Guests>,
    late: Late,
    /// Every order that this test placed itself.
    placed: Vec<String>,
    /// How many devices the line has.
    line_length: usize,
    backend: Option<Backend>,
    book: Arc<Book>,
    api: Arc<Api>,
    runtime: Runtime,
    net: Net,
    site: Site,
}

/// The program under test: the one that was built with the tests, or another build of it, to see the tests find what is wrong with it.
fn program() -> String {
    std::env::var("CHAOS_PROGRAM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_brigade").to_owned())
}

/// The release before it: the same one, which is held at older rules, or a real one.
fn old_program() -> String {
    std::env::var("CHAOS_OLD_PROGRAM").unwrap_or_else(|_| program())
}

impl Dinner {
    /// Opens a kitchen, with these devices missing at first, and waits until it is NORMAL.
    pub fn open_without(plan: &Plan, missing: &[&str]) -> Self {
        let net = Net::wire(plan.wiring);
        let site = Site::lay_out(plan, &net);
        let book = Arc::new(Book::begin(&site.history()));
        // Made here, so that its threads live in the kitchen's network.
        let runtime = Runtime::new().expect("a runtime");
        let backend = plan.has_backend.then(|| Backend::open(&runtime, book.clone()));
        site.configure(plan, backend.as_ref().map(Backend::url));
        let api = Arc::new(Api::new(site.apis(), book.clone()));
        let late = Late::listen(&runtime, site.own_broker_urls());
        let (controllers, mosquittos) = (BTreeMap::new(), BTreeMap::new());
        let line_length = plan.line.matches("[[device]]").count() - missing.len();
        let devices = Devices::Off;
        let (paused, placed, guests) = (Vec::new(), Vec::new(), None);
        let old = if plan.rules_max.is_some() { BTreeSet::from([1, 2, 3]) } else { BTreeSet::new() };
        let mut dinner = Self {
            controllers,
            old,
            paused,
            devices,
            mosquittos,
            guests,
            late,
            placed,
            line_length,
            backend,
            book,
            api,
            runtime,
            net,
            site,
        };
        if let Brokers::Mosquitto(count) = plan.brokers {
            (1..=count).for_each(|number| dinner.start_mosquitto(number));
        }
        (1..=3).for_each(|node| dinner.launch(node));
        dinner.start_devices(plan.devices_here, missing);
        dinner.wait_until_normal();
        dinner.put_recipe();
        dinner
    }

    /// Opens a kitchen of this plan.
    pub fn open(plan: &Plan) -> Self {
        Self::open_without(plan, &[])
    }

    /// Opens a kitchen and places so many orders of two pizzas.
    pub fn begin(plan: &Plan, orders: u32) -> Self {
        let mut dinner = Self::open(plan);
        (0..orders).for_each(|_| dinner.order(2));
        dinner
    }

    fn put_recipe(&self) {
        let recipe = json!({ "title": "Quick", "prep_ms": 600, "transfer_ms": 200, "bake_ms": 2_000, "window_ms": 30_000,
            "stale_ms": 90_000, "finish_ms": 400, "oven_program": "hot",
            "gates": { "prep": "wanted", "bake": "wanted", "finish": "none" } });
        self.wait_until("the recipe is there", |d| {
            d.runtime.block_on(d.api.send(Method::PUT, 1, "/v1/recipes/quick", &recipe)).status / 100 == 2
        });
    }

    /// Waits until all devices are there and the kitchen is NORMAL.
    pub fn wait_until_normal(&self) {
        self.wait_until("the kitchen is NORMAL", |d| {
            let there = d.get("/v1/devices").and_then(|v| Some(v["items"].as_array()?.len())).unwrap_or(0);
            there >= d.line_length && d.get("/v1/kitchen").is_some_and(|k| k["state"] == "NORMAL")
        });
    }

    /// Places an order of so many pizzas, over and over until some replica has it.
    pub fn order(&mut self, pizzas: usize) {
        let order = format!("dinner-{}", self.placed.len());
        let ask = Ask::Place { order: order.clone(), items: vec!["quick".to_owned(); pizzas] };
        self.placed.push(order);
        let mut turn = 0;
        self.wait_until("the order is accepted", |d| {
            turn += 1;
            matches!(d.call(1 + turn % 3, ask.clone()), Answer::Placed { .. })
        });
    }

    /// The main backend gives the kitchen an order of so many pizzas.
    pub fn give(&self, pizzas: usize) {
        self.backend.as_ref().expect("the plan has a backend").give(pizzas);
    }

    /// Waits until the main backend knows how all orders that it gave have ended.
    pub fn wait_until_the_backend_knows_all_ends(&self) {
        self.wait_until("the backend knows all ends", |d| d.backend.as_ref().is_some_and(Backend::knows_all_ends));
    }

    /// One call of the order API, written down.
    pub fn call(&self, node: u64, ask: Ask) -> Answer {
        self.runtime.block_on(self.api.call("harness", node, ask))
    }

    /// Guests come in, and order until `ends_well`.
    pub fn seat_guests(&mut self, count: u64) {
        self.guests = Some(Guests::arrive(&self.runtime, &self.api, count));
    }

    /// Orders that guests got accepted.
    pub fn accepted(&self) -> u64 {
        self.guests.as_ref().map_or(0, |g| g.accepted.load(std::sync::atomic::Ordering::Relaxed))
    }

    fn spawn(&self, mut command: Command, log: &str) -> Running {
        let log = File::options().create(true).append(true).open(self.site.log(log)).expect("a log");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a handle")).stderr(log);
        Running(command.spawn().expect("the program was built with the tests"))
    }

    fn launch(&mut self, node: u64) {
        let program = if self.old.contains(&node) { old_program() } else { program() };
        let mut command = self.net.command(Party::Node(node), &program);
        command.args(["controller", "--config"]).arg(self.site.node_config(node));
        let controller = self.spawn(command, &format!("node{node}"));
        self.net.is_run_by(Party::Node(node), controller.0.id());
        self.controllers.insert(node, controller);
    }

    fn start_mosquitto(&mut self, number: u64) {
        let mosquitto = Mosquitto::start(&self.net, number, self.site.brokers[&number], self.site.dir());
        self.mosquittos.insert(number, mosquitto);
        self.book.broker(&format!("mosquitto{number}"), BrokerDeed::Started);
    }

    /// Waits until something holds.
    pub fn wait_until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        self.wait_for(what, |d| holds(d).then_some(()));
    }

    /// Waits until something is found.
    pub fn wait_for<T>(&self, what: &str, mut find: impl FnMut(&Self) -> Option<T>) -> T {
        let limit = Instant::now() + PATIENCE;
        while Instant::now() < limit {
            if let Some(found) = find(self) {
                return found;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let history = std::fs::read_to_string(self.site.history()).unwrap_or_default();
        let is_of_device = |line: &&str| line.contains("\"device\"");
        let last: Vec<&str> = history.lines().rev().filter(is_of_device).take(20).collect();
        panic!("after {} s not yet: {what}. The last facts, latest first:\n{}", PATIENCE.as_secs(), last.join("\n"));
    }

    fn mark(&self, fault: Fault, nodes: &[u64], note: &str) -> u64 {
        let leader = self.in_charge();
        self.book.fault(fault, nodes, leader.is_some_and(|l| nodes.contains(&l)), note)
    }
}
