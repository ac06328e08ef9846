//! What is wrong with a request is said in a problem document.

use std::time::Duration;

use brigade::http::{Api, Limits, serve};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::support::{Kitchen, ask, client, send, sources};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_body_is_told_by_type() {
    let kitchen = Kitchen::open(1).await;
    let put = |body: &'static str| client().put(kitchen.url(1, "/v1/orders/a")).body(body);
    let json = |body| put(body).header("content-type", "application/json");
    send(json("{\"items\": [")).await.problem(400, "malformed-json");
    send(json("")).await.problem(400, "malformed-json");
    send(put("{\"items\": [\"margherita\"]}")).await.problem(415, "unsupported-media-type");
    let problem = send(json("{\"items\": [\"margherita\"], \"prioritty\": 1}")).await.problem(422, "unknown-field");
    assert!(problem["detail"].as_str().unwrap().contains("prioritty"), "{problem}");
    send(json("{\"items\": [], \"priority\": 1}")).await.problem(422, "invalid");
    send(json("{\"items\": \"margherita\"}")).await.problem(422, "invalid");
    send(json("{\"items\": [\"no id\"]}")).await.problem(422, "invalid");
    send(json("{\"items\": [\"margherita\"], \"priority\": 1000}")).await.problem(422, "invalid");
    send(json("{}")).await.problem(422, "invalid");
    let problem = send(json("{\"items\": [\"hawaii\"]}")).await.problem(422, "unknown-recipe");
    assert_eq!(problem["recipe"], "hawaii");
    send(json("[[\"margherita\"], 1]")).await.problem(422, "invalid");
    let deep = format!("{{\"items\": {}", "[".repeat(100_000));
    send(client().put(kitchen.url(1, "/v1/orders/a")).header("content-type", "application/json").body(deep))
        .await
        .problem(422, "invalid");
    kitchen.get("/v1/orders/a").await.problem(404, "unknown-order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_of_ten_megabytes_is_refused_and_its_sender_sees_why() {
    let kitchen = Kitchen::without_menu(1).await;
    let body = vec![b' '; 10 << 20];
    let put = || client().put(kitchen.url(1, "/v1/orders/a")).header("content-type", "application/json");
    let problem = send(put().body(body.clone())).await.problem(413, "too-large");
    assert_eq!(problem["bytes_max"], 1 << 20);
    // The same without a declared length.
    let chunks = body.chunks(64 << 10).map(|c| Ok::<_, std::io::Error>(c.to_vec())).collect::<Vec<_>>();
    let body = reqwest::Body::wrap_stream(futures::stream::iter(chunks));
    send(put().body(body)).await.problem(413, "too-large");
    // What passes the API but not the log is told as well.
    let reason = json!({ "items": vec!["margherita-with-a-name-of-some-length"; 5_000] });
    kitchen.put("/v1/orders/a", reason).await.problem(413, "too-large");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_reads_only_after_its_last_byte_sees_the_refusal_too() {
    let kitchen = Kitchen::without_menu(1).await;
    let mut socket = TcpStream::connect(kitchen.url(1, "").trim_start_matches("http://")).await.unwrap();
    let head = format!("PUT /v1/orders/a HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", 10 << 20);
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(&vec![b' '; 10 << 20]).await.expect("the server reads on");
    let mut answer = vec![0; 4_096];
    let bytes = socket.read(&mut answer).await.expect("the connection is not reset");
    assert!(String::from_utf8_lossy(&answer[..bytes]).starts_with("HTTP/1.1 413"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_paths_methods_ids_and_options_are_told_by_type() {
    let kitchen = Kitchen::without_menu(1).await;
    kitchen.get("/v2/orders").await.problem(404, "unknown-route");
    kitchen.get("/page").await.problem(404, "unknown-route");
    kitchen.post("/v1/devices/robot1/explode", json!({})).await.problem(404, "unknown-route");
    let answer = ask(Method::PATCH, kitchen.url(1, "/v1/orders/a"), Some(json!({}))).await;
    assert!(answer.header("allow").contains("GET"), "{:?}", answer.headers);
    answer.problem(405, "method-not-allowed");
    for path in ["/v1/orders/%20", "/v1/orders/%ff", "/v1/pizzas/1", "/v1/devices/a%2Fb", "/v1/recipes/%C3%A4"] {
        kitchen.get(path).await.problem(400, "bad-id");
    }
    kitchen.post("/v1/incidents/one/decision", json!({})).await.problem(400, "bad-id");
    for query in ["limit=0", "limit=501", "status=burning", "order=random", "curser=7", "consistency=maybe"] {
        kitchen.get(&format!("/v1/orders?{query}")).await.problem(400, "bad-query");
    }
    kitchen.get("/v1/kitchen?verbose=1").await.problem(400, "bad-query");
    kitchen.get("/v1/events?wait=61").await.problem(400, "bad-query");
    kitchen.get("/v1/events?limit=5").await.problem(400, "bad-query");
    kitchen.get("/v1/devices/robot1").await.problem(404, "unknown-device");
    kitchen.post("/v1/devices/robot1/hold", json!({})).await.problem(404, "unknown-device");
    kitchen.get("/v1/recipes/hawaii").await.problem(404, "no-such-recipe");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_needs_an_incident_a_person_and_a_reason() {
    let kitchen = Kitchen::without_menu(1).await;
    let decide = |body| kitchen.post("/v1/incidents/7/decision", body);
    let good = json!({ "decision": "good", "actor": "ann", "reason": "I see it" });
    let problem = decide(good).await.problem(404, "unknown-incident");
    assert_eq!(problem["incident"], 7);
    decide(json!({ "decision": "good", "actor": "ann" })).await.problem(422, "invalid");
    decide(json!({ "decision": "good", "actor": "ann", "reason": " " })).await.problem(422, "invalid");
    decide(json!({ "decision": "maybe", "actor": "ann", "reason": "x" })).await.problem(422, "invalid");
    decide(json!({ "decision": "on_device", "actor": "ann", "reason": "x" })).await.problem(422, "invalid");
    let long = json!({ "decision": "good", "actor": "ann", "reason": "x".repeat(201) });
    decide(long).await.problem(422, "invalid");
    assert_eq!(kitchen.get("/v1/incidents?open=true").await.expect(StatusCode::OK)["items"], json!([]));
    assert_eq!(kitchen.get("/v1/escalations").await.expect(StatusCode::OK)["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_never_finishes_a_request_head_is_disconnected_and_frees_the_place() {
    let kitchen = Kitchen::without_menu(1).await;
    let stop = CancellationToken::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Api::router(sources(&kitchen.members[&1].node, &stop));
    let limits = Limits { header_read: Duration::from_millis(300), connections_max: 1, stop: Duration::ZERO };
    let server = tokio::spawn(serve(listener, router, limits, stop.clone()));

    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    // The only place is taken until the head's time is over.
    let answer = send(client().get(format!("http://{address}/livez"))).await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "ok\n"));
    let mut rest = vec![];
    slow.read_to_end(&mut rest).await.unwrap();
    assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
    stop.cancel();
    server.await.unwrap().unwrap();
}
