//! The stream of events: server-sent events, or long polls, from any log index that the ring still has, on any replica.
//!
//! What is sent is always read from the ring, by each caller or once for all who are near its end (`recent`); the applied index only wakes. So
//! there is no seam between past and present at which something could be missed or sent twice, and a replica that was brought up by a
//! snapshot notices its gap.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::sse::{Event as Message, Sse};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use utoipa::IntoParams;

use crate::raft::{EventsError, RaftNode};

use super::access::Caller;
use super::answer::INDEX_HEADER;
use super::extract::Query;
use super::problems::{Kind, Problem};
use super::recent::Line;
use super::views::event::{EventMessage, EventPage};
use super::{Api, STREAMS_MAX};

/// The path: what waits there bounds itself.
pub const PATH: &str = "/v1/events";

/// Entries per page of a stream, and the default and the most of a poll.
const PAGE: usize = 256;
const POLL_MAX: usize = 1_000;
/// The longest poll.
const WAIT_S_MAX: u64 = 60;
/// An idle stream says where it is this often: proxies keep it, and the next Last-Event-ID does not fall off the ring.
const IDLE: Duration = Duration::from_secs(10);

/// With many followers each is told a little later, several entries at once: all of them together are told so often, in a second.
/// A thousand are told five times a second each, and cost orders nothing.
const TOLD_PER_S: u32 = 5_000;

/// `?after=INDEX`, and for a poll `&wait=SECONDS&limit=N`.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// Only what is behind this log index; now, if it is missing.
    #[serde(default)]
    after: Option<u64>,
    /// Makes it a long poll of so many seconds.
    #[serde(default)]
    #[param(maximum = 60)]
    wait: Option<u64>,
    /// How many entries a poll returns at most; 256 if it is missing. Only for polls.
    #[serde(default)]
    #[param(minimum = 1, maximum = 1_000)]
    limit: Option<usize>,
}

/// `GET /v1/events`: what happens, as server-sent events, or with `wait` as a long poll.
///
/// Each event of a stream has a log index as its `id` and one entry as its `data`. It goes on behind `Last-Event-ID`, or `after`, on any
/// replica and also after a failover. An event without data only says how far the stream is; `event: gone` ends it when the replica's
/// ring has lost what would come next.
#[utoipa::path(get, path = "/v1/events", operation_id = "follow_events", tag = "events",
    params(EventsQuery, ("Last-Event-ID" = Option<u64>, Header, description = "The id of the last event that was seen: goes before `after`.")),
    responses((status = 200, description = "With `wait` a page, without it a stream.", content((EventPage = "application/json"), (EventMessage = "text/event-stream"))),
    (status = 410, description = "events-gone"), (status = 503, description = "too-many-streams, storage")))]
pub async fn events(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    Query(query): Query<EventsQuery>,
) -> Result<Response, Problem> {
    let after = last_event_id(&headers)?.or(query.after);
    let after = after.unwrap_or_else(|| api.node().applied_index());
    let tail = Tail::new(&api, after);
    match query.wait {
        Some(wait_s) => poll(tail, wait_s, query.limit.unwrap_or(PAGE)).await,
        None if query.limit.is_some() => Err(Problem::new(Kind::BadQuery, "limit is for polls: add wait=SECONDS")),
        None => stream(&api, caller, tail).await,
    }
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(id) = headers.get("last-event-id") else { return Ok(None) };
    let index = id.to_str().ok().and_then(|id| id.parse().ok());
    let detail = "last-event-id is the id of an event: a log index";
    index.map(Some).ok_or_else(|| Problem::new(Kind::BadQuery, detail))
}

async fn poll(mut tail: Tail, wait_s: u64, limit: usize) -> Result<Response, Problem> {
    if wait_s > WAIT_S_MAX || !(1..=POLL_MAX).contains(&limit) {
        let detail = format!("wait is at most {WAIT_S_MAX} seconds, limit is 1 to {POLL_MAX}");
        return Err(Problem::new(Kind::BadQuery, detail));
    }
    let until = Instant::now() + Duration::from_secs(wait_s);
    let entries = tail.next_until(until, limit).await?;
    let page = EventPage { items: entries.into_iter().map(|line| line.entry).collect(), next: tail.after };
    let mut response = axum::Json(page).into_response();
    response.headers_mut().insert(INDEX_HEADER, HeaderValue::from(tail.after));
    Ok(response)
}

