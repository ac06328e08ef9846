//! Devices, and an operator's word about them.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::kitchen::{Command, DeviceId, DeviceKind, Directive, Refusal};
use crate::protocol::Id as IdText;

use super::Api;
use super::answer::Answer;
use super::asker::{Asker, Word};
use super::extract::{Consistency, Id, MaybeJson, Plain, Query};
use super::problems::{Kind, Problem};
use super::views::Items;
use super::views::device::DeviceView;
use super::views::words::DeviceKindWord;

/// `?kind=oven&state=IDLE`.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only this kind.
    #[serde(default)]
    #[param(value_type = Option<DeviceKindWord>, inline)]
    kind: Option<DeviceKind>,
    /// Only those in this state: IDLE, BUSY, … in capitals or not.
    #[serde(default)]
    state: Option<String>,
    /// How fresh the answer must be.
    #[serde(default)]
    #[param(inline)]
    consistency: Consistency,
}

/// `GET /v1/devices`: the kitchen's devices.
#[utoipa::path(get, path = "/v1/devices", operation_id = "list_devices", tag = "devices", params(ListQuery), responses((status = 200, body = Items<DeviceView>)))]
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

/// `GET /v1/devices/{id}`: one device with its lanes, failures and quarantine.
#[utoipa::path(get, path = "/v1/devices/{id}", operation_id = "show_device", tag = "devices",
    params(("id" = IdText, Path, description = "The device's id."), Plain),
    responses((status = 200, body = DeviceView), (status = 404, description = "unknown-device")))]
pub async fn show(
    State(api): State<Api>,
    Id(id): Id<DeviceId>,
    Query(query): Query<Plain>,
) -> Result<Answer<DeviceView>, Problem> {
    let read = api.read(query.consistency, |kitchen, now| kitchen.device(&id).map(|d| DeviceView::of(d, kitchen, now)));
    read.await?.or(|| Refusal::UnknownDevice { device: id.clone() }.into())
}

/// One route for each of an operator's words about a device.
macro_rules! directives {
    ($($(#[$doc:meta])* $name:ident = $path:literal $operation:literal $directive:ident;)*) => { $(
        $(#[$doc])*
        #[utoipa::path(post, path = $path, operation_id = $operation, tag = "devices", params(("id" = IdText, Path, description = "The device's id.")),
            request_body = Option<Word>, responses((status = 200, body = DeviceView), (status = 404, description = "unknown-device"), (status = 409, description = "device-state")))]
        pub async fn $name(
            State(api): State<Api>,
            asker: Asker,
            Id(id): Id<DeviceId>,
            MaybeJson(said): MaybeJson<Word>,
        ) -> Result<Answer<DeviceView>, Problem> {
            direct(&api, &asker, id, &said, Directive::$directive).await
        }
    )* };
}

directives! {
    /// `POST /v1/devices/{id}/adopt`: a device belongs to this kitchen.
    adopt = "/v1/devices/{id}/adopt" "adopt_device" Adopt;
    /// `POST /v1/devices/{id}/drain`: a device finishes what it has, and gets nothing more.
    drain = "/v1/devices/{id}/drain" "drain_device" Drain;
    /// `POST /v1/devices/{id}/hold`: a device stops where it is.
    hold = "/v1/devices/{id}/hold" "hold_device" Hold;
    /// `POST /v1/devices/{id}/resume`: a device goes on, after hold, drain or maintenance.
    resume = "/v1/devices/{id}/resume" "resume_device" Resume;
    /// `POST /v1/devices/{id}/maintenance`: a technician has a device.
    maintenance = "/v1/devices/{id}/maintenance" "maintain_device" Maintain;
    /// `POST /v1/devices/{id}/release`: a device is let out of quarantine.
    release = "/v1/devices/{id}/release" "release_device" Release;
    /// `POST /v1/devices/{id}/retire`: a device is gone for good.
    retire = "/v1/devices/{id}/retire" "retire_device" Retire;
}

async fn direct(
    api: &Api,
    asker: &Asker,
    id: DeviceId,
    said: &Word,
    directive: Directive,
) -> Result<Answer<DeviceView>, Problem> {
    let asked = asker.says(said)?;
    let actor = asked.signature();
    api.write(asked, Command::DirectDevice { device: id.clone(), directive, actor }).await?;
    let seen = api.look(|kitchen, now| kitchen.device(&id).map(|d| DeviceView::of(d, kitchen, now)));
    seen.or(|| Problem::new(Kind::UnknownDevice, format!("device {id} is gone")))
}
