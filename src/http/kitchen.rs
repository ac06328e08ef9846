//! The kitchen as a whole: status, load, drain and hold, and counts.

use axum::extract::State;
use serde::Deserialize;

use crate::kitchen::{Command, Kitchen, Millis};

use super::Api;
use super::access::Caller;
use super::answer::Answer;
use super::extract::{MaybeJson, Plain, Query, Word, at_most};
use super::problems::Problem;
use super::views::kitchen::{Backlog, KitchenView, StatisticsView};

/// `GET /v1/kitchen`.
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

/// `POST /v1/kitchen/drain` and `/undrain`.
pub async fn drain(
    State(api): State<Api>,
    caller: Caller,
    MaybeJson(said): MaybeJson<Word>,
    draining: bool,
) -> Result<Answer<KitchenView>, Problem> {
    let (actor, reason) = (said.actor(&caller)?, said.reason()?);
    api.write(Command::Drain { draining }).await?;
    tracing::info!(draining, actor, reason, "Draining was set to {draining} by {actor}: {reason}");
    Ok(show_here(&api))
}

/// A zone to hold or to resume.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZoneBody {
    /// Its name; empty for the whole kitchen.
    #[serde(default)]
    zone: String,
    /// Who says so.
    #[serde(default)]
    actor: Option<String>,
    /// Why.
    #[serde(default)]
    reason: Option<String>,
}

/// `POST /v1/kitchen/hold` and `/resume`.
pub async fn hold(
    State(api): State<Api>,
    caller: Caller,
    MaybeJson(body): MaybeJson<ZoneBody>,
    held: bool,
) -> Result<Answer<KitchenView>, Problem> {
    let said = Word { actor: body.actor, reason: body.reason };
    let (actor, reason) = (said.actor(&caller)?, said.reason()?);
    let zone = at_most("zone", body.zone, 48)?;
    let actor = if reason.is_empty() { actor } else { format!("{actor} ({reason})") };
    api.write(Command::HoldZone { zone, held, actor }).await?;
    Ok(show_here(&api))
}

/// `GET /v1/statistics`.
pub async fn statistics(State(api): State<Api>, Query(query): Query<Plain>) -> Result<Answer<StatisticsView>, Problem> {
    api.read(query.consistency, |kitchen, _| StatisticsView::of(kitchen)).await
}
