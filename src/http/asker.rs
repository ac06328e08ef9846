//! Who asks for a change, and why: for the audit log, which has a record of every change (`kitchen::audit`).
//!
//! Whose token it is, is known. Whom the caller says he is, and why he asks, stands in the body where it has room for it, or
//! else in two headers that every change takes.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::kitchen::Asked;

use super::access::Caller;
use super::extract::at_most;
use super::problems::Problem;

/// Whom the caller says he is.
pub const ACTOR_HEADER: HeaderName = HeaderName::from_static("brigade-actor");
/// Why he asks.
pub const REASON_HEADER: HeaderName = HeaderName::from_static("brigade-reason");

/// The longest actor and the longest reason, in characters.
pub const ACTOR_LENGTH_MAX: usize = 100;
/// See `ACTOR_LENGTH_MAX`.
pub const REASON_LENGTH_MAX: usize = 200;

/// Who asks for something, and why: for the record.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "actor": "ann", "reason": "cleaning" })))]
pub struct Word {
    /// Who.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub actor: Option<String>,
    /// Why.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub reason: Option<String>,
}

/// Who asks for a change.
#[derive(Clone, Debug)]
pub struct Asker {
    caller: Caller,
    /// What the headers say.
    word: Word,
}

impl<S: Send + Sync> FromRequestParts<S> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let header = |name| text_of(&parts.headers, &name);
        let word = Word { actor: header(ACTOR_HEADER), reason: header(REASON_HEADER) };
        // Too long a header is told before anything is done.
        let asker = Self::new(caller, word);
        asker.says(&Word::default()).map(|_| asker)
    }
}

impl Asker {
    /// A caller, and what his headers say.
    pub fn new(caller: Caller, word: Word) -> Self {
        Self { caller, word }
    }

    /// For the record, as the headers say.
    pub fn asked(&self) -> Result<Asked, Problem> {
        self.says(&Word::default())
    }

    /// For the record, as the body says, and where it says nothing as the headers do.
    pub fn says(&self, said: &Word) -> Result<Asked, Problem> {
        let said_or = |said: &Option<String>, header: &Option<String>| {
            said.clone().filter(|said| !said.trim().is_empty()).or_else(|| header.clone())
        };
        let actor = said_or(&said.actor, &self.word.actor);
        let actor = actor.map(|actor| at_most("actor", actor, ACTOR_LENGTH_MAX)).transpose()?;
        let reason = said_or(&said.reason, &self.word.reason).unwrap_or_default();
        Ok(Asked {
            actor: self.caller.actor(actor.as_deref()),
            role: self.caller.vouched_role(),
            reason: at_most("reason", reason, REASON_LENGTH_MAX)?,
            change: String::new(),
        })
    }
}

/// A header for people: UTF-8 or, as long ago, Latin-1.
fn text_of(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let latin = |value: &HeaderValue| value.as_bytes().iter().map(|b| char::from(*b)).collect();
    let text = |value: &HeaderValue| std::str::from_utf8(value.as_bytes()).map_or_else(|_| latin(value), str::to_owned);
    headers.get(name).map(text).filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker(headers: &[(HeaderName, &[u8])]) -> Result<Asker, Problem> {
        let mut request = axum::http::Request::builder().extension(Caller::Configured);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        futures::executor::block_on(Asker::from_request_parts(&mut parts, &()))
    }

    fn word(actor: &str, reason: &str) -> Word {
        Word { actor: Some(actor.to_owned()), reason: Some(reason.to_owned()) }
    }

    #[test]
    fn the_body_speaks_before_the_headers_and_the_token_before_both() {
        let asker = asker(&[(ACTOR_HEADER, "jürgen".as_bytes()), (REASON_HEADER, b"caf\xe9")]).unwrap();
        let (of_headers, of_body) = (asker.asked().unwrap(), asker.says(&word("ann", "cleaning")).unwrap());
        assert_eq!((&*of_headers.actor, &*of_headers.reason), ("admin: jürgen", "café"));
        assert_eq!((&*of_body.actor, &*of_body.reason), ("admin: ann", "cleaning"));
        assert_eq!(asker.says(&word(" ", "")).unwrap(), of_headers, "nothing said is nothing");
    }

    #[test]
    fn what_is_too_long_for_the_record_is_refused() {
        let long = "x".repeat(201);
        assert!(asker(&[(REASON_HEADER, long.as_bytes())]).is_err());
        assert!(asker(&[]).unwrap().says(&word("ann", &long)).is_err());
        assert!(asker(&[(ACTOR_HEADER, &long.as_bytes()[..100])]).is_ok());
    }
}
