//! What handlers take from a request: ids, queries and JSON, each with a problem document for what is wrong.
//!
//! Unknown fields are refused: a misspelt option must not be ignored in silence.

use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::{IntoParams, ToSchema};

use crate::web::{JsonFault, parse_json};

use super::problems::{Kind, Problem};

/// The path's `{id}`.
pub struct Id<T>(pub T);

impl<S: Send + Sync, T> FromRequestParts<S> for Id<T>
where
    T: FromStr<Err: std::fmt::Display>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.map_err(|e| Problem::new(Kind::BadId, format!("the path is not UTF-8: {e}")))?;
        let text = params.iter().find(|(name, _)| *name == "id").map_or("", |(_, value)| value);
        text.parse().map(Self).map_err(|e: T::Err| Problem::new(Kind::BadId, e))
    }
}

/// How the path names a pizza, for the description.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it is described, and read as an `Id`")]
pub struct PizzaPath {
    /// Order number, item, and generation.
    #[param(pattern = r"^(0|[1-9]\d{0,18})\.(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})$", example = "17.2.0")]
    id: String,
}

/// The query string.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parse_query(&parts.uri).map(Self)
    }
}

pub(super) fn parse_query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    match axum::extract::Query::try_from_uri(uri) {
        Ok(axum::extract::Query(query)) => Ok(query),
        Err(error) => {
            let cause = std::error::Error::source(&error).map_or(error.to_string(), ToString::to_string);
            Err(Problem::new(Kind::BadQuery, cause))
        }
    }
}

/// How many a page holds: what was asked for, or what is usual.
pub(super) fn page_limit(asked: Option<usize>, usual: usize, max: usize) -> Result<usize, Problem> {
    let limit = asked.unwrap_or(usual);
    if (1..=max).contains(&limit) {
        Ok(limit)
    } else {
        Err(Problem::new(Kind::BadQuery, format!("limit is 1 to {max}")))
    }
}

/// How fresh an answer must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Consistency {
    /// Everything that was acknowledged anywhere before the request is in the answer.
    #[default]
    Linearizable,
    /// What this replica has, at once; it may be behind.
    Stale,
}

/// The query of a read that has no other options.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Plain {
    /// How fresh the answer must be.
    #[serde(default)]
    #[param(inline)]
    pub consistency: Consistency,
}

/// A JSON body.
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let headers = request.headers().clone();
        parse(&headers, &body(request, state).await?).map(Self)
    }
}

/// A JSON body that may be missing.
pub struct MaybeJson<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for MaybeJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let headers = request.headers().clone();
        parse_or_default(&headers, &body(request, state).await?).map(Self)
    }
}

async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    // `forward` has read the body, and bounded it.
    Bytes::from_request(request, state).await.map_err(|e| Problem::new(Kind::TooLarge, e))
}

pub(super) fn parse_or_default<T: DeserializeOwned + Default>(headers: &HeaderMap, bytes: &[u8]) -> Result<T, Problem> {
    if bytes.iter().all(u8::is_ascii_whitespace) { Ok(T::default()) } else { parse(headers, bytes) }
}

pub(super) fn parse<T: DeserializeOwned>(headers: &HeaderMap, bytes: &[u8]) -> Result<T, Problem> {
    parse_json(headers, bytes).map_err(|fault| {
        let kind = match &fault {
            JsonFault::NotDeclared => Kind::UnsupportedMediaType,
            JsonFault::Malformed(_) => Kind::MalformedJson,
            JsonFault::UnknownField(_) => Kind::UnknownField,
            JsonFault::NoObject | JsonFault::Invalid(_) => Kind::Invalid,
        };
        Problem::new(kind, fault)
    })
}

/// The id of what is new, in the header Idempotency-Key; `what` names it.
pub fn key_of<T: FromStr<Err: std::fmt::Display>>(headers: &HeaderMap, what: &str) -> Result<T, Problem> {
    let key = headers.get("idempotency-key").and_then(|v| v.to_str().ok()).map(|v| v.trim().trim_matches('"'));
    let key = key.ok_or_else(|| {
        let detail = format!("send the header idempotency-key with an id of your choice, and repeat it when you try again: it names the {what}");
        Problem::new(Kind::MissingIdempotencyKey, detail)
    })?;
    key.parse().map_err(|e: T::Err| Problem::new(Kind::BadId, e))
}

/// Refuses a text that is too long for the record.
pub fn at_most(name: &str, text: String, characters_max: usize) -> Result<String, Problem> {
    if text.chars().count() <= characters_max {
        return Ok(text);
    }
    Err(Problem::new(Kind::Invalid, format!("{name} is too long: use at most {characters_max} characters")))
}
