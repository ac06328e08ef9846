//! Clocks that jump in the middle of dinner: the wall clock by an hour in both directions, and a leader whose machine slept.
//!
//! What is checked is what the devices physically did, by their own record, and what the leader said on the broker.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use brigade::cli::local::Record;
use brigade::protocol::Epoch;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::ears::Ears;
use super::shim::Shim;
use super::site::{Kitchen, wait_for};

const HOUR_MS: i64 = 3_600_000;

/// How long a machine sleeps: longer than any lease of the replicas, shorter than the devices' patience.
const SLEEP: Duration = Duration::from_secs(3);

/// A process that ends with its value.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A kitchen with devices and orders, in which each node's clocks can be shifted.
struct Dinner {
    kitchen: Kitchen,
    orders: Vec<String>,
    record: PathBuf,
    _devices: Killed,
    _shim: Shim,
}

impl Dinner {
    fn begin() -> Self {
        let shim = Shim::compile("clockshift.c", include_str!("clockshift.c"));
        let mut kitchen = Kitchen::lay_out("[menu]\nspeed = 40\n");
        for node in kitchen.nodes.values_mut() {
            let file = node.data_dir.with_extension("clock");
            std::fs::write(&file, [0; 16]).expect("the folder can be written");
            node.environment = vec![shim.preload(), ("CLOCKSHIFT_FILE".to_owned(), file)];
        }
        kitchen.start(&[1, 2, 3]);
        kitchen.wait_until_ready(&[1, 2, 3]);
        let record = kitchen.dir().join("record.jsonl");
        let mut devices = Command::new(env!("CARGO_BIN_EXE_brigade"));
        devices.args(["device", "--kitchen", "power", "--speed-pct", "4000", "--record"]).arg(&record);
        devices.args(kitchen.brokers().iter().flat_map(|url| ["--broker", url.as_str()]));
        let log = File::create(kitchen.dir().join("devices.log")).expect("the folder can be written");
        let devices = devices.stdin(Stdio::null()).stdout(log.try_clone().expect("a handle")).stderr(log).spawn();
        let devices = Killed(devices.expect("the program was built"));
        wait_for("a kitchen that is NORMAL", || {
            let there = kitchen.get(1, "/v1/devices").body["items"].as_array().is_some_and(|all| all.len() == 11);
            (there && kitchen.get(1, "/v1/kitchen").body["state"] == "NORMAL").then_some(())
        });
        let recipe = json!({ "title": "Quick", "prep_ms": 800, "transfer_ms": 200, "bake_ms": 3_000, "window_ms": 20_000,
            "stale_ms": 60_000, "finish_ms": 600, "oven_program": "hot" });
        wait_for("a recipe", || (kitchen.put(1, "/v1/recipes/quick", recipe.clone()).status < 300).then_some(()));
        Self { kitchen, orders: Vec::new(), record, _devices: devices, _shim: shim }
    }

    fn order(&mut self, count: usize) {
        for _ in 0..count {
            let id = format!("dinner-{}", self.orders.len());
            wait_for("an order is accepted", || {
                let answer = self.kitchen.put(1, &format!("/v1/orders/{id}"), json!({ "items": ["quick", "quick"] }));
                matches!(answer.status, 200 | 201).then_some(())
            });
            self.orders.push(id);
        }
    }

    /// Shifts clocks of a node: the wall clock, and the one that stands still in sleep.
    fn shift(&self, node: u64, wall_ms: i64, monotonic_ms: i64) {
        let path = self.kitchen.nodes[&node].data_dir.with_extension("clock");
        let bytes: Vec<u8> = [wall_ms, monotonic_ms].into_iter().flat_map(i64::to_ne_bytes).collect();
        let file = File::options().write(true).open(path).expect("it is ours");
        file.write_all_at(&bytes, 0).expect("the folder can be written");
    }

    fn wait_for_fact(&self, event: &str, times: usize) {
        wait_for(&format!("{times} × {event}"), || {
            let text = std::fs::read_to_string(&self.record).unwrap_or_default();
            (text.matches(&format!("\"event\":\"{event}\"")).count() >= times).then_some(())
        });
    }

    fn shown(&self, order: &str) -> Value {
        self.kitchen.get(1, &format!("/v1/orders/{order}")).body
    }

