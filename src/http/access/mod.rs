//! Who asks, and whether that is allowed: a bearer token with every request, and one table of what each role may do (`routes`).
//!
//! Closed by default: a route that is not in the table is the admin's. Every answer to a token that is not good is the same, whether it never
//! existed, has ended or was revoked. A follower judges by what it has applied; what it passes on carries the token, and the leader
//! judges again. Tokens are compared as SHA-256, in constant time. No token is logged, and none is kept.

mod first;
mod limit;
mod options;
mod routes;
mod token;
mod uses;

use std::net::IpAddr;

use axum::extract::{FromRequestParts, MatchedPath, Request};
use axum::http::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::clock::{boottime_ms, wall_ms};
use crate::kitchen::{Role, TokenHash, TokenId};
use crate::web::Peer;

use super::Api;
use super::forward;
use super::page;
use super::problems::{Kind, Problem};

pub use first::found;
pub use limit::{Bucket, Limiter};
pub use options::{FAILURES_PER_MIN, Mode, Options, REQUESTS_PER_S};
pub use routes::{OPEN, RULES, Rule, Who, who};
pub use token::{draw, hash};
pub use uses::Told;

/// The name of who comes with the token of `access.admin_token_file`.
pub const CONFIGURED_ADMIN: &str = "admin";

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Anybody on this machine: access is open. Whom he says he is, he is.
    Anybody,
    /// Somebody who asked for what is open to all.
    Unknown,
    /// Who holds the token of the configuration.
    Configured,
    /// Who holds a token of the kitchen.
    Holder {
        /// The token's id.
        token: TokenId,
        /// Whose it is.
        name: String,
        /// What it allows.
        role: Role,
        /// When it stops being good, in wall time.
        ends_wall: Option<u64>,
        /// When it was last noted as used.
        used_hour: Option<u64>,
    },
}

impl Caller {
    /// What the caller may do; None where nobody asked who he is.
    pub fn role(&self) -> Option<Role> {
        match self {
            Self::Anybody | Self::Configured => Some(Role::Admin),
            Self::Unknown => None,
            Self::Holder { role, .. } => Some(*role),
        }
    }

    /// The role that a token vouches for: where access is open none does.
    pub fn vouched_role(&self) -> Option<Role> {
        self.name().and_then(|_| self.role())
    }

    /// The name that a token vouches for.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Anybody | Self::Unknown => None,
            Self::Configured => Some(CONFIGURED_ADMIN),
            Self::Holder { name, .. } => Some(name),
        }
    }

    /// Who did it, for the record: the token's name, and behind a colon whom the caller says he is. Names of tokens have no colon, so
    /// what is in front of the first one can be trusted; where access is open nothing can.
    pub fn actor(&self, claimed: Option<&str>) -> String {
        let claimed = claimed.map(str::trim).filter(|claimed| !claimed.is_empty());
        match (self.name(), claimed) {
            (Some(name), Some(claimed)) if claimed != name => format!("{name}: {claimed}"),
            (Some(name), _) => name.to_owned(),
            (None, Some(claimed)) => claimed.to_owned(),
            (None, None) => "api".to_owned(),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // `guard` puts it there. A route that it does not stand before learns nothing about anybody.
        Ok(parts.extensions.get().cloned().unwrap_or(Self::Unknown))
    }
}

/// Stands before every route.
pub async fn guard(api: &Api, mut request: Request, next: Next) -> Response {
    // Whoever prints the headers from here on prints no secret.
    request
        .headers_mut()
        .iter_mut()
        .filter(|(name, _)| *name == AUTHORIZATION)
        .for_each(|(_, v)| v.set_sensitive(true));
    match admit(api, &request) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            forward::to_leader(api, request, next).await
        }
        Err(problem) => refuse(problem),
    }
}

fn refuse(problem: Problem) -> Response {
    let is_unknown = problem.kind() == Kind::Unauthenticated;
    let mut response = problem.into_response();
    if is_unknown {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"brigade\""));
    }
    response
}

fn admit(api: &Api, request: &Request) -> Result<Caller, Problem> {
    let options = &api.sources().access;
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    if options.mode == Mode::Open {
        return Ok(Caller::Anybody);
    }
    if path.is_some_and(|path| page::is_file(path) || who(request.method(), path) == Who::Anyone) {
        return Ok(Caller::Unknown);
    }
    let caller = api.identify(request.headers()).ok_or_else(|| api.unknown(peer(request)))?;
    api.limit(&caller)?;
    api.note_use(&caller, request.headers());
    // Behind no route is nothing but a problem: whoever is known may see it.
    let allowed = path.is_none_or(|path| caller.role().is_some_and(|role| who(request.method(), path).has(role)));
    if allowed { Ok(caller) } else { Err(forbidden(request, &caller)) }
}

fn peer(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<Peer>().map(|peer| peer.0.ip())
}

/// Logged: somebody may be trying doors.
fn forbidden(request: &Request, caller: &Caller) -> Problem {
    let (name, role) = (caller.name().unwrap_or_default(), caller.role().map_or("none", Role::as_str));
    let (method, path) = (request.method(), request.uri().path());
    tracing::warn!(name, role, %method, path, "{name}, {role}, asked for {method} {path}, which the role does not allow");
    let wanted = request.extensions().get::<MatchedPath>().map(|path| who(method, path.as_str()).words());
    let detail = format!("this token is {name}'s, of role {role}: it takes {}", wanted.unwrap_or_default());
    Problem::new(Kind::Forbidden, detail).with("role", role)
}

