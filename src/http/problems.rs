//! Errors as RFC 9457 problem documents: a stable type, and a `detail` that says what to do.
//!
//! Every "no" of the API is made here, the kitchen's refusals and the log's errors included. Nothing here is logged: a problem is
//! the caller's to read.

use std::fmt;

use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use crate::kitchen::Refusal;
use crate::raft::{EventsError, MemberError, ProposeError, ReadError, TransferError};
use crate::web::{Document, problem_kinds};

pub use crate::web::TYPE_PREFIX;

/// Set on a problem that proves that nothing was written, so that a replica that forwarded the request may try again.
pub const NOT_APPLIED_HEADER: &str = "brigade-not-applied";

problem_kinds! {
    /// The body is no JSON.
    MalformedJson = 400 "malformed-json" "The body is not JSON",
    /// An id in the path is none.
    BadId = 400 "bad-id" "That is no id",
    /// The query string is not understood.
    BadQuery = 400 "bad-query" "The query is not understood",
    /// POST of an order without its key.
    MissingIdempotencyKey = 400 "missing-idempotency-key" "The request needs a key",
    /// No token that is good came with the request.
    Unauthenticated = 401 "unauthenticated" "Who asks is not known",
    /// The token's role does not allow this.
    Forbidden = 403 "forbidden" "This token does not allow that",
    /// A web page of elsewhere would change something.
    ForeignOrigin = 403 "foreign-origin" "This page is not of this kitchen",
    /// No such path.
    UnknownRoute = 404 "unknown-route" "There is nothing here",
    /// The path has no such method.
    MethodNotAllowed = 405 "method-not-allowed" "The method is not allowed here",
    /// No such order.
    UnknownOrder = 404 "unknown-order" "No such order",
    /// No such pizza.
    UnknownPizza = 404 "unknown-pizza" "No such pizza",
    /// No such device.
    UnknownDevice = 404 "unknown-device" "No such device",
    /// No such incident, or it is decided.
    UnknownIncident = 404 "unknown-incident" "No such open incident",
    /// No such token.
    UnknownToken = 404 "unknown-token" "No such token",
    /// The recipe in the path does not exist.
    NoSuchRecipe = 404 "no-such-recipe" "No such recipe",
    /// Too late to cancel.
    PointOfNoReturn = 409 "point-of-no-return" "It is too late for this",
    /// Not ready to be collected.
    NotReady = 409 "not-ready" "The order is not ready",
    /// The pizza is not begun, or out of the kitchen's hands.
    NothingToRemake = 409 "nothing-to-remake" "The pizza can't be made again",
    /// The device is in no state for this.
    DeviceState = 409 "device-state" "The device is in no state for this",
    /// A device says that it is something else.
    KindChanged = 409 "kind-changed" "The device is of another kind",
    /// The proposer is no longer in charge.
    StaleEpoch = 409 "stale-epoch" "The epoch is over",
    /// Nobody could add a token any more.
    LastAdmin = 409 "last-admin" "This is the last admin's token",
    /// Members stay as they are.
    MembersUnchanged = 409 "members-unchanged" "The members stay as they are",
    /// Some replica still runs an older program.
    RulesTooOld = 409 "rules-too-old" "An upgrade is under way",
    /// No other replica may be in charge.
    NobodyElse = 409 "nobody-else" "No other replica could be in charge",
    /// Too few voters would be left that answer.
    QuorumAtRisk = 409 "quorum-at-risk" "The members stay as they are: the kitchen would stand still",
    /// The events are no longer in the ring.
    EventsGone = 410 "events-gone" "These events are gone",
    /// The body is larger than the limit.
    TooLarge = 413 "too-large" "The body is too large",
    /// The body is not declared as JSON.
    UnsupportedMediaType = 415 "unsupported-media-type" "The body must be JSON",
    /// The JSON does not have the expected form.
    Invalid = 422 "invalid" "The request is not valid",
    /// The JSON has a field that is not known.
    UnknownField = 422 "unknown-field" "The request has an unknown field",
    /// The order names a recipe that is not on the menu.
    UnknownRecipe = 422 "unknown-recipe" "The recipe is not on the menu",
    /// The key belongs to another request.
    IdempotencyKeyReused = 422 "idempotency-key-reused" "The key belongs to another request",
    /// Leadership can't go there.
    NoSuchVoter = 422 "no-such-voter" "No such voter",
    /// Too much is open.
    CapacityExceeded = 429 "capacity-exceeded" "The kitchen is full",
    /// This caller asks too often.
    TooManyRequests = 429 "too-many-requests" "Too many requests",
    /// A stage has no executor.
    KitchenOutOfOrder = 503 "kitchen-out-of-order" "The kitchen can't cook at the moment",
    /// The kitchen takes no orders.
    KitchenDraining = 503 "kitchen-draining" "The kitchen takes no new orders",
    /// No majority answers.
    NoQuorum = 503 "no-quorum" "No majority of the replicas answers",
    /// No leader is known, or the one that is known does not lead.
    NoLeader = 503 "no-leader" "No replica leads at the moment",
    /// It may have been applied.
    OutcomeUnknown = 503 "outcome-unknown" "It may have been done, or not",
    /// A read took too long, or a large body found no place.
    TimeLimit = 503 "time-limit" "It took too long",
    /// Leadership stayed.
    TransferFailed = 503 "transfer-failed" "Leadership was not handed over",
    /// A newcomer is not there yet.
    CatchingUp = 503 "catching-up" "The replica has not caught up yet",
    /// All streams are taken.
    TooManyStreams = 503 "too-many-streams" "Too many event streams are open",
    /// This replica has stopped.
    Stopping = 503 "stopping" "This replica has stopped",
    /// New orders wait until there is room.
    StorageLow = 507 "storage-low" "The disk is nearly full",
    /// The database can't be read.
    Storage = 503 "storage" "This replica can't read its database",
}

