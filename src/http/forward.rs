//! Writes go to the leader, whichever replica was asked.
//!
//! The body is read and bounded here, once, so that it can be sent again while an election is under way. A request is sent again
//! only after proof that it was not applied; else the outcome is unknown, and the caller repeats it with its key.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use crate::raft::LeaderInfo;
use crate::tls::Dialer;

use super::Api;
use super::answer::{LEADER_WAIT, LOOK_AGAIN};
use super::problems::{Kind, NOT_APPLIED_HEADER, NotLed, Problem};

/// The largest body, in bytes.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// A body up to here is read by whoever sends it; of larger ones, of settings with many recipes or an answer of the backend, only so many are
/// held at once, and more wait. Else a thousand callers who never finish would hold a gigabyte, each within its limit.
const SMALL_BODY_BYTES: usize = 64 << 10;
/// See `SMALL_BODY_BYTES`.
pub const LARGE_BODIES_MAX: usize = 32;

/// How long a large body waits for its place.
const LARGE_BODY_WAIT: Duration = Duration::from_secs(5);

/// A body that is too large is read on for so many bytes and so long, so that its sender gets to see the answer.
const DRAIN_BYTES_MAX: usize = 32 << 20;
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// Who passed the request on: it is not passed on again.
const FORWARDED_HEADER: HeaderName = HeaderName::from_static("brigade-forwarded-by");

/// Longer than a proposal takes before its outcome is called unknown.
const FORWARD_LIMIT: Duration = Duration::from_secs(8);

/// The client for forwarding. Idle connections are dropped before the other side drops them.
pub fn client(dialer: &Dialer) -> reqwest::Client {
    let builder = dialer.http().redirect(reqwest::redirect::Policy::none());
    let builder = builder.connect_timeout(Duration::from_millis(500)).timeout(FORWARD_LIMIT);
    builder
        .pool_idle_timeout(Duration::from_secs(5))
        .build()
        .expect("a client without files needs nothing that can fail")
}

