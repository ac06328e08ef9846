//! A kitchen of real processes that a test may break: three controllers, a line of devices, a client.
//!
//! Its pizza is made in seconds, with food deadlines as long as a site's would be against its controllers' failover. It never sleeps but
//! to pace its polling, and ends every process it started.

mod broker;

use std::collections::BTreeMap;
use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use brigade::cli::local::record::{Fact, Record};
use brigade::cli::local::{Client, Placed, Plan, Site};
use brigade::clock::boottime_ms;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

pub use broker::Mosquitto;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that ends with its test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A kitchen with orders in it.
pub struct Dinner {
    runtime: Runtime,
    http: reqwest::Client,
    client: Client,
    controllers: BTreeMap<u64, Killed>,
    devices: Option<Killed>,
    placed: Vec<Placed>,
    site: Site,
}

/// A line like the demo's, with these faults.
pub fn line_with(faults: &[(&str, &str)]) -> String {
    let kinds = [
        ("robot1", "robot.before_oven", ""),
        ("robot2", "robot.before_oven", ""),
        ("oven1", "oven", ""),
        ("oven2", "oven", ""),
        ("oven3", "oven", ""),
        ("robot3", "robot.after_oven", ""),
        ("robot4", "robot.after_oven", ""),
        ("camera1", "camera", "prep"),
        ("camera2", "camera", "bake"),
    ];
    let device = |(id, kind, stage): (&str, &str, &str)| {
        let stages = if stage.is_empty() { String::new() } else { format!("\"{stage}\"") };
        let broken = faults.iter().find(|(device, _)| *device == id).map_or("", |(_, faults)| faults);
        format!("[[device]]\nid = \"{id}\"\nkind = \"{kind}\"\nstages = [{stages}]\nfaults = {{ {broken} }}\n")
    };
    let head = "kitchen = \"demo\"\nbrokers = [\"mqtt://127.0.0.1:1\"]\n".to_owned();
    kinds.into_iter().fold(head, |text, kind| text + &device(kind))
}

