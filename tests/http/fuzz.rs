//! Nothing that a caller sends makes the API panic or fail.

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use brigade::http::Api;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::support::{Kitchen, sources};

const METHODS: [&str; 7] = ["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS"];
const PATHS: [&str; 28] = [
    "/v1/orders",
    "/v1/orders/{}",
    "/v1/orders/{}/history",
    "/v1/orders/{}/cancellation",
    "/v1/orders/{}/collection",
    "/v1/pizzas/{}",
    "/v1/devices",
    "/v1/devices/{}",
    "/v1/devices/{}/hold",
    "/v1/devices/{}/retire",
    "/v1/kitchen",
    "/v1/kitchen/drain",
    "/v1/kitchen/hold",
    "/v1/kitchen/settings",
    "/v1/recipes/{}",
    "/v1/incidents",
    "/v1/incidents/{}/decision",
    "/v1/quotes",
    "/v1/pizzas/{}/explanation",
    "/v1/devices/{}/explanation",
    "/v1/escalations",
    "/v1/statistics",
    "/v1/events",
    "/v1/cluster",
    "/v1/cluster/transfer",
    "/metrics",
    "/readyz",
    "/{}",
];

/// A request that comes close enough to the routes to reach what is behind them.
fn request() -> impl Strategy<Value = Request<Body>> {
    let id = prop_oneof!["[a-z0-9.]{1,8}", "[0-9]{1,20}\\.[0-9]{1,6}\\.[0-9]{1,6}", ".{0,60}"];
    let query = prop_oneof![
        Just(String::new()),
        "(limit|cursor|status|order|consistency|open|kind)=[a-z0-9-]{0,20}",
        "[ -~]{0,40}"
    ];
    let body = prop_oneof![prop::collection::vec(any::<u8>(), 0..300), json().prop_map(|text| text.into_bytes()),];
    let header = prop::collection::vec(0x20u8..0x7f, 0..60);
    let is_json = prop::bool::weighted(0.8);
    (0..METHODS.len(), 0..PATHS.len(), id, query, body, header, is_json).prop_map(
        |(method, path, id, query, body, header, is_json)| {
            let path = PATHS[path].replace("{}", &encode(&id));
            let request = Request::builder().method(METHODS[method]).uri(format!("{path}?{}", encode_query(&query)));
            let kind: &[u8] = if is_json { b"application/json" } else { &header };
            let request = request.header("content-type", kind).header("idempotency-key", header.as_slice());
            request.header("last-event-id", header.as_slice()).body(Body::from(body)).unwrap()
        },
    )
}

/// JSON with the API's own words in it.
fn json() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "items",
        "priority",
        "promise_ms",
        "actor",
        "reason",
        "zone",
        "decision",
        "place",
        "to",
        "title",
        "shelves",
    ]);
    let value = prop::sample::select(vec![
        "null",
        "true",
        "-1",
        "1e400",
        "18446744073709551616",
        "\"margherita\"",
        "[\"margherita\"]",
        "[]",
        "{}",
        "\"on_device\"",
        "{\"device\":\"a\",\"lane\":0}",
        "\"\\u0000\"",
    ]);
    prop::collection::vec((name, value), 0..5).prop_map(|fields| {
        let fields: Vec<String> = fields.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", fields.join(","))
    })
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() || b == b'.' { char::from(b).to_string() } else { format!("%{b:02x}") })
        .collect()
}

fn encode_query(text: &str) -> String {
    text.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"=&-".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02x}")
            }
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_makes_the_api_panic_or_fail_but_for_want_of_a_majority() {
    let kitchen = Kitchen::open(1).await;
    // Streams end at once, so that every body can be read.
    let stop = CancellationToken::new();
    stop.cancel();
    let router = Api::router(sources(&kitchen.members[&1].node, &stop));
    let runtime = tokio::runtime::Handle::current();
    let work = tokio::task::spawn_blocking(move || {
        let mut runner =
            TestRunner::new(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() });
        let ran = runner.run(&request(), |request| {
            let what = format!("{} {}", request.method(), request.uri());
            let answer = runtime.block_on(router.clone().oneshot(request)).unwrap();
            let status = answer.status();
            prop_assert!(!status.is_server_error() || status == StatusCode::SERVICE_UNAVAILABLE, "{what}: {status}");
            let body = runtime.block_on(to_bytes(answer.into_body(), 16 << 20)).unwrap();
            if status.is_client_error() && !what.starts_with("HEAD") {
                let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
                prop_assert!(
                    problem["type"].as_str().unwrap().starts_with("urn:brigade:problem:"),
                    "{what}: {problem}"
                );
            }
            Ok(())
        });
        ran.map_err(|error| error.to_string())
    });
    work.await.unwrap().unwrap();
    assert_eq!(kitchen.get("/livez").await.status, StatusCode::OK);
}
