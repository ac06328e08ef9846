//! The audit log: every request that changes something, or was to, leaves a record; nothing else does, and no secret is in it.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use brigade::http::access::RULES;
use brigade::http::{Api, Sources};
use brigade::kitchen::recipe::built_in_menu;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::doors::{ADMIN, closed};
use crate::support::{Kitchen, ask, sources};

/// What each route is sent; `{}` where nothing is here.
fn body(method: &str, path: &str, settings: &Value) -> Value {
    match path {
        "/v1/orders" | "/v1/orders/{id}" if method != "DELETE" => json!({ "items": ["margherita"] }),
        "/v1/recipes/{id}" => {
            let mut recipe = serde_json::to_value(&built_in_menu()[0]).unwrap();
            recipe.as_object_mut().unwrap().retain(|name, _| name != "id" && name != "version");
            recipe
        }
        "/v1/kitchen/settings" => settings.clone(),
        "/v1/pizzas/{id}/remake" => json!({ "actor": "ann", "reason": "seen" }),
        "/v1/incidents/{id}/decision" => json!({ "decision": "good", "actor": "ann", "reason": "seen" }),
        "/v1/tokens" => json!({ "name": "ann", "role": "viewer" }),
        // One that is a member, elsewhere: it is refused at once.
        "/v1/cluster/join" => json!({ "node": 1, "peer": "127.0.0.1:1", "api": "127.0.0.1:1" }),
        "/v1/cluster/maintenance" => json!({ "node": 1, "on": false }),
        "/v1/cluster/leave" => json!({ "node": 99 }),
        "/v1/cluster/replace" => json!({ "node": 98, "with": 99, "peer": "127.0.0.1:1", "api": "127.0.0.1:1" }),
        _ => json!({}),
    }
}

/// The id that stands in a path: a pizza's has a form of its own.
fn id_in(path: &str) -> &'static str {
    if path.starts_with("/v1/pizzas/") { "7.0.0" } else { "7" }
}

async fn call(router: &Router, method: &str, path: &str, body: Option<Value>) -> Value {
    let request = Request::builder().method(method).uri(path.replace("{id}", id_in(path)));
    let request = request.header(AUTHORIZATION, format!("Bearer {ADMIN}")).header("idempotency-key", "7");
    let request = request.header("brigade-actor", "jürgen".as_bytes()).header("brigade-reason", "a walk");
    let request = request.header(CONTENT_TYPE, "application/json");
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    let answer = router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let bytes = axum::body::to_bytes(answer.into_body(), 10_000_000).await.unwrap();
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}

/// The operation of each method and path, as the description names it.
async fn operations(router: &Router) -> BTreeMap<(String, String), String> {
    let description = call(router, "GET", "/openapi.json", None).await;
    let mut operations = BTreeMap::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap().to_owned();
            operations.insert((method.to_uppercase(), path.clone()), name);
        }
    }
    operations
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_that_changes_something_leaves_a_record_and_no_other_does() {
    let kitchen = Kitchen::with_access(1, closed()).await;
    let stop = CancellationToken::new();
    stop.cancel();
    let router = Api::router(Sources { access: closed(), ..sources(&kitchen.members[&1].node, &stop) });
    let operations = operations(&router).await;
    let settings = call(&router, "GET", "/v1/kitchen/settings", None).await;
    let (mut known, mut changes, mut secrets) = (0, 0, vec![ADMIN.to_owned()]);
    for (method, path, _) in RULES {
        let body = (method != "GET").then(|| body(method, path, &settings));
        let answer = call(&router, method, path, body).await;
        secrets.extend(answer["token"].as_str().map(str::to_owned));
        let page = call(&router, "GET", "/v1/audit", None).await;
        let new: Vec<&Value> =
            page["items"].as_array().unwrap().iter().take_while(|r| r["number"].as_u64() > Some(known)).collect();
        // What the backend says leaves a record for each order that it gives, and here it gives none.
        let is_read = method == "GET" || ["/v1/quotes", "/v1/backend/exchange"].contains(&path);
        assert_eq!(new.is_empty(), is_read, "{method} {path}: {new:?} for {answer}");
        let Some(first) = new.last() else { continue };
        let operation = match &*operations[&(method.to_owned(), path.to_owned())] {
            // Two ways to ask for the same.
            "place_order_by_key" => "place_order".to_owned(),
            "withdraw_order" => "cancel_order".to_owned(),
            // One that joins, and one that leaves.
            "set_maintenance" => "transfer_leadership".to_owned(),
            "replace_replica" => "join_cluster".to_owned(),
            name => name.to_owned(),
        };
        assert_eq!(first["action"], operation, "{method} {path}");
        let object = path.trim_start_matches("/v1/").replace("{id}", id_in(path));
        let named = first["object"].as_str().unwrap();
        // A new thing's id is not in the path, and what is done to the kitchen or the cluster is about all of it.
        assert!(object.starts_with(named) || named.starts_with(&object), "{method} {path}: {first}");
        let decides = path.ends_with("/decision") || path.ends_with("/remake");
        let (actor, reason) = if decides { ("admin: ann", "seen") } else { ("admin: jürgen", "a walk") };
        assert_eq!((&first["actor"], &first["reason"]), (&actor.into(), &reason.into()), "{method} {path}");
        assert_eq!(first["role"], "admin");
        known = new[0]["number"].as_u64().unwrap();
        changes += 1;
    }
    assert!(changes >= 24, "{changes}: is this test blind?");
    let all = call(&router, "GET", "/v1/audit?limit=500", None).await.to_string();
    assert_eq!(secrets.len(), 2);
    assert!(!secrets.iter().any(|secret| all.contains(secret)));
}