/// One problem document.
#[derive(Clone, Debug)]
pub struct Problem(Box<Content>);

#[derive(Clone, Debug)]
struct Content {
    kind: Kind,
    detail: String,
    retry_after_s: Option<u32>,
    not_applied: bool,
    fields: Map<String, Value>,
}

/// In a response's extensions: the request did not reach the log, because this replica does not lead.
#[derive(Clone, Copy, Debug)]
pub struct NotLed;

impl Problem {
    /// A problem of this kind; `detail` says what to do.
    pub fn new(kind: Kind, detail: impl fmt::Display) -> Self {
        let retry_after_s = (kind.spec().0 == 503).then_some(1);
        let (detail, fields) = (detail.to_string(), Map::new());
        Self(Box::new(Content { kind, detail, retry_after_s, not_applied: false, fields }))
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

    /// Proves that nothing was written.
    pub fn not_applied(mut self) -> Self {
        self.0.not_applied = true;
        self
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What is wrong, and what to do.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// No replica leads, as far as this one knows.
    pub fn no_leader() -> Self {
        Self::new(Kind::NoLeader, "an election usually takes less than a second: try again").not_applied()
    }

    /// What the outcome of a write is, is not known.
    pub fn outcome_unknown() -> Self {
        let detail = "the answer did not come in time: it may have been done, or not. Repeating the request with the same id or key is safe";
        Self::new(Kind::OutcomeUnknown, detail)
    }

    /// The database can't be read.
    pub fn storage(error: impl fmt::Display) -> Self {
        tracing::warn!(%error, "The database could not answer a request: {error}");
        Self::new(Kind::Storage, "ask another replica; the log of this one says more")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Content { kind, detail, retry_after_s, fields, not_applied: _ } = &*self.0;
        let document = Document { spec: kind.spec(), detail, fields, retry_after_s: *retry_after_s };
        let mut response = document.into_response();
        let headers = response.headers_mut();
        if self.0.not_applied {
            headers.insert(NOT_APPLIED_HEADER, HeaderValue::from_static("true"));
        }
        if self.0.kind == Kind::NoLeader {
            response.extensions_mut().insert(NotLed);
        }
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        let of = |kind| Self::new(kind, &detail);
        match refusal {
            Refusal::UnknownRecipe { recipe } => of(Kind::UnknownRecipe).with("recipe", recipe.as_str()),
            Refusal::IdempotencyKeyReused { order } => of(Kind::IdempotencyKeyReused).with("order", order.as_str()),
            Refusal::UnknownOrder { order } => of(Kind::UnknownOrder).with("order", order.as_str()),
            Refusal::PointOfNoReturn { order, status } => {
                of(Kind::PointOfNoReturn).with("order", order.as_str()).with("order_status", status)
            }
            Refusal::NotReady { order, status } => {
                of(Kind::NotReady).with("order", order.as_str()).with("order_status", status)
            }
            Refusal::UnknownPizza { pizza } => of(Kind::UnknownPizza).with("pizza", pizza.to_string()),
            Refusal::NothingToRemake { pizza, state, hint: _ } => {
                of(Kind::NothingToRemake).with("pizza", pizza.to_string()).with("state", state)
            }
            Refusal::UnknownDevice { device } => of(Kind::UnknownDevice).with("device", device.as_str()),
            Refusal::DeviceState { device, state, hint: _ } => {
                of(Kind::DeviceState).with("device", device.as_str()).with("state", state)
            }
            Refusal::KindChanged { device, .. } => of(Kind::KindChanged).with("device", device.as_str()),
            Refusal::Draining => of(Kind::KitchenDraining).retry_after(30),
            Refusal::CapacityExceeded { open, max } => {
                of(Kind::CapacityExceeded).with("open", open).with("max", max).retry_after(10)
            }
            Refusal::TooMuchAhead { ready_in_ms, promise_ms } => {
                let retry_s = (ready_in_ms.saturating_sub(promise_ms) / 1_000).clamp(10, 3_600);
                let late = of(Kind::CapacityExceeded).with("ready_in_ms", ready_in_ms).with("promise_ms", promise_ms);
                late.retry_after(retry_s as u32)
            }
            Refusal::StaleEpoch { .. } => of(Kind::StaleEpoch),
            Refusal::UnknownIncident { incident } => of(Kind::UnknownIncident).with("incident", incident),
            Refusal::UnknownToken { token } => of(Kind::UnknownToken).with("token", token.as_str()),
            Refusal::TokenKeyReused { token } => of(Kind::IdempotencyKeyReused).with("token", token.as_str()),
            Refusal::LastAdmin { token } => of(Kind::LastAdmin).with("token", token.as_str()),
            Refusal::Invalid { .. } => of(Kind::Invalid),
        }
    }
}

impl From<ProposeError> for Problem {
    fn from(error: ProposeError) -> Self {
        match error {
            ProposeError::NotLeader { .. } => Self::no_leader(),
            ProposeError::NoQuorum => Self::no_quorum(),
            ProposeError::Unknown => Self::outcome_unknown(),
            ProposeError::TooLarge { .. } => Self::new(Kind::TooLarge, format!("{error}: send less")),
            ProposeError::RulesTooOld { needs, rules } => {
                let detail = format!("{error}: see which replica holds them back in /v1/cluster, then try again");
                Self::new(Kind::RulesTooOld, detail).with("needs", needs.0).with("rules", rules.0)
            }
            ProposeError::Stopped => Self::stopping(),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NotLeader { .. } | ReadError::NoQuorum => Self::no_quorum(),
            ReadError::Stopped => Self::stopping(),
        }
    }
}

impl From<TransferError> for Problem {
    fn from(error: TransferError) -> Self {
        match error {
            TransferError::NotLeader => Self::no_leader(),
            TransferError::OnSideline(_) => Self::new(Kind::NoSuchVoter, format!("{error}: see /v1/cluster")),
            TransferError::Nobody => Self::new(Kind::NobodyElse, error),
            TransferError::NoSuchVoter(_) => Self::new(Kind::NoSuchVoter, format!("{error}: see /v1/cluster")),
            TransferError::TimedOut => Self::new(Kind::TransferFailed, format!("{error}: see /v1/cluster, try again")),
            TransferError::Stopped => Self::stopping(),
        }
    }
}

impl From<MemberError> for Problem {
    fn from(error: MemberError) -> Self {
        match error {
            MemberError::NotLeader => Self::no_leader(),
            MemberError::NoQuorum { ref missing, .. } => {
                Self::new(Kind::QuorumAtRisk, &error).with("missing", missing.clone())
            }
            MemberError::NobodyElse(_) => Self::new(Kind::NobodyElse, error),
            MemberError::LastVoter | MemberError::Refused(_) => Self::new(Kind::MembersUnchanged, error),
            MemberError::TimedOut => Self::outcome_unknown(),
            MemberError::Stopped => Self::stopping(),
        }
    }
}

impl From<EventsError> for Problem {
    fn from(error: EventsError) -> Self {
        match error {
            EventsError::Gone { floor } => Self::new(Kind::EventsGone, &error).with("floor", floor),
            EventsError::Database(error) => Self::storage(error),
        }
    }
}

impl Problem {
    fn no_quorum() -> Self {
        let detail = "nothing can be written or read for certain until a majority of the replicas is back; ?consistency=stale reads what this one has";
        Self::new(Kind::NoQuorum, detail)
    }

    fn stopping() -> Self {
        Self::new(Kind::Stopping, "ask another replica")
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    #[test]
    fn every_problem_type_is_unique_and_none_is_an_internal_error() {
        let words: std::collections::BTreeSet<_> = Kind::ALL.iter().map(|k| k.spec().1).collect();
        assert_eq!(words.len(), Kind::ALL.len());
        assert!(Kind::ALL.iter().all(|k| k.spec().0 != 500 && StatusCode::from_u16(k.spec().0).is_ok()));
    }

    #[test]
    fn every_problem_type_is_in_the_documentation() {
        let docs = include_str!("../../docs/api.md");
        for kind in Kind::ALL {
            let (status, word, _) = kind.spec();
            assert!(docs.contains(&format!("| `{word}` | {status} |")), "docs/api.md lacks | `{word}` | {status} |");
        }
    }
}
