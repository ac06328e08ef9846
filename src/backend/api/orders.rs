//! Orders: placing, showing, cancelling, quoting, and an operator's decision. `list` has the pages, `follow` the waiting.

use axum::Json as JsonBody;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::backend::Backend;
use crate::backend::new_order::NewOrder;
use crate::backend::order::{Verdict, Why};
use crate::backend::store::OrderRow;
use crate::clock::wall_ms;
use crate::protocol;

use super::extract::{Client, Id, Json, MaybeJson, Operator, Query};
use super::follow;
use super::problems::{Kind, Problem};
use super::views::{HistoryView, OrderView};

/// `PUT /v1/orders/{id}`: 201 the first time, 200 when the same is asked again.
#[utoipa::path(put, path = "/v1/orders/{id}", operation_id = "place_order", tag = "orders", params(("id" = protocol::Id, Path, description = "The client's id for the order.")),
    request_body = NewOrder, responses((status = 201, body = OrderView), (status = 200, body = OrderView),
    (status = 422, description = "unknown-recipe, idempotency-key-reused"), (status = 429, description = "capacity-exceeded"), (status = 503, description = "no-kitchen")))]
pub async fn place(
    State(backend): State<Backend>,
    Client(client): Client,
    Id(id): Id,
    Json(body): Json<NewOrder>,
) -> Result<Response, Problem> {
    if let Some(fault) = body.fault() {
        return Err(Problem::new(Kind::Invalid, fault));
    }
    let (row, created) = backend.place(id, body, &client.name).await?;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = (status, JsonBody(OrderView::of(&row, wall_ms()))).into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/orders/{}", row.id)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// `POST /v1/orders`: the same, with the id in the header Idempotency-Key.
#[utoipa::path(post, path = "/v1/orders", operation_id = "place_order_by_key", tag = "orders", params(("Idempotency-Key" = protocol::Id, Header, description = "names the order")),
    request_body = NewOrder, responses((status = 201, body = OrderView), (status = 200, body = OrderView), (status = 400, description = "missing-idempotency-key, bad-id"), (status = 422, description = "unknown-recipe, idempotency-key-reused"), (status = 429, description = "capacity-exceeded"), (status = 503, description = "no-kitchen")))]
pub async fn create(
    state: State<Backend>,
    client: Client,
    headers: HeaderMap,
    body: Json<NewOrder>,
) -> Result<Response, Problem> {
    let key = headers.get("idempotency-key").and_then(|v| v.to_str().ok()).map(|v| v.trim().trim_matches('"'));
    let key = key.ok_or_else(|| {
        let detail = "send the header idempotency-key with an id of your choice, and repeat it when you try again: it names the order";
        Problem::new(Kind::MissingIdempotencyKey, detail)
    })?;
    let id = key.parse().map_err(|e| Problem::new(Kind::BadId, e))?;
    place(state, client, Id(id), body).await
}

/// `?after_revision=N&wait=SECONDS`.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ShowQuery {
    /// Waits until the order's revision is larger.
    #[serde(default)]
    after_revision: Option<u64>,
    /// For so many seconds at most: 0 to 60.
    #[serde(default)]
    #[param(maximum = 60)]
    wait: Option<u64>,
}

/// `GET /v1/orders/{id}`: one order, or its next change.
#[utoipa::path(get, path = "/v1/orders/{id}", operation_id = "show_order", tag = "orders", params(("id" = protocol::Id, Path, description = "The client's id for the order."), ShowQuery), responses((status = 200, body = OrderView), (status = 404, description = "unknown-order")))]
pub async fn show(
    State(backend): State<Backend>,
    Client(_): Client,
    Id(id): Id,
    Query(query): Query<ShowQuery>,
) -> Result<JsonBody<OrderView>, Problem> {
    let wait_s = query.wait.unwrap_or(0);
    if wait_s > follow::WAIT_S_MAX {
        return Err(Problem::new(Kind::BadQuery, format!("wait is at most {} seconds", follow::WAIT_S_MAX)));
    }
    let row = match query.after_revision {
        Some(revision) => follow::wait_for(&backend, &id, revision, wait_s).await?,
        None => find(&backend, &id).await?,
    };
    Ok(JsonBody(OrderView::of(&row, wall_ms())))
}

/// Who asks for something, and why: for the record.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Word {
    /// Who; the token's name if it is missing.
    #[serde(default)]
    pub actor: Option<String>,
    /// Why; at most 200 characters.
    #[serde(default)]
    pub reason: Option<String>,
}

/// `POST /v1/orders/{id}/cancellation`: the order is taken back.
#[utoipa::path(post, path = "/v1/orders/{id}/cancellation", operation_id = "cancel_order", tag = "orders", params(("id" = protocol::Id, Path, description = "The client's id for the order.")), request_body(content = Option<Word>),
    responses((status = 200, body = OrderView, description = "cancelled, or asked of the kitchen"), (status = 404, description = "unknown-order"), (status = 409, description = "point-of-no-return")))]
pub async fn cancel(
    State(backend): State<Backend>,
    Client(client): Client,
    Id(id): Id,
    MaybeJson(said): MaybeJson<Word>,
) -> Result<JsonBody<OrderView>, Problem> {
    let reason = said.reason.unwrap_or_else(|| format!("cancelled by {}", said.actor.unwrap_or(client.name)));
    let reason: String = reason.chars().take(200).collect();
    let row = backend.cancel(&id, &reason).await?;
    Ok(JsonBody(OrderView::of(&row, wall_ms())))
}

