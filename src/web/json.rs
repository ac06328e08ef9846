//! Strict JSON bodies: declared as JSON, an object, and no field that is not known.
//!
//! A misspelt option must not be ignored in silence.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

/// What is wrong with a body.
#[derive(Debug, thiserror::Error)]
pub enum JsonFault {
    /// It is not declared as JSON.
    #[error("send the header content-type: application/json")]
    NotDeclared,
    /// It is no JSON.
    #[error("{0}")]
    Malformed(serde_json::Error),
    /// It is another JSON value.
    #[error("the body must be a JSON object")]
    NoObject,
    /// It has a field that is not known.
    #[error("{0}")]
    UnknownField(serde_json::Error),
    /// A field has another form.
    #[error("{0}")]
    Invalid(serde_json::Error),
}

/// Understands a body.
pub fn parse_json<T: DeserializeOwned>(headers: &HeaderMap, bytes: &[u8]) -> Result<T, JsonFault> {
    if !is_json(headers) {
        return Err(JsonFault::NotDeclared);
    }
    // serde would take fields by position as well, and blame the type of what is no JSON at all.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(match serde_json::from_slice::<serde::de::IgnoredAny>(bytes) {
            Ok(_) => JsonFault::NoObject,
            Err(error) => JsonFault::Malformed(error),
        });
    }
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        serde_json::error::Category::Data if error.to_string().starts_with("unknown field") => {
            JsonFault::UnknownField(error)
        }
        serde_json::error::Category::Data => JsonFault::Invalid(error),
        serde_json::error::Category::Io | serde_json::error::Category::Syntax | serde_json::error::Category::Eof => {
            JsonFault::Malformed(error)
        }
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}
