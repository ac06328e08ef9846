//! The API's description: it is the golden file, has every route and nothing else, and every answer of every test here keeps to it.
//!
//! `support::send` hands each answer to `check_answer`.

#[path = "../described/mod.rs"]
mod described;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use reqwest::{Method, StatusCode};
use serde_json::json;

use described::{Description, Got, operations};

use crate::support::{Answer, Kitchen, ask, client, send};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/openapi.json");

fn description() -> &'static Description {
    static READ: OnceLock<Description> = OnceLock::new();
    READ.get_or_init(|| Description::read(GOLDEN))
}

/// The answer keeps to the description.
#[track_caller]
pub fn check_answer(method: &str, path: &str, answer: &Answer) {
    let got = Got { status: answer.status.as_u16(), headers: &answer.headers, text: &answer.text };
    description().check(method, path, &got);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_description_is_the_golden_file() {
    let kitchen = Kitchen::without_menu(1).await;
    let answer = client().get(kitchen.url(1, "/openapi.json")).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json");
    described::is_golden(&answer.text().await.unwrap(), GOLDEN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_described_route_is_there_and_every_other_method_of_it_is_refused() {
    let kitchen = Kitchen::without_menu(1).await;
    let document = &description().document;
    let described: BTreeSet<(String, String)> = operations(document).into_iter().map(|(p, m, _)| (p, m)).collect();
    assert!(described.len() >= 55, "{described:?}");
    for path in document["paths"].as_object().unwrap().keys() {
        let asked = path.replace("{id}", "7.0.0");
        for method in [Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::PATCH] {
            // A stream does not end by itself.
            let query = if path == "/v1/events" && method == Method::GET { "?wait=0" } else { "" };
            let is_described = described.contains(&(path.clone(), method.as_str().to_lowercase()));
            let answer = ask(method.clone(), kitchen.url(1, &format!("{asked}{query}")), Some(json!([]))).await;
            assert_eq!(
                answer.status == StatusCode::METHOD_NOT_ALLOWED,
                !is_described,
                "{method} {path}: {}",
                answer.text
            );
            assert!(
                answer.status != StatusCode::NOT_FOUND || !answer.text.contains(":unknown-route"),
                "{method} {path}"
            );
        }
    }
}

/// Routes are added with `OpenApiRouter::routes` alone, which takes their description with them.
#[test]
fn no_route_is_added_without_its_description() {
    let routers = [
        ("src/http/mod.rs", include_str!("../../src/http/mod.rs")),
        ("src/http/page.rs", include_str!("../../src/http/page.rs")),
    ];
    for (name, text) in routers {
        for undescribed in [".route(", ".route_service(", ".nest("] {
            assert!(!text.contains(undescribed), "{name} has {undescribed}");
        }
    }
}

#[test]
fn every_operation_has_a_name_a_summary_and_an_answer_and_examples_keep_to_their_schemas() {
    described::check_document(&description().document);
}

/// The table of docs/api.md, and the description, name the same paths.
#[test]
fn the_documentation_names_every_route_of_the_api() {
    let docs = include_str!("../../docs/api.md");
    let table: Vec<&str> =
        docs.split("## Errors").next().unwrap().lines().filter(|line| line.starts_with("| `")).collect();
    for (path, method, _) in operations(&description().document) {
        let method = method.to_uppercase();
        let (parent, word) = path.rsplit_once('/').unwrap();
        let sibling = format!("`…/{word}`");
        let is_named = |line: &&str| {
            let named = line.contains(&format!("{path}`")) || (line.contains(&sibling) && line.contains(parent));
            named && (line.contains(&format!("`{method}")) || line.contains(&format!("`{method} …")))
        };
        let is_file = path.ends_with(".css") || path.starts_with("/page/");
        assert!(
            is_file || docs.contains(&format!("`{method} {path}`")) || table.iter().any(is_named),
            "docs/api.md lacks {method} {path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_not_described_is_noticed() {
    let kitchen = Kitchen::open(1).await;
    let shown = send(client().get(kitchen.url(1, "/v1/kitchen"))).await;
    let notices = |method: &str, path: &str, answer: &Answer| {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check_answer(method, path, answer))).is_err()
    };
    assert!(!notices("GET", "/v1/kitchen", &shown));
    assert!(notices("GET", "/v1/statistics", &shown), "another route's body");
    assert!(notices("GET", "/v1/nothing", &shown), "a path that is not described");
    assert!(notices("PATCH", "/v1/kitchen", &shown), "a method that is not described");
    let other = |change: fn(&mut Answer)| {
        let mut answer = Answer { status: shown.status, headers: shown.headers.clone(), text: shown.text.clone() };
        change(&mut answer);
        answer
    };
    assert!(
        notices("GET", "/v1/kitchen", &other(|a| a.status = StatusCode::ACCEPTED)),
        "a status that is not described"
    );
    assert!(
        notices("GET", "/v1/kitchen", &other(|a| drop(a.headers.remove("brigade-index")))),
        "a header that is missing"
    );
    assert!(
        notices("GET", "/v1/kitchen", &other(|a| a.text = a.text.replace("\"open_orders\"", "\"open\""))),
        "a member that is missing"
    );
}
