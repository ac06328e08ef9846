//! The backend's problems: RFC 9457 documents with stable types. Those that a replica has as well are called the same.

use std::fmt;

use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::backend::exchange::ExchangeError;
use crate::backend::{CancelError, Error, PlaceError};
use crate::web::{Document, JsonFault, problem_kinds};

problem_kinds! {
    /// The body is no JSON.
    MalformedJson = 400 "malformed-json" "The body is not JSON",
    /// An id in path or key is none.
    BadId = 400 "bad-id" "That is no id",
    /// The query string is not understood.
    BadQuery = 400 "bad-query" "The query is not understood",
    /// POST of an order without its key.
    MissingIdempotencyKey = 400 "missing-idempotency-key" "The request needs a key",
    /// No token, or one that nobody has.
    Unauthenticated = 401 "unauthenticated" "Who asks is not known",
    /// The token does not allow it.
    Forbidden = 403 "forbidden" "The token does not allow this",
    /// No such path.
    UnknownRoute = 404 "unknown-route" "There is nothing here",
    /// The path has no such method.
    MethodNotAllowed = 405 "method-not-allowed" "The method is not allowed here",
    /// No such order.
    UnknownOrder = 404 "unknown-order" "No such order",
    /// No such kitchen.
    UnknownKitchen = 404 "unknown-kitchen" "No such kitchen",
    /// No such escalation.
    UnknownEscalation = 404 "unknown-escalation" "No such escalation",
    /// Too late to cancel, or nothing to decide.
    PointOfNoReturn = 409 "point-of-no-return" "It is too late for this",
    /// The order is in no state for this.
    OrderState = 409 "order-state" "The order is in no state for this",
    /// If-Match names another version.
    VersionChanged = 412 "version-changed" "Somebody changed it meanwhile",
    /// The body is larger than the limit.
    TooLarge = 413 "too-large" "The body is too large",
    /// The body is not declared as JSON.
    UnsupportedMediaType = 415 "unsupported-media-type" "The body must be JSON",
    /// The JSON does not have the expected form.
    Invalid = 422 "invalid" "The request is not valid",
    /// The JSON has a field that is not known.
    UnknownField = 422 "unknown-field" "The request has an unknown field",
    /// No kitchen knows the recipe.
    UnknownRecipe = 422 "unknown-recipe" "The recipe is not on the menu",
    /// The key belongs to another request.
    IdempotencyKeyReused = 422 "idempotency-key-reused" "The key belongs to another request",
    /// Every kitchen would be too late.
    CapacityExceeded = 429 "capacity-exceeded" "Every kitchen is full",
    /// No kitchen can make it now.
    NoKitchen = 503 "no-kitchen" "No kitchen can make this at the moment",
    /// All streams are taken.
    TooManyStreams = 503 "too-many-streams" "Too many streams are open",
    /// It took too long.
    TimeLimit = 503 "time-limit" "It took too long",
    /// The database does not answer.
    Storage = 503 "storage" "The database does not answer",
}

/// One problem document.
#[derive(Clone, Debug)]
pub struct Problem(Box<Content>);

#[derive(Clone, Debug)]
struct Content {
    kind: Kind,
    detail: String,
    retry_after_s: Option<u32>,
    fields: Map<String, Value>,
}

impl Problem {
    /// A problem of this kind; `detail` says what to do.
    pub fn new(kind: Kind, detail: impl fmt::Display) -> Self {
        let retry_after_s = (kind.spec().0 == 503).then_some(1);
        Self(Box::new(Content { kind, detail: detail.to_string(), retry_after_s, fields: Map::new() }))
    }

    /// With a member of its own.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.fields.insert(name.to_owned(), value.into());
        self
    }

    /// With the hint to come back after so many seconds.
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after_s = Some(seconds);
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Content { kind, detail, retry_after_s, fields } = &*self.0;
        let mut response =
            Document { spec: kind.spec(), detail, fields, retry_after_s: *retry_after_s }.into_response();
        if *kind == Kind::Unauthenticated {
            let challenge = axum::http::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl From<JsonFault> for Problem {
    fn from(fault: JsonFault) -> Self {
        let kind = match &fault {
            JsonFault::NotDeclared => Kind::UnsupportedMediaType,
            JsonFault::Malformed(_) => Kind::MalformedJson,
            JsonFault::UnknownField(_) => Kind::UnknownField,
            JsonFault::NoObject | JsonFault::Invalid(_) => Kind::Invalid,
        };
        Self::new(kind, fault)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let cause = std::error::Error::source(&error).map(|s| format!(": {s}")).unwrap_or_default();
        tracing::warn!(%error, "The database could not serve a request: {error}{cause}");
        let detail = "it may have been done, or not. Repeating the request with the same id or key is safe";
        Self::new(Kind::Storage, detail)
    }
}

impl From<PlaceError> for Problem {
    fn from(error: PlaceError) -> Self {
        let detail = error.to_string();
        match error {
            PlaceError::Reused(order) => Self::new(Kind::IdempotencyKeyReused, detail).with("order", order.as_str()),
            PlaceError::UnknownRecipe(recipe) => Self::new(Kind::UnknownRecipe, detail).with("recipe", recipe.as_str()),
            PlaceError::NoKitchen(why) => {
                Self::new(Kind::NoKitchen, detail).with("kitchens", json!(why)).retry_after(10)
            }
            PlaceError::TooLate { earliest_ms } => {
                Self::new(Kind::CapacityExceeded, detail).with("earliest_ms", earliest_ms).retry_after(60)
            }
            PlaceError::Store(error) => error.into(),
        }
    }
}

impl From<CancelError> for Problem {
    fn from(error: CancelError) -> Self {
        let detail = error.to_string();
        match error {
            CancelError::Unknown(order) => Self::new(Kind::UnknownOrder, detail).with("order", order.as_str()),
            CancelError::TooLate(row) => {
                let problem = Self::new(Kind::PointOfNoReturn, detail).with("order", row.id.as_str());
                problem.with("order_status", row.standing.state.as_str())
            }
            CancelError::Store(error) => error.into(),
        }
    }
}

impl From<ExchangeError> for Problem {
    fn from(error: ExchangeError) -> Self {
        let detail = error.to_string();
        match error {
            ExchangeError::Unknown(kitchen) => {
                Self::new(Kind::UnknownKitchen, detail).with("kitchen", kitchen.as_str())
            }
            ExchangeError::Invalid(_) => Self::new(Kind::Invalid, detail),
            ExchangeError::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_type_is_unique_and_none_is_an_internal_error() {
        let words: std::collections::BTreeSet<_> = Kind::ALL.iter().map(|k| k.spec().1).collect();
        assert_eq!(words.len(), Kind::ALL.len());
        assert!(Kind::ALL.iter().all(|k| k.spec().0 != 500));
    }
}
