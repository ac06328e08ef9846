//! The exchange, as kitchens reach it in pull mode.

use axum::Json as JsonBody;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::backend::store::{Holder, Role};
use crate::backend::{Backend, Waiting};
use crate::protocol;
use crate::protocol::exchange::{ExchangeAnswer, ExchangeRequest};

use super::extract::{Caller, Id, Json, Query, forbidden};
use super::problems::Problem;

/// `?wait_ms=N`.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExchangeQuery {
    /// For how long the answer may wait for something to tell: at most 30000, and less where the lease is short.
    #[serde(default)]
    wait_ms: u64,
}

/// `POST /v1/kitchens/{id}/exchange`: that kitchen's token only. docs/backend-protocol.md is the contract.
#[utoipa::path(post, path = "/v1/kitchens/{id}/exchange", operation_id = "exchange", tag = "kitchens", params(("id" = protocol::Id, Path, description = "The kitchen's id."), ExchangeQuery),
    request_body = ExchangeRequest, responses((status = 200, body = ExchangeAnswer, description = "docs/backend-protocol.md is the contract."), (status = 404, description = "unknown-kitchen")))]
pub async fn exchange(
    State(backend): State<Backend>,
    Caller(caller): Caller,
    Id(kitchen): Id,
    Query(query): Query<ExchangeQuery>,
    Json(request): Json<ExchangeRequest>,
) -> Result<JsonBody<ExchangeAnswer>, Problem> {
    refuse_others(&caller, &kitchen)?;
    Ok(JsonBody(backend.exchange(&kitchen, &request, Waiting::UpTo(query.wait_ms)).await?))
}

fn refuse_others(caller: &Holder, kitchen: &protocol::Id) -> Result<(), Problem> {
    match caller.role {
        Role::Kitchen if caller.name == kitchen.as_str() => Ok(()),
        Role::Kitchen | Role::Client | Role::Operator => Err(forbidden(caller, &format!("kitchen {kitchen}"))),
    }
}
