//! Placing, showing, listing and ending orders.

use std::collections::BTreeSet;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use brigade::http::Api;
use brigade::kitchen::{Command, NewOrder};
use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::support::{Kitchen, ask, client, send, sources};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_created_once_and_shown_again_when_it_is_repeated() {
    let kitchen = Kitchen::open(1).await;
    let body = json!({ "items": ["margherita", "funghi"], "priority": 3, "promise_ms": 600_000 });
    let first = kitchen.put("/v1/orders/table-7", body.clone()).await;
    assert_eq!(first.header("location"), "/v1/orders/table-7");
    let first = first.expect(StatusCode::CREATED);
    assert_eq!(first["status"], "ACCEPTED");
    assert_eq!(first["classic_status"], "new");
    assert_eq!(first["pizzas"].as_array().unwrap().len(), 2);
    assert!(first["placed_at"].as_str().unwrap().ends_with('Z'));
    assert!((1..=600_000).contains(&first["promised_in_ms"].as_i64().unwrap()), "{first}");

    let again = kitchen.put("/v1/orders/table-7", body).await.expect(StatusCode::OK);
    assert_eq!(again["number"], first["number"]);
    let shown = kitchen.get("/v1/orders/table-7").await.expect(StatusCode::OK);
    assert_eq!(shown["items"], json!(["margherita", "funghi"]));
    let pizza = shown["pizzas"][1]["id"].as_str().unwrap();
    let pizza = kitchen.get(&format!("/v1/pizzas/{pizza}")).await.expect(StatusCode::OK);
    assert_eq!((&pizza["recipe"], &pizza["state"]), (&json!("funghi"), &json!("QUEUED")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_with_another_content_is_refused_also_after_the_order_ended() {
    let kitchen = Kitchen::open(1).await;
    kitchen.order("a").await;
    let other = json!({ "items": ["funghi"] });
    let problem = kitchen.put("/v1/orders/a", other.clone()).await.problem(422, "idempotency-key-reused");
    assert_eq!(problem["order"], "a");
    kitchen.post("/v1/orders/a/cancellation", json!({})).await.expect(StatusCode::OK);
    kitchen.put("/v1/orders/a", other).await.problem(422, "idempotency-key-reused");
    // The same content is the same order, cancelled as it is.
    let again = kitchen.put("/v1/orders/a", json!({ "items": ["margherita"] })).await.expect(StatusCode::OK);
    assert_eq!(again["status"], "CANCELLED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn posting_an_order_needs_a_key_which_becomes_its_id() {
    let kitchen = Kitchen::open(1).await;
    let url = format!("{}/v1/orders", kitchen.members[&1].api);
    let post = || client().post(&url).json(&json!({ "items": ["diavola"] }));
    send(post()).await.problem(400, "missing-idempotency-key");
    send(post().header("idempotency-key", "no id at all")).await.problem(400, "bad-id");
    let first = send(post().header("idempotency-key", "\"k-1\"")).await.expect(StatusCode::CREATED);
    assert_eq!(first["id"], "k-1");
    let again = send(post().header("idempotency-key", "k-1")).await.expect(StatusCode::OK);
    assert_eq!(again["number"], first["number"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_order_is_found_in_the_archive_with_its_pizzas_and_history() {
    let kitchen = Kitchen::open(1).await;
    let order = kitchen.order("a").await;
    let cancelled = kitchen.post("/v1/orders/a/cancellation", json!({ "reason": "guest left", "actor": "ann" })).await;
    let cancelled = cancelled.expect(StatusCode::OK);
    assert_eq!((&cancelled["status"], &cancelled["classic_status"]), (&json!("CANCELLED"), &json!("failed")));
    assert_eq!(cancelled["reason"], "guest left");
    assert!(cancelled["ended_at"].is_string() && cancelled["took_ms"].as_i64().unwrap() >= 0, "{cancelled}");
    assert!(cancelled["promised_in_ms"].is_null(), "{cancelled}");

    // Cancelling is repeatable, and DELETE is the same.
    let again = ask(Method::DELETE, kitchen.url(1, "/v1/orders/a"), None).await.expect(StatusCode::OK);
    assert_eq!(again["number"], order["number"]);
    let history = kitchen.get("/v1/orders/a/history").await.expect(StatusCode::OK);
    assert_eq!((&history["status"], &history["order"]), (&json!("CANCELLED"), &json!("a")));
    assert_eq!(history["pizzas"][0]["state"], "DISCARDED CANCELLED");
    let pizza = order["pizzas"][0]["id"].as_str().unwrap();
    let pizza = kitchen.get(&format!("/v1/pizzas/{pizza}")).await.expect(StatusCode::OK);
    assert_eq!((&pizza["order"], &pizza["discarded"]), (&json!("a"), &json!("CANCELLED")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_is_not_ready_is_not_collected() {
    let kitchen = Kitchen::open(1).await;
    kitchen.order("a").await;
    let problem = kitchen.post("/v1/orders/a/collection", json!({})).await.problem(409, "not-ready");
    assert_eq!(problem["order_status"], "ACCEPTED");
    let long = json!({ "reason": "x".repeat(201) });
    kitchen.post("/v1/orders/a/collection", long).await.problem(422, "invalid");
    kitchen.post("/v1/orders/nobody/collection", json!({})).await.problem(404, "unknown-order");
    kitchen.post("/v1/orders/nobody/cancellation", json!({})).await.problem(404, "unknown-order");
    kitchen.get("/v1/orders/nobody").await.problem(404, "unknown-order");
    kitchen.get("/v1/orders/nobody/history").await.problem(404, "unknown-order");
    kitchen.get("/v1/pizzas/999.0.0").await.problem(404, "unknown-pizza");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_show_every_order_once_over_state_and_archive_in_both_directions() {
    let kitchen = Kitchen::open(1).await;
    for n in 0..25 {
        kitchen.order(&format!("o{n}")).await;
    }
    for n in (0..25).step_by(2) {
        kitchen.post(&format!("/v1/orders/o{n}/cancellation"), json!({})).await.expect(StatusCode::OK);
    }
    for (order, limit) in [("newest", 4), ("oldest", 4), ("newest", 25), ("oldest", 24), ("newest", 1)] {
        let all = walk(&kitchen, &format!("order={order}&limit={limit}")).await;
        assert_eq!(all.len(), 25, "{order} by {limit}");
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 25, "{order} by {limit}");
        let first = if order == "newest" { "o24" } else { "o0" };
        assert_eq!(all[0], first);
    }
    assert_eq!(walk(&kitchen, "status=ended&limit=5").await.len(), 13);
    assert_eq!(walk(&kitchen, "status=cancelled&limit=5").await.len(), 13);
    assert_eq!(walk(&kitchen, "status=open&limit=5").await.len(), 12);
    assert_eq!(walk(&kitchen, "status=new&limit=5").await.len(), 12);
    assert_eq!(walk(&kitchen, "status=ready").await.len(), 0);
    assert_eq!(walk(&kitchen, "status=all&limit=500").await.len(), 25);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_ends_while_it_is_read_is_never_missing() {
    let kitchen = Kitchen::open(1).await;
    let node = kitchen.members[&1].node.clone();
    let router = Api::router(sources(&node, &CancellationToken::new()));
    for round in 0..10 {
        let ids: Vec<String> = (0..64).map(|n| format!("r{round}-{n}")).collect();
        let orders = ids.iter().map(|id| {
            Command::PlaceOrder(NewOrder {
                id: id.parse().unwrap(),
                items: vec!["margherita".parse().unwrap()],
                priority: 0,
                promise_ms: None,
            })
        });
        join_all(orders.map(|order| node.propose(order, None))).await;
        // All at once, so that they are applied in one batch: its first orders leave the memory long before it is written.
        let cancel = |id: &String| Command::CancelOrder { order: id.parse().unwrap(), reason: String::new() };
        let cancelled = ids.iter().map(cancel).collect::<Vec<_>>().into_iter().map(|c| node.propose(c, None));
        let (router, first) = (router.clone(), ids[0].clone());
        let reader = tokio::spawn(async move {
            loop {
                let get = |path: String| router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap());
                let answer = get(format!("/v1/orders/{first}?consistency=stale")).await.unwrap();
                assert_eq!(answer.status(), StatusCode::OK);
                let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
                if serde_json::from_slice::<Value>(&body).unwrap()["status"] == "CANCELLED" {
                    return;
                }
            }
        });
        join_all(cancelled).await;
        reader.await.unwrap();
    }
}

/// The ids on all pages.
async fn walk(kitchen: &Kitchen, query: &str) -> Vec<String> {
    let (mut ids, mut cursor) = (vec![], String::new());
    loop {
        let page = kitchen.get(&format!("/v1/orders?{query}{cursor}")).await.expect(StatusCode::OK);
        ids.extend(page["items"].as_array().unwrap().iter().map(|o| o["id"].as_str().unwrap().to_owned()));
        match &page["next"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => return ids,
        }
    }
}
