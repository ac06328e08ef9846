//! What every request passes: a time limit, and counters.

use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::{Instant, timeout};

use crate::backend::Backend;

use super::problems::{Kind, Problem};

/// Longer than any transaction. What waits by itself may take `WAITING_LIMIT`.
const REQUEST_LIMIT: Duration = Duration::from_secs(15);
/// Longer than the longest exchange and the longest poll.
const WAITING_LIMIT: Duration = Duration::from_secs(75);

/// Runs the request within its time, and counts it.
pub async fn edge(State(_): State<Backend>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let is_read = request.method().is_safe();
    let route = request.extensions().get::<MatchedPath>().map_or("none".to_owned(), |p| p.as_str().to_owned());
    let limit = match route.as_str() {
        "/v1/kitchens/{id}/exchange" | "/v1/orders/{id}" => WAITING_LIMIT,
        _ => REQUEST_LIMIT,
    };
    // Of a stream only the head is waited for here.
    let response = timeout(limit, next.run(request)).await.unwrap_or_else(|_| too_slow().into_response());
    let (kind, status) = (if is_read { "read" } else { "write" }, response.status().as_u16().to_string());
    metrics::counter!("brigade_backend_http_requests_total", "kind" => kind, "route" => route.clone(), "status" => status)
        .increment(1);
    metrics::histogram!("brigade_backend_http_request_duration_seconds", "kind" => kind, "route" => route)
        .record(begun.elapsed().as_secs_f64());
    response
}

fn too_slow() -> Problem {
    let detail = "it may have been done, or not. Repeating the request with the same id or key is safe";
    Problem::new(Kind::TimeLimit, detail)
}
