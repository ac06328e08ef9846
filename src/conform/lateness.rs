//! How late this machine itself is: a bench that sleeps too long blames the device for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::protocol::Millis;

/// How often it is looked at.
const TICK: Duration = Duration::from_millis(10);

/// The greatest delay of a task that wants to run every 10 ms, since the last reset.
pub(super) struct Lateness {
    late_ms: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Lateness {
    /// Begins to look. Must be called within a tokio runtime.
    pub(super) fn watch() -> Self {
        let late_ms = Arc::new(AtomicU64::new(0));
        let seen = late_ms.clone();
        let task = tokio::spawn(async move {
            loop {
                let begun = Instant::now();
                tokio::time::sleep(TICK).await;
                let late = begun.elapsed().saturating_sub(TICK).as_millis();
                seen.fetch_max(u64::try_from(late).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        });
        Self { late_ms, task }
    }

    /// Forgets what was.
    pub(super) fn reset(&self) {
        self.late_ms.store(0, Ordering::Relaxed);
    }

    /// The greatest delay since then, in milliseconds.
    pub(super) fn ms(&self) -> Millis {
        self.late_ms.load(Ordering::Relaxed)
    }
}

impl Drop for Lateness {
    fn drop(&mut self) {
        self.task.abort();
    }
}
