//! Tokens over HTTP: shown once, good on every replica, good no longer once ended or revoked; the first one; limits; who did what.

use std::time::Duration;

use brigade::http::access::{Options, found, hash};
use brigade::kitchen::Role;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::doors::closed;
use crate::support::{Answer, Kitchen, client, send, wait_for};

const ADMIN: &str = "an-admins-token-of-the-configuration";

/// One request with a token.
async fn ask(kitchen: &Kitchen, node: u64, token: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
    let request = client().request(method, kitchen.url(node, path)).bearer_auth(token);
    send(if let Some(body) = body { request.json(&body) } else { request }).await
}

async fn get(kitchen: &Kitchen, node: u64, token: &str, path: &str) -> Answer {
    ask(kitchen, node, token, Method::GET, path, None).await
}

fn adding(kitchen: &Kitchen, node: u64, key: &str, body: &Value) -> RequestBuilder {
    let request = client().post(kitchen.url(node, "/v1/tokens")).bearer_auth(ADMIN);
    request.header("idempotency-key", key).json(body)
}

/// Adds a token whose id is its name.
async fn add(kitchen: &Kitchen, node: u64, name: &str, role: Role, life_ms: Option<u64>) -> String {
    let mut body = json!({ "name": name, "role": role });
    if let Some(life_ms) = life_ms {
        body["life_ms"] = life_ms.into();
    }
    let added = send(adding(kitchen, node, name, &body)).await.expect(StatusCode::CREATED);
    added["token"].as_str().expect("it is shown once").to_owned()
}

