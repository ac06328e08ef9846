//! The API's OpenAPI description, made from the handlers: `/openapi.json`. Routes and description are one list (`super::routes`), so that
//! neither has what the other lacks; tests/golden/openapi.json shows every change.
//!
//! Here is what routes have in common: problems by the route's shape, and headers. The kitchen knows nothing of any of it.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

use crate::web::{Conventions, Header, ProblemKind, Shape, complete};

use super::Api;
use super::asker::{ACTOR_HEADER, ACTOR_LENGTH_MAX, REASON_HEADER, REASON_LENGTH_MAX};
use super::problems::Kind;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Brigade: a kitchen",
        description = "Every replica serves it: orders, devices, the kitchen and its cluster. Writes may go to any replica; reads show everything that \
            was acknowledged before them. Errors are RFC 9457 problems with stable types. docs/api.md says more. What is no path of this document \
            is answered with `unknown-route`, and another method of one of its paths with `method-not-allowed` and the header `allow`."
    ),
    servers((url = "/", description = "The replica that is asked.")),
    tags(
        (name = "orders", description = "Placing and following orders and their pizzas."),
        (name = "devices", description = "Robots, ovens and cameras, and an operator's word about them."),
        (name = "kitchen", description = "The kitchen as a whole."),
        (name = "menu", description = "Recipes and the site's settings: read whole, replaced whole."),
        (name = "people", description = "Questions that wait for a person, and what a person should see to."),
        (name = "events", description = "What happens, and what happened."),
        (name = "access", description = "Who may use this API, and for what: docs/ACCESS.md has the table of routes and roles."),
        (name = "cluster", description = "The replicas."),
        (name = "backend", description = "For the main backend in poll mode."),
        (name = "monitoring", description = "For supervisors and monitoring."),
        (name = "page", description = "The page for people, and this description.")
    ),
    security(("token" = []))
)]
pub struct Description;

/// `GET /openapi.json`: this API, described.
#[utoipa::path(get, path = "/openapi.json", operation_id = "describe", tag = "page", security(()), responses((status = 200, body = Object)))]
pub async fn openapi(State(api): State<Api>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], api.description())
}

/// The description with all that its routes have in common, as it is served.
pub fn text(mut description: utoipa::openapi::OpenApi) -> Bytes {
    let components = description.components.get_or_insert_default();
    components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    let problems = Kind::ALL.iter().map(|kind| ProblemKind { spec: kind.spec(), when: kind.when() }).collect();
    let shared = |shape: &Shape| shared(shape).into_iter().map(|kind| kind.spec().1).collect();
    let conventions = Conventions { problems, shared, headers: headers(), parameters };
    let text = format!("{:#}\n", complete(&description, &conventions));
    text.into()
}

/// What any route of this shape may answer.
fn shared(shape: &Shape) -> Vec<Kind> {
    let mut kinds = Vec::new();
    if !shape.is_open {
        kinds.extend([Kind::Unauthenticated, Kind::Forbidden, Kind::TooManyRequests]);
    }
    if shape.takes("path", "id") {
        kinds.push(Kind::BadId);
    }
    if shape.has_query() || shape.takes("header", "Last-Event-ID") {
        kinds.push(Kind::BadQuery);
    }
    if shape.has_body {
        kinds.extend([Kind::UnsupportedMediaType, Kind::Invalid, Kind::UnknownField]);
    }
    if shape.takes("query", "consistency") {
        kinds.extend([Kind::NoQuorum, Kind::Stopping]);
    }
    if shape.is_read {
        // Streams and polls bound themselves.
        kinds.extend((shape.path != super::events::PATH).then_some(Kind::TimeLimit));
    } else {
        // Every write is on record: what it says for that is bounded.
        kinds.push(Kind::Invalid);
        // Every write's body is read and bounded, its sender's page looked at, and its outcome may stay unknown.
        kinds.extend([Kind::MalformedJson, Kind::TooLarge, Kind::ForeignOrigin]);
        kinds.extend([Kind::NoLeader, Kind::NoQuorum, Kind::OutcomeUnknown, Kind::Stopping, Kind::TimeLimit]);
    }
    kinds
}

/// Who asks for a change, and why, where the body has no room for it: for the audit log. A quote changes nothing.
fn parameters(shape: &Shape) -> Vec<Value> {
    if shape.is_read || shape.path == super::quotes::PATH {
        return Vec::new();
    }
    let header = |name: &str, what: &str, max: usize| {
        let schema = json!({ "type": "string", "maxLength": max });
        json!({ "name": name, "in": "header", "required": false, "description": what, "schema": schema })
    };
    let actor = "Whom the caller says he is, for the audit log. The body's `actor` goes before it, and the token's name before both.";
    let reason = "Why he asks, for the audit log. The body's `reason` goes before it.";
    vec![
        header(ACTOR_HEADER.as_str(), actor, ACTOR_LENGTH_MAX),
        header(REASON_HEADER.as_str(), reason, REASON_LENGTH_MAX),
    ]
}

fn headers() -> Vec<Header> {
    let header = |what: &str, schema: Value| json!({ "description": what, "schema": schema });
    let always = |what: &str, schema: Value| json!({ "description": what, "required": true, "schema": schema });
    let number = json!({ "type": "string", "pattern": "^[0-9]+$" });
    vec![
        (
            "brigade-index",
            |_, _| true,
            always("The log index that the answer stands for: events go on behind it without gap.", number.clone()),
        ),
        ("brigade-node", |_, _| true, always("The replica that answered.", number)),
        (
            "brigade-leader",
            |_, _| true,
            always("The replica that leads, or `none`.", json!({ "type": "string", "pattern": "^([0-9]+|none)$" })),
        ),
        (
            "brigade-staleness-ms",
            |shape, status| shape.takes("query", "consistency") && status == 200,
            header(
                "With consistency=stale: how many milliseconds the answer may be behind, or `unknown`.",
                json!({ "type": "string", "pattern": "^([0-9]+|unknown)$" }),
            ),
        ),
        (
            "brigade-not-applied",
            |shape, status| !shape.is_read && status == 503,
            header("`true` proves that nothing was written.", json!({ "type": "string", "const": "true" })),
        ),
        (
            "www-authenticate",
            |_, status| status == 401,
            always("`Bearer`: how to say who asks.", json!({ "type": "string", "pattern": "^Bearer" })),
        ),
        (
            "retry-after",
            |_, status| matches!(status, 429 | 503 | 507),
            header("When to come back, in seconds.", json!({ "type": "string", "pattern": "^[0-9]+$" })),
        ),
    ]
}
