//! For supervisors and monitoring: no token is needed, and nothing about orders is shown.

use std::fmt::Write;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use crate::backend::Backend;
use crate::telemetry;

use super::problems::{Kind, Problem};

/// `GET /livez`: the process answers.
#[utoipa::path(get, path = "/livez", operation_id = "ask_if_live", tag = "operation", security(()), responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn livez() -> &'static str {
    "alive\n"
}

/// `GET /readyz`: the database answers.
#[utoipa::path(get, path = "/readyz", operation_id = "ask_if_ready", tag = "operation", security(()), responses((status = 200, body = String, content_type = "text/plain"), (status = 503, description = "storage")))]
pub async fn readyz(State(backend): State<Backend>) -> Result<&'static str, Problem> {
    if backend.store().is_up().await {
        return Ok("ready\n");
    }
    Err(Problem::new(Kind::Storage, "the database does not answer"))
}

/// `GET /metrics`: Prometheus' text form.
#[utoipa::path(get, path = "/metrics", operation_id = "measure", tag = "operation", security(()), responses((status = 200, body = String, content_type = "text/plain"), (status = 503, description = "storage")))]
pub async fn metrics(State(backend): State<Backend>) -> Result<impl IntoResponse, Problem> {
    let mut page = String::new();
    let orders = backend.store().orders_by_state().await?;
    page.push_str("# HELP brigade_backend_orders Orders, by status.\n# TYPE brigade_backend_orders gauge\n");
    for (state, count) in orders {
        // Writing to a String does not fail.
        let _ = writeln!(page, "brigade_backend_orders{{status=\"{}\"}} {count}", state.as_str().to_ascii_lowercase());
    }
    page.push_str("# HELP brigade_backend_kitchens Kitchens, by status.\n# TYPE brigade_backend_kitchens gauge\n");
    for (state, count) in backend.kitchens_by_state() {
        let _ = writeln!(page, "brigade_backend_kitchens{{status=\"{state}\"}} {count}");
    }
    page.push_str(&telemetry::record()());
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page))
}

impl Backend {
    fn kitchens_by_state(&self) -> std::collections::BTreeMap<String, u64> {
        let (directory, now) = (self.directory(), self.now());
        directory.rows().fold(std::collections::BTreeMap::new(), |mut counts, row| {
            let state = directory.state_of(row, self.options(), now);
            *counts.entry(state.as_str().to_ascii_lowercase()).or_default() += 1;
            counts
        })
    }
}

/// `GET /openapi.json`: this API, described.
pub async fn openapi(json: Bytes) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], json)
}