/// The token of `authorization: Bearer TOKEN`. None where there is none, or more than one.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    Some(token.trim()).filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
}

impl Api {
    /// Who this is, if the token is good here and now.
    fn identify(&self, headers: &HeaderMap) -> Option<Caller> {
        let hash = token::hash(bearer(headers)?);
        let options = &self.sources().access;
        if options.admin.as_ref().is_some_and(|admin| token::is_same(admin, &hash)) {
            return Some(Caller::Configured);
        }
        self.holder_of(&hash).filter(|caller| is_good(caller, wall_ms()))
    }

    /// Every token is looked at, whichever it is.
    fn holder_of(&self, hash: &TokenHash) -> Option<Caller> {
        self.node().with_kitchen(|kitchen| {
            let mut found = None;
            for known in kitchen.tokens() {
                if token::is_same(&known.new.hash, hash) {
                    found = Some(known);
                }
            }
            found.map(|known| Caller::Holder {
                token: known.new.id.clone(),
                name: known.new.name.clone(),
                role: known.new.role,
                ends_wall: known.ends_wall(),
                used_hour: known.used_hour,
            })
        })
    }

    /// False once the token has ended or was revoked: what goes on for long asks now and then.
    pub(super) fn is_still_good(&self, caller: &Caller) -> bool {
        match caller {
            Caller::Anybody | Caller::Unknown | Caller::Configured => true,
            Caller::Holder { token, .. } => {
                self.node().with_kitchen(|kitchen| kitchen.token(token).is_some()) && is_good(caller, wall_ms())
            }
        }
    }

    fn unknown(&self, peer: Option<IpAddr>) -> Problem {
        let limiter = &self.0.limits.failures;
        if let Err(wait_s) = limiter.take(limit::key_of(peer), boottime_ms()) {
            let detail = "too many requests without a token that is good came from this address";
            return Problem::new(Kind::TooManyRequests, detail).retry_after(wait_s);
        }
        let detail = "send the header authorization: Bearer TOKEN with a token that is good; an admin adds one";
        Problem::new(Kind::Unauthenticated, detail)
    }

    fn limit(&self, caller: &Caller) -> Result<(), Problem> {
        let key = match caller {
            Caller::Holder { token, .. } => token.to_string(),
            // The same for all who hold it. No id has a space.
            Caller::Anybody | Caller::Unknown | Caller::Configured => "the configured".to_owned(),
        };
        self.0.limits.requests.take(key, boottime_ms()).map_err(|wait_s| {
            let detail = "this token is used for too many requests: slow down, or give each user a token";
            Problem::new(Kind::TooManyRequests, detail).retry_after(wait_s)
        })
    }
}

fn is_good(caller: &Caller, wall_ms: u64) -> bool {
    match caller {
        Caller::Holder { ends_wall, .. } => ends_wall.is_none_or(|ends| wall_ms < ends),
        Caller::Anybody | Caller::Unknown | Caller::Configured => true,
    }
}

/// How often callers may ask.
pub struct Limits {
    /// By token.
    requests: Limiter<String>,
    /// By address, for requests without a good token.
    failures: Limiter<limit::Address>,
}

impl Limits {
    /// As configured.
    pub fn new(options: &Options) -> Self {
        // What comes in a burst is a page that opens, or a backend that catches up: two seconds of it.
        let requests =
            Bucket { per_s_milli: options.requests_per_s.saturating_mul(1_000), burst: 2 * options.requests_per_s };
        let failures =
            Bucket { per_s_milli: (options.failures_per_min * 1_000).div_ceil(60), burst: options.failures_per_min };
        Self { requests: Limiter::new(requests), failures: Limiter::new(failures) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|v| (AUTHORIZATION, HeaderValue::from_str(v).unwrap())).collect()
    }

    #[test]
    fn one_bearer_token_is_taken_and_nothing_else() {
        assert_eq!(bearer(&headers(&["Bearer abc"])), Some("abc"));
        assert_eq!(bearer(&headers(&["bearer  abc "])), Some("abc"));
        for wrong in [&["Basic abc"][..], &["Bearer"], &["Bearer "], &["abc"], &[], &["Bearer a", "Bearer b"]] {
            assert_eq!(bearer(&headers(wrong)), None, "{wrong:?}");
        }
    }

    fn holder(name: &str, ends_wall: Option<u64>) -> Caller {
        let token = "t1".parse().unwrap();
        Caller::Holder { token, name: name.to_owned(), role: Role::Operator, ends_wall, used_hour: None }
    }

    #[test]
    fn the_token_is_the_actor_and_what_is_claimed_stands_behind_it() {
        let tablet = holder("tablet", None);
        assert_eq!(tablet.actor(None), "tablet");
        assert_eq!(tablet.actor(Some("tablet")), "tablet");
        assert_eq!(tablet.actor(Some("ann")), "tablet: ann");
        assert_eq!(tablet.actor(Some("chef: ann")), "tablet: chef: ann", "the first colon is ours");
        assert_eq!(Caller::Configured.actor(Some(" ")), "admin");
        assert_eq!((Caller::Anybody.actor(Some("ann")), Caller::Anybody.actor(None)), ("ann".into(), "api".into()));
    }

    #[test]
    fn a_token_is_good_until_its_last_millisecond() {
        assert!(is_good(&holder("a", None), u64::MAX));
        assert!(is_good(&holder("a", Some(100)), 99) && !is_good(&holder("a", Some(100)), 100));
    }
}
