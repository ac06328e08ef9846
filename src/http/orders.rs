//! Orders: placing, showing, cancelling, collecting. `list` has the pages, `history` what was tried.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::defect;
use crate::kitchen::order::archive_key;
use crate::kitchen::rows::decode;
use crate::kitchen::{ArchivedOrder, Command, Kitchen, Millis, NewOrder, Order, OrderId, RecipeId, Refusal, Reply};
use crate::protocol::Id as IdText;

use super::Api;
use super::answer::Answer;
use super::asker::{Asker, Word};
use super::extract::{Consistency, Id, Json, MaybeJson, Plain, Query, key_of};
use super::problems::{Kind, Problem};
use super::views::order::OrderView;

/// An order as its client states it; its id is in the path or in the key.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "items": ["margherita", "funghi"], "priority": 0, "promise_ms": 1_800_000 })))]
pub struct NewOrderBody {
    /// One recipe for each pizza: as many as the settings' `pizzas_per_order_max` allows.
    #[schema(value_type = Vec<IdText>, min_items = 1, max_items = 1_000)]
    pub(super) items: Vec<RecipeId>,
    /// Higher goes first.
    #[serde(default)]
    #[schema(minimum = -128, maximum = 127)]
    pub(super) priority: i8,
    /// Ready within so many milliseconds; the site's promise if it is missing.
    #[serde(default)]
    #[schema(value_type = Option<u64>, maximum = 86_400_000)]
    pub(super) promise_ms: Option<Millis>,
}

/// `PUT /v1/orders/{id}`: an order is placed, under its client's id.
///
/// 201 the first time, 200 when the same is asked again: safe to repeat.
#[utoipa::path(put, path = "/v1/orders/{id}", operation_id = "place_order", tag = "orders", params(("id" = IdText, Path, description = "The client's id for the order.")),
    request_body = NewOrderBody,
    responses((status = 201, body = OrderView, description = "It is accepted.", headers(("location" = String, description = "Where the order is."))),
    (status = 200, body = OrderView, description = "The same was accepted before.", headers(("location" = String, description = "Where the order is."))),
    (status = 422, description = "unknown-recipe, idempotency-key-reused"), (status = 429, description = "capacity-exceeded"),
    (status = 503, description = "kitchen-draining, time-limit, storage"), (status = 507, description = "storage-low")))]
pub async fn place(
    State(api): State<Api>,
    asker: Asker,
    Id(id): Id<OrderId>,
    Json(body): Json<NewOrderBody>,
) -> Result<Response, Problem> {
    api.refuse_without_room(&id)?;
    let NewOrderBody { items, priority, promise_ms } = body;
    let new = NewOrder { id: id.clone(), items, priority, promise_ms };
    let created = match api.write(asker.asked()?, Command::PlaceOrder(new)).await? {
        Reply::Placed { created, .. } => created,
        Reply::Done | Reply::Unchanged | Reply::InCharge { .. } | Reply::Refused(_) => false,
    };
    if defect::is("answer-before-commit") {
        // Nobody has it yet, so it can't be shown.
        return Ok(StatusCode::CREATED.into_response());
    }
    let mut answer = api.find_here(&id, OrderView::open, OrderView::archived).await?;
    answer.status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = answer.into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/orders/{id}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// `POST /v1/orders`: the same, with the id in the header Idempotency-Key.
///
/// 201 the first time, 200 when the same is asked again: safe to repeat with the same key.
#[utoipa::path(post, path = "/v1/orders", operation_id = "place_order_by_key", tag = "orders",
    params(("Idempotency-Key" = IdText, Header, description = "An id of the client's choice, which names the order: the same for every repetition.")),
    request_body = NewOrderBody,
    responses((status = 201, body = OrderView, description = "It is accepted.", headers(("location" = String, description = "Where the order is."))),
    (status = 200, body = OrderView, description = "The same was accepted before.", headers(("location" = String, description = "Where the order is."))),
    (status = 400, description = "missing-idempotency-key, bad-id"), (status = 422, description = "unknown-recipe, idempotency-key-reused"),
    (status = 429, description = "capacity-exceeded"), (status = 503, description = "kitchen-draining, time-limit, storage"), (status = 507, description = "storage-low")))]
pub async fn create(
    state: State<Api>,
    asker: Asker,
    headers: HeaderMap,
    body: Result<Json<NewOrderBody>, Problem>,
) -> Result<Response, Problem> {
    let id = key_of(&headers, "order")?;
    place(state, asker, Id(id), body?).await
}

/// `GET /v1/orders/{id}`: one order with its pizzas, open or ended.
#[utoipa::path(get, path = "/v1/orders/{id}", operation_id = "show_order", tag = "orders",
    params(("id" = IdText, Path, description = "The client's id for the order."), Plain),
    responses((status = 200, body = OrderView), (status = 404, description = "unknown-order"), (status = 503, description = "storage")))]
pub async fn show(
    State(api): State<Api>,
    Id(id): Id<OrderId>,
    Query(query): Query<Plain>,
) -> Result<Answer<OrderView>, Problem> {
    api.find(query.consistency, &id, OrderView::open, OrderView::archived).await
}

