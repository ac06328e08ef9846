//! What happened in this kitchen, as lines that can be searched: those that the main backend collects from all its kitchens.
//!
//! They are read from the ring of events in the database: the latest 50,000 log indices of this replica. Nothing here needs a majority.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::leader::backend_sync::lines_of;
use crate::protocol::Id;
use crate::protocol::exchange::LogLine;
use crate::raft::{EventsError, RaftNode};

use super::Api;
use super::answer::Answer;
use super::extract::{Query, page_limit};
use super::problems::Problem;
use super::views::log::{LogPage, LogView};

/// The most lines in a page; a page holds all lines of its last log index, and so may have a few more.
const PAGE_MAX: usize = 1_000;
/// How many entries one request looks at, matching or not: a page may be short and have a next one.
const LOOKED_AT_MAX: usize = 10_000;

/// `?order=table-7&device=robot1&event=device_changed&after=INDEX&limit=100`.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LogQuery {
    /// Only about this order.
    #[serde(default)]
    order: Option<Id>,
    /// Only about this device.
    #[serde(default)]
    device: Option<Id>,
    /// Only this event: order_accepted, device_changed, …
    #[serde(default)]
    event: Option<String>,
    /// Only behind this log index: the last page's `next`. From the oldest line that is kept, if it is missing or no longer kept.
    #[serde(default)]
    after: Option<u64>,
    /// How many lines; 100 if it is missing.
    #[serde(default)]
    #[param(minimum = 1, maximum = 1_000)]
    limit: Option<usize>,
}

impl LogQuery {
    fn wants(&self, line: &LogLine) -> bool {
        let is = |wanted: &Option<Id>, of: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| of.as_deref() == Some(wanted.as_str()))
        };
        is(&self.order, &line.order)
            && is(&self.device, &line.device)
            && self.event.as_ref().is_none_or(|event| *event == line.event)
    }
}

/// `GET /v1/logs`: what happened, oldest first, by order, device and event.
///
/// Lines are kept for the latest 50,000 log indices of the replica that answers. A page may be short and have a next one: go on while `next` is there.
#[utoipa::path(get, path = "/v1/logs", operation_id = "list_logs", tag = "events", params(LogQuery),
    responses((status = 200, body = LogPage), (status = 503, description = "storage")))]
pub async fn list(State(api): State<Api>, Query(query): Query<LogQuery>) -> Result<Answer<LogPage>, Problem> {
    let limit = page_limit(query.limit, 100, PAGE_MAX)?;
    let (node, index) = (api.node().clone(), api.node().applied_index());
    let read = tokio::task::spawn_blocking(move || page(&node, &query, limit)).await.map_err(Problem::storage)?;
    Ok(Answer { body: read?, index, staleness: None, status: StatusCode::OK })
}

fn page(node: &RaftNode, query: &LogQuery, limit: usize) -> Result<LogPage, EventsError> {
    let (mut items, mut after) = (Vec::new(), query.after.unwrap_or(0));
    for _ in 0..LOOKED_AT_MAX / PAGE_MAX {
        let entries = match node.events_after(after, PAGE_MAX) {
            Err(EventsError::Gone { floor }) => node.events_after(floor, PAGE_MAX)?,
            other => other?,
        };
        for entry in &entries {
            after = entry.index;
            items.extend(lines_of(entry).into_iter().filter(|line| query.wants(line)).map(LogView::of));
            if items.len() >= limit {
                return Ok(LogPage { items, next: Some(after) });
            }
        }
        if entries.len() < PAGE_MAX {
            return Ok(LogPage { items, next: None });
        }
    }
    Ok(LogPage { items, next: Some(after) })
}
