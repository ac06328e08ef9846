//! What is on the wire: explicit structs, made from the kitchen's rows and never those rows themselves, so that the state may change
//! its form without changing the API.
//!
//! Spans end in `_ms`. Moments are spans from now or from the order's placing, in kitchen time; where wall time is known it is
//! RFC 3339 in UTC, for people. Nothing here reads a clock: handlers pass `now` in.

pub mod audit;
pub mod cluster;
pub mod device;
pub mod event;
pub mod history;
pub mod incident;
pub mod kitchen;
pub mod log;
pub mod order;
pub mod pizza;
pub mod quote;
pub mod recipe;
pub mod time;
pub mod token;
pub mod words;

use serde::Serialize;
use utoipa::ToSchema;

/// A list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Items<T> {
    /// What is in it.
    pub items: Vec<T>,
}

/// The kitchen's word for one of its enums, as its rows spell it.
pub(super) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}