async fn stream(api: &Api, caller: Caller, mut tail: Tail) -> Result<Response, Problem> {
    let place = api.0.streams.clone().try_acquire_owned();
    let place = place.map_err(|_| Problem::new(Kind::TooManyStreams, "ask another replica, or poll"))?;
    // Before the head is sent, so that a gap is a 410 and not a broken stream.
    let first = tail.page(PAGE).await?;
    let mut response = Sse::new(messages(api.clone(), caller, tail, first, place)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

fn messages(
    api: Api,
    caller: Caller,
    mut tail: Tail,
    first: Vec<Line>,
    place: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Message, Infallible>> {
    async_stream::stream! {
        let _place = place;
        yield Ok(Message::default().retry(Duration::from_secs(1)).comment("events of a kitchen"));
        let mut entries = first;
        loop {
            for entry in &entries {
                yield Ok(message(entry));
            }
            if entries.is_empty() {
                // Only an id: browsers note it and show nothing.
                yield Ok(Message::default().id(tail.after.to_string()));
            }
            tail.pause().await;
            // A token that was revoked ends what it began, at the latest when the stream next says where it is.
            if tail.stop.is_cancelled() || !api.is_still_good(&caller) {
                return;
            }
            entries = match tail.next_until(Instant::now() + IDLE, PAGE).await {
                Ok(entries) => entries,
                Err(error) => {
                    yield Ok(Message::default().event("gone").data(error.to_string()));
                    return;
                }
            };
        }
    }
}

fn message(line: &Line) -> Message {
    Message::default().id(line.index.to_string()).data(&line.text)
}

/// A place in the events, and what wakes it.
struct Tail {
    api: Api,
    after: u64,
    applied: watch::Receiver<u64>,
    stop: CancellationToken,
}

impl Tail {
    fn new(api: &Api, after: u64) -> Self {
        let stop = api.sources().stop.clone();
        Self { api: api.clone(), after, applied: api.node().applied_watch(), stop }
    }

    /// The longer, the more there are who follow. Ends early when the program does.
    async fn pause(&self) {
        let followers = STREAMS_MAX - self.api.0.streams.available_permits();
        let pause = Duration::from_secs(1) * followers as u32 / TOLD_PER_S;
        // Cut short or not: whoever waits looks at `stop` next.
        let _ = self.stop.run_until_cancelled(sleep(pause)).await;
    }

    /// The next entries with events; empty when there were none in time, or the program stops.
    async fn next_until(&mut self, until: Instant, limit: usize) -> Result<Vec<Line>, EventsError> {
        loop {
            let entries = self.page(limit).await?;
            if !entries.is_empty() {
                return Ok(entries);
            }
            let changed = self.stop.run_until_cancelled(timeout_at(until, self.applied.changed()));
            match changed.await {
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(_)) | Err(_)) | None => return Ok(entries),
            }
        }
    }

    /// What the ring has now behind the place, which moves on over all that was looked at.
    async fn page(&mut self, limit: usize) -> Result<Vec<Line>, EventsError> {
        let upto = *self.applied.borrow_and_update();
        let (node, after) = (self.api.node().clone(), self.after);
        let entries = match self.api.0.recent.behind(&node, after, upto, limit).await {
            Some(lines) => lines,
            None => tokio::task::spawn_blocking(move || far_behind(&node, after, limit))
                .await
                .map_err(std::io::Error::other)??,
        };
        match entries.last() {
            Some(last) if entries.len() == limit => self.after = last.index,
            Some(last) => self.after = last.index.max(upto).max(after),
            None => self.after = after.max(upto),
        }
        Ok(entries)
    }
}

/// From the ring itself.
fn far_behind(node: &RaftNode, after: u64, limit: usize) -> Result<Vec<Line>, EventsError> {
    Ok(node.events_after(after, limit)?.iter().map(Line::of).collect())
}
