//! How much room is left on the disk of the data directory: the early alarm. A database whose disk is full can't go on, so the program
//! stops taking orders before that, and goes on finishing.
//!
//! Nothing here decides, and nothing here is an error: a file system that does not tell is not called low.

use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use super::node::{Inner, RaftNode};

/// How often a change is looked for, to be logged.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// An order that comes so soon behind one that had room has it too: thousands a second need not ask each.
const KNOWN_FOR: Duration = Duration::from_millis(2);

/// What the last order that asked was told, and when.
#[derive(Debug, Default)]
pub(super) struct LastTold(Mutex<Option<(Instant, Space)>>);

/// Room on the disk, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// What this program may still use; None if the file system does not tell.
    pub free_bytes: Option<u64>,
    /// With less than this it is low.
    pub free_min_bytes: u64,
}

impl Space {
    /// True if orders must wait until somebody makes room.
    pub fn is_low(&self) -> bool {
        self.free_bytes.is_some_and(|free| free < self.free_min_bytes)
    }
}

impl RaftNode {
    /// The room that is left for one more order: now, or a moment ago when another one came.
    pub fn space_for_an_order(&self) -> Space {
        let mut last = self.space_told().0.lock().expect("nothing panics while it holds this lock");
        match *last {
            Some((at, told)) if !told.is_low() && at.elapsed() < KNOWN_FOR => told,
            _ => last.insert((Instant::now(), self.space())).1,
        }
    }

    /// The room that is left now.
    pub fn space(&self) -> Space {
        let told = rustix::fs::statvfs(&self.options().data_dir);
        let free_bytes = told.ok().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        Space { free_bytes, free_min_bytes: self.options().free_min_bytes }
    }
}

/// Logs when the room becomes low, and when it is enough again. Ends with the replica.
pub(super) async fn follow(inner: Weak<Inner>) {
    let mut was_low = false;
    while let Some(node) = inner.upgrade().map(RaftNode::of) {
        let (space, dir) = (node.space(), node.options().data_dir.display().to_string());
        drop(node);
        let (free, min) = (space.free_bytes.unwrap_or(0) >> 20, space.free_min_bytes >> 20);
        match (was_low, space.is_low()) {
            (false, true) => {
                tracing::warn!(
                    free_mb = free,
                    "The disk of {dir} is nearly full: {free} MB are free and {min} MB are wanted. Make room before it is full"
                );
            }
            (true, false) => tracing::info!(free_mb = free, "The disk of {dir} has room again: {free} MB"),
            (false, false) | (true, true) => {}
        }
        was_low = space.is_low();
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Starts `follow`.
pub(super) fn watch(inner: &Arc<Inner>) {
    tokio::spawn(follow(Arc::downgrade(inner)));
}
