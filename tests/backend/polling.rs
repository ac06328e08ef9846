//! Poll mode: the backend calls the kitchen's replicas, and the same exchange comes of it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use brigade::protocol::exchange::{ExchangeAnswer, ExchangeRequest, Held};
use serde_json::json;
use tokio::sync::Notify;

use super::kitchen::{FakeKitchen, id};
use super::support::{Instance, Kind, Site, both, wait_for};

/// A kitchen's leader, as the backend reaches it.
#[derive(Clone)]
struct Leader {
    kitchen: Arc<Mutex<FakeKitchen>>,
    changed: Arc<Notify>,
    /// It goes on with what it holds.
    works: Arc<AtomicBool>,
    /// Nobody reaches it.
    is_down: Arc<AtomicBool>,
}

#[derive(serde::Deserialize)]
struct Wait {
    wait_ms: u64,
}

async fn ask(
    State(leader): State<Leader>,
    headers: HeaderMap,
    Query(wait): Query<Wait>,
) -> Result<Json<ExchangeRequest>, StatusCode> {
    if headers.get("authorization").is_none_or(|v| v != "Bearer secret") {
        return Err(StatusCode::UNAUTHORIZED);
    }
    if leader.is_down.load(Relaxed) {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    if leader.kitchen.lock().unwrap().feed.is_empty() {
        drop(tokio::time::timeout(Duration::from_millis(wait.wait_ms), leader.changed.notified()).await);
    }
    Ok(Json(leader.kitchen.lock().unwrap().request()))
}

async fn tell(State(leader): State<Leader>, Json(answer): Json<ExchangeAnswer>) -> StatusCode {
    if leader.is_down.load(Relaxed) {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let mut kitchen = leader.kitchen.lock().unwrap();
    kitchen.hear(&answer);
    if leader.works.load(Relaxed) {
        kitchen.work();
    }
    StatusCode::NO_CONTENT
}

async fn start(name: &str) -> (Leader, String) {
    let kitchen = Arc::new(Mutex::new(FakeKitchen::new(name)));
    let (works, is_down) = (Arc::new(AtomicBool::new(true)), Arc::default());
    let leader = Leader { kitchen, changed: Arc::default(), works, is_down };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/backend/exchange", get(ask).put(tell)).with_state(leader.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (leader, url)
}

async fn register(instance: &Instance, name: &str, url: &str) {
    // The first replica is down: nobody has this port while the listener of nobody is bound to it.
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let down = format!("http://{}", dead.local_addr().unwrap());
    drop(dead);
    let body = json!({ "mode": "poll", "urls": [down, url], "api_token": "secret" });
    assert_eq!(instance.put(&format!("/v1/kitchens/{name}"), &body).await.0, StatusCode::CREATED);
}

both! {
    async fn a_polled_kitchen_cooks_like_any_other(site: Site) {
        let (leader, url) = start("k1").await;
        register(&site.first, "k1", &url).await;
        wait_for("the first contact", || async { site.first.get("/v1/kitchens/k1").await["status"] == "NORMAL" }).await;
        let began = std::time::Instant::now();
        assert_eq!(site.first.place("o1").await.0, StatusCode::CREATED);
        wait_for("it is ready", || async { site.first.status("o1").await == "READY" }).await;
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(leader.kitchen.lock().unwrap().begun.len(), 1);
    }

    async fn a_polled_kitchen_that_falls_silent_keeps_its_order_until_its_lease_is_over(site: Site) {
        let (leader, url) = start("k1").await;
        leader.works.store(false, Relaxed);
        register(&site.first, "k1", &url).await;
        wait_for("the first contact", || async { site.first.get("/v1/kitchens/k1").await["status"] == "NORMAL" }).await;
        site.first.place("o1").await;
        wait_for("it is accepted", || async { site.first.status("o1").await == "ACCEPTED" }).await;
        leader.is_down.store(true, Relaxed);
        leader.changed.notify_waiters();
        let mut other = site.first.register("k2").await;
        let kitchen = || async { site.first.get("/v1/orders/o1").await["kitchen"].as_str().unwrap().to_owned() };
        for (ms, expected) in [(305_000, "k1"), (10_000, "k2")] {
            site.first.ahead_ms.fetch_add(ms, Relaxed);
            other.turn(0).await;
            site.first.backend.round().await.unwrap();
            assert_eq!(kitchen().await, expected);
        }
        // It announces the order before it learns that it has lost it.
        leader.kitchen.lock().unwrap().work();
        leader.is_down.store(false, Relaxed);
        let mine = Held { order: id("o1"), assignment: 1 };
        wait_for("it learns", || async { leader.kitchen.lock().unwrap().revoked.contains(&mine) }).await;
        assert!(leader.kitchen.lock().unwrap().begun.is_empty());
        assert_eq!(kitchen().await, "k2");
    }

    async fn a_kitchen_that_waits_for_the_backend_is_told_at_once(site: Site) {
        let (leader, url) = start("k1").await;
        register(&site.first, "k1", &url).await;
        wait_for("the first contact", || async { site.first.get("/v1/kitchens/k1").await["status"] == "NORMAL" }).await;
        for n in 0..5 {
            let began = std::time::Instant::now();
            let order = format!("o{n}");
            site.first.place(&order).await;
            wait_for("the kitchen has it", || async {
                leader.kitchen.lock().unwrap().held.keys().any(|o| o.as_str() == order)
                    || leader.kitchen.lock().unwrap().begun.iter().any(|h| h.order.as_str() == order)
            }).await;
            assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
            wait_for("it is ready", || async { site.first.status(&order).await == "READY" }).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_instance_takes_over_when_the_one_that_polls_is_gone() {
    let Some(site) = Site::open(Kind::Postgres).await else { return };
    let (leader, url) = start("k1").await;
    let second = {
        let first = site.another().await;
        register(&first, "k1", &url).await;
        wait_for("the first contact", || async { first.get("/v1/kitchens/k1").await["status"] == "NORMAL" }).await;
        site.another().await
    };
    second.ahead_ms.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    wait_for("the second one knows it", || async {
        second.get("/v1/kitchens").await["items"].as_array().is_some_and(|items| items.len() == 1)
    })
    .await;
    assert!(second.place("o1").await.0.is_success());
    wait_for("it is ready", || async { second.status("o1").await == "READY" }).await;
    assert_eq!(leader.kitchen.lock().unwrap().begun.len(), 1);
}
