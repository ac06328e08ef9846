//! Every route of the router against every role: the doors are as the table says, and the table has every door.

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use axum::body::Body;
use axum::http::header::{ALLOW, AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{Method, Request, StatusCode};
use axum::response::Response;
use brigade::http::access::{OPEN, Options, RULES, Who, hash, who};
use brigade::http::{Api, Sources};
use brigade::kitchen::Role;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::support::{Kitchen, send, sources};

pub const ADMIN: &str = "an-admins-token-of-the-configuration";

pub fn closed() -> Options {
    // More than a walk through all doors needs.
    Options { admin: Some(hash(ADMIN)), failures_per_min: 100_000, ..Options::default() }
}

/// A closed API of one replica, called without sockets. Streams end at once.
struct House {
    kitchen: Kitchen,
    router: Router,
}

impl House {
    async fn open() -> Self {
        let kitchen = Kitchen::with_access(1, closed()).await;
        let stop = CancellationToken::new();
        stop.cancel();
        let access = closed();
        let router = Api::router(Sources { access, ..sources(&kitchen.members[&1].node, &stop) });
        Self { kitchen, router }
    }

    async fn knock(&self, method: &str, path: &str, token: Option<&str>) -> Response {
        let request = Request::builder().method(method).uri(path.replace("{id}", "1.0.0"));
        let request = match token {
            Some(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        };
        self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    /// Every path that the router has, by its own account.
    fn paths(&self) -> BTreeSet<String> {
        let text = format!("{:?}", self.router);
        let paths: BTreeSet<String> =
            text.split('"').filter(|part| part.starts_with('/') && !part.contains('*')).map(str::to_owned).collect();
        assert!(paths.len() > 40 && paths.contains("/v1/cluster/join"), "is this test blind? {text}");
        paths
    }

    /// Every method and path, as the router tells whoever asks with a method that no route has.
    async fn doors(&self) -> BTreeSet<(String, String)> {
        let mut doors = BTreeSet::new();
        for path in self.paths() {
            let answer = self.knock("PATCH", &path, Some(ADMIN)).await;
            assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
            let allowed = answer.headers()[ALLOW].to_str().unwrap().to_owned();
            doors.extend(allowed.split(',').map(|method| (method.trim().to_owned(), path.clone())));
        }
        doors
    }

    /// A token of each role.
    async fn keys(&self) -> BTreeMap<&'static str, String> {
        let mut keys = BTreeMap::new();
        for role in Role::ALL {
            keys.insert(role.as_str(), add(&self.kitchen, role.as_str(), role.as_str()).await);
        }
        keys
    }
}

/// Adds a token over HTTP, as the configured admin.
async fn add(kitchen: &Kitchen, name: &str, role: &str) -> String {
    let request = crate::support::client().post(kitchen.url(1, "/v1/tokens")).bearer_auth(ADMIN);
    let request = request.header("idempotency-key", name).json(&json!({ "name": name, "role": role }));
    let added = send(request).await.expect(StatusCode::CREATED);
    added["token"].as_str().expect("it is shown once").to_owned()
}

fn is_page(path: &str) -> bool {
    path == "/" || path.ends_with(".css") || path.ends_with(".js")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table_has_every_route_of_the_router_and_no_other() {
    let house = House::open().await;
    let of_router: BTreeSet<_> = house.doors().await.into_iter().filter(|(method, _)| method != "HEAD").collect();
    let of_table: BTreeSet<_> = OPEN.iter().chain(&RULES).map(|(m, p, _)| ((*m).to_owned(), (*p).to_owned())).collect();
    let missing: Vec<_> = of_router.difference(&of_table).filter(|(_, path)| !is_page(path)).collect();
    assert!(missing.is_empty(), "the table lacks {missing:?}: they are the admin's until it says whose they are");
    // This one may be added without being looked after by hand.
    let more: Vec<_> = of_table.difference(&of_router).filter(|(_, path)| path != "/openapi.json").collect();
    assert!(more.is_empty(), "the router has no {more:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_token_every_route_is_closed_but_the_health_and_the_page() {
    let house = House::open().await;
    let mut open = BTreeSet::new();
    for (method, path) in house.doors().await {
        let answer = house.knock(&method, &path, None).await;
        if answer.status() == StatusCode::UNAUTHORIZED {
            assert!(answer.headers()[WWW_AUTHENTICATE].to_str().unwrap().starts_with("Bearer"), "{method} {path}");
        } else {
            open.insert(path);
        }
    }
    open.retain(|path| !is_page(path) && path != "/openapi.json");
    assert_eq!(open.into_iter().collect::<Vec<_>>(), ["/livez", "/readyz"]);
    for (method, path) in
        [("GET", "/v1/nothing"), ("POST", "/v1/orders/"), ("PATCH", "/v1/orders"), ("OPTIONS", "/v1/tokens")]
    {
        assert_eq!(house.knock(method, path, None).await.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_opens_the_doors_that_the_table_gives_it_and_no_other() {
    let house = House::open().await;
    let keys = house.keys().await;
    let (mut let_in, mut kept_out) = (0, 0);
    for (method, path) in house.doors().await {
        let whom = if is_page(&path) { Who::Anyone } else { who(&method.parse::<Method>().unwrap(), &path) };
        for role in Role::ALL {
            let answer = house.knock(&method, &path, Some(&keys[role.as_str()])).await;
            assert_ne!(answer.status(), StatusCode::UNAUTHORIZED, "{role}: {method} {path}");
            let is_in = answer.status() != StatusCode::FORBIDDEN;
            assert_eq!(is_in, whom.has(role), "{role}: {method} {path}: {}", answer.status());
            *if is_in { &mut let_in } else { &mut kept_out } += 1;
        }
    }
    assert!(let_in > 100 && kept_out > 50, "{let_in} let in, {kept_out} kept out: is this test blind?");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_that_is_not_there_is_told_to_whoever_is_known() {
    let house = House::open().await;
    let keys = house.keys().await;
    assert_eq!(house.knock("GET", "/v1/nothing", Some(&keys["backend"])).await.status(), StatusCode::NOT_FOUND);
}
