//! The tablet's page and what it asks: the desk as JSON, waited for, and the person's words. It serves one person and holds no data of others.
//!
//! Who may press: whoever has the token, where there is one; and in any case no web page of elsewhere. A page is served under an address or
//! a name that was allowed, so that no name server can make a foreign page look like ours; a word is JSON, which no form can send.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;

use super::desk::{Refused, Shared, Word};
use super::view::{View, Whose};
use crate::clock;
use crate::protocol::{Attempt, Id, Verdict};
use crate::secret;
use crate::web::{Document, parse_json};

/// How long a page waits for a change, at most: less than what makes a silent page an absent person.
const WAIT_MAX: Duration = Duration::from_secs(3);
/// The longest word of a person, in bytes.
const BODY_MAX: usize = 4_096;
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const FILES: [(&str, &str, &str); 4] = [
    ("/", "text/html; charset=utf-8", include_str!("../../../assets/human/human.html")),
    ("/brigade.css", "text/css; charset=utf-8", include_str!("../../../assets/brigade.css")),
    ("/human.css", "text/css; charset=utf-8", include_str!("../../../assets/human/human.css")),
    ("/human.js", "text/javascript; charset=utf-8", include_str!("../../../assets/human/human.js")),
];

/// Who may ask.
#[derive(Clone, Debug, Default)]
pub struct Doors {
    /// Names besides addresses and `localhost` under which the page may be opened.
    pub names: Vec<String>,
    /// What is kept of the token, where one is asked for.
    pub token: Option<String>,
}

impl Doors {
    /// What is kept of a token.
    pub fn digest(token: &str) -> String {
        secret::digest(token)
    }
}

/// What the routes need.
#[derive(Clone)]
pub struct Tablet {
    /// The desk.
    pub desk: Arc<Shared>,
    /// Whose it is.
    pub whose: Whose,
    /// Who may ask.
    pub doors: Arc<Doors>,
}

/// All routes.
pub fn router(tablet: Tablet) -> Router {
    let desk = Router::new()
        .route("/desk", get(look))
        .route("/desk/presence", post(presence))
        .route("/desk/word", post(word))
        .route("/desk/hands", post(hands))
        .layer(middleware::from_fn_with_state(tablet.clone(), with_token));
    let files = FILES.into_iter().fold(Router::new(), |router, (path, kind, text)| {
        router.route(path, get(async move || ([(header::CONTENT_TYPE, kind)], text)))
    });
    desk.merge(files)
        .fallback(async || problem(404, "unknown-route", "There is nothing here", "the page is at /"))
        .layer(axum::extract::DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn_with_state(tablet.clone(), of_this_page))
        .with_state(tablet)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// The change that the page has seen.
    #[serde(default)]
    after: Option<u64>,
}

