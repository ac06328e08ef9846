//! Questions that change nothing. With devices at work they are asked in tests/cli.rs.

use reqwest::StatusCode;
use serde_json::json;

use crate::support::Kitchen;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_no_quote_from_a_kitchen_that_can_not_cook_nor_for_what_is_not_on_the_menu() {
    let kitchen = Kitchen::open(1).await;
    let refused = kitchen.post("/v1/quotes", json!({ "items": ["margherita"] })).await;
    assert_eq!(refused.header("retry-after"), "30");
    refused.problem(503, "kitchen-out-of-order");
    kitchen.post("/v1/quotes", json!({ "items": ["hawaii"] })).await.problem(422, "unknown-recipe");
    kitchen.post("/v1/quotes", json!({ "items": [] })).await.problem(422, "invalid");
    kitchen.post("/v1/quotes", json!({ "items": vec!["margherita"; 1_001] })).await.problem(422, "invalid");
    let late = json!({ "items": ["margherita"], "promise_ms": 86_400_001 });
    kitchen.post("/v1/quotes", late).await.problem(422, "invalid");
    let orders = kitchen.get("/v1/orders").await.expect(StatusCode::OK);
    assert_eq!(orders["items"], json!([]), "a quote orders nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_pizza_says_what_it_waits_for() {
    let kitchen = Kitchen::open(1).await;
    kitchen.order("a").await;
    let order = kitchen.get("/v1/orders/a").await.expect(StatusCode::OK);
    let pizza = order["pizzas"][0]["id"].as_str().expect("a pizza's id").to_owned();
    let why = kitchen.get(&format!("/v1/pizzas/{pizza}/explanation")).await.expect(StatusCode::OK);
    assert_eq!(why["items"][0]["reason"], "queued");
    assert!(why["items"][0]["text"].as_str().is_some_and(|text| text.contains("next to be begun")), "{why}");
    kitchen.get("/v1/pizzas/1.2.3/explanation").await.problem(404, "unknown-pizza");
    kitchen.get("/v1/devices/robot9/explanation").await.problem(404, "unknown-device");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kept_promises_and_the_rate_are_shown_from_the_start() {
    let kitchen = Kitchen::open(1).await;
    let counts = kitchen.get("/v1/statistics").await.expect(StatusCode::OK);
    assert_eq!(counts["promises"], json!({ "kept": 0, "broken": 0 }));
    let shown = kitchen.get("/v1/kitchen").await.expect(StatusCode::OK);
    assert_eq!(shown["rate"], json!(null), "no device is there");
    let metrics = kitchen.get("/metrics").await;
    let text = metrics.text;
    assert!(text.contains("brigade_promises_total{promise=\"kept\"} 0"), "{text}");
    assert!(text.contains("brigade_pizzas_per_hour_limit 0"), "{text}");
}