/// `DELETE /v1/orders/{id}`: the order is taken back, as by its cancellation.
#[utoipa::path(delete, path = "/v1/orders/{id}", operation_id = "withdraw_order", tag = "orders", params(("id" = protocol::Id, Path, description = "The client's id for the order.")), responses((status = 200, body = OrderView), (status = 404, description = "unknown-order"), (status = 409, description = "point-of-no-return")))]
pub async fn withdraw(state: State<Backend>, client: Client, id: Id) -> Result<JsonBody<OrderView>, Problem> {
    cancel(state, client, id, MaybeJson(Word::default())).await
}

/// What happened to an order.
#[derive(Debug, Serialize, ToSchema)]
pub struct Histories {
    /// Oldest first.
    items: Vec<HistoryView>,
}

/// `GET /v1/orders/{id}/history`: what happened to an order, and why it is where it is.
#[utoipa::path(get, path = "/v1/orders/{id}/history", operation_id = "show_order_history", tag = "orders", params(("id" = protocol::Id, Path, description = "The client's id for the order.")), responses((status = 200, body = Histories), (status = 404, description = "unknown-order")))]
pub async fn history(
    State(backend): State<Backend>,
    Client(_): Client,
    Id(id): Id,
) -> Result<JsonBody<Histories>, Problem> {
    let row = find(&backend, &id).await?;
    let lines = backend.store().history(&id).await?;
    Ok(JsonBody(Histories { items: lines.iter().map(|line| HistoryView::of(line, row.placed_wall)).collect() }))
}

/// What an operator decides about an order that is begun in a kitchen out of reach.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// What.
    decision: Decided,
    /// Who; the token's name if it is missing.
    #[serde(default)]
    actor: Option<String>,
    /// Why; at most 200 characters.
    #[serde(default)]
    reason: Option<String>,
}

/// The two ways.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decided {
    /// It is given up: the client is told that it failed.
    Fail,
    /// The kitchen may still come back.
    Wait,
}

/// `POST /v1/orders/{id}/decision`: an operator's word about an order that is begun in a kitchen out of reach.
#[utoipa::path(post, path = "/v1/orders/{id}/decision", operation_id = "decide_order", tag = "orders", params(("id" = protocol::Id, Path, description = "The client's id for the order.")), request_body = Decision,
    responses((status = 200, body = OrderView), (status = 404, description = "unknown-order"), (status = 409, description = "order-state")))]
pub async fn decide(
    State(backend): State<Backend>,
    Operator(operator): Operator,
    Id(id): Id,
    Json(said): Json<Decision>,
) -> Result<JsonBody<OrderView>, Problem> {
    let row = match said.decision {
        Decided::Wait => find(&backend, &id).await?,
        Decided::Fail => {
            let reason = said.reason.unwrap_or_else(|| "given up by an operator".to_owned());
            let reason: String = reason.chars().take(200).collect();
            let text = format!("{reason} ({})", said.actor.unwrap_or(operator.name));
            let (row, verdict) = backend.fail(&id, &text).await?.ok_or_else(|| unknown(&id))?;
            refuse(&row, &verdict)?;
            row
        }
    };
    Ok(JsonBody(OrderView::of(&row, wall_ms())))
}

fn refuse(row: &OrderRow, verdict: &Verdict) -> Result<(), Problem> {
    match verdict {
        Verdict::Change(_) | Verdict::Unchanged(Why::AlreadySo) => Ok(()),
        Verdict::Unchanged(
            Why::Behind | Why::NotTheirs | Why::Ended | Why::NotWaiting | Why::Begun | Why::NotBegun,
        ) => {
            let state = row.standing.state.as_str();
            let detail = format!("order {} is {state}: only what is STARTING or IN_PROGRESS can be given up", row.id);
            Err(Problem::new(Kind::OrderState, detail).with("order_status", state))
        }
    }
}

/// When such an order would be ready, and where.
#[derive(Debug, Serialize, ToSchema)]
pub struct QuoteView {
    /// The kitchen that would get it.
    kitchen: String,
    /// Ready there in so much, in 95 of 100 cases.
    ready_in_ms: u64,
    /// With the client in so much.
    there_in_ms: u64,
    /// Within the promise.
    in_time: bool,
    /// How many kitchens could take it.
    able: u64,
}

/// `POST /v1/quotes`: when and where an order would be ready, without ordering.
#[utoipa::path(post, path = "/v1/quotes", operation_id = "quote_order", tag = "orders", request_body = NewOrder, responses((status = 200, body = QuoteView), (status = 422, description = "unknown-recipe"), (status = 429, description = "capacity-exceeded"), (status = 503, description = "no-kitchen")))]
pub async fn quote(
    State(backend): State<Backend>,
    Client(_): Client,
    Json(body): Json<NewOrder>,
) -> Result<JsonBody<QuoteView>, Problem> {
    if let Some(fault) = body.fault() {
        return Err(Problem::new(Kind::Invalid, fault));
    }
    let choice = backend.quote(&body)?;
    let numbers = choice.why.numbers;
    Ok(JsonBody(QuoteView {
        kitchen: choice.kitchen.to_string(),
        ready_in_ms: numbers.ready_ms,
        there_in_ms: numbers.ready_ms + numbers.travel_ms,
        in_time: numbers.late_ms == 0,
        able: choice.why.able,
    }))
}

/// The order, or a problem.
pub(super) async fn find(backend: &Backend, id: &protocol::Id) -> Result<OrderRow, Problem> {
    backend.store().order(id).await?.ok_or_else(|| unknown(id))
}

pub(super) fn unknown(id: &protocol::Id) -> Problem {
    Problem::new(Kind::UnknownOrder, format!("no order {id} was placed here")).with("order", id.as_str())
}
