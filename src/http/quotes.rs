//! Questions that change nothing: when would an order be ready, and why is a device idle or a pizza waiting.

use axum::extract::State;

use crate::kitchen::command::PROMISE_MS_MAX;
use crate::kitchen::{DeviceId, Kitchen, Millis, PizzaId, Refusal};
use crate::protocol::Id as IdText;

use super::Api;
use super::answer::Answer;
use super::extract::{Consistency, Id, Json, PizzaPath, Plain, Query};
use super::orders::NewOrderBody;
use super::problems::{Kind, Problem};
use super::views::Items;
use super::views::quote::{QuoteView, WhyView};

/// The path: a quote changes nothing, though it is a POST.
pub const PATH: &str = "/v1/quotes";

/// `POST /v1/quotes`: when an order would be ready. Nothing is reserved.
#[utoipa::path(post, path = "/v1/quotes", operation_id = "quote_order", tag = "orders", request_body = NewOrderBody,
    responses((status = 200, body = QuoteView), (status = 422, description = "unknown-recipe"), (status = 503, description = "kitchen-out-of-order")))]
pub async fn quote(State(api): State<Api>, Json(body): Json<NewOrderBody>) -> Result<Answer<QuoteView>, Problem> {
    if body.items.is_empty() || body.items.len() > 1_000 {
        let detail = format!("a quote is for 1 to 1000 pizzas, this one names {}", body.items.len());
        return Err(Problem::new(Kind::Invalid, detail));
    }
    if body.promise_ms.is_some_and(|ms| ms > PROMISE_MS_MAX) {
        return Err(Problem::new(Kind::Invalid, format!("promise_ms is at most a day: {PROMISE_MS_MAX}")));
    }
    api.read(Consistency::Linearizable, |kitchen, now| quoted(&body, kitchen, now)).await?.settled()
}

fn quoted(body: &NewOrderBody, kitchen: &Kitchen, now: Millis) -> Result<QuoteView, Problem> {
    if let Some(recipe) = body.items.iter().find(|id| kitchen.recipe(id).is_none()) {
        return Err(Refusal::UnknownRecipe { recipe: recipe.clone() }.into());
    }
    let promise_ms = body.promise_ms.unwrap_or(kitchen.settings().promise_ms);
    let quote = kitchen.quote(&body.items, body.priority, body.promise_ms);
    let quote = quote.ok_or_else(|| {
        let detail = format!("the kitchen is {}: see /v1/kitchen", kitchen.status().text());
        Problem::new(Kind::KitchenOutOfOrder, detail).retry_after(30)
    })?;
    Ok(QuoteView::of(quote, promise_ms, kitchen, now))
}

/// `GET /v1/devices/{id}/explanation`: what a device does, or why it does nothing.
#[utoipa::path(get, path = "/v1/devices/{id}/explanation", operation_id = "explain_device", tag = "devices",
    params(("id" = IdText, Path, description = "The device's id."), Plain),
    responses((status = 200, body = Items<WhyView>), (status = 404, description = "unknown-device")))]
pub async fn explain_device(
    State(api): State<Api>,
    Id(id): Id<DeviceId>,
    Query(query): Query<Plain>,
) -> Result<Answer<Items<WhyView>>, Problem> {
    let read = api.read(query.consistency, |kitchen, _| kitchen.explain_device(&id));
    let answer = read.await?.or(|| Refusal::UnknownDevice { device: id.clone() }.into())?;
    Ok(answer.map(|all| Items { items: all.into_iter().map(WhyView::of).collect() }))
}

/// `GET /v1/pizzas/{id}/explanation`: what a pizza of an open order waits for.
#[utoipa::path(get, path = "/v1/pizzas/{id}/explanation", operation_id = "explain_pizza", tag = "orders", params(PizzaPath, Plain),
    responses((status = 200, body = Items<WhyView>), (status = 404, description = "unknown-pizza")))]
pub async fn explain_pizza(
    State(api): State<Api>,
    Id(id): Id<PizzaId>,
    Query(query): Query<Plain>,
) -> Result<Answer<Items<WhyView>>, Problem> {
    let read = api.read(query.consistency, |kitchen, _| kitchen.explain_pizza(id));
    let unknown =
        || Problem::new(Kind::UnknownPizza, format!("no open order has a pizza {id}")).with("pizza", id.to_string());
    let answer = read.await?.or(unknown)?;
    Ok(answer.map(|why| Items { items: vec![WhyView::of(why)] }))
}
