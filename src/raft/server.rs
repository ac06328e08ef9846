//! The server side between replicas. `node.rs` binds the listener and serves the router.
//!
//! Every request names its cluster and the node it is meant for; a foreign one is refused with a typed body. Bodies are bounded,
//! and a snapshot goes to a file as it comes. Nothing here decides: openraft does.

use std::io;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures::StreamExt;
use openraft::raft::VoteRequest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

use super::codec;
use super::node::RaftNode;
use super::snapshot::SnapshotFile;
use super::types::{Types, Vote};
use super::wire::{self, Refused};

/// The routes that peers call, until `stop`: it ends what is never answered otherwise.
pub fn router(node: RaftNode, stop: CancellationToken) -> Router {
    Router::new()
        .route(wire::APPEND, post(append))
        .route(wire::VOTE, post(vote))
        .route(wire::PRE_VOTE, post(pre_vote))
        .route(wire::TRANSFER, post(transfer))
        .route(wire::READ_INDEX, post(read_index))
        .route(wire::MAINTENANCE, post(maintenance))
        .route(wire::ALIVE, post(move || alive(stop)))
        .layer(DefaultBodyLimit::max(wire::BODY_BYTES_MAX))
        .route(wire::SNAPSHOT, post(snapshot))
        .layer(middleware::from_fn_with_state(node.clone(), admit))
        .with_state(node)
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match self {
            Self::ForeignCluster { .. } | Self::WrongNode { .. } => StatusCode::FORBIDDEN,
            Self::OtherDisk { .. } | Self::OldCopy { .. } | Self::OtherLineage { .. } => StatusCode::FORBIDDEN,
            Self::BadBody { .. } => StatusCode::BAD_REQUEST,
            Self::BadSnapshot { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NoReadIndex => StatusCode::CONFLICT,
            Self::Unwritten { .. } => StatusCode::INSUFFICIENT_STORAGE,
            Self::Stopped => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, Json(self)).into_response()
    }
}

/// Refuses what is of another cluster or meant for another node, and everything once this replica must stop.
async fn admit(State(node): State<RaftNode>, request: Request, next: Next) -> Response {
    let from = number(request.headers(), wire::FROM_HEADER);
    let admitted = admitted(&node, request.headers());
    let is_ours = !matches!(
        admitted,
        Err(Refused::ForeignCluster { .. } | Refused::WrongNode { .. } | Refused::OtherLineage { .. })
    );
    let mut response = match admitted {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    };
    if let Ok(disk) = HeaderValue::from_str(node.disks().own()) {
        response.headers_mut().insert(wire::DISK_HEADER, disk);
    }
    // After the request: what it made this replica promise is in.
    response.headers_mut().insert(wire::RULES_HEADER, HeaderValue::from(node.peer_rules().own().0));
    response.headers_mut().insert(wire::EDITION_HEADER, HeaderValue::from(node.disks().own_edition()));
    // A node of another cluster that has the same number is not meant.
    let seen = if is_ours { node.disks().edition_of(from) } else { 0 };
    response.headers_mut().insert(wire::SEEN_HEADER, HeaderValue::from(seen));
    if let Ok(sideline) = HeaderValue::from_str(&node.sidelines().say_own()) {
        response.headers_mut().insert(wire::SIDELINE_HEADER, sideline);
    }
    response
}

fn admitted(node: &RaftNode, headers: &HeaderMap) -> Result<(), Refused> {
    let (cluster, id) = (&node.options().cluster, node.options().node_id);
    let says = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if says(wire::CLUSTER_HEADER) != Some(cluster.as_str()) {
        return Err(Refused::ForeignCluster { cluster: cluster.clone() });
    }
    if says(wire::TO_HEADER).and_then(|to| to.parse().ok()) != Some(id) {
        return Err(Refused::WrongNode { node: id });
    }
    if node.fatal_reason().is_some() {
        return Err(Refused::Stopped);
    }
    let from = says(wire::FROM_HEADER).and_then(|from| from.parse().ok()).zip(says(wire::DISK_HEADER));
    let (from, disk) = from.ok_or_else(|| Refused::BadBody { why: "the sender does not say who it is".to_owned() })?;
    node.disks().admit_lineage(from, says(wire::LINEAGE_HEADER).unwrap_or_default())?;
    node.disks().is_seen_at(number(headers, wire::SEEN_HEADER))?;
    node.disks().admit(from, disk, number(headers, wire::EDITION_HEADER))?;
    node.peer_rules().hear(from, says(wire::RULES_HEADER));
    Ok(())
}

