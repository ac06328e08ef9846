//! Deadlines are state. This only says that some are due; apply decides which.

use std::time::Duration;

use crate::kitchen::{Command, Epoch};
use crate::raft::RaftNode;

/// The longest sleep: a lost wake-up costs this much.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// A deadline that stays due after its entry must not fill the log.
const PAUSE: Duration = Duration::from_millis(100);

/// Proposes `DeadlinesDue` whenever the earliest deadline has passed. Ends when a proposal fails: so does the tenure.
pub async fn run(node: RaftNode, epoch: Epoch) {
    let mut applied = node.applied_watch();
    loop {
        let next = node.with_kitchen(crate::kitchen::Kitchen::next_deadline);
        let wait_ms = next.map(|at| at.saturating_sub(node.now()));
        if wait_ms == Some(0) {
            if node.propose(Command::DeadlinesDue, Some(epoch)).await.is_err() {
                return;
            }
            if node.with_kitchen(crate::kitchen::Kitchen::next_deadline) == next {
                tokio::time::sleep(PAUSE).await;
            }
            continue;
        }
        let wait = wait_ms.map_or(SLEEP_MAX, |ms| Duration::from_millis(ms).min(SLEEP_MAX));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            changed = applied.changed() => if changed.is_err() { return },
        }
    }
}
