//! The kitchen as a whole: status, load, drain and hold, and counts.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::kitchen::{Command, Kitchen, Millis};

use super::Api;
use super::answer::Answer;
use super::asker::{Asker, Word};
use super::extract::{MaybeJson, Plain, Query, at_most};
use super::problems::Problem;
use super::views::kitchen::{Backlog, KitchenView, StatisticsView};

/// `GET /v1/kitchen`: the kitchen's status, capacity, load, and the rate beside what its line could keep up.
#[utoipa::path(get, path = "/v1/kitchen", operation_id = "show_kitchen", tag = "kitchen", params(Plain), responses((status = 200, body = KitchenView)))]
pub async fn show(State(api): State<Api>, Query(query): Query<Plain>) -> Result<Answer<KitchenView>, Problem> {
    let read = api.read(query.consistency, |kitchen, now| view(&api, kitchen, now));
    Ok(read.await?.map(with_limit))
}

fn view(api: &Api, kitchen: &Kitchen, now: Millis) -> (KitchenView, Backlog) {
    (KitchenView::of(&api.sources().cluster.kitchen, kitchen, now), Backlog::of(kitchen, now))
}

/// Reckoned after the kitchen was released: it sorts all that is queued.
fn with_limit((view, backlog): (KitchenView, Backlog)) -> KitchenView {
    KitchenView { limit: backlog.limit(), rate: backlog.rate(), ..view }
}

fn show_here(api: &Api) -> Answer<KitchenView> {
    api.look(|kitchen, now| view(api, kitchen, now)).map(with_limit)
}

/// `POST /v1/kitchen/drain`: the kitchen finishes what it has, and takes no new orders.
#[utoipa::path(post, path = "/v1/kitchen/drain", operation_id = "drain_kitchen", tag = "kitchen", request_body = Option<Word>, responses((status = 200, body = KitchenView)))]
pub async fn drain(
    State(api): State<Api>,
    asker: Asker,
    MaybeJson(said): MaybeJson<Word>,
) -> Result<Answer<KitchenView>, Problem> {
    set_draining(&api, &asker, &said, true).await
}

/// `POST /v1/kitchen/undrain`: the kitchen takes orders again.
#[utoipa::path(post, path = "/v1/kitchen/undrain", operation_id = "undrain_kitchen", tag = "kitchen", request_body = Option<Word>, responses((status = 200, body = KitchenView)))]
pub async fn undrain(
    State(api): State<Api>,
    asker: Asker,
    MaybeJson(said): MaybeJson<Word>,
) -> Result<Answer<KitchenView>, Problem> {
    set_draining(&api, &asker, &said, false).await
}

async fn set_draining(api: &Api, asker: &Asker, said: &Word, draining: bool) -> Result<Answer<KitchenView>, Problem> {
    api.write(asker.says(said)?, Command::Drain { draining }).await?;
    Ok(show_here(api))
}

/// A zone to hold or to resume.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "zone": "line-2", "actor": "ann", "reason": "cleaning" })))]
pub struct ZoneBody {
    /// Its name, of at most 48 bytes; empty for the whole kitchen.
    #[serde(default)]
    #[schema(max_length = 48)]
    zone: String,
    /// Who says so.
    #[serde(default)]
    #[schema(max_length = 100)]
    actor: Option<String>,
    /// Why.
    #[serde(default)]
    #[schema(max_length = 200)]
    reason: Option<String>,
}

/// `POST /v1/kitchen/hold`: a zone stands still, or the whole kitchen.
#[utoipa::path(post, path = "/v1/kitchen/hold", operation_id = "hold_kitchen", tag = "kitchen", request_body = Option<ZoneBody>, responses((status = 200, body = KitchenView)))]
pub async fn hold(
    State(api): State<Api>,
    asker: Asker,
    MaybeJson(body): MaybeJson<ZoneBody>,
) -> Result<Answer<KitchenView>, Problem> {
    set_held(&api, &asker, body, true).await
}

/// `POST /v1/kitchen/resume`: a zone goes on, or the whole kitchen.
#[utoipa::path(post, path = "/v1/kitchen/resume", operation_id = "resume_kitchen", tag = "kitchen", request_body = Option<ZoneBody>, responses((status = 200, body = KitchenView)))]
pub async fn resume(
    State(api): State<Api>,
    asker: Asker,
    MaybeJson(body): MaybeJson<ZoneBody>,
) -> Result<Answer<KitchenView>, Problem> {
    set_held(&api, &asker, body, false).await
}

async fn set_held(api: &Api, asker: &Asker, body: ZoneBody, held: bool) -> Result<Answer<KitchenView>, Problem> {
    let said = Word { actor: body.actor, reason: body.reason };
    let asked = asker.says(&said)?;
    let zone = at_most("zone", body.zone, 48)?;
    let actor = asked.signature();
    api.write(asked, Command::HoldZone { zone, held, actor }).await?;
    Ok(show_here(api))
}

/// `GET /v1/statistics`: counts since the kitchen was founded.
#[utoipa::path(get, path = "/v1/statistics", operation_id = "count", tag = "kitchen", params(Plain), responses((status = 200, body = StatisticsView)))]
pub async fn statistics(State(api): State<Api>, Query(query): Query<Plain>) -> Result<Answer<StatisticsView>, Problem> {
    api.read(query.consistency, |kitchen, _| StatisticsView::of(kitchen)).await
}
