//! Bad input, against real controller processes: each gets a clear, typed answer, changes nothing, and the process lives on.
//!
//! HTTP and MQTT here; what a process refuses to start with is in tests/start.rs.

mod process;

use brigade::kitchen::recipe::SPAN_MS_MAX;
use std::time::{Duration, Instant};

use brigade::mqtt::testing::{AnyBroker, Mosquitto};
use brigade::mqtt::{Client, Event, Options, Publication, Qos};
use process::{Kitchen, wait_for};
use serde_json::json;

/// A client of the broker that says whatever it likes.
struct Stranger(Client);

impl Stranger {
    fn at(kitchen: &Kitchen, name: &str) -> Self {
        kitchen.block_on(async { Self(Client::connect(Options::new(&kitchen.node.broker, name)).expect("an address")) })
    }

    /// Says it, and waits until the broker has it.
    fn say(&self, kitchen: &Kitchen, topic: &str, payload: impl Into<Vec<u8>>) {
        self.publish(kitchen, topic, payload.into(), false);
    }

    fn publish(&self, kitchen: &Kitchen, topic: &str, payload: Vec<u8>, retained: bool) {
        let topic = format!("brigade/v1/{topic}");
        let publication = Publication::new(topic, payload, Qos::AtLeastOnce).retained(retained);
        // A broker may refuse what is too large: that is an answer too.
        let _ = kitchen.block_on(self.0.publisher.publish_acknowledged(publication));
    }
}

/// The built-in line has so many devices.
const DEVICES: usize = 11;

/// Topics of the kitchen that a broker has kept for a newcomer, until it has had the state of every device.
fn kept_by_the_broker(kitchen: &Kitchen) -> Vec<String> {
    let subscriptions = ["brigade/v1/k1/+/cmd", "brigade/v1/k1/+/state"].map(|t| (t.to_owned(), Qos::AtLeastOnce));
    let options = Options { subscriptions: subscriptions.into(), ..Options::new(&kitchen.node.broker, "newcomer") };
    let limit = Instant::now() + Duration::from_secs(20);
    kitchen.block_on(async {
        let mut client = Client::connect(options).expect("an address");
        let mut kept = Vec::new();
        while kept.iter().filter(|topic: &&String| topic.ends_with("/state")).count() < DEVICES {
            assert!(Instant::now() < limit, "the broker keeps {kept:?}");
            if let Some(Event::Message(message)) = client.events.next().await
                && message.is_retained()
            {
                kept.push(message.topic().to_owned());
            }
        }
        kept
    })
}

#[test]
fn no_instruction_is_kept_by_the_broker_for_whoever_comes() {
    let kitchen = Kitchen::open().with_devices();
    kitchen.order("t1");
    kitchen.wait_until_ready("t1");
    let kept = kept_by_the_broker(&kitchen);
    assert!(kept.iter().all(|topic| topic.ends_with("/state")), "a later controller must not find {kept:?}");
}

#[test]
fn each_bad_request_has_its_own_problem_and_changes_nothing() {
    let mut kitchen = Kitchen::open();
    kitchen.order("t1");
    let before = kitchen.state();
    let cases: [(&str, String, u16, &str); 9] = [
        ("t2", "{\"items\": [".to_owned(), 400, "malformed-json"),
        ("t2", "\u{1F355}".to_owned(), 400, "malformed-json"),
        ("t2", "[".repeat(200_000), 400, "malformed-json"),
        ("t2", "[1]".to_owned(), 422, "invalid"),
        ("t2", json!({ "items": ["no-such-pizza"] }).to_string(), 422, "unknown-recipe"),
        ("t2", json!({ "items": ["margherita"], "prioritty": 1 }).to_string(), 422, "unknown-field"),
        ("t2", json!({ "items": ["margherita"], "promise_ms": u64::MAX }).to_string(), 422, "invalid"),
        ("t%20%00", json!({ "items": ["margherita"] }).to_string(), 400, "bad-id"),
        ("t1", json!({ "items": ["funghi"] }).to_string(), 422, "idempotency-key-reused"),
    ];
    for (id, body, status, problem) in cases {
        let start: String = body.chars().take(60).collect();
        let answer = kitchen.put(&format!("/v1/orders/{id}"), body);
        assert_eq!((answer.status, answer.problem()), (status, problem), "{start}: {}", answer.body);
        let detail = answer.body["detail"].as_str().unwrap_or_default();
        assert!(detail.len() > 10 && detail.len() < 1_000, "{start}: {detail:?}");
    }
    assert_eq!(kitchen.state(), before);
    kitchen.assert_well();
}

