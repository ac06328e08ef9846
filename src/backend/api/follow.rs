//! Following an order: a long poll, or server-sent events whose ids are the order's revisions. Both read the history; a bell only wakes.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::sse::{Event as Message, Sse};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout, timeout_at};

use crate::backend::Backend;
use crate::backend::store::{Error, HistoryRow, OrderRow};
use crate::protocol;

use super::extract::{Client, Id};
use super::orders::find;
use super::problems::{Kind, Problem};
use super::views::{HistoryMessage, HistoryView};

/// The longest poll.
pub const WAIT_S_MAX: u64 = 60;
/// An idle stream says something this often, so that proxies keep it.
const IDLE: Duration = Duration::from_secs(10);

/// The order as soon as its revision is larger, or as it is after so many seconds.
pub async fn wait_for(backend: &Backend, id: &protocol::Id, after: u64, wait_s: u64) -> Result<OrderRow, Problem> {
    let until = Instant::now() + Duration::from_secs(wait_s);
    let mut ear = backend.bells().of_order(id);
    loop {
        ear.mark_unchanged();
        let row = find(backend, id).await?;
        if row.revision > after || Instant::now() >= until || backend.0.stop.is_cancelled() {
            return Ok(row);
        }
        // Woken, timed out or stopped: in every case the database is read again.
        let _ = backend.0.stop.run_until_cancelled(timeout_at(until, ear.changed())).await;
    }
}

/// `GET /v1/orders/{id}/events`: its history as it grows; ends with the order. `Last-Event-ID` goes on behind a revision.
#[utoipa::path(get, path = "/v1/orders/{id}/events", operation_id = "follow_order", tag = "orders", params(("id" = protocol::Id, Path, description = "The client's id for the order."), ("Last-Event-ID" = Option<u64>, Header, description = "A revision of the order: the history goes on behind it.")), responses((status = 200, description = "server-sent events", content_type = "text/event-stream", body = HistoryMessage), (status = 400, description = "bad-query"), (status = 404, description = "unknown-order"), (status = 503, description = "too-many-streams")))]
pub async fn events(
    State(backend): State<Backend>,
    Client(_): Client,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let after = match headers.get("last-event-id") {
        None => 0,
        Some(text) => text.to_str().ok().and_then(|text| text.parse().ok()).ok_or_else(|| {
            Problem::new(Kind::BadQuery, "last-event-id is the id of an event: a revision of the order")
        })?,
    };
    let place = backend.0.streams.clone().try_acquire_owned();
    let place = place.map_err(|_| Problem::new(Kind::TooManyStreams, "poll with after_revision and wait"))?;
    let row = find(&backend, &id).await?;
    let mut response = Sse::new(messages(backend, row, after, place)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

fn messages(
    backend: Backend,
    row: OrderRow,
    mut after: u64,
    place: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Message, Infallible>> {
    async_stream::stream! {
        let _place = place;
        let mut ear = backend.bells().of_order(&row.id);
        yield Ok(Message::default().retry(Duration::from_secs(1)).comment("what happens to an order"));
        loop {
            ear.mark_unchanged();
            let Ok(lines) = lines_after(&backend, &row, after).await else { return };
            for line in &lines {
                after = line.revision;
                let view = HistoryView::of(line, row.placed_wall);
                yield Ok(Message::default().id(after.to_string()).data(serde_json::to_string(&view).unwrap_or_default()));
            }
            // READY may still become COLLECTED, but nobody waits for a stream until then.
            if backend.0.stop.is_cancelled() || lines.last().is_some_and(|line| !line.state.is_open()) {
                return;
            }
            match backend.0.stop.run_until_cancelled(timeout(IDLE, ear.changed())).await {
                Some(Ok(_)) => {}
                Some(Err(_)) => yield Ok(Message::default().comment("still the same")),
                None => return,
            }
        }
    }
}

async fn lines_after(backend: &Backend, row: &OrderRow, after: u64) -> Result<Vec<HistoryRow>, Error> {
    let lines = backend.store().history(&row.id).await?;
    Ok(lines.into_iter().filter(|line| line.revision > after).collect())
}
