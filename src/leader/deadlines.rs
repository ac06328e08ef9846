//! Deadlines are state. This only says that some are due; apply decides which.
//!
//! While the passing of time matters to something, an entry is made every few seconds even if nothing else happens: a replica that was
//! started or stood still a moment ago knows the kitchen's time from the last entry alone, and may be in charge in the next one.

use std::time::Duration;

use tokio::time::Instant;

use crate::kitchen::{Command, Epoch, Kitchen};
use crate::raft::RaftNode;

/// The longest sleep: a lost wake-up costs this much.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// A deadline that stays due after its entry must not fill the log.
const PAUSE: Duration = Duration::from_millis(100);

/// The longest time without an entry while something has a deadline.
const QUIET_MAX: Duration = Duration::from_secs(5);

/// Proposes `DeadlinesDue` whenever the earliest deadline has passed. Ends when a proposal fails: so does the tenure.
pub async fn run(node: RaftNode, epoch: Epoch) {
    let mut applied = node.applied_watch();
    let (mut index, mut last_entry) = (*applied.borrow_and_update(), Instant::now());
    loop {
        let next = node.with_kitchen(Kitchen::next_deadline);
        let wait_ms = next.map(|at| at.saturating_sub(node.now()));
        let present = *applied.borrow_and_update();
        if present != index {
            (index, last_entry) = (present, Instant::now());
        }
        let quiet = last_entry.elapsed() >= QUIET_MAX && next.is_some();
        if wait_ms == Some(0) || quiet {
            if node.propose(Command::DeadlinesDue, Some(epoch)).await.is_err() {
                return;
            }
            if !quiet && node.with_kitchen(Kitchen::next_deadline) == next {
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
