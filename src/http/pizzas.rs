//! Single pizzas, open, packed or discarded.

use axum::extract::State;

use crate::kitchen::order::archive_number_key;
use crate::kitchen::{ArchivedOrder, Kitchen, Millis, Order, OrderId, PizzaId};

use super::Api;
use super::answer::Answer;
use super::extract::{Id, PizzaPath, Plain, Query};
use super::problems::{Kind, Problem};
use super::views::pizza::PizzaView;

/// `GET /v1/pizzas/{id}`: one pizza: where it is, when it is baked, when it burns.
#[utoipa::path(get, path = "/v1/pizzas/{id}", operation_id = "show_pizza", tag = "orders", params(PizzaPath, Plain),
    responses((status = 200, body = PizzaView), (status = 404, description = "unknown-pizza"), (status = 503, description = "storage")))]
pub async fn show(
    State(api): State<Api>,
    Id(id): Id<PizzaId>,
    Query(query): Query<Plain>,
) -> Result<Answer<PizzaView>, Problem> {
    let seen = api.read(query.consistency, |kitchen, now| find_open(id, kitchen, now)).await?;
    if seen.body.is_some() {
        return seen.or(|| unknown(id));
    }
    api.wait_until_written(seen.index).await?;
    let archived = find_archived(&api, id)?;
    seen.map(|_| archived).or(|| unknown(id))
}

fn find_open(id: PizzaId, kitchen: &Kitchen, now: Millis) -> Option<PizzaView> {
    let present = || kitchen.pizza(id).map(|p| PizzaView::of(p, now));
    let order = || kitchen.orders().find(|o| o.number == id.order);
    present().or_else(|| find_discarded(id, order()?, now))
}

fn find_archived(api: &Api, id: PizzaId) -> Result<Option<PizzaView>, Problem> {
    let order = api.node().archive_get(&archive_number_key(id.order)).map_err(Problem::storage)?;
    let order = order.and_then(|order| String::from_utf8(order).ok()).and_then(|order| order.parse::<OrderId>().ok());
    let Some(ArchivedOrder { order, pizzas }) = order.map(|o| api.archived(&o)).transpose()?.flatten() else {
        return Ok(None);
    };
    let now = order.ended_at.unwrap_or(order.placed_at);
    let present = pizzas.iter().find(|p| p.id == id).map(|p| PizzaView::of(p, now));
    Ok(present.or_else(|| find_discarded(id, &order, now)))
}

fn find_discarded(id: PizzaId, order: &Order, now: Millis) -> Option<PizzaView> {
    order.discarded.iter().find(|d| d.pizza == id).map(|d| PizzaView::discarded(d, order, now))
}

fn unknown(id: PizzaId) -> Problem {
    Problem::new(Kind::UnknownPizza, format!("there is no pizza {id}: an order names its pizzas"))
        .with("pizza", id.to_string())
}