    /// Every order is READY, each pizza was made and delivered once, and nothing burnt.
    fn ends_well(&self) {
        for order in &self.orders {
            wait_for(&format!("order {order} ends"), || {
                let status = self.shown(order)["status"].clone();
                assert!(
                    !["FAILED", "CANCELLED", "RETURNED"].iter().any(|bad| status == *bad),
                    "{order} ended {status}"
                );
                (status == "READY").then_some(())
            });
        }
        let record = Record::read(&self.record).expect("the devices' record");
        assert_eq!((record.made_twice(), record.burnt(), record.remade()), (0, 0, 0));
        let delivered = record.delivered();
        assert!(delivered.len() == 2 * self.orders.len() && delivered.values().all(|n| *n == 1), "{delivered:?}");
    }
}

#[test]
fn wall_clocks_that_jump_an_hour_forth_and_back_change_nothing_but_what_they_show() {
    let mut dinner = Dinner::begin();
    dinner.order(3);
    dinner.wait_for_fact("placed", 1);
    let leader = dinner.kitchen.leader();
    dinner.shift(leader, HOUR_MS, 0);
    dinner.order(2);
    dinner.wait_for_fact("packed", 2);
    for node in 1..=3 {
        dinner.shift(node, -HOUR_MS, 0);
    }
    dinner.order(1);
    dinner.ends_well();
    assert_eq!(dinner.kitchen.leader(), leader, "a clock on the wall is no reason for an election");
    let hours: Vec<String> = dinner.orders.iter().map(|o| hour(&dinner.shown(o)["placed_at"])).collect();
    assert!(hours[0] != hours[3] && hours[3] != hours[5], "the shim shifted nothing: {hours:?}");
    for order in &dinner.orders {
        let shown = dinner.shown(order);
        let (placed, ended) = (shown["placed_at"].as_str(), shown["ended_at"].as_str());
        assert!(placed < ended, "an order that ended before it was placed: {shown}");
        assert!(shown["took_ms"].as_i64().is_some_and(|ms| (0..HOUR_MS).contains(&ms)), "{shown}");
    }
}

/// `2026-07-28T12` of a time.
fn hour(time: &Value) -> String {
    time.as_str().and_then(|t| t.get(..13)).unwrap_or_default().to_owned()
}

/// While it sleeps, the clock by which it reckons the age of its last acknowledgement stands still: on waking, its quorum lease looks new,
/// and heartbeats wait for it at the brokers of the others.
#[test]
fn a_leader_whose_machine_slept_gives_no_lease_when_it_wakes() {
    let mut dinner = Dinner::begin();
    let ears = Ears::at(&dinner.kitchen.brokers(), "power");
    dinner.order(4);
    dinner.wait_for_fact("placed", 1);
    let leader = dinner.kitchen.leader();
    let epoch = dinner.kitchen.get(leader, "/v1/cluster").body["tenure"]["epoch"].as_u64();
    let epoch = Epoch(epoch.expect("it is in charge"));
    wait_for("a lease of its tenure", || (ears.heard().leases_under(epoch) > 0).then_some(()));
    dinner.kitchen.nodes[&leader].signal(Signal::STOP);
    let asleep = Instant::now();
    let others: Vec<u64> = (1..=3).filter(|id| *id != leader).collect();
    wait_for("another one is in charge", || {
        let in_charge = |id: &u64| dinner.kitchen.get(*id, "/v1/cluster").body["tenure"]["in_charge"] == true;
        others.iter().any(in_charge).then_some(())
    });
    wait_for("it slept", || (asleep.elapsed() >= SLEEP).then_some(()));
    dinner.shift(leader, 0, -(SLEEP.as_millis() as i64));
    dinner.kitchen.nodes[&leader].signal(Signal::CONT);
    wait_for("it follows", || {
        let own = dinner.kitchen.get(leader, "/v1/cluster").body;
        (own["leader"].as_u64().is_some_and(|now| now != leader) && own["tenure"]["in_charge"] == false).then_some(())
    });
    dinner.ends_well();
    // What was heard that late was sent when it slept already, and waited for it.
    let surely_asleep = asleep + SLEEP / 3;
    let heard = ears.heard();
    assert!(heard.beats_after(surely_asleep) > 0, "no heartbeat waited for it");
    assert_eq!(heard.late_leases_under(epoch, surely_asleep), Vec::<&_>::new());
}
