//! Log lines of all kitchens, by kitchen, order and device.

use axum::Json as JsonBody;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::backend::Backend;
use crate::backend::store::LogFilter;

use super::extract::{Operator, Query};
use super::problems::{Kind, Problem};
use super::views::LogView;

/// Lines, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Lines {
    /// The lines.
    items: Vec<LogView>,
    /// Goes on behind them as `after`.
    next: u64,
}

/// `GET /v1/logs`: lines of kitchens' logs, oldest first.
#[utoipa::path(get, path = "/v1/logs", operation_id = "list_logs", tag = "operation", params(LogFilter), responses((status = 200, body = Lines)))]
pub async fn list(
    State(backend): State<Backend>,
    Operator(_): Operator,
    Query(filter): Query<LogFilter>,
) -> Result<JsonBody<Lines>, Problem> {
    if filter.limit.is_some_and(|limit| !(1..=1_000).contains(&limit)) {
        return Err(Problem::new(Kind::BadQuery, "limit is 1 to 1000"));
    }
    let items: Vec<LogView> = backend.store().logs(&filter).await?.into_iter().map(LogView::of).collect();
    let next = items.last().map_or(filter.after, |line| line.seq);
    Ok(JsonBody(Lines { items, next }))
}