async fn audit(kitchen: &Kitchen, query: &str) -> Vec<Value> {
    let page = kitchen.get(&format!("/v1/audit{query}")).await.expect(StatusCode::OK);
    page["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_says_what_came_of_it_and_what_changed() {
    let kitchen = Kitchen::open(1).await;
    kitchen.order("a").await;
    kitchen.put("/v1/orders/a", json!({ "items": ["margherita"] })).await.expect(StatusCode::OK);
    kitchen.put("/v1/orders/b", json!({ "items": ["nothing"] })).await.problem(422, "unknown-recipe");
    let mut settings = kitchen.get("/v1/kitchen/settings").await.expect(StatusCode::OK);
    let before = settings["promise_ms"].clone();
    settings["promise_ms"] = 1_200_000.into();
    kitchen.put("/v1/kitchen/settings", settings).await.expect(StatusCode::OK);
    kitchen.post("/v1/kitchen/hold", json!({ "zone": "line-2", "actor": "ann", "reason": "smoke" })).await;
    let records = audit(&kitchen, "?limit=5").await;
    let of = |name: &str| records.iter().rev().map(|r| r[name].clone()).collect::<Vec<_>>();
    assert_eq!(of("object"), ["orders/a", "orders/a", "orders/b", "kitchen/settings", "kitchen"]);
    assert_eq!(of("outcome"), ["done", "unchanged", "refused", "done", "done"]);
    let change = format!("promise_ms: {before} → 1200000");
    assert_eq!(of("detail"), ["margherita", "margherita", "nothing", &change, "zone line-2"]);
    assert!(records[2]["refusal"].as_str().unwrap().contains("not on the menu"), "{}", records[2]);
    assert_eq!((&records[0]["actor"], &records[0]["reason"]), (&"ann".into(), &"smoke".into()));
    assert_eq!((&records[0]["role"], &records[1]["actor"]), (&Value::Null, &"api".into()), "nobody vouches for ann");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_found_by_who_what_and_when_page_by_page() {
    let kitchen = Kitchen::without_menu(1).await;
    for n in 0..7 {
        let actor = if n % 2 == 0 { "ann" } else { "bob: the cook" };
        kitchen.post("/v1/kitchen/hold", json!({ "zone": format!("z{n}"), "actor": actor })).await;
    }
    kitchen.post("/v1/kitchen/drain", json!({ "actor": "ann" })).await.expect(StatusCode::OK);
    assert_eq!(audit(&kitchen, "?actor=ann").await.len(), 5);
    assert_eq!(audit(&kitchen, "?actor=bob").await.len(), 3, "by the name before the colon");
    assert_eq!(audit(&kitchen, "?actor=bob:%20the%20cook&outcome=done").await.len(), 3);
    assert_eq!(audit(&kitchen, "?action=drain_kitchen&object=kitchen").await.len(), 1);
    assert_eq!(audit(&kitchen, "?outcome=refused").await.len(), 0);
    assert_eq!(audit(&kitchen, "?from=2020-01-01").await.len(), 8);
    assert_eq!(audit(&kitchen, "?to=2020-01-01").await.len(), 0);
    assert_eq!(audit(&kitchen, "?from=2100-01-01").await.len(), 0);
    kitchen.get("/v1/audit?limit=0").await.problem(400, "bad-query");
    kitchen.get("/v1/audit?from=yesterday").await.problem(400, "bad-query");
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = kitchen.get(&format!("/v1/audit?limit=3{cursor}")).await.expect(StatusCode::OK);
        seen.extend(page["items"].as_array().unwrap().iter().map(|r| r["number"].as_u64().unwrap()));
        let Some(next) = page["next"].as_u64() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, [8, 7, 6, 5, 4, 3, 2, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_outlive_the_leader_that_wrote_them() {
    let mut kitchen = Kitchen::without_menu(3).await;
    let (leader, follower) = (kitchen.leader().await, kitchen.follower().await);
    let held = json!({ "actor": "ann", "reason": "smoke" });
    ask(Method::POST, kitchen.url(follower, "/v1/kitchen/hold"), Some(held)).await.expect(StatusCode::OK);
    let before = ask(Method::GET, kitchen.url(leader, "/v1/audit"), None).await.expect(StatusCode::OK);
    kitchen.stop(leader).await;
    kitchen.leader().await;
    assert_eq!(kitchen.get("/v1/audit").await.expect(StatusCode::OK), before);
    assert_eq!(before["items"][0]["reason"], "smoke");
}