/// Runs reads here, and writes where they can be written. What the backend reads is for its answer's sake, and comes from the leader too.
pub async fn to_leader(api: &Api, request: Request, next: Next) -> Response {
    let for_leader = request.uri().path() == super::backend::PATH;
    if request.method().is_safe() && !for_leader {
        return next.run(request).await;
    }
    write(api, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

async fn write(api: &Api, request: Request, next: Next) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let (body, _held) = read_body(api, &parts.headers, body).await?;
    let limit = Instant::now() + LEADER_WAIT;
    let mut status = api.node().watch_status();
    loop {
        let problem = match try_once(api, &parts, &body, next.clone()).await {
            Ok(response) => return Ok(response),
            Err(problem) => problem,
        };
        let is_forwarded = parts.headers.contains_key(FORWARDED_HEADER);
        if problem.kind() != Kind::NoLeader || is_forwarded || Instant::now() > limit {
            return Err(problem);
        }
        // Who leads now is seen by trying again.
        drop(timeout(LOOK_AGAIN, status.changed()).await);
    }
}

/// `Kind::NoLeader` says that nothing was written and another try makes sense.
async fn try_once(api: &Api, parts: &Parts, body: &Bytes, next: Next) -> Result<Response, Problem> {
    if api.node().is_leading() {
        let request = Request::from_parts(parts.clone(), Body::from(body.clone()));
        let response = next.run(request).await;
        let led = response.extensions().get::<NotLed>().is_none();
        return if led { Ok(response) } else { Err(Problem::no_leader()) };
    }
    let others = api.node().leader().filter(|leader| leader.node != api.node().node_id());
    match others {
        Some(leader) if !parts.headers.contains_key(FORWARDED_HEADER) => forward(api, &leader, parts, body).await,
        _ => Err(Problem::no_leader()),
    }
}

async fn forward(api: &Api, leader: &LeaderInfo, parts: &Parts, body: &Bytes) -> Result<Response, Problem> {
    let path = parts.uri.path_and_query().map_or("/", |p| p.as_str());
    let mut headers: HeaderMap = parts.headers.clone();
    for hop in ["host", "connection", "content-length", "transfer-encoding", "expect", "keep-alive", "upgrade", "te"] {
        headers.remove(hop);
    }
    // Judged here already: to the leader this page may have a name that it does not know.
    headers.remove("origin");
    headers.insert(FORWARDED_HEADER, HeaderValue::from(api.node().node_id()));
    let request = api.0.client.request(parts.method.clone(), url_at(api, leader, path));
    match request.headers(headers).body(body.clone()).send().await {
        Ok(answer) if answer.headers().contains_key(NOT_APPLIED_HEADER) => Err(Problem::no_leader()),
        Ok(answer) => pass_back(answer).await,
        Err(error) if error.is_connect() || error.is_builder() => Err(Problem::no_leader()),
        Err(error) => {
            tracing::debug!(leader = leader.node, %error, "No answer from the leader, node {}: {error}", leader.node);
            Err(Problem::outcome_unknown())
        }
    }
}

/// A path of the leader's API.
pub fn url_at(api: &Api, leader: &LeaderInfo, path: &str) -> String {
    format!("{}{path}", api.sources().dialer.url(&leader.api))
}

async fn pass_back(answer: reqwest::Response) -> Result<Response, Problem> {
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = answer.bytes().await.map_err(|_| Problem::outcome_unknown())?;
    let mut response = (status, body).into_response();
    let ours = |name: &HeaderName| name.as_str().starts_with("brigade-");
    let passed = |name: &HeaderName| {
        ours(name) || [CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE].contains(name)
    };
    response.headers_mut().remove(CONTENT_TYPE);
    response.headers_mut().extend(
        headers.into_iter().filter_map(|(name, value)| name.map(|n| (n, value))).filter(|(name, _)| passed(name)),
    );
    Ok(response)
}

/// The body, and the place that it takes while it is held.
async fn read_body(
    api: &Api,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Problem> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<usize>().ok());
    let (declared, mut chunks) = (declared.unwrap_or(0), body.into_data_stream());
    // What is declared is not believed: room is made for what has come.
    let (mut bytes, mut place) = (Vec::new(), None);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|e| Problem::new(Kind::MalformedJson, format!("the body broke off: {e}")))?;
        // Also before it is there, if it is said to be so large: it waits for no place then.
        if declared.max(bytes.len() + chunk.len()) > BODY_BYTES_MAX {
            drop(timeout(DRAIN_LIMIT, drain(chunks)).await);
            let detail = format!("a body has at most {BODY_BYTES_MAX} bytes: send less");
            return Err(Problem::new(Kind::TooLarge, detail).with("bytes_max", BODY_BYTES_MAX));
        }
        if place.is_none() && bytes.len() + chunk.len() > SMALL_BODY_BYTES {
            place = Some(place_for_large_body(api).await?);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok((bytes.into(), place))
}

/// Waits, and refuses before the whole request's time is over: then it would not be known that nothing was done.
async fn place_for_large_body(api: &Api) -> Result<OwnedSemaphorePermit, Problem> {
    let place = timeout(LARGE_BODY_WAIT, api.0.large_bodies.clone().acquire_owned()).await;
    let full = || Problem::new(Kind::TimeLimit, "too many large bodies are under way: try again, or send less");
    Ok(place.map_err(|_| full().not_applied())?.expect("the semaphore is never closed"))
}

/// Who still writes when the connection closes sees a reset instead of the answer.
async fn drain(mut chunks: axum::body::BodyDataStream) {
    let mut bytes_left = DRAIN_BYTES_MAX;
    while let Some(Ok(chunk)) = chunks.next().await {
        let Some(left) = bytes_left.checked_sub(chunk.len()) else { return };
        bytes_left = left;
    }
}
