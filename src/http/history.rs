//! What was tried for an order.

use axum::extract::State;

use crate::kitchen::OrderId;
use crate::protocol::Id as IdText;

use super::Api;
use super::answer::Answer;
use super::extract::{Id, Plain, Query};
use super::problems::Problem;
use super::views::history::HistoryView;

/// `GET /v1/orders/{id}/history`: every attempt and verdict of every pizza made for an order.
#[utoipa::path(get, path = "/v1/orders/{id}/history", operation_id = "show_order_history", tag = "orders",
    params(("id" = IdText, Path, description = "The client's id for the order."), Plain),
    responses((status = 200, body = HistoryView), (status = 404, description = "unknown-order"), (status = 503, description = "storage")))]
pub async fn show(
    State(api): State<Api>,
    Id(id): Id<OrderId>,
    Query(query): Query<Plain>,
) -> Result<Answer<HistoryView>, Problem> {
    let open = |order: &_, kitchen: &_, _| HistoryView::open(order, kitchen);
    api.find(query.consistency, &id, open, HistoryView::archived).await
}
