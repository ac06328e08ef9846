//! Looks through the snapshot that a start found on the shelf, beside everything else: it holds the whole archive, and a replica need not
//! wait for that before it serves. Its rows are in the database; a damaged one is replaced by another.
//!
//! Until then the damaged one stays: a replica that gets it refuses it, and openraft would stop without one. Nothing here repairs.

use std::sync::{Arc, Weak};
use std::time::Instant;

use super::node::{Inner, RaftNode};

/// Starts `scrub`.
pub(super) fn watch(inner: &Arc<Inner>) {
    tokio::spawn(scrub(Arc::downgrade(inner)));
}

async fn scrub(inner: Weak<Inner>) {
    let Some(shelf) = inner.upgrade().map(|inner| RaftNode::of(inner).shelf()) else { return };
    let began = Instant::now();
    let looked = tokio::task::spawn_blocking(move || shelf.check_current()).await;
    match looked {
        Ok(Ok(())) => tracing::debug!(took = ?began.elapsed(), "The snapshot on the shelf is whole"),
        Ok(Err(error)) => {
            tracing::warn!(%error, "The snapshot on the shelf is damaged, and replaced by a new one: {error}");
            let Some(node) = inner.upgrade().map(RaftNode::of) else { return };
            if let Err(error) = node.trigger_snapshot().await {
                tracing::warn!(%error, "No new snapshot is made: {error}");
            }
        }
        // The replica stops.
        Err(_) => {}
    }
}
