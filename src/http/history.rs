//! What was tried for an order.

use axum::extract::State;

use crate::kitchen::OrderId;

use super::Api;
use super::answer::Answer;
use super::extract::{Id, Plain, Query};
use super::problems::Problem;
use super::views::history::HistoryView;

/// `GET /v1/orders/{id}/history`.
pub async fn show(
    State(api): State<Api>,
    Id(id): Id<OrderId>,
    Query(query): Query<Plain>,
) -> Result<Answer<HistoryView>, Problem> {
    let open = |order: &_, kitchen: &_, _| HistoryView::open(order, kitchen);
    api.find(query.consistency, &id, open, HistoryView::archived).await
}
