//! Whether this replica lives, and whether it should get requests. Neither needs a majority to answer.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use crate::raft::Sideline;

use super::Api;
use super::problems::{Kind, Problem};
use super::views::cluster::ReadyView;

/// How many entries a replica may be behind and still be ready.
const BEHIND_MAX: u64 = 1_000;

/// How much longer than an election a follower may hear nothing, in milliseconds: a failover is no reason to ask another replica.
const SILENCE_MS: u64 = 1_000;

/// `GET /livez`: whether this replica lives: 503 when its process must be restarted.
#[utoipa::path(get, path = "/livez", operation_id = "ask_if_live", tag = "monitoring", security(()), responses((status = 200, body = String, content_type = "text/plain"),
    (status = 503, description = "stopping")))]
pub async fn livez(State(api): State<Api>) -> Result<&'static str, Problem> {
    match api.node().watch_fatal().borrow().as_ref() {
        None => Ok("ok\n"),
        Some(reason) => Err(Problem::new(Kind::Stopping, format!("this replica stopped: {reason}"))),
    }
}

/// `GET /readyz`: whether this replica should get requests: 503 with the reasons when it should not.
#[utoipa::path(get, path = "/readyz", operation_id = "ask_if_ready", tag = "monitoring", security(()), responses((status = 200, body = ReadyView, description = "It should."),
    (status = 503, body = ReadyView, description = "It should not.")))]
pub async fn readyz(State(api): State<Api>) -> (StatusCode, Json<ReadyView>) {
    let reasons = reasons(&api).await;
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(ReadyView { ready: reasons.is_empty(), reasons, warnings: warnings(&api) }))
}

fn warnings(api: &Api) -> Vec<String> {
    let space = api.node().space();
    let (free, min) = (space.free_bytes.unwrap_or(0) >> 20, space.free_min_bytes >> 20);
    let low = format!("the disk is nearly full: {free} MB are free and {min} MB are wanted; make room");
    let aside = matches!(api.node().sideline(), Some(Sideline::Maintenance));
    let aside = aside.then(|| "this node is in maintenance: it votes, and is not in charge".to_owned());
    space.is_low().then_some(low).into_iter().chain(aside).collect()
}

async fn reasons(api: &Api) -> Vec<String> {
    let (node, status) = (api.node(), api.node().status());
    let mut reasons = Vec::new();
    if let Some(reason) = node.watch_fatal().borrow().as_ref() {
        reasons.push(format!("this replica stopped: {reason}"));
    }
    if status.leader.is_none() {
        reasons.push("no leader is known: are a majority of the replicas up and connected?".to_owned());
    }
    let behind = status.committed.unwrap_or(0).saturating_sub(node.applied_index());
    if behind > BEHIND_MAX {
        reasons.push(format!("{behind} entries are not applied yet"));
    }
    let lease_ms = 2 * node.options().election_max_ms;
    // One whose leader died goes on naming it while no majority elects another.
    let silence_ms = node.silence().await.map_or(0, |silence| silence.as_millis() as u64);
    if !node.is_leading() && status.leader.is_some() && silence_ms > lease_ms + SILENCE_MS {
        reasons.push(format!("the leader that is known has not been heard for {silence_ms} ms"));
    }
    // A leader that was cut off goes on calling itself one.
    if node.is_leading() && node.quorum_age_ms().is_none_or(|age| age > lease_ms) {
        reasons.push("this replica calls itself leader, and no majority answers it".to_owned());
    }
    reasons
}
