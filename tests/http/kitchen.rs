//! The kitchen as a whole, its menu and settings, and what monitoring asks.

use reqwest::StatusCode;
use serde_json::json;

use crate::support::Kitchen;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kitchen_without_devices_says_what_it_lacks_and_takes_orders_all_the_same() {
    let kitchen = Kitchen::open(1).await;
    kitchen.order("a").await;
    let shown = kitchen.get("/v1/kitchen").await;
    let index: u64 = shown.header("brigade-index").parse().unwrap();
    let shown = shown.expect(StatusCode::OK);
    assert_eq!(shown["state"], "OUT_OF_ORDER");
    assert_eq!(shown["status"], "OUT_OF_ORDER(prep, bake, finish)");
    assert_eq!(shown["kitchen"], "test-kitchen");
    assert_eq!((&shown["open_orders"], &shown["open_pizzas"]), (&json!(1), &json!(1)));
    assert_eq!(shown["pizzas"], json!({ "QUEUED": 1 }));
    assert_eq!(shown["limit"], json!(null));
    assert!(index >= kitchen.get("/v1/orders/a").await.expect(StatusCode::OK)["number"].as_u64().unwrap());
    let counts = kitchen.get("/v1/statistics").await.expect(StatusCode::OK);
    assert_eq!((&counts["orders_open"], &counts["orders_ended"]["ready"]), (&json!(1), &json!(0)));
    assert_eq!(kitchen.get("/v1/devices?kind=oven").await.expect(StatusCode::OK)["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draining_kitchen_refuses_new_orders_until_it_is_undrained() {
    let kitchen = Kitchen::open(1).await;
    let drained = kitchen.post("/v1/kitchen/drain", json!({ "actor": "ann", "reason": "closing" })).await;
    assert_eq!(drained.expect(StatusCode::OK)["draining"], true);
    let refused = kitchen.put("/v1/orders/a", json!({ "items": ["margherita"] })).await;
    assert_eq!(refused.header("retry-after"), "30");
    refused.problem(503, "kitchen-draining");
    kitchen.post("/v1/kitchen/undrain", json!({})).await.expect(StatusCode::OK);
    kitchen.order("a").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zones_are_held_and_resumed_by_name() {
    let kitchen = Kitchen::without_menu(1).await;
    let held = kitchen.post("/v1/kitchen/hold", json!({ "zone": "line-2" })).await.expect(StatusCode::OK);
    assert_eq!(held["held_zones"], json!(["line-2"]));
    let resumed = kitchen.post("/v1/kitchen/resume", json!({ "zone": "line-2" })).await.expect(StatusCode::OK);
    assert_eq!(resumed["held_zones"], json!([]));
    kitchen.post("/v1/kitchen/hold", json!({ "zone": "x".repeat(49) })).await.problem(422, "invalid");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recipes_and_settings_are_read_changed_and_put_back_whole() {
    let kitchen = Kitchen::open(1).await;
    let mut recipe = kitchen.get("/v1/recipes/margherita").await.expect(StatusCode::OK);
    assert_eq!(recipe["version"], 1);
    let fields = recipe.as_object_mut().unwrap();
    fields.remove("id");
    fields.remove("version");
    fields.insert("bake_ms".to_owned(), json!(160_000));
    let changed = kitchen.put("/v1/recipes/margherita", recipe.clone()).await.expect(StatusCode::OK);
    assert_eq!((&changed["version"], &changed["bake_ms"]), (&json!(2), &json!(160_000)));
    recipe["bake_ms"] = json!(0);
    kitchen.put("/v1/recipes/margherita", recipe.clone()).await.problem(422, "invalid");
    recipe.as_object_mut().unwrap().remove("bake_ms");
    kitchen.put("/v1/recipes/margherita", recipe).await.problem(422, "invalid");

    let mut settings = kitchen.get("/v1/kitchen/settings").await.expect(StatusCode::OK);
    settings["open_pizzas_max"] = json!(1);
    kitchen.put("/v1/kitchen/settings", settings.clone()).await.expect(StatusCode::OK);
    kitchen.order("a").await;
    let full = kitchen.put("/v1/orders/b", json!({ "items": ["margherita"] })).await;
    assert_eq!(full.header("retry-after"), "10");
    assert_eq!(full.problem(429, "capacity-exceeded")["max"], 1);
    settings.as_object_mut().unwrap().remove("remakes_max");
    kitchen.put("/v1/kitchen/settings", settings).await.problem(422, "invalid");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn monitoring_sees_that_the_replica_lives_is_ready_and_what_it_counts() {
    let kitchen = Kitchen::open(1).await;
    kitchen.order("a").await;
    kitchen.post("/v1/orders/a/cancellation", json!({})).await.expect(StatusCode::OK);
    assert_eq!(kitchen.get("/livez").await.text, "ok\n");
    assert_eq!(kitchen.get("/readyz").await.expect(StatusCode::OK)["ready"], true);
    let metrics = kitchen.get("/metrics").await;
    assert!(metrics.header("content-type").starts_with("text/plain; version=0.0.4"));
    for line in [
        "# TYPE brigade_orders_total counter",
        "brigade_orders_total{status=\"cancelled\"} 1",
        "brigade_pizzas_open 0",
        "brigade_in_charge 0",
        "brigade_raft_is_leader 1",
        "brigade_instructions_published_total 0",
        "# TYPE brigade_http_requests_total counter",
        "# TYPE brigade_http_request_duration_seconds histogram",
    ] {
        assert!(metrics.text.lines().any(|l| l == line), "{line} is not in\n{}", metrics.text);
    }
    let applied = metrics.text.lines().find_map(|l| l.strip_prefix("brigade_raft_applied_index "));
    assert!(applied.unwrap().parse::<u64>().unwrap() > 1);
}