/// The number in a header; 0 without one.
fn number(headers: &HeaderMap, name: &str) -> u64 {
    headers.get(name).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0)
}

fn body<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, Refused> {
    codec::decode(bytes).map_err(|e| Refused::BadBody { why: e.to_string() })
}

fn answer<T: Serialize, E>(result: Result<T, E>) -> Result<Vec<u8>, Refused> {
    result.map(|answer| codec::encode(&answer)).map_err(|_| Refused::Stopped)
}

async fn append(State(node): State<RaftNode>, headers: HeaderMap, bytes: Bytes) -> Result<Vec<u8>, Refused> {
    let said = headers.get(wire::SIDELINE_HEADER).and_then(|said| said.to_str().ok());
    node.sidelines().learn_all(said.unwrap_or_default());
    answer(node.raft().append_entries(body(&bytes)?).await)
}

async fn vote(State(node): State<RaftNode>, bytes: Bytes) -> Result<Vec<u8>, Refused> {
    answer(node.raft().vote(body(&bytes)?).await)
}

async fn pre_vote(State(node): State<RaftNode>, bytes: Bytes) -> Result<Vec<u8>, Refused> {
    let request: VoteRequest<Types> = body(&bytes)?;
    let asked = request.last_log_id;
    let says = node.raft().pre_vote(request).await;
    if says.as_ref().is_ok_and(|says| !says.vote_granted && says.last_log_id > asked) {
        node.has_more_than_a_candidate();
    }
    answer(says)
}

/// A body without content that ends when this process says goodbye; if it dies, its system breaks the connection instead.
async fn alive(stop: CancellationToken) -> Body {
    let goodbye = futures::stream::once(async move {
        stop.cancelled().await;
        Ok::<_, io::Error>(Bytes::new())
    });
    Body::from_stream(goodbye)
}

async fn transfer(State(node): State<RaftNode>, bytes: Bytes) -> Result<Vec<u8>, Refused> {
    answer(node.raft().handle_transfer_leader(body(&bytes)?).await)
}

async fn read_index(State(node): State<RaftNode>) -> Result<Vec<u8>, Refused> {
    let index = node.read_index().await.map_err(|_| Refused::NoReadIndex)?;
    Ok(codec::encode(&index))
}

async fn maintenance(State(node): State<RaftNode>, bytes: Bytes) -> Result<Vec<u8>, Refused> {
    let on = body(&bytes)?;
    node.set_own_maintenance(on).await.map_err(|e| Refused::Unwritten { why: e.to_string() })?;
    Ok(codec::encode(&()))
}

async fn snapshot(State(node): State<RaftNode>, headers: HeaderMap, content: Body) -> Result<Vec<u8>, Refused> {
    let vote = headers.get(wire::VOTE_HEADER).and_then(|vote| serde_json::from_slice::<Vote>(vote.as_bytes()).ok());
    let vote = vote.ok_or_else(|| Refused::BadBody { why: format!("header {} is missing", wire::VOTE_HEADER) })?;
    let refused = |e: io::Error| Refused::BadSnapshot { why: e.to_string() };
    let file = receive(&node, content).await.map_err(refused)?;
    let shelf = node.shelf();
    let check = tokio::task::spawn_blocking(move || shelf.check_content(file.path()).map(|meta| (meta, file))).await;
    let (meta, snapshot) = check.unwrap_or_else(|e| Err(io::Error::other(e))).map_err(refused)?;
    answer(node.raft().install_full_snapshot(vote, openraft::Snapshot { meta, snapshot }).await)
}

/// Writes the body to a file, synced: what is installed must survive a crash in the middle of it.
async fn receive(node: &RaftNode, content: Body) -> io::Result<SnapshotFile> {
    let snapshot = node.shelf().temporary()?;
    let mut file = tokio::fs::File::create(snapshot.path()).await?;
    let mut bytes_left = node.options().snapshot_bytes_max;
    let mut chunks = content.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(io::Error::other)?;
        let left = bytes_left.checked_sub(chunk.len() as u64);
        bytes_left = left.ok_or_else(|| io::Error::other("it is larger than this replica takes"))?;
        file.write_all(&chunk).await?;
    }
    file.flush().await?;
    file.sync_all().await?;
    Ok(snapshot)
}
