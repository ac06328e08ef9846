//! A copy of the whole kitchen, as a file: written while it is sent, so that a large one lies neither in memory nor on the disk.

use std::io::{self, Write};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use tokio::sync::mpsc;

use crate::raft::RaftNode;

use super::Api;
use super::problems::{Kind, Problem};

/// Pieces that wait for a slow reader.
const WAITING_MAX: usize = 4;

/// How many copies one replica writes at once: each holds a view of the database.
pub const AT_ONCE: usize = 1;

/// `GET /v1/cluster/backup`: all that the kitchen is, as this replica has applied it; `brigade ctl verify` reads it. Needs no majority.
#[utoipa::path(get, path = "/v1/cluster/backup", operation_id = "back_up", tag = "cluster",
    responses((status = 200, description = "The copy: a file that says itself whether it is whole.", content_type = "application/octet-stream", body = Vec<u8>)))]
pub async fn back_up(State(api): State<Api>) -> Result<Response, Problem> {
    let permit = Arc::clone(&api.0.backups).try_acquire_owned().map_err(|_| {
        Problem::new(Kind::TooManyRequests, "a copy is being taken at this replica: ask another one, or wait")
            .retry_after(30)
    })?;
    let (to, pieces) = mpsc::channel(WAITING_MAX);
    let node = api.node().clone();
    let name = format!("attachment; filename=\"{}.backup\"", api.sources().cluster.kitchen);
    tokio::task::spawn_blocking(move || {
        write(&node, &to);
        drop(permit);
    });
    let body = Body::from_stream(
        futures::stream::unfold(pieces, |mut pieces| async { pieces.recv().await.map(|piece| (piece, pieces)) })
            .boxed(),
    );
    let headers = [(header::CONTENT_TYPE, "application/octet-stream".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, body).into_response())
}

type Piece = io::Result<Bytes>;

/// What goes wrong ends the connection in the middle: half a copy lacks its end, and is not taken for one.
fn write(node: &RaftNode, to: &mpsc::Sender<Piece>) {
    if let Err(error) = node.back_up(Pieces(to)) {
        tracing::warn!(%error, "A copy of the kitchen was not finished");
        // Who asked may be gone.
        let _ = to.blocking_send(Err(error));
    }
}

/// Hands each piece to who sends it, and waits while he is slow.
struct Pieces<'a>(&'a mpsc::Sender<Piece>);

impl Write for Pieces<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "whoever asked for it reads no further");
        self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes))).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
