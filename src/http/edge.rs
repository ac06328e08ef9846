//! What every request passes: a time limit, and headers that tell which replica answered and who leads. Behind it, one calling the next:
//! whose page it is (`origin`), who asks (`access`), and where it is done (`forward`). One layer of the router is enough for all: each more
//! would copy the whole of what is behind it, for every request.

use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::{Instant, timeout};

use super::Api;
use super::answer::INDEX_HEADER;
use super::origin;
use super::problems::{Kind, Problem};

/// Which replica answered.
pub const NODE_HEADER: HeaderName = HeaderName::from_static("brigade-node");
/// Which replica leads, as far as that one knows; or `none`.
pub const LEADER_HEADER: HeaderName = HeaderName::from_static("brigade-leader");

/// Longer than a proposal and its way to the leader together. Streams and long polls bound themselves.
const REQUEST_LIMIT: Duration = Duration::from_secs(15);

/// Runs the request within its time, and labels the answer.
pub async fn edge(State(api): State<Api>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("none".to_owned(), |p| p.as_str().to_owned());
    // Whatever the handler reads, it has at least this.
    let index = api.node().applied_index();
    let mut response = if route == super::events::PATH {
        origin::of_this_kitchen(&api, request, next).await
    } else {
        let answer = origin::of_this_kitchen(&api, request, next);
        timeout(REQUEST_LIMIT, answer).await.unwrap_or_else(|_| too_slow(&method).into_response())
    };
    label(&api, index, &mut response);
    count(&method, route, &response, begun);
    response
}

fn too_slow(method: &Method) -> Problem {
    if method.is_safe() {
        return Problem::new(Kind::TimeLimit, "this replica is too slow: try again, or ask another one");
    }
    Problem::outcome_unknown()
}

fn label(api: &Api, index: u64, response: &mut Response) {
    let leader = api.node().leader().map_or(HeaderValue::from_static("none"), |l| HeaderValue::from(l.node));
    let headers = response.headers_mut();
    // A forwarded answer carries the leader's.
    headers.entry(INDEX_HEADER).or_insert(HeaderValue::from(index));
    headers.entry(NODE_HEADER).or_insert(HeaderValue::from(api.node().node_id()));
    headers.entry(LEADER_HEADER).or_insert(leader);
}

fn count(method: &Method, route: String, response: &Response, begun: Instant) {
    let method = if method.is_safe() { "read" } else { "write" };
    let status = response.status().as_u16().to_string();
    metrics::counter!("brigade_http_requests_total", "kind" => method, "route" => route.clone(), "status" => status)
        .increment(1);
    metrics::histogram!("brigade_http_request_duration_seconds", "kind" => method, "route" => route)
        .record(begun.elapsed().as_secs_f64());
}