#[test]
fn a_body_of_ten_megabytes_is_refused_and_not_kept() {
    let mut kitchen = Kitchen::open();
    let before = kitchen.state();
    for _ in 0..5 {
        let answer = kitchen.put("/v1/orders/t1", vec![b' '; 10 << 20]);
        assert_eq!((answer.status, answer.problem()), (413, "too-large"), "{}", answer.body);
    }
    assert_eq!(kitchen.state(), before);
    kitchen.order("t1");
    kitchen.assert_well();
}

fn facts(kind: &str, lanes: serde_json::Value, max_ms: u64) -> Vec<u8> {
    let action = |name: &str| json!({ "name": name, "idem": false, "cancel": "ALWAYS", "typ_ms": max_ms.min(60_000), "max_ms": max_ms });
    let actions = match kind {
        "oven" => vec![action("bake")],
        _ => vec![action("prep"), action("load"), action("discard")],
    };
    // Out of its range only together with the rest: the largest span of an action is more than orphan_ms may be.
    let orphan_ms = if max_ms > SPAN_MS_MAX { max_ms } else { max_ms.min(600_000) };
    let facts = json!({
        "v": 1, "kind": kind, "fw": "1", "proto": 1, "lanes": lanes, "actions": actions, "hb_ms": 1_000, "orphan_ms": orphan_ms,
    });
    facts.to_string().into_bytes()
}

#[test]
fn a_device_that_lies_about_its_kind_stays_what_it_was() {
    let mut kitchen = Kitchen::open();
    let liar = Stranger::at(&kitchen, "liar");
    liar.say(&kitchen, "k1/liar/facts", facts("oven", json!([0]), 1_000));
    let kind = |kitchen: &Kitchen| Some(kitchen.devices().first()?["kind"].as_str()?.to_owned());
    let first = wait_for("the device", || kind(&kitchen));
    liar.say(&kitchen, "k1/liar/facts", facts("robot.before_oven", json!([0]), 1_000));
    wait_for("a payload that is refused", || (kitchen.payloads_refused() > 0).then_some(()));
    assert_eq!((kind(&kitchen), kitchen.devices().len()), (Some(first), 1));
    let log = kitchen.log_text();
    assert!(log.contains("What a device says was refused") && log.contains("liar"), "{log}");
    kitchen.assert_well();
}

/// Each is refused when a device says it, whatever the leaf.
fn junk() -> Vec<Vec<u8>> {
    vec![
        b"not JSON".to_vec(),
        vec![0xff; 100],
        Vec::from("["),
        "[".repeat(400).into_bytes(),
        json!({ "v": 2, "boot": "00ab54a98ceb1f0a" }).to_string().into_bytes(),
        json!({ "v": 1 }).to_string().into_bytes(),
        b"null".to_vec(),
        vec![b' '; 20_000],
        vec![b'x'; 100_000],
    ]
}

#[test]
fn foreign_payloads_are_counted_and_nothing_else() {
    for broker in AnyBroker::all() {
        let mut kitchen = Kitchen::open_at(Some(broker.url()));
        let stranger = Stranger::at(&kitchen, "stranger");
        let before = kitchen.state();
        for leaf in ["state", "hb", "facts", "conn", "obs"] {
            for payload in junk() {
                stranger.say(&kitchen, &format!("k1/oven1/{leaf}"), payload);
            }
        }
        for topic in ["k2/oven1/state", "k1/oven1/coffee", "k1/ctl/leader", "k1/all/cmd", "k1/oven1/state/more"] {
            stranger.say(&kitchen, topic, "not JSON");
        }
        // A broker may keep what is larger than a controller reads: the last of each leaf is left out.
        wait_for("40 payloads that are refused", || (kitchen.payloads_refused() >= 40).then_some(()));
        assert_eq!((kitchen.state(), kitchen.devices().len()), (before, 0), "{}", broker.name());
        kitchen.order("t1");
        kitchen.assert_well();
    }
}

#[test]
fn a_retained_payload_that_is_too_large_does_not_keep_the_kitchen_from_its_broker() {
    for broker in AnyBroker::all() {
        let kitchen = Kitchen::open_at(Some(broker.url()));
        let stranger = Stranger::at(&kitchen, "stranger");
        for (device, bytes) in [("big1", 17_000), ("big2", 60_000), ("big3", 100_000), ("big4", 250_000)] {
            stranger.publish(&kitchen, &format!("k1/{device}/state"), vec![b'x'; bytes], true);
            stranger.publish(&kitchen, &format!("k1/{device}/hb"), vec![b'x'; bytes], true);
        }
        let mut kitchen = kitchen.with_devices();
        kitchen.order("t1");
        kitchen.wait_until_ready("t1");
        kitchen.assert_well();
    }
}

