//! Devices that failed too often, as kitchens escalated them; an operator acknowledges that they are seen to.

use axum::Json as JsonBody;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::backend::Backend;
use crate::backend::store;
use crate::clock::wall_ms;

use super::extract::{Id, MaybeJson, Operator};
use super::orders::Word;
use super::problems::{Kind, Problem};
use super::views::EscalationView;

/// How many are shown.
const LIMIT: u32 = 200;

/// The latest escalations.
#[derive(Debug, Serialize, ToSchema)]
pub struct Escalations {
    /// Newest first.
    items: Vec<EscalationView>,
}

/// `GET /v1/escalations`: devices that failed too often, newest first.
#[utoipa::path(get, path = "/v1/escalations", operation_id = "list_escalations", tag = "operation", responses((status = 200, body = Escalations)))]
pub async fn list(State(backend): State<Backend>, Operator(_): Operator) -> Result<JsonBody<Escalations>, Problem> {
    let items = backend.store().escalations(LIMIT).await?;
    Ok(JsonBody(Escalations { items: items.into_iter().map(EscalationView::of).collect() }))
}

/// `POST /v1/escalations/{id}/acknowledgement`: somebody sees to it.
#[utoipa::path(post, path = "/v1/escalations/{id}/acknowledgement", operation_id = "acknowledge_escalation", tag = "operation", params(("id" = u64, Path, description = "The escalation's number.")), request_body(content = Option<Word>),
    responses((status = 200, body = EscalationView), (status = 404, description = "unknown-escalation")))]
pub async fn acknowledge(
    State(backend): State<Backend>,
    Operator(operator): Operator,
    Id(id): Id,
    MaybeJson(said): MaybeJson<Word>,
) -> Result<JsonBody<EscalationView>, Problem> {
    let unknown = || Problem::new(Kind::UnknownEscalation, format!("no escalation {id}: see /v1/escalations"));
    let seq: u64 = id.as_str().parse().map_err(|_| unknown())?;
    let (who, wall) = (said.actor.unwrap_or(operator.name), wall_ms());
    let escalation = backend
        .store()
        .write(move |c| Box::pin(async move { store::acknowledge(c, seq, &who, wall).await }))
        .await?
        .ok_or_else(unknown)?;
    Ok(JsonBody(EscalationView::of(escalation)))
}
