//! Pages of orders over state and archive, by number: an order keeps its number when it ends, so that no page skips or repeats it.

use axum::extract::State;
use serde::Deserialize;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

use crate::kitchen::order::archive_number_key;
use crate::kitchen::{ArchivedOrder, Kitchen, Millis, OrderId};
use crate::raft::ArchiveRow;

use super::Api;
use super::answer::Answer;
use super::extract::{Consistency, Query, page_limit};
use super::problems::{Kind, Problem};
use super::views::order::{OrderPage, OrderView, StatusFilter};
use super::views::words::StatusFilterWord;

/// The largest page.
const PAGE_MAX: usize = 500;
/// How many archived orders one request looks at, matching or not: a page may be short and have a next one.
const LOOKED_AT_MAX: usize = 2_000;

/// `?status=open&limit=50&cursor=…&order=newest`.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Which orders: all of them, if it is missing.
    #[serde(default)]
    #[param(value_type = Option<StatusFilterWord>, inline)]
    status: Option<String>,
    /// How many; 50 if it is missing.
    #[serde(default)]
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// Where the last page ended: its `next`.
    #[serde(default)]
    cursor: Option<u64>,
    /// Which of them come first.
    #[serde(default)]
    #[param(inline)]
    order: Direction,
    /// How fresh the page must be.
    #[serde(default)]
    #[param(inline)]
    consistency: Consistency,
}

/// Which way a list goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Direction {
    /// The latest order first.
    #[default]
    Newest,
    /// The first order first.
    Oldest,
}

/// What a page is asked for.
#[derive(Clone, Copy)]
struct Page {
    filter: StatusFilter,
    limit: usize,
    cursor: Option<u64>,
    direction: Direction,
}

/// Orders by number, and how far the archive was looked at.
struct Found {
    orders: BTreeMap<u64, OrderView>,
    looked_upto: Option<u64>,
}

/// `GET /v1/orders`: a page of orders, open and ended.
///
/// A page may be short and have a next one: go on while `next` is there.
#[utoipa::path(get, path = "/v1/orders", operation_id = "list_orders", tag = "orders", params(ListQuery),
    responses((status = 200, body = OrderPage), (status = 503, description = "storage")))]
pub async fn list(State(api): State<Api>, Query(query): Query<ListQuery>) -> Result<Answer<OrderPage>, Problem> {
    let filter = query.status.as_deref().map_or(Ok(StatusFilter::All), str::parse);
    let filter = filter.map_err(|e| Problem::new(Kind::BadQuery, e))?;
    let limit = page_limit(query.limit, 50, PAGE_MAX)?;
    let page = Page { filter, limit, cursor: query.cursor, direction: query.order };
    // Open ones first: what ends in between is found in both, and never in neither.
    let open = api.read(query.consistency, |kitchen, now| page.open(kitchen, now)).await?;
    if filter.is_open_only() {
        return Ok(open.map(|orders| page.cut(Found { orders, looked_upto: None })));
    }
    api.wait_until_written(open.index).await?;
    let reader = api.clone();
    let ended = tokio::task::spawn_blocking(move || page.ended(&reader)).await.map_err(Problem::storage)??;
    Ok(open.map(|mut orders| {
        orders.extend(ended.orders);
        page.cut(Found { orders, looked_upto: ended.looked_upto })
    }))
}

impl Page {
    fn is_behind_cursor(&self, number: u64) -> bool {
        match self.direction {
            Direction::Newest => self.cursor.is_none_or(|cursor| number < cursor),
            Direction::Oldest => self.cursor.is_none_or(|cursor| number > cursor),
        }
    }

    fn open(&self, kitchen: &Kitchen, now: Millis) -> BTreeMap<u64, OrderView> {
        let mut orders: Vec<_> = kitchen
            .orders()
            .filter(|o| self.filter.matches(o.status) && self.is_behind_cursor(o.number))
            .map(|o| (o.number, o))
            .collect();
        orders.sort_unstable_by_key(|(number, _)| *number);
        if self.direction == Direction::Newest {
            orders.reverse();
        }
        orders.truncate(self.limit + 1);
        orders.into_iter().map(|(number, order)| (number, OrderView::open(order, kitchen, now))).collect()
    }

    fn ended(&self, api: &Api) -> Result<Found, Problem> {
        let mut found = Found { orders: BTreeMap::new(), looked_upto: None };
        let mut key = self.first_key();
        for _ in 0..LOOKED_AT_MAX / self.limit.max(100) {
            let rows = self.rows(api, &key)?;
            let Some(last) = rows.last().map(|(key, _)| key.clone()) else {
                found.looked_upto = None;
                return Ok(found);
            };
            for (key, value) in rows {
                let Some(number) = number_of(&key) else {
                    // Behind the last number: the archive is at its end.
                    found.looked_upto = None;
                    return Ok(found);
                };
                found.looked_upto = Some(number);
                found.add(api, number, &value, self.filter)?;
                if found.orders.len() > self.limit {
                    return Ok(found);
                }
            }
            key = last;
        }
        Ok(found)
    }

    /// Pages go on strictly behind this key.
    fn first_key(&self) -> Vec<u8> {
        match (self.direction, self.cursor) {
            (_, Some(cursor)) => archive_number_key(cursor),
            (Direction::Newest, None) => b"n0".to_vec(),
            (Direction::Oldest, None) => b"n/".to_vec(),
        }
    }

    fn rows(&self, api: &Api, key: &[u8]) -> Result<Vec<ArchiveRow>, Problem> {
        let limit = self.limit.max(100);
        let rows = match self.direction {
            Direction::Newest => api.node().archive_page_back(Some(key), limit),
            Direction::Oldest => api.node().archive_page(Some(key), limit),
        };
        rows.map_err(Problem::storage)
    }

    fn cut(&self, found: Found) -> OrderPage {
        let mut items: Vec<OrderView> = found.orders.into_values().collect();
        if self.direction == Direction::Newest {
            items.reverse();
        }
        let more = items.len() > self.limit;
        items.truncate(self.limit);
        let last = items.last().map(|o| o.number);
        // Not more than the archive was looked at, or orders behind that would be skipped.
        let next = if more { last } else { found.looked_upto };
        OrderPage { items, next: next.map(|number| number.to_string()) }
    }
}

impl Found {
    fn add(&mut self, api: &Api, number: u64, id: &[u8], filter: StatusFilter) -> Result<(), Problem> {
        let id = std::str::from_utf8(id).ok().and_then(|id| id.parse::<OrderId>().ok());
        let id = id.ok_or_else(|| Problem::storage(format!("the archive's number {number} leads to no id")))?;
        // One that was given back to the backend and came again has another number by now.
        let is_it = |a: &ArchivedOrder| a.order.number == number && filter.matches(a.order.status);
        if let Some(archived) = api.archived(&id)?.filter(is_it) {
            self.orders.insert(number, OrderView::archived(&archived));
        }
        Ok(())
    }
}

fn number_of(key: &[u8]) -> Option<u64> {
    let number = key.strip_prefix(b"n/")?;
    Some(u64::from_be_bytes(number.try_into().ok()?))
}
