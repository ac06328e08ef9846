//! Which web pages may ask: only those of this kitchen's members.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Kitchen, client, send};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_another_member_may_read_and_post() {
    let kitchen = Kitchen::without_menu(3).await;
    let origin = kitchen.url(2, "");
    let from = |request: reqwest::RequestBuilder| send(request.header("origin", &origin));
    for path in ["/v1/kitchen", "/readyz", "/v1/devices/robot1"] {
        let answer = from(client().get(kitchen.url(1, path))).await;
        assert_eq!(answer.header("access-control-allow-origin"), origin, "{path}");
        assert!(answer.header("access-control-expose-headers").contains("brigade-index"));
    }
    let asks = client().request(Method::OPTIONS, kitchen.url(1, "/v1/kitchen/drain"));
    let asks =
        asks.header("access-control-request-method", "POST").header("access-control-request-headers", "content-type");
    let allowed = from(asks).await;
    assert_eq!(allowed.status, StatusCode::NO_CONTENT, "{}", allowed.text);
    assert_eq!(allowed.header("access-control-allow-methods"), "GET, POST");
    assert_eq!(allowed.header("access-control-allow-headers"), "authorization, content-type");
    // Also by way of a follower.
    let follower = kitchen.follower().await;
    let drained =
        from(client().post(kitchen.url(follower, "/v1/kitchen/drain")).json(&json!({ "actor": "ann" }))).await;
    assert_eq!(drained.header("access-control-allow-origin").is_empty(), follower == 2);
    assert_eq!(drained.expect(StatusCode::OK)["draining"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_elsewhere_reads_nothing_and_changes_nothing() {
    let kitchen = Kitchen::without_menu(1).await;
    for origin in ["http://elsewhere.example", "null", "https://127.0.0.1", "file://"] {
        let from = |request: reqwest::RequestBuilder| send(request.header("origin", origin));
        let read = from(client().get(kitchen.url(1, "/v1/kitchen"))).await;
        assert!(!read.headers.contains_key("access-control-allow-origin"), "{origin}");
        let asks = client().request(Method::OPTIONS, kitchen.url(1, "/v1/kitchen/drain"));
        let asks = from(asks.header("access-control-request-method", "POST")).await;
        assert!(!asks.headers.contains_key("access-control-allow-origin"), "{origin}");
        // A form is sent without asking first.
        from(client().post(kitchen.url(1, "/v1/kitchen/drain"))).await.problem(403, "foreign-origin");
    }
    assert_eq!(kitchen.get("/v1/kitchen").await.expect(StatusCode::OK)["draining"], false);
    // The page that this replica served may, under whatever name it was asked for.
    let own = client().post(kitchen.url(1, "/v1/kitchen/drain")).header("origin", "http://k1.local:7400");
    send(own.header("host", "k1.local:7400")).await.expect(StatusCode::OK);
}
