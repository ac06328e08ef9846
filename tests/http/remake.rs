//! A person's word that a pizza is bad, over HTTP and at the command line. The line is three devices that say that they are there.

use brigade::kitchen::device::actions_of;
use brigade::kitchen::{ActionFact, Command, Condition, DeviceId, DeviceKind, Facts, Mode, Report};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::Kitchen;

fn facts(kind: DeviceKind) -> Facts {
    let action = |action: &_| ActionFact { action: *action, typ_ms: 60_000, max_ms: 120_000 };
    Facts {
        kind,
        model: String::new(),
        firmware: "1".to_owned(),
        protocol: 1,
        zone: String::new(),
        lanes: vec![0],
        actions: actions_of(kind).iter().map(action).collect(),
        stages: Vec::new(),
        heartbeat_ms: 1_000,
        orphan_ms: 0,
    }
}

/// Puts somebody in charge, and gives him a robot before the oven, an oven, and a robot after it.
async fn man_the_line(kitchen: &Kitchen) {
    let node = &kitchen.members[&1].node;
    let (epoch, _) = node.take_charge(1).await.unwrap();
    let propose = async |command| drop(node.propose(command, Some(epoch)).await.unwrap());
    let mut settings = kitchen.get("/v1/kitchen/settings").await.expect(StatusCode::OK);
    settings["adopt_at_once"] = json!(true);
    kitchen.put("/v1/kitchen/settings", settings).await.expect(StatusCode::OK);
    for (id, kind) in [("b1", DeviceKind::BeforeOven), ("oven1", DeviceKind::Oven), ("a1", DeviceKind::AfterOven)] {
        let device: DeviceId = id.parse().unwrap();
        let (mode, condition) = (Mode::Automatic, Condition::Idle);
        propose(Command::RecordFacts { device: device.clone(), boot: 7, facts: facts(kind) }).await;
        let report = Report {
            boot: 7,
            rev: 1,
            mode,
            condition,
            estop: false,
            fence: epoch,
            holds: vec![],
            tasks: vec![],
            results: vec![],
            errors: vec![],
        };
        propose(Command::RecordReport { device, report }).await;
    }
}

/// An order whose only pizza is being prepared: its path.
async fn begun(kitchen: &Kitchen) -> String {
    let order = kitchen.order("a").await;
    assert_eq!(order["pizzas"][0]["state"], "PREPPING", "{order}");
    format!("/v1/pizzas/{}", order["pizzas"][0]["id"].as_str().unwrap())
}

fn said(reason: &str) -> Value {
    json!({ "actor": "ann", "reason": reason })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_pizza_is_made_again_once_and_whose_word_it_was_is_shown() {
    let kitchen = Kitchen::open(1).await;
    man_the_line(&kitchen).await;
    let bad = begun(&kitchen).await;
    let remade = kitchen.post(&format!("{bad}/remake"), said("wrong topping")).await.expect(StatusCode::OK);
    assert!(remade["id"].as_str().unwrap().ends_with(".0.1"), "{remade}");
    let again = kitchen.post(&format!("{bad}/remake"), said("wrong topping")).await.expect(StatusCode::OK);
    assert_eq!(again["id"], remade["id"]);
    let bad = kitchen.get(&bad).await.expect(StatusCode::OK);
    assert_eq!((&bad["state"], &bad["discarded"]), (&json!("DISCARDED"), &json!("JUDGED_BAD")));
    assert_eq!(bad["word"], json!({ "actor": "ann", "reason": "wrong topping" }));
    let order = kitchen.get("/v1/orders/a").await.expect(StatusCode::OK);
    assert_eq!((&order["status"], &order["pizzas"][0]["id"]), (&json!("IN_PROGRESS"), &remade["id"]));
    assert_eq!(order["discarded"].as_array().unwrap().len(), 1);
    // What replaces it waits for the robot, which has not proven that the bad one is over.
    let waiting = kitchen.post(&format!("/v1/pizzas/{}/remake", remade["id"].as_str().unwrap()), said("too")).await;
    assert_eq!(waiting.problem(409, "nothing-to-remake")["state"], "QUEUED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_remake_needs_a_pizza_a_name_and_a_reason() {
    let kitchen = Kitchen::open(1).await;
    man_the_line(&kitchen).await;
    let bad = format!("{}/remake", begun(&kitchen).await);
    for body in [json!({}), json!({ "actor": "ann" }), json!({ "actor": " ", "reason": "x" }), said(" ")] {
        kitchen.post(&bad, body).await.problem(422, "invalid");
    }
    kitchen.post(&bad, said(&"x".repeat(201))).await.problem(422, "invalid");
    kitchen.post("/v1/pizzas/999.0.0/remake", said("x")).await.problem(404, "unknown-pizza");
    kitchen.post("/v1/pizzas/nonsense/remake", said("x")).await.problem(400, "bad-id");
    kitchen.post("/v1/orders/a/cancellation", json!({})).await.expect(StatusCode::OK);
    kitchen.post(&bad, said("x")).await.problem(409, "nothing-to-remake");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_pizza_is_made_again_at_the_command_line() {
    let kitchen = Kitchen::open(1).await;
    man_the_line(&kitchen).await;
    let bad = begun(&kitchen).await;
    let pizza = bad.rsplit('/').next().unwrap();
    let api = &kitchen.members[&1].api;
    let shown = crate::ctl::ctl(api, &["orders", "remake", pizza, "--reason", "fell down"]).await.unwrap();
    assert!(shown.starts_with("PIZZA") && shown.contains(".0.1"), "{shown}");
    let bad = kitchen.get(&bad).await.expect(StatusCode::OK);
    assert_eq!(bad["word"], json!({ "actor": "ctl", "reason": "fell down" }));
}
