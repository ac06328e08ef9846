//! The form of an RFC 9457 problem document. Which problems there are is each API's own affair.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

/// What every problem type begins with.
pub const TYPE_PREFIX: &str = "urn:brigade:problem:";

/// One problem as it goes over the wire.
pub struct Document<'a> {
    /// HTTP status, last part of the type, and title.
    pub spec: (u16, &'static str, &'static str),
    /// What is wrong with this request, and what to do.
    pub detail: &'a str,
    /// Members of its own.
    pub fields: &'a Map<String, Value>,
    /// When to come back, in seconds.
    pub retry_after_s: Option<u32>,
}

impl IntoResponse for Document<'_> {
    fn into_response(self) -> Response {
        let (status, word, title) = self.spec;
        let mut body = json!({ "type": format!("{TYPE_PREFIX}{word}"), "title": title, "status": status });
        body["detail"] = self.detail.into();
        for (name, value) in self.fields {
            body[name] = value.clone();
        }
        let status = StatusCode::from_u16(status).expect("the tables hold statuses");
        let mut response = (status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The kinds of problems that an API has: each with its status, the last part of its type, its title, and in its comment when it is answered.
macro_rules! problem_kinds {
    ($(#[doc = $when:literal] $name:ident = $status:literal $word:literal $title:literal,)*) => {
        /// The stable types of problems.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind { $(#[doc = $when] $name,)* }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// HTTP status, last part of the type, and title.
            pub fn spec(self) -> (u16, &'static str, &'static str) {
                match self { $(Self::$name => ($status, $word, $title),)* }
            }

            /// When it is answered.
            pub fn when(self) -> &'static str {
                match self { $(Self::$name => $when.trim_ascii_start(),)* }
            }
        }
    };
}
pub(crate) use problem_kinds;
