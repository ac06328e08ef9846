//! Devices, and an operator's word about them.

use axum::extract::State;

use crate::kitchen::{Command, DeviceId, DeviceKind, Directive, Refusal};

use super::Api;
use super::access::Caller;
use super::answer::Answer;
use super::extract::{Consistency, Id, MaybeJson, Plain, Query, Word};
use super::problems::{Kind, Problem};
use super::views::Items;
use super::views::device::DeviceView;

/// `?kind=oven&state=IDLE`.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// Only this kind.
    #[serde(default)]
    kind: Option<DeviceKind>,
    /// Only those in this state.
    #[serde(default)]
    state: Option<String>,
    /// How fresh the answer must be.
    #[serde(default)]
    consistency: Consistency,
}

/// `GET /v1/devices`.
pub async fn list(State(api): State<Api>, Query(q): Query<ListQuery>) -> Result<Answer<Items<DeviceView>>, Problem> {
    let wanted = |d: &&crate::kitchen::Device| {
        q.kind.is_none_or(|kind| d.facts.kind == kind)
            && q.state.as_ref().is_none_or(|s| d.state_word().eq_ignore_ascii_case(s))
    };
    let read = api.read(q.consistency, |kitchen, now| {
        let devices = kitchen.devices().filter(wanted);
        devices.map(|d| DeviceView::of(d, kitchen, now)).collect()
    });
    Ok(read.await?.map(|items| Items { items }))
}

/// `GET /v1/devices/{id}`.
pub async fn show(
    State(api): State<Api>,
    Id(id): Id<DeviceId>,
    Query(query): Query<Plain>,
) -> Result<Answer<DeviceView>, Problem> {
    let read = api.read(query.consistency, |kitchen, now| kitchen.device(&id).map(|d| DeviceView::of(d, kitchen, now)));
    read.await?.or(|| Refusal::UnknownDevice { device: id.clone() }.into())
}

/// `POST /v1/devices/{id}/{directive}`.
pub async fn direct(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<DeviceId>,
    MaybeJson(said): MaybeJson<Word>,
    directive: Directive,
) -> Result<Answer<DeviceView>, Problem> {
    let (actor, reason) = (said.actor(&caller)?, said.reason()?);
    // Events name the actor: the reason goes with it.
    let actor = if reason.is_empty() { actor } else { format!("{actor} ({reason})") };
    api.write(Command::DirectDevice { device: id.clone(), directive, actor }).await?;
    let seen = api.look(|kitchen, now| kitchen.device(&id).map(|d| DeviceView::of(d, kitchen, now)));
    seen.or(|| Problem::new(Kind::UnknownDevice, format!("device {id} is gone")))
}