/// Waits until a replica answers this token so.
async fn until(kitchen: &Kitchen, node: u64, token: &str, status: StatusCode) -> Answer {
    let limit = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        let answer = get(kitchen, node, token, "/v1/kitchen?consistency=stale").await;
        if answer.status == status {
            return answer;
        }
        assert!(tokio::time::Instant::now() < limit, "node {node} answers {}", answer.status);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_shown_once_and_good_on_every_replica() {
    let kitchen = Kitchen::with_access(3, closed()).await;
    let follower = kitchen.follower().await;
    let body = json!({ "name": "ann", "role": "operator" });
    let answer = send(adding(&kitchen, follower, "k1", &body)).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let added = answer.expect(StatusCode::CREATED);
    let token = added["token"].as_str().unwrap().to_owned();
    assert_eq!((added["id"].as_str(), added["added_by"].as_str()), (Some("k1"), Some("admin")));
    let again = send(adding(&kitchen, follower, "k1", &body)).await.expect(StatusCode::OK);
    assert_eq!((&again["token"], &again["id"]), (&Value::Null, &added["id"]));
    let other = json!({ "name": "ann", "role": "admin" });
    send(adding(&kitchen, follower, "k1", &other)).await.problem(422, "idempotency-key-reused");
    for node in [1, 2, 3] {
        until(&kitchen, node, &token, StatusCode::OK).await;
    }
    let listed = get(&kitchen, 1, ADMIN, "/v1/tokens").await;
    let hash = hash(&token);
    assert!(!listed.text.contains(&token) && !listed.text.contains(hash.as_str()), "{}", listed.text);
    assert_eq!(listed.expect(StatusCode::OK)["items"][0]["name"], "ann");
    let access = get(&kitchen, 1, &token, "/v1/access").await.expect(StatusCode::OK);
    assert_eq!((&access["name"], &access["role"], &access["open"]), (&"ann".into(), &"operator".into(), &false.into()));
    let may: Vec<&str> = access["may"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(may.contains(&"POST /v1/devices/{id}/hold") && !may.contains(&"POST /v1/tokens"), "{may:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_token_is_good_on_no_replica_and_its_streams_end() {
    let kitchen = Kitchen::with_access(3, closed()).await;
    let (leader, follower) = (kitchen.leader().await, kitchen.follower().await);
    let token = add(&kitchen, leader, "ann", Role::Viewer, None).await;
    until(&kitchen, follower, &token, StatusCode::OK).await;
    let mut stream = client().get(kitchen.url(follower, "/v1/events")).bearer_auth(&token).send().await.unwrap();
    assert_eq!(stream.status(), StatusCode::OK);
    let revoked = ask(&kitchen, leader, ADMIN, Method::DELETE, "/v1/tokens/ann", None).await.expect(StatusCode::OK);
    assert_eq!(revoked["name"], "ann");
    for node in [1, 2, 3] {
        until(&kitchen, node, &token, StatusCode::UNAUTHORIZED).await;
    }
    // The entry that revoked it has an event: the stream wakes by it, and looks.
    let ended =
        tokio::time::timeout(Duration::from_secs(20), async { while stream.chunk().await.unwrap().is_some() {} });
    ended.await.expect("the stream ends");
    ask(&kitchen, leader, ADMIN, Method::DELETE, "/v1/tokens/ann", None).await.problem(404, "unknown-token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_never_were_have_ended_or_were_revoked_get_one_answer() {
    let kitchen = Kitchen::with_access(1, closed()).await;
    let ended = add(&kitchen, 1, "ended", Role::Viewer, Some(1_000)).await;
    let revoked = add(&kitchen, 1, "revoked", Role::Viewer, None).await;
    get(&kitchen, 1, &ended, "/v1/access").await.expect(StatusCode::OK);
    ask(&kitchen, 1, ADMIN, Method::DELETE, "/v1/tokens/revoked", None).await.expect(StatusCode::OK);
    until(&kitchen, 1, &ended, StatusCode::UNAUTHORIZED).await;
    let mut answers = Vec::new();
    for token in [&ended, &revoked, "brigade_nobodys", "x"] {
        answers.push(get(&kitchen, 1, token, "/v1/kitchen").await.problem(401, "unauthenticated"));
    }
    let none = send(client().get(kitchen.url(1, "/v1/kitchen"))).await;
    assert!(none.header("www-authenticate").starts_with("Bearer"));
    answers.push(none.problem(401, "unauthenticated"));
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:#?}");
    let listed = get(&kitchen, 1, ADMIN, "/v1/tokens").await.expect(StatusCode::OK);
    assert_eq!((&listed["items"][0]["id"], &listed["items"][0]["ended"]), (&"ended".into(), &true.into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_survive_the_leader() {
    let mut kitchen = Kitchen::with_access(3, closed()).await;
    let leader = kitchen.leader().await;
    let token = add(&kitchen, leader, "ann", Role::Operator, None).await;
    kitchen.stop(leader).await;
    let next = kitchen.leader().await;
    until(&kitchen, next, &token, StatusCode::OK).await;
    let drained = ask(&kitchen, next, &token, Method::POST, "/v1/kitchen/drain", Some(json!({}))).await;
    drained.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_by_way_of_a_follower_is_judged_and_done_in_the_callers_name() {
    let kitchen = Kitchen::with_access(3, closed()).await;
    let follower = kitchen.follower().await;
    let (operator, viewer) =
        (add(&kitchen, 1, "tablet", Role::Operator, None).await, add(&kitchen, 1, "screen", Role::Viewer, None).await);
    for token in [&operator, &viewer] {
        until(&kitchen, follower, token, StatusCode::OK).await;
    }
    let kitchen = &kitchen;
    let drain = |token: String| async move {
        ask(kitchen, follower, &token, Method::POST, "/v1/kitchen/drain", Some(json!({}))).await
    };
    drain(viewer).await.problem(403, "forbidden");
    drain(operator.clone()).await.expect(StatusCode::OK);
    // The name of the token stands first, whatever is claimed.
    for (claimed, id) in [("ann", "a"), ("admin", "b")] {
        ask(kitchen, follower, ADMIN, Method::POST, "/v1/kitchen/undrain", Some(json!({})))
            .await
            .expect(StatusCode::OK);
        let menu = json!({ "title": "x", "prep_ms": 1000, "transfer_ms": 1000, "bake_ms": 1000, "window_ms": 1000, "stale_ms": 9000,
            "finish_ms": 1000, "oven_program": "x" });
        let put = ask(kitchen, follower, ADMIN, Method::PUT, "/v1/recipes/plain", Some(menu)).await;
        assert!(put.status.is_success(), "{}", put.text);
        let order = Some(json!({ "items": ["plain"] }));
        ask(kitchen, follower, &operator, Method::PUT, &format!("/v1/orders/{id}"), order)
            .await
            .expect(StatusCode::CREATED);
        let path = format!("/v1/orders/{id}/cancellation");
        let cancelled = ask(kitchen, follower, &operator, Method::POST, &path, Some(json!({ "actor": claimed }))).await;
        assert_eq!(cancelled.expect(StatusCode::OK)["reason"], format!("cancelled by tablet: {claimed}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_admins_token_stays_where_the_configuration_holds_none() {
    let kitchen = Kitchen::with_access(1, Options { admin: None, ..closed() }).await;
    let dir = tempfile::tempdir().unwrap();
    let token = first_token(&kitchen, dir.path()).await;
    let tokens = get(&kitchen, 1, &token, "/v1/tokens").await.expect(StatusCode::OK);
    let path = format!("/v1/tokens/{}", tokens["items"][0]["id"].as_str().unwrap());
    ask(&kitchen, 1, &token, Method::DELETE, &path, None).await.problem(409, "last-admin");
    let body = json!({ "name": "root", "role": "admin" });
    let request = client().post(kitchen.url(1, "/v1/tokens")).bearer_auth(&token).header("idempotency-key", "root");
    let root = send(request.json(&body)).await.expect(StatusCode::CREATED)["token"].as_str().unwrap().to_owned();
    ask(&kitchen, 1, &root, Method::DELETE, &path, None).await.expect(StatusCode::OK);
    get(&kitchen, 1, &token, "/v1/access").await.problem(401, "unauthenticated");
}

/// Has node 1 draw the first token into this directory.
async fn first_token(kitchen: &Kitchen, dir: &std::path::Path) -> String {
    let options = Options { first_token_dir: Some(dir.to_owned()), ..Options::default() };
    let founding = found(kitchen.members[&1].node.clone(), options, CancellationToken::new());
    tokio::time::timeout(Duration::from_secs(30), founding).await.expect("it is added");
    std::fs::read_to_string(dir.join("admin-token")).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_replicas_draw_one_first_token_and_leave_one_file() {
    let kitchen = Kitchen::with_access(3, Options { admin: None, ..closed() }).await;
    let dir = tempfile::tempdir().unwrap();
    let at = |node: u64| dir.path().join(node.to_string());
    let mut founding = Vec::new();
    for (id, member) in &kitchen.members {
        std::fs::create_dir(at(*id)).unwrap();
        // As a crash between writing and proposing would leave it.
        std::fs::write(at(*id).join("admin-token"), "brigade_of-a-former-life\n").unwrap();
        let options = Options { first_token_dir: Some(at(*id)), ..Options::default() };
        founding.push(tokio::spawn(found(member.node.clone(), options, CancellationToken::new())));
    }
    for task in founding {
        tokio::time::timeout(Duration::from_secs(30), task).await.expect("it ends").unwrap();
    }
    let files: Vec<String> =
        [1, 2, 3].into_iter().filter_map(|id| std::fs::read_to_string(at(id).join("admin-token")).ok()).collect();
    assert_eq!(files.len(), 1, "{} files", files.len());
    let token = files[0].trim();
    for node in [1, 2, 3] {
        until(&kitchen, node, token, StatusCode::OK).await;
    }
    get(&kitchen, 1, "brigade_of-a-former-life", "/v1/access").await.problem(401, "unauthenticated");
    let listed = get(&kitchen, 1, token, "/v1/tokens").await.expect(StatusCode::OK);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_use_is_kept_to_the_hour_whichever_replica_was_asked() {
    let kitchen = Kitchen::with_access(3, closed()).await;
    let follower = kitchen.follower().await;
    let token = add(&kitchen, follower, "ann", Role::Viewer, None).await;
    let log = |kitchen: &Kitchen| kitchen.members.values().map(|m| m.node.applied_index()).max().unwrap();
    until(&kitchen, follower, &token, StatusCode::OK).await;
    let used = || kitchen.members[&follower].node.with_kitchen(|k| k.tokens().next().and_then(|t| t.used_hour));
    let hour = wait_for("the use is noted", used).await;
    let noted = log(&kitchen);
    for _ in 0..50 {
        for node in [1, 2, 3] {
            get(&kitchen, node, &token, "/v1/access").await.expect(StatusCode::OK);
        }
    }
    assert!(log(&kitchen) <= noted + 1, "one entry for each token and hour");
    let listed = get(&kitchen, 1, ADMIN, "/v1/tokens").await.expect(StatusCode::OK);
    let shown = brigade::web::rfc3339(hour * 3_600_000);
    assert_eq!(listed["items"][0]["last_used"], shown);
    assert!(shown.ends_with(":00:00.000Z"), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_too_often_waits_and_nobody_else_does() {
    let kitchen = Kitchen::with_access(1, Options { requests_per_s: 5, failures_per_min: 10, ..closed() }).await;
    let quick = add(&kitchen, 1, "quick", Role::Viewer, None).await;
    let calm = add(&kitchen, 1, "calm", Role::Viewer, None).await;
    let mut limited = None;
    for _ in 0..200 {
        let answer = get(&kitchen, 1, &quick, "/v1/access").await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            limited = Some(answer);
            break;
        }
    }
    let limited = limited.expect("a limit");
    assert!(limited.header("retry-after").parse::<u32>().unwrap() >= 1);
    limited.problem(429, "too-many-requests");
    get(&kitchen, 1, &calm, "/v1/access").await.expect(StatusCode::OK);
    let mut failed = Vec::new();
    for _ in 0..12 {
        failed.push(get(&kitchen, 1, "brigade_nobodys", "/v1/access").await.status.as_u16());
    }
    assert_eq!((failed[0], failed[9], failed[11]), (401, 401, 429), "{failed:?}");
    // Who comes with a good token from the same address is not held up by another's failures.
    get(&kitchen, 1, &calm, "/v1/access").await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_and_a_backend_never_come_near_the_usual_limit() {
    let kitchen = Kitchen::with_access(1, Options { failures_per_min: 60, ..closed() }).await;
    let token = add(&kitchen, 1, "screens", Role::Viewer, None).await;
    let http = client();
    // As fast as this machine can: more than any screen does.
    for _ in 0..1_500 {
        let answer =
            http.get(kitchen.url(1, "/v1/devices?consistency=stale")).bearer_auth(&token).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_another_member_may_send_its_token() {
    let kitchen = Kitchen::with_access(3, closed()).await;
    let origin = kitchen.url(2, "");
    let asks = client().request(Method::OPTIONS, kitchen.url(1, "/v1/kitchen/drain")).header("origin", &origin);
    let asks = asks.header("access-control-request-method", "POST");
    let allowed = send(asks.header("access-control-request-headers", "authorization,content-type")).await;
    assert_eq!(allowed.status, StatusCode::NO_CONTENT, "a browser asks before it has anything to show");
    assert!(allowed.header("access-control-allow-headers").contains("authorization"));
    // Without one it must be able to read why.
    let refused = send(client().get(kitchen.url(1, "/v1/kitchen")).header("origin", &origin)).await;
    assert_eq!(refused.header("access-control-allow-origin"), origin);
    refused.problem(401, "unauthenticated");
}
