//! Which web pages may use this API from a browser: this replica's own, and those of the other replicas of the same kitchen.
//!
//! A page goes on after its replica died by asking the others, which browsers call another origin. So an origin is allowed if it is
//! the API's address of a member, and then it may read (streams too), and POST JSON. Nothing else is: no credentials, no other
//! method, no header but content-type and the token's. Any other page can't read a thing, and what it would change is refused: a browser sends a form across
//! origins without asking. Programs send no `Origin`, and are not concerned.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Api;
use super::access;
use super::problems::{Kind, Problem};

/// What a page of another replica may do, and which headers of an answer it may read.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST");
const HEADERS: HeaderValue = HeaderValue::from_static("authorization, content-type");
const EXPOSED: HeaderValue = HeaderValue::from_static("brigade-index, brigade-node, brigade-leader, date");
/// For so many seconds a browser need not ask again.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// Whose page sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    Own,
    OfMember,
    Foreign,
}

/// Lets requests of our own pages pass, and refuses what a foreign page would change.
pub async fn of_this_kitchen(api: &Api, request: Request, next: Next) -> Response {
    let Some(origin) = request.headers().get(header::ORIGIN).cloned() else {
        return access::guard(api, request, next).await;
    };
    match whose(api, &origin, request.headers()) {
        Page::Own => access::guard(api, request, next).await,
        Page::Foreign if request.method().is_safe() => access::guard(api, request, next).await,
        Page::Foreign => Problem::new(Kind::ForeignOrigin, "open the page at the address of a member").into_response(),
        Page::OfMember if is_preflight(&request) => allow(origin, preflight()),
        Page::OfMember => allow(origin, access::guard(api, request, next).await),
    }
}

fn whose(api: &Api, origin: &HeaderValue, headers: &HeaderMap) -> Page {
    let Some(host) = origin.to_str().ok().and_then(host_of) else { return Page::Foreign };
    let own = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    if own.is_some_and(|own| own.eq_ignore_ascii_case(host)) {
        return Page::Own;
    }
    let mut members = addresses(api).into_iter();
    if members.any(|address| address.eq_ignore_ascii_case(host)) { Page::OfMember } else { Page::Foreign }
}

/// `host:port` of each member's API.
pub fn addresses(api: &Api) -> Vec<String> {
    let peers = api.node().peers().into_values();
    peers.map(|peer| host_of(&peer.api).unwrap_or(&peer.api).to_owned()).collect()
}

/// What is behind the scheme. An origin without one, as `null`, is nobody's.
fn host_of(origin: &str) -> Option<&str> {
    let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    host.map(|host| host.trim_end_matches('/'))
}

fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight() -> Response {
    let allowed: [(HeaderName, HeaderValue); 3] = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
    ];
    (StatusCode::NO_CONTENT, allowed).into_response()
}

fn allow(origin: HeaderValue, mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    response
}

#[cfg(test)]
mod tests {
    use super::host_of;

    #[test]
    fn an_origin_is_told_by_its_host_and_port() {
        assert_eq!(host_of("http://10.0.0.11:7400"), Some("10.0.0.11:7400"));
        assert_eq!(host_of("https://k1.example:7400/"), Some("k1.example:7400"));
        assert_eq!(host_of("null"), None);
        assert_eq!(host_of("file:///etc"), None);
    }
}
