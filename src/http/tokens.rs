//! Who may use the API: tokens listed, added and revoked by an admin; and who one is oneself.

use axum::Json as JsonBody;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::clock::wall_ms;
use crate::kitchen::{Command, Millis, NewToken, Reply, Role, TokenId};

use super::Api;
use super::access::{self, Caller, Mode};
use super::answer::Answer;
use super::asker::Asker;
use super::extract::{Id, Json, Plain, Query, key_of};
use super::problems::Problem;
use super::views::Items;
use super::views::token::{AccessView, AddedView, TokenView};
use super::views::words::TokenRoleWord;
use crate::protocol::Id as IdText;

/// A token as an admin asks for it; its id is in the header Idempotency-Key.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTokenBody {
    /// Whose it is: 1 to 48 letters, digits and `_ . @ -`. What is done with it is done by this name.
    #[schema(max_length = 48, pattern = r"^[\w.@-]{1,48}$", example = "ann")]
    pub(super) name: String,
    /// What it allows.
    #[schema(value_type = TokenRoleWord)]
    pub(super) role: Role,
    /// How long it is good, in milliseconds; for ever if it is missing.
    #[serde(default)]
    #[schema(value_type = Option<u64>, minimum = 1_000, maximum = 315_360_000_000_u64)]
    pub(super) life_ms: Option<Millis>,
}

/// `GET /v1/access`: who this is, and what that allows.
#[utoipa::path(get, path = "/v1/access", operation_id = "show_access", tag = "access", responses((status = 200, body = AccessView)))]
pub async fn access(State(api): State<Api>, caller: Caller) -> JsonBody<AccessView> {
    JsonBody(AccessView::of(&caller, api.sources().access.mode == Mode::Open))
}

/// `GET /v1/tokens`: without what is kept of them.
#[utoipa::path(get, path = "/v1/tokens", operation_id = "list_tokens", tag = "access", params(Plain), responses((status = 200, body = Items<TokenView>)))]
pub async fn list(State(api): State<Api>, Query(q): Query<Plain>) -> Result<Answer<Items<TokenView>>, Problem> {
    let wall = wall_ms();
    let read = api.read(q.consistency, |kitchen, _| kitchen.tokens().map(|t| TokenView::of(t, wall)).collect());
    Ok(read.await?.map(|items| Items { items }))
}

/// `POST /v1/tokens`: 201 with the token, this once. The same key again: 200 without it.
#[utoipa::path(post, path = "/v1/tokens", operation_id = "add_token", tag = "access", request_body = NewTokenBody,
    params(("Idempotency-Key" = IdText, Header, description = "An id of the caller's choice, which names the token: the same for every repetition.")),
    responses((status = 201, body = AddedView, description = "It was added."), (status = 200, body = AddedView, description = "It was there."),
        (status = 400, description = "missing-idempotency-key, bad-id"), (status = 422, description = "idempotency-key-reused")))]
pub async fn add(
    State(api): State<Api>,
    asker: Asker,
    headers: HeaderMap,
    body: Result<Json<NewTokenBody>, Problem>,
) -> Result<Response, Problem> {
    let id: TokenId = key_of(&headers, "token")?;
    let Json(NewTokenBody { name, role, life_ms }) = body?;
    let token = access::draw();
    let new = NewToken { id: id.clone(), name, role, hash: access::hash(&token), life_ms };
    let asked = asker.asked()?;
    let actor = asked.actor.clone();
    let reply = api.write(asked, Command::AddToken { new, first: false, actor }).await?;
    let is_added = reply == Reply::Done;
    let kept = api.look(|kitchen, _| kitchen.token(&id).map(|t| TokenView::of(t, wall_ms())));
    let kept = kept.or(|| crate::kitchen::Refusal::UnknownToken { token: id.clone() }.into())?;
    let mut answer = kept.map(|kept| AddedView { token: is_added.then_some(token), kept });
    answer.status = if is_added { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = answer.into_response();
    // Nobody on the way is to keep it.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// `DELETE /v1/tokens/{id}`: it is good nowhere any more, as soon as a replica has heard of it.
#[utoipa::path(delete, path = "/v1/tokens/{id}", operation_id = "revoke_token", tag = "access", params(("id" = IdText, Path, description = "The token's id.")),
    responses((status = 200, body = TokenView), (status = 404, description = "unknown-token"), (status = 409, description = "last-admin")))]
pub async fn revoke(State(api): State<Api>, asker: Asker, Id(id): Id<TokenId>) -> Result<Answer<TokenView>, Problem> {
    let known = api.look(|kitchen, _| kitchen.token(&id).map(|t| TokenView::of(t, wall_ms())));
    let even_last = api.sources().access.admin.is_some();
    let asked = asker.asked()?;
    let actor = asked.actor.clone();
    api.write(asked, Command::RevokeToken { token: id.clone(), even_last, actor }).await?;
    known.or(|| crate::kitchen::Refusal::UnknownToken { token: id.clone() }.into())
}
