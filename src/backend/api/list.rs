//! Pages of orders, newest first.

use axum::Json as JsonBody;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::backend::Backend;
use crate::backend::order::State as OrderState;
use crate::backend::store::{OrderFilter, OrderRow};
use crate::clock::wall_ms;
use crate::protocol;

use super::extract::{Client, Query};
use super::problems::{Kind, Problem};
use super::views::{OrderPage, OrderView};

/// The most orders in a page.
const LIMIT_MAX: u32 = 500;

/// `?status=open&kitchen=k1&limit=50&cursor=…`.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// all, open, ended, a status in lower case, or a classic status: new, in_progress, completed, failed.
    #[serde(default)]
    #[param(
        pattern = "^(all|open|ended|new|in_progress|completed|waiting|assigned|accepted|starting|ready|collected|cancelled|failed)$"
    )]
    status: Option<String>,
    /// Of this kitchen.
    #[serde(default)]
    #[param(value_type = Option<protocol::Id>)]
    kitchen: Option<String>,
    /// 1 to 500; 50 if it is missing.
    #[serde(default)]
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The last page's `next`.
    #[serde(default)]
    #[param(pattern = "^[0-9]{1,19}-[A-Za-z0-9_.:-]{1,48}$")]
    cursor: Option<String>,
}

/// `GET /v1/orders`: a page of orders, newest first.
#[utoipa::path(get, path = "/v1/orders", operation_id = "list_orders", tag = "orders", params(ListQuery), responses((status = 200, body = OrderPage)))]
pub async fn list(
    State(backend): State<Backend>,
    Client(_): Client,
    Query(query): Query<ListQuery>,
) -> Result<JsonBody<OrderPage>, Problem> {
    let limit = query.limit.unwrap_or(50);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Problem::new(Kind::BadQuery, format!("limit is 1 to {LIMIT_MAX}")));
    }
    let filter = OrderFilter {
        states: states(query.status.as_deref().unwrap_or("all"))?,
        kitchen: query.kitchen.map(|k| id(&k)).transpose()?,
        before: query.cursor.map(|c| before(&c)).transpose()?,
        limit,
    };
    let rows = backend.store().orders(&filter).await?;
    let next = rows.last().filter(|_| rows.len() == limit as usize).map(cursor);
    let wall = wall_ms();
    Ok(JsonBody(OrderPage { items: rows.iter().map(|row| OrderView::of(row, wall)).collect(), next }))
}

fn states(word: &str) -> Result<Vec<OrderState>, Problem> {
    let those = |is: fn(&OrderState) -> bool| OrderState::ALL.into_iter().filter(is).collect::<Vec<_>>();
    let states = match word {
        "all" => return Ok(Vec::new()),
        "open" => those(|s| s.is_open()),
        "ended" => those(|s| !s.is_open()),
        "new" => those(|s| s.classic() == "new"),
        "in_progress" => those(|s| s.classic() == "in_progress"),
        "completed" => those(|s| s.classic() == "completed"),
        word => OrderState::ALL.into_iter().filter(|s| s.as_str().eq_ignore_ascii_case(word)).collect(),
    };
    if states.is_empty() {
        let words = OrderState::ALL.map(|s| s.as_str().to_ascii_lowercase()).join(", ");
        let detail = format!("status is one of all, open, ended, new, completed, {words}");
        return Err(Problem::new(Kind::BadQuery, detail));
    }
    Ok(states)
}

fn cursor(row: &OrderRow) -> String {
    format!("{}-{}", row.placed_wall, row.id)
}

fn before(cursor: &str) -> Result<(u64, protocol::Id), Problem> {
    let parts = cursor.split_once('-').and_then(|(wall, id)| Some((wall.parse().ok()?, id.parse().ok()?)));
    parts.ok_or_else(|| Problem::new(Kind::BadQuery, "cursor is the last page's next"))
}

fn id(text: &str) -> Result<protocol::Id, Problem> {
    text.parse().map_err(|e| Problem::new(Kind::BadQuery, e))
}