/// `DELETE /v1/orders/{id}`: the order is taken back, as by its cancellation.
#[utoipa::path(delete, path = "/v1/orders/{id}", operation_id = "withdraw_order", tag = "orders", params(("id" = IdText, Path, description = "The client's id for the order.")),
    request_body = Option<Word>, responses((status = 200, body = OrderView, description = "It is cancelled."), (status = 404, description = "unknown-order"),
    (status = 409, description = "point-of-no-return"), (status = 503, description = "time-limit, storage")))]
pub async fn withdraw(
    state: State<Api>,
    asker: Asker,
    id: Id<OrderId>,
    said: MaybeJson<Word>,
) -> Result<Answer<OrderView>, Problem> {
    cancel(state, asker, id, said).await
}

/// `POST /v1/orders/{id}/cancellation`: the order is taken back.
#[utoipa::path(post, path = "/v1/orders/{id}/cancellation", operation_id = "cancel_order", tag = "orders", params(("id" = IdText, Path, description = "The client's id for the order.")),
    request_body = Option<Word>, responses((status = 200, body = OrderView, description = "It is cancelled."), (status = 404, description = "unknown-order"),
    (status = 409, description = "point-of-no-return"), (status = 503, description = "time-limit, storage")))]
pub async fn cancel(
    State(api): State<Api>,
    asker: Asker,
    Id(id): Id<OrderId>,
    MaybeJson(said): MaybeJson<Word>,
) -> Result<Answer<OrderView>, Problem> {
    let asked = asker.says(&said)?;
    let reason = if asked.reason.is_empty() { format!("cancelled by {}", asked.actor) } else { asked.reason.clone() };
    api.write(asked, Command::CancelOrder { order: id.clone(), reason }).await?;
    api.find_here(&id, OrderView::open, OrderView::archived).await
}

/// `POST /v1/orders/{id}/collection`: the order was handed out.
#[utoipa::path(post, path = "/v1/orders/{id}/collection", operation_id = "collect_order", tag = "orders", params(("id" = IdText, Path, description = "The client's id for the order.")),
    request_body = Option<Word>, responses((status = 200, body = OrderView, description = "It is collected."), (status = 404, description = "unknown-order"),
    (status = 409, description = "not-ready"), (status = 503, description = "time-limit, storage")))]
pub async fn collect(
    State(api): State<Api>,
    asker: Asker,
    Id(id): Id<OrderId>,
    MaybeJson(said): MaybeJson<Word>,
) -> Result<Answer<OrderView>, Problem> {
    api.write(asker.says(&said)?, Command::CollectOrder { order: id.clone() }).await?;
    api.find_here(&id, OrderView::open, OrderView::archived).await
}

impl Api {
    /// An order, open or archived, as fresh as asked.
    pub(super) async fn find<T>(
        &self,
        consistency: Consistency,
        id: &OrderId,
        open: impl FnOnce(&Order, &Kitchen, Millis) -> T,
        ended: impl FnOnce(&ArchivedOrder) -> T,
    ) -> Result<Answer<T>, Problem> {
        let staleness = self.read(consistency, |_, _| ()).await?.staleness;
        let found = self.find_here(id, open, ended).await?;
        Ok(Answer { staleness, ..found })
    }

    /// An order, open or archived, as it is here.
    pub(super) async fn find_here<T>(
        &self,
        id: &OrderId,
        open: impl FnOnce(&Order, &Kitchen, Millis) -> T,
        ended: impl FnOnce(&ArchivedOrder) -> T,
    ) -> Result<Answer<T>, Problem> {
        let seen = self.look(|kitchen, now| kitchen.order(id).map(|order| open(order, kitchen, now)));
        if seen.body.is_some() {
            return seen.or(|| unknown(id));
        }
        // It may have ended a moment ago.
        self.wait_until_written(seen.index).await?;
        let archived = self.archived(id)?;
        seen.map(|_| archived.as_ref().map(ended)).or(|| unknown(id))
    }

    /// A full disk would end this replica in the middle of what it has promised already. An order that is known gets its answer again.
    fn refuse_without_room(&self, id: &OrderId) -> Result<(), Problem> {
        let space = self.node().space_for_an_order();
        let is_known = || self.node().with_kitchen(|kitchen| kitchen.order(id).is_some());
        if !space.is_low() || is_known() || self.archived(id)?.is_some() {
            return Ok(());
        }
        let detail = "the disk of the replica in charge is nearly full: what was accepted is finished, and new orders wait until there is room";
        let problem = Problem::new(Kind::StorageLow, detail).retry_after(30);
        Err(problem.with("free_bytes", space.free_bytes).with("free_min_bytes", space.free_min_bytes))
    }

    /// An order that ended.
    pub(super) fn archived(&self, id: &OrderId) -> Result<Option<ArchivedOrder>, Problem> {
        let bytes = self.node().archive_get(&archive_key(id)).map_err(Problem::storage)?;
        bytes.map(|bytes| decode(&bytes).map_err(Problem::storage)).transpose()
    }
}

fn unknown(id: &OrderId) -> Problem {
    Refusal::UnknownOrder { order: id.clone() }.into()
}
