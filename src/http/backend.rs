//! The main backend's side door, for poll mode: it GETs what the kitchen has to tell, and PUTs its answer. Only on the leader; any other
//! replica passes both on. The documents are those of pull mode, and so is what is done with them.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};
use utoipa::IntoParams;

use crate::leader::backend_sync::answer::Error as NotFollowed;
use crate::leader::backend_sync::request::{self, What};
use crate::leader::backend_sync::{heed, lines};
use crate::protocol::exchange::{EXCHANGE_VERSION, ExchangeAnswer, ExchangeRequest};

use super::Api;
use super::asker::Asker;
use super::extract::{Json, Query};
use super::problems::{Kind, Problem};

/// The path: it goes to the leader for reads, too.
pub const PATH: &str = "/v1/backend/exchange";

/// The longest wait, in milliseconds, whatever is asked for: shorter than the time that any request has on its way to the leader.
const WAIT_MS_MAX: u64 = 6_000;

impl From<NotFollowed> for Problem {
    fn from(error: NotFollowed) -> Self {
        match error {
            NotFollowed::FromTheFuture { .. } => Self::new(Kind::Invalid, error),
            NotFollowed::Log(error) => error.into(),
        }
    }
}

/// `?wait_ms=5000`.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wait {
    /// How long to wait for an outcome if there is none; more than 6000 is taken as that.
    #[serde(default)]
    wait_ms: u64,
}

/// `GET /v1/backend/exchange`: all that the kitchen has to tell the main backend, for poll mode.
#[utoipa::path(get, path = "/v1/backend/exchange", operation_id = "tell_backend", tag = "backend", params(Wait),
    responses((status = 200, body = ExchangeRequest, description = "docs/backend-protocol.md is the contract."), (status = 413, description = "too-large"),
    (status = 503, description = "no-leader, no-quorum, outcome-unknown, stopping")))]
pub async fn ask(State(api): State<Api>, Query(wait): Query<Wait>) -> Result<axum::Json<ExchangeRequest>, Problem> {
    let until = Instant::now() + Duration::from_millis(wait.wait_ms.min(WAIT_MS_MAX));
    let mut applied = api.node().applied_watch();
    while api.node().with_kitchen(|k| k.feed().next().is_none()) {
        // What was applied is seen by looking again; an error means that the replica ends.
        match timeout_at(until, applied.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => break,
        }
    }
    // A leader that was replaced while it waited must not stand for the kitchen.
    api.node().read_barrier().await?;
    let now = api.node().now();
    let logs = lines(api.node()).await;
    let asked = api.node().with_kitchen(|kitchen| {
        let report = Some(request::report(kitchen));
        ExchangeRequest { report, logs, ..request::of(kitchen, now, What::Outcomes) }
    });
    Ok(axum::Json(asked))
}

/// `PUT /v1/backend/exchange`: the main backend's answer, for poll mode.
#[utoipa::path(put, path = "/v1/backend/exchange", operation_id = "heed_backend", tag = "backend", request_body = ExchangeAnswer,
    responses((status = 204, description = "The kitchen follows it.")))]
pub async fn answer(
    State(api): State<Api>,
    asker: Asker,
    Json(answer): Json<ExchangeAnswer>,
) -> Result<StatusCode, Problem> {
    if answer.v != EXCHANGE_VERSION {
        let detail = format!("v is {}: this release reads {EXCHANGE_VERSION}", answer.v);
        return Err(Problem::new(Kind::Invalid, detail));
    }
    let epoch = api.node().with_kitchen(crate::kitchen::Kitchen::epoch);
    let margin_ms = api.sources().backend_margin_ms;
    heed(api.node(), epoch, margin_ms, &asker.asked()?, answer).await?;
    Ok(StatusCode::NO_CONTENT)
}
