//! Questions to people, their answers, and devices that failed too often.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::kitchen::{Command, Refusal};

use super::Api;
use super::answer::Answer;
use super::asker::{Asker, Word};
use super::extract::{Consistency, Id, Json, Plain, Query};
use super::problems::{Kind, Problem};
use super::views::Items;
use super::views::incident::{DecisionBody, EscalationView, IncidentView};

/// `?open=true`.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only those that wait for an answer, or only those that have one.
    #[serde(default)]
    open: Option<bool>,
    /// How fresh the answer must be.
    #[serde(default)]
    #[param(inline)]
    consistency: Consistency,
}

/// `GET /v1/incidents`: questions to people.
#[utoipa::path(get, path = "/v1/incidents", operation_id = "list_incidents", tag = "people", params(ListQuery), responses((status = 200, body = Items<IncidentView>)))]
pub async fn list(State(api): State<Api>, Query(q): Query<ListQuery>) -> Result<Answer<Items<IncidentView>>, Problem> {
    let read = api.read(q.consistency, |kitchen, now| {
        let incidents = kitchen.incidents().filter(|i| q.open.is_none_or(|open| open == i.answer.is_none()));
        incidents.map(|i| IncidentView::of(i, now)).collect()
    });
    Ok(read.await?.map(|items| Items { items }))
}

/// `POST /v1/incidents/{id}/decision`: a person's word, on record.
#[utoipa::path(post, path = "/v1/incidents/{id}/decision", operation_id = "decide_incident", tag = "people",
    params(("id" = u64, Path, description = "The incident's number.")), request_body = DecisionBody,
    responses((status = 200, body = IncidentView), (status = 404, description = "unknown-incident, unknown-device")))]
pub async fn decide(
    State(api): State<Api>,
    asker: Asker,
    Id(id): Id<u64>,
    Json(body): Json<DecisionBody>,
) -> Result<Answer<IncidentView>, Problem> {
    let decision = body.decision().ok_or_else(|| {
        let detail = "on_device, and only on_device, needs a place: {\"device\": …, \"lane\": …}";
        Problem::new(Kind::Invalid, detail)
    })?;
    if body.actor.trim().is_empty() || body.reason.trim().is_empty() {
        return Err(Problem::new(Kind::Invalid, "a decision is on record: name actor and reason"));
    }
    let asked = asker.says(&Word { actor: Some(body.actor), reason: Some(body.reason) })?;
    let (actor, reason) = (asked.actor.clone(), asked.reason.clone());
    api.write(asked, Command::DecideIncident { incident: id, decision, actor, reason }).await?;
    let seen = api.look(|kitchen, now| kitchen.incidents().find(|i| i.id == id).map(|i| IncidentView::of(i, now)));
    seen.or(|| Refusal::UnknownIncident { incident: id }.into())
}

/// `GET /v1/escalations`: devices that failed too often.
#[utoipa::path(get, path = "/v1/escalations", operation_id = "list_escalations", tag = "people", params(Plain), responses((status = 200, body = Items<EscalationView>)))]
pub async fn escalations(
    State(api): State<Api>,
    Query(query): Query<Plain>,
) -> Result<Answer<Items<EscalationView>>, Problem> {
    let read = api.read(query.consistency, |kitchen, now| {
        kitchen.escalations().map(|(id, e)| EscalationView::of(*id, e, now)).collect()
    });
    Ok(read.await?.map(|items| Items { items }))
}