impl Dinner {
    /// Opens a kitchen and places orders of two pizzas.
    pub fn begin(broker: Option<String>, line: Option<&str>, orders: u32) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let line = line.map(|text| {
            let path = dir.path().join("line.toml");
            std::fs::write(&path, text).expect("the folder can be written");
            path
        });
        let site = Site::lay_out(&Plan { speed: 40, broker, line, keep: None }).expect("files and ports");
        let runtime = Runtime::new().expect("a runtime");
        let (http, client) = runtime.block_on(async { (reqwest::Client::new(), Client::new(site.apis())) });
        let controllers = BTreeMap::new();
        let mut dinner = Self { runtime, http, client, controllers, devices: None, placed: Vec::new(), site };
        dinner.start_controllers(&[1, 2, 3]);
        dinner.start_devices();
        let devices = dinner.site.devices().expect("a line");
        dinner
            .wait_until("the kitchen is NORMAL", |d| d.runtime.block_on(d.client.line_when_normal(devices)).is_some());
        dinner.put_recipe();
        dinner.order(orders);
        dinner
    }

    fn put_recipe(&self) {
        let recipe = json!({ "title": "Quick", "prep_ms": 800, "transfer_ms": 200, "bake_ms": 3_000, "window_ms": 20_000,
            "stale_ms": 60_000, "finish_ms": 600, "oven_program": "hot",
            "gates": { "prep": "wanted", "bake": "wanted", "finish": "none" } });
        self.wait_until("the recipe is there", |d| {
            let url = format!("{}/v1/recipes/quick", d.site.apis()[0]);
            d.runtime.block_on(d.http.put(url).json(&recipe).send()).is_ok_and(|answer| answer.status().is_success())
        });
    }

    fn order(&mut self, orders: u32) {
        for n in 0..orders {
            let order = Placed { id: format!("dinner-{n}"), items: vec!["quick".to_owned(); 2] };
            self.runtime.block_on(self.client.place(&order)).expect("it is accepted");
            self.placed.push(order);
        }
    }

    fn start(&self, args: &[String], log: &str) -> Killed {
        let log = File::options().create(true).append(true).open(self.site.log(log)).expect("a log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_brigade"));
        command.args(args).stdin(Stdio::null()).stdout(log.try_clone().expect("a handle")).stderr(log);
        Killed(command.spawn().expect("the program was built with the tests"))
    }

    /// Starts these controllers.
    pub fn start_controllers(&mut self, nodes: &[u64]) {
        for node in nodes {
            let config = self.site.node_config(*node).to_string_lossy().into_owned();
            let args = ["controller".to_owned(), "--config".to_owned(), config];
            let controller = self.start(&args, &format!("node{node}"));
            self.controllers.insert(*node, controller);
        }
    }

    /// SIGKILL for these controllers.
    pub fn kill_controllers(&mut self, nodes: &[u64]) {
        for node in nodes {
            self.controllers.remove(node);
        }
    }

    fn start_devices(&mut self) {
        self.devices = Some(self.start(&self.site.device_args(), "devices"));
    }

    /// SIGKILL for all devices, with whatever they hold; then all have power again.
    pub fn reboot_devices(&mut self) {
        self.devices = None;
        self.start_devices();
    }

    /// The node in charge, by its own word.
    pub fn leader(&self) -> u64 {
        self.wait_for("somebody leads", |d| d.runtime.block_on(d.client.leader()))
    }

    /// SIGSTOP for a controller, and SIGCONT after so long. Returns when that was.
    pub fn freeze(&self, node: u64, span: Duration) -> u64 {
        let pid = self.controllers.get(&node).and_then(|c| Pid::from_raw(c.0.id() as i32)).expect("it runs");
        kill_process(pid, Signal::STOP).expect("it is ours");
        let until = Instant::now() + span;
        self.wait_until("it slept", |_| Instant::now() >= until);
        kill_process(pid, Signal::CONT).expect("it is ours");
        boottime_ms()
    }

    /// What the devices have recorded.
    pub fn facts(&self) -> Vec<Fact> {
        let text = std::fs::read_to_string(self.site.record()).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits until a device has recorded such a fact.
    pub fn wait_for_fact(&self, what: &str, is_it: impl Fn(&Fact) -> bool) {
        self.wait_until(what, |d| d.facts().iter().any(&is_it));
    }

    /// Waits until all orders have ended, and checks that each was delivered once and nothing happened twice or burnt.
    pub fn ends_well(&mut self) {
        self.wait_until("all orders have ended", |d| {
            d.answer_questions();
            d.runtime.block_on(d.client.open_orders()) == Some(0)
        });
        let ends = self.runtime.block_on(self.client.ends_of(&self.placed)).expect("the kitchen answers");
        let record = Record::read(&self.site.record()).expect("the devices' record");
        let dir = self.site.dir().display();
        assert!(ends.values().all(|end| end == "READY"), "{ends:?}; see {dir}");
        assert_eq!(record.made_twice(), 0, "see {dir}");
        assert_eq!(record.burnt(), 0, "see {dir}");
        let delivered = record.delivered();
        let items: usize = self.placed.iter().map(|order| order.items.len()).sum();
        assert!(delivered.len() == items && delivered.values().all(|n| *n == 1), "{delivered:?}; see {dir}");
    }

    /// The person in the kitchen: takes away what lies where it should not, and has tried again what fails.
    fn answer_questions(&self) {
        for api in self.site.apis() {
            let open = self.get(&format!("{api}/v1/incidents?open=true")).unwrap_or_default();
            for incident in open["items"].as_array().into_iter().flatten() {
                let decision = match incident["kind"].as_str() {
                    Some("clear_lane") => "lane_clear",
                    Some("item_fails") => "retry",
                    Some("where_is_pizza") => "pizza_gone",
                    _ => continue,
                };
                let url = format!("{api}/v1/incidents/{}/decision", incident["id"]);
                let body = json!({ "decision": decision, "actor": "cook", "reason": "looked" });
                let _ = self.runtime.block_on(self.http.post(url).json(&body).send());
            }
        }
    }

    fn get(&self, url: &str) -> Option<Value> {
        self.runtime.block_on(async { self.http.get(url).send().await.ok()?.json().await.ok() })
    }

    /// One word for each device.
    pub fn device_states(&self) -> BTreeMap<String, String> {
        let answer = self.get(&format!("{}/v1/devices", self.site.apis()[0])).expect("the kitchen answers");
        let state = |d: &Value| Some((d["id"].as_str()?.to_owned(), d["state"].as_str()?.to_owned()));
        answer["items"].as_array().into_iter().flatten().filter_map(state).collect()
    }

    /// After that moment every start on a device was instructed by the latest tenure that it knew, or was accepted before.
    pub fn assert_obeyed_no_former_leader(&self, since_ms: u64) {
        let facts = self.facts();
        let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
        for fact in facts.iter().filter(|f| f.event == "instructed" && f.op.as_deref() == Some("task.start")) {
            let highest = seen.entry(&fact.device).or_default();
            let epoch = fact.epoch.unwrap_or(0);
            let started = |f: &&Fact| {
                f.event == "started"
                    && f.device == fact.device
                    && f.task == fact.task
                    && f.att == fact.att
                    && f.t_ms >= fact.t_ms
            };
            let obeyed = epoch < *highest && fact.t_ms >= since_ms && facts.iter().any(|f| started(&f));
            assert!(!obeyed, "a former leader's word moved {}: {fact:?}", fact.device);
            *highest = epoch.max(*highest);
        }
    }

    /// Waits until something holds.
    pub fn wait_until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        self.wait_for(what, |d| holds(d).then_some(()));
    }

    fn wait_for<T>(&self, what: &str, find: impl Fn(&Self) -> Option<T>) -> T {
        let limit = Instant::now() + PATIENCE;
        while Instant::now() < limit {
            if let Some(found) = find(self) {
                return found;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let record = std::fs::read_to_string(self.site.record()).unwrap_or_default();
        let last: Vec<&str> = record.lines().rev().take(20).collect();
        panic!("after {} s not yet: {what}. The last facts, latest first:\n{}", PATIENCE.as_secs(), last.join("\n"));
    }
}
