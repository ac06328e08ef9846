//! Single pizzas, open, packed or discarded; and the word of a person who sees that one is bad.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::kitchen::order::archive_number_key;
use crate::kitchen::{ArchivedOrder, Command, Kitchen, Millis, Order, OrderId, PizzaId};

use super::Api;
use super::answer::Answer;
use super::asker::{Asker, Word};
use super::extract::{Id, Json, PizzaPath, Plain, Query};
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

/// Who says that a pizza is bad, and why: both are on record with it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "actor": "ann", "reason": "wrong topping" })))]
pub struct RemakeBody {
    /// Who.
    #[schema(min_length = 1, max_length = 100)]
    actor: String,
    /// What is wrong with it.
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
}

/// `POST /v1/pizzas/{id}/remake`: it is bad: thrown away, and made again.
///
/// The answer is the pizza that replaces it. The id names a generation: safe to repeat.
#[utoipa::path(post, path = "/v1/pizzas/{id}/remake", operation_id = "remake_pizza", tag = "people", params(PizzaPath), request_body = RemakeBody,
    responses((status = 200, body = PizzaView, description = "The pizza that replaces it."), (status = 404, description = "unknown-pizza"),
    (status = 409, description = "nothing-to-remake"), (status = 503, description = "time-limit, storage")))]
pub async fn remake(
    State(api): State<Api>,
    asker: Asker,
    Id(id): Id<PizzaId>,
    Json(body): Json<RemakeBody>,
) -> Result<Answer<PizzaView>, Problem> {
    if body.actor.trim().is_empty() || body.reason.trim().is_empty() {
        return Err(Problem::new(Kind::Invalid, "a remake is on record: name actor and reason"));
    }
    let asked = asker.says(&Word { actor: Some(body.actor), reason: Some(body.reason) })?;
    let (actor, reason) = (asked.actor.clone(), asked.reason.clone());
    api.write(asked, Command::RemakePizza { pizza: id, actor, reason }).await?;
    let seen = api.look(|kitchen, now| find_present(id, kitchen, now));
    if seen.body.is_some() {
        return seen.or(|| unknown(id));
    }
    // Its order may have ended a moment ago.
    api.wait_until_written(seen.index).await?;
    let ended = find_ended(&api, id)?.and_then(|ArchivedOrder { order, pizzas }| {
        let now = order.ended_at.unwrap_or(order.placed_at);
        pizzas.iter().find(|p| p.id.item == id.item).map(|p| PizzaView::of(p, now))
    });
    seen.map(|_| ended).or(|| unknown(id))
}

/// The present generation of an item of an open order.
fn find_present(id: PizzaId, kitchen: &Kitchen, now: Millis) -> Option<PizzaView> {
    let order = kitchen.orders().find(|o| o.number == id.order)?;
    let present = order.pizzas.get(usize::from(id.item))?;
    kitchen.pizza(*present).map(|p| PizzaView::of(p, now))
}

fn find_open(id: PizzaId, kitchen: &Kitchen, now: Millis) -> Option<PizzaView> {
    let present = || kitchen.pizza(id).map(|p| PizzaView::of(p, now));
    let order = || kitchen.orders().find(|o| o.number == id.order);
    present().or_else(|| find_discarded(id, order()?, now))
}

/// The order of a pizza, if it ended.
fn find_ended(api: &Api, id: PizzaId) -> Result<Option<ArchivedOrder>, Problem> {
    let order = api.node().archive_get(&archive_number_key(id.order)).map_err(Problem::storage)?;
    let order = order.and_then(|order| String::from_utf8(order).ok()).and_then(|order| order.parse::<OrderId>().ok());
    Ok(order.map(|o| api.archived(&o)).transpose()?.flatten())
}

fn find_archived(api: &Api, id: PizzaId) -> Result<Option<PizzaView>, Problem> {
    let Some(ArchivedOrder { order, pizzas }) = find_ended(api, id)? else { return Ok(None) };
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
