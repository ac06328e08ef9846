//! The API's description: what it names is there, and needs a token unless it says that it does not.

#[path = "../described/mod.rs"]
pub mod described;

use std::sync::OnceLock;

use described::{Description, Got};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::support::{Kind, Site, plain};
use brigade::tls::Dialer;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/backend_openapi.json");

fn description() -> &'static Description {
    static READ: OnceLock<Description> = OnceLock::new();
    READ.get_or_init(|| Description::read(GOLDEN))
}

/// The answer keeps to the description.
#[track_caller]
pub fn check_answer(method: &str, path: &str, got: &Got) {
    description().check(method, path, got);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_description_is_the_golden_file() {
    let site = Site::open(Kind::Sqlite).await.unwrap();
    let answer = plain().get(format!("{}/openapi.json", site.first.url)).send().await.unwrap();
    described::is_golden(&answer.text().await.unwrap(), GOLDEN);
}

#[test]
fn every_operation_has_a_name_a_summary_and_an_answer_and_examples_keep_to_their_schemas() {
    described::check_document(&description().document);
}

/// Every path and method of the description, with `{id}` filled in.
fn operations(description: &Value) -> Vec<(Method, String, bool)> {
    let mut found = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let open = operation["security"] == serde_json::json!([{}]);
            found.push((method.to_uppercase().parse().unwrap(), path.replace("{id}", "x1"), open));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_described_route_is_there_and_closed_unless_it_says_otherwise() {
    let site = Site::open(Kind::Sqlite).await.unwrap();
    let description = plain().get(format!("{}/openapi.json", site.first.url)).send().await.unwrap();
    let description: Value = description.json().await.unwrap();
    assert_eq!(description["openapi"].as_str().map(|v| &v[..3]), Some("3.1"));
    let operations = operations(&description);
    assert!(operations.len() >= 29, "{operations:?}");
    for (method, path, open) in operations {
        let request = Dialer::plain()
            .http()
            .build()
            .expect("a client")
            .request(method.clone(), format!("{}{path}", site.first.url));
        let response = request.header("content-type", "application/json").body("{}").send().await.unwrap();
        let expected = if open { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        assert_eq!(response.status(), expected, "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_not_described_is_a_problem() {
    let site = Site::open(Kind::Sqlite).await.unwrap();
    let (status, body) = site.first.call(&site.first.operator, Method::GET, "/v1/nothing", None).await;
    assert_eq!((status, body["type"].as_str()), (StatusCode::NOT_FOUND, Some("urn:brigade:problem:unknown-route")));
    let (status, body) = site.first.call(&site.first.operator, Method::PATCH, "/v1/orders", None).await;
    assert_eq!((status, body["status"].as_u64()), (StatusCode::METHOD_NOT_ALLOWED, Some(405)));
}

#[test]
fn the_documentation_names_every_problem() {
    let docs = include_str!("../../docs/BACKEND.md");
    for kind in brigade::backend::api::problems::Kind::ALL {
        let (status, word, _) = kind.spec();
        assert!(docs.contains(&format!("| `{word}` | {status} |")), "docs/BACKEND.md lacks | `{word}` | {status} |");
    }
}