/// The desk, once it has changed or a while has passed. Asking says that somebody is there.
async fn look(State(tablet): State<Tablet>, Query(asked): Query<Asked>) -> Response {
    let mut changes = tablet.desk.changes();
    tablet.desk.change(|desk| desk.page_asks(clock::boottime_ms()));
    if let Some(seen) = asked.after {
        let _ = tokio::time::timeout(WAIT_MAX, changes.wait_for(|n| *n != seen)).await;
    }
    tablet.show()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PresenceBody {
    works: bool,
}

/// He takes work, or none.
async fn presence(State(tablet): State<Tablet>, headers: HeaderMap, body: Bytes) -> Response {
    match parse_json::<PresenceBody>(&headers, &body) {
        Ok(said) => {
            tablet.desk.change(|desk| desk.wants_work(clock::boottime_ms(), said.works));
            tablet.show()
        }
        Err(fault) => invalid(&fault),
    }
}

/// What he says about a task.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum What {
    Start,
    Done,
    Failed,
    Stopped,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WordBody {
    task: Id,
    att: u32,
    word: What,
    #[serde(default)]
    verdict: Option<Verdict>,
    #[serde(default)]
    code: String,
    #[serde(default)]
    detail: String,
}

/// He begins, is done, failed, or has stopped. Twice is once: the second time it is not asked any more.
async fn word(State(tablet): State<Tablet>, headers: HeaderMap, body: Bytes) -> Response {
    let said = match parse_json::<WordBody>(&headers, &body) {
        Ok(said) => said,
        Err(fault) => return invalid(&fault),
    };
    let attempt = Attempt { id: said.task, att: said.att };
    let detail = said.detail.chars().take(200).collect();
    let word = match said.word {
        What::Start => Word::Start,
        What::Done => Word::Done(said.verdict),
        What::Failed => Word::Failed(said.code, detail),
        What::Stopped => Word::Stopped,
    };
    tracing::info!(task.id = %attempt.id, task.att = attempt.att, "The person says of {} {}: {word:?}", attempt.id, attempt.att);
    tablet.answer(tablet.desk.change(|desk| desk.say(&attempt, word)))
}

/// There is nothing in his hands.
async fn hands(State(tablet): State<Tablet>, headers: HeaderMap, body: Bytes) -> Response {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Empty {}
    match parse_json::<Empty>(&headers, &body) {
        Ok(Empty {}) => tablet.answer(tablet.desk.change(|desk| desk.hands_are_empty())),
        Err(fault) => invalid(&fault),
    }
}

impl Tablet {
    fn show(&self) -> Response {
        let (change, desk) = self.desk.look();
        let view = View::of(change, desk, self.whose.clone(), clock::boottime_ms());
        ([(header::CACHE_CONTROL, "no-store")], Json(view)).into_response()
    }

    fn answer(&self, heard: Result<(), Refused>) -> Response {
        match heard {
            Ok(()) => self.show(),
            Err(Refused::NotNow) => problem(409, "not-now", "This is not asked now", &Refused::NotNow.to_string()),
            Err(refused) => problem(422, "invalid", "The request is not valid", &refused.to_string()),
        }
    }
}

/// Refuses names that are not ours, and words of pages of elsewhere.
async fn of_this_page(State(tablet): State<Tablet>, request: Request, next: Next) -> Response {
    if let Err(refused) = admit(request.headers(), request.method().is_safe(), &tablet.doors.names) {
        return refused;
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    response
}

/// The page's own name, and no page of elsewhere that would change something.
#[expect(clippy::result_large_err, reason = "the answer of one request, at once")]
fn admit(headers: &HeaderMap, is_safe: bool, names: &[String]) -> Result<(), Response> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let host = text(header::HOST).unwrap_or_default();
    if !is_ours(host, names) {
        let detail = "open the page by an address, or start the program with --name and this one";
        return Err(problem(421, "foreign-name", "The page has another name", detail));
    }
    let origin = text(header::ORIGIN).map(|origin| origin.split_once("://").map_or("", |(_, host)| host));
    if !is_safe && origin.is_some_and(|origin| !origin.eq_ignore_ascii_case(host)) {
        let detail = "open the page of this program";
        return Err(problem(403, "foreign-origin", "This page is not of this tablet", detail));
    }
    Ok(())
}

/// An address can't be somebody else's name for this machine; a name can.
fn is_ours(host: &str, names: &[String]) -> bool {
    let Ok(authority) = host.parse::<axum::http::uri::Authority>() else { return false };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let is_address = address.parse::<std::net::IpAddr>().is_ok();
    is_address || name.eq_ignore_ascii_case("localhost") || names.iter().any(|n| n.eq_ignore_ascii_case(name))
}

/// Lets those in who have the token, where there is one.
async fn with_token(State(tablet): State<Tablet>, request: Request, next: Next) -> Response {
    let shown = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let shown = shown.and_then(|value| value.strip_prefix("Bearer ")).map(|token| Doors::digest(token.trim()));
    let is_good = |kept: &String| shown.is_some_and(|shown| secret::is_same(&shown, kept));
    if tablet.doors.token.as_ref().is_none_or(is_good) {
        return next.run(request).await;
    }
    let mut refused = problem(401, "unauthenticated", "Who asks is not known", "send the token of this tablet");
    refused.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    refused
}

fn invalid(fault: &dyn std::fmt::Display) -> Response {
    problem(422, "invalid", "The request is not valid", &fault.to_string())
}

fn problem(status: u16, word: &'static str, title: &'static str, detail: &str) -> Response {
    let fields = serde_json::Map::new();
    debug_assert!(StatusCode::from_u16(status).is_ok());
    Document { spec: (status, word, title), detail, fields: &fields, retry_after_s: None }.into_response()
}

#[cfg(test)]
mod tests {
    use super::is_ours;

    #[test]
    fn a_page_is_opened_by_an_address_or_by_a_name_that_was_allowed() {
        let names = ["tablet.local".to_owned()];
        for host in ["127.0.0.1:7480", "10.0.0.9", "[::1]:7480", "localhost:7480", "Tablet.local:7480"] {
            assert!(is_ours(host, &names), "{host}");
        }
        for host in ["evil.example:7480", "", "127.0.0.1.evil.example", "a b"] {
            assert!(!is_ours(host, &names), "{host}");
        }
    }
}
