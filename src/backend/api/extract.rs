//! What handlers take from a request, each with a problem for what is wrong: ids, queries, JSON, and who asks.
//!
//! Closed by default: a handler gets at the backend only beside one of `Client`, `Operator` or `Caller`, and a test asks every route that
//! the OpenAPI document names without a token.

use axum::body::Bytes;
use axum::extract::{FromRef, FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::backend::Backend;
use crate::backend::store::{Holder, Role};
use crate::protocol;
use crate::web::parse_json;

use super::problems::{Kind, Problem};

/// The path's `{id}`.
pub struct Id(pub protocol::Id);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.map_err(|e| Problem::new(Kind::BadId, format!("the path is not UTF-8: {e}")))?;
        let text = params.iter().find(|(name, _)| *name == "id").map_or("", |(_, value)| value);
        text.parse().map(Self).map_err(|e| Problem::new(Kind::BadId, e))
    }
}

/// The query string.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match axum::extract::Query::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(error) => {
                let cause = std::error::Error::source(&error).map_or(error.to_string(), ToString::to_string);
                Err(Problem::new(Kind::BadQuery, cause))
            }
        }
    }
}

/// A JSON body.
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let headers = request.headers().clone();
        let bytes = body(request, state).await?;
        Ok(Self(parse_json(&headers, &bytes)?))
    }
}

/// A JSON body that may be missing.
pub struct MaybeJson<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for MaybeJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let headers = request.headers().clone();
        let bytes = body(request, state).await?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self(T::default()));
        }
        Ok(Self(parse_json(&headers, &bytes)?))
    }
}

async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|e| Problem::new(Kind::TooLarge, e))
}

/// Who asks, whatever that allows.
pub struct Caller(pub Holder);

/// Who asks is a client or an operator.
pub struct Client(pub Holder);

/// Who asks is an operator.
pub struct Operator(pub Holder);

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    Backend: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let token = parts.headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok());
        let token = token.and_then(|v| v.strip_prefix("Bearer ")).map(str::trim);
        let token =
            token.ok_or_else(|| Problem::new(Kind::Unauthenticated, "send the header authorization: Bearer TOKEN"))?;
        let holder = Backend::from_ref(state).store().holder(token).await?;
        holder
            .map(Self)
            .ok_or_else(|| Problem::new(Kind::Unauthenticated, "nobody has this token: an operator issues them"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Client
where
    Backend: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Caller(holder) = Caller::from_request_parts(parts, state).await?;
        match holder.role {
            Role::Client | Role::Operator => Ok(Self(holder)),
            Role::Kitchen => Err(forbidden(&holder, "a client or an operator")),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Operator
where
    Backend: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Caller(holder) = Caller::from_request_parts(parts, state).await?;
        match holder.role {
            Role::Operator => Ok(Self(holder)),
            Role::Client | Role::Kitchen => Err(forbidden(&holder, "an operator")),
        }
    }
}

/// The token is another one than is needed. Logged: somebody may be trying doors.
pub fn forbidden(holder: &Holder, needed: &str) -> Problem {
    let (role, name) = (holder.role.as_str(), &holder.name);
    tracing::warn!(role, name, "The token of {role} {name} was used where {needed} is needed");
    Problem::new(Kind::Forbidden, format!("this token is of {role} {name}: it takes that of {needed}"))
}
