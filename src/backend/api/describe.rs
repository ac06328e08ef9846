//! What the routes of the backend's API have in common, for its description: problems by the route's shape, and headers.

use axum::body::Bytes;
use serde_json::json;

use crate::web::{Conventions, Header, ProblemKind, Shape, complete};

use super::problems::Kind;

/// The description as it is served.
pub fn text(description: &utoipa::openapi::OpenApi) -> Bytes {
    let problems = Kind::ALL.iter().map(|kind| ProblemKind { spec: kind.spec(), when: kind.when() }).collect();
    let shared = |shape: &Shape| shared(shape).into_iter().map(|kind| kind.spec().1).collect();
    let conventions = Conventions { problems, shared, headers: headers(), parameters: |_| Vec::new() };
    format!("{:#}\n", complete(description, &conventions)).into()
}

/// What any route of this shape may answer.
fn shared(shape: &Shape) -> Vec<Kind> {
    let mut kinds = vec![Kind::TimeLimit];
    if !shape.is_open {
        // Who asks is looked up in the database.
        kinds.extend([Kind::Unauthenticated, Kind::Forbidden, Kind::Storage]);
    }
    if shape.takes("path", "id") {
        kinds.push(Kind::BadId);
    }
    if shape.has_query() {
        kinds.push(Kind::BadQuery);
    }
    if shape.has_body {
        kinds.extend([
            Kind::MalformedJson,
            Kind::UnsupportedMediaType,
            Kind::Invalid,
            Kind::UnknownField,
            Kind::TooLarge,
        ]);
    }
    kinds
}

fn headers() -> Vec<Header> {
    let header =
        |what: &str, pattern: &str| json!({ "description": what, "schema": { "type": "string", "pattern": pattern } });
    vec![
        ("retry-after", |_, status| matches!(status, 429 | 503), header("When to come back, in seconds.", "^[0-9]+$")),
        ("www-authenticate", |_, status| status == 401, header("How to say who asks.", "^Bearer$")),
        (
            "etag",
            |shape, status| shape.path.ends_with("/configuration") && status == 200,
            header("The version, for If-Match.", "^\"[0-9]+\"$"),
        ),
    ]
}