#[test]
fn ten_thousand_junk_messages_do_not_stop_the_kitchen() {
    let broker = Mosquitto::start().expect("make test installs mosquitto");
    let mut kitchen = Kitchen::open_at(Some(broker.url())).with_devices();
    let stranger = Stranger::at(&kitchen, "stranger");
    let (leaves, mut slowest) = (["state", "hb", "facts", "conn", "obs"], Duration::ZERO);
    for round in 0..20 {
        for n in 0..500 {
            let topic = format!("brigade/v1/k1/junk{n}/{}", leaves[n % 5]);
            let junk = Publication::new(topic, "junk", Qos::AtMostOnce);
            kitchen.block_on(stranger.0.publisher.publish_when_room(junk)).expect("the broker takes it");
        }
        let asked = Instant::now();
        kitchen.order(&format!("t{round}"));
        slowest = slowest.max(asked.elapsed());
    }
    assert!(slowest < Duration::from_secs(2), "an order took {slowest:?}");
    wait_for("10,000 payloads that are refused", || (kitchen.payloads_refused() >= 10_000).then_some(()));
    (0..20).for_each(|round| kitchen.wait_until_ready(&format!("t{round}")));
    assert_eq!(kitchen.devices().len(), 11, "no stranger became a device");
    kitchen.assert_well();
}

#[test]
fn figures_at_the_end_of_their_range_do_not_stop_the_kitchen() {
    let mut kitchen = Kitchen::open().with_devices();
    for other in ["robot1", "robot2"] {
        assert_eq!(kitchen.post(&format!("/v1/devices/{other}/drain"), "{}").status, 200);
    }
    let robot = Stranger::at(&kitchen, "extreme");
    let boot = "00ab54a98ceb1f0a";
    let epoch = kitchen.get("/v1/cluster").body["tenure"]["epoch"].as_u64().expect("a node is in charge");
    let state = |rev: u64, epoch: u64| {
        let state = json!({
            "v": 1, "boot": boot, "rev": rev, "mode": "AUTOMATIC", "cond": "IDLE", "estop": false, "fence": { "epoch": epoch },
            "holds": [], "tasks": [], "cmds": [], "errors": [],
        });
        state.to_string()
    };
    let beat = |s: u64, rev: u64| json!({ "b": boot, "s": s, "r": rev, "up": u64::MAX }).to_string();
    robot.say(&kitchen, "k1/extreme/conn", json!({ "v": 1, "boot": boot, "n": u64::MAX, "st": "ONLINE" }).to_string());
    robot.say(&kitchen, "k1/extreme/facts", facts("robot.before_oven", json!([0, 255]), u64::MAX));
    robot.say(&kitchen, "k1/extreme/hb", beat(0, 1));
    wait_for("the facts to be refused", || {
        let refused = kitchen.get("/v1/cluster").body["tenure"]["payloads_refused"].as_u64();
        refused.is_some_and(|n| n > 0).then_some(())
    });
    assert_eq!(kitchen.get("/v1/devices/extreme").status, 404, "who can't be planned with is not taken in");
    robot.say(&kitchen, "k1/extreme/facts", facts("robot.before_oven", json!([0, 255]), SPAN_MS_MAX));
    wait_for("the robot", || (kitchen.get("/v1/devices/extreme").status == 200).then_some(()));
    robot.say(&kitchen, "k1/extreme/state", state(1, epoch));
    kitchen.order("t1");
    for n in 0..10 {
        robot.say(&kitchen, "k1/extreme/hb", beat(n, 1));
        robot.say(&kitchen, "k1/extreme/state", state(2 + n, epoch));
    }
    let mut beats = 10;
    wait_for("an attempt on the robot", || {
        beats += 1;
        robot.say(&kitchen, "k1/extreme/hb", beat(beats, 11));
        let device = kitchen.get("/v1/devices/extreme").body;
        let has_work = |l: &serde_json::Value| l["attempts"].as_array().is_some_and(|a| !a.is_empty());
        let works = device["lanes"].as_array().is_some_and(|lanes| lanes.iter().any(has_work));
        assert!(beats < 400 || works, "it never gets work: {device}; {}", kitchen.get("/v1/orders/t1").body);
        works.then_some(())
    });
    robot.say(&kitchen, "k1/extreme/state", state(u64::MAX, u64::MAX));
    robot.say(&kitchen, "k1/extreme/hb", beat(u64::MAX, u64::MAX));
    robot.say(&kitchen, "k1/extreme/facts", facts("robot.before_oven", json!([]), 0));
    let seen = u64::MAX.to_string();
    wait_for("a question about the epoch", || {
        kitchen.get("/v1/incidents").body.to_string().contains(&seen).then_some(())
    });
    kitchen.order("t2");
    kitchen.assert_well();
}
