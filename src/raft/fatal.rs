//! Fail-stop: the first error after which this replica must not go on.
//!
//! Nothing here ends the process: `node.rs` watches and exits (code 70). Nothing clears it: a sync that failed is never retried.

use std::sync::Arc;

use tokio::sync::watch;

/// Exit code for a process that stopped because its storage or Raft failed (EX_SOFTWARE).
pub const EXIT_CODE: i32 = 70;

/// Raised once, by whoever meets the error first.
#[derive(Clone, Debug)]
pub(crate) struct Fatal(watch::Sender<Option<Arc<str>>>);

impl Default for Fatal {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Fatal {
    /// Keeps the first reason and wakes whoever watches.
    pub fn raise(&self, why: impl Into<String>) {
        let why: Arc<str> = why.into().into();
        self.0.send_if_modified(|reason| {
            let first = reason.is_none();
            if first {
                tracing::error!(reason = %why, "This replica stops: {why}");
                *reason = Some(why);
            }
            first
        });
    }

    /// The reason, once there is one.
    pub fn reason(&self) -> Option<Arc<str>> {
        self.0.borrow().clone()
    }

    /// Becomes Some when the replica must stop.
    pub fn watch(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.0.subscribe()
    }

    /// Passes a result through, and raises if it is an error.
    pub fn check<T, E: std::fmt::Display>(&self, doing: &str, result: Result<T, E>) -> Result<T, E> {
        if let Err(error) = &result {
            self.raise(format!("{doing}: {error}"));
        }
        result
    }
}

/// Raises if it is dropped by a panic: openraft would not tell that its worker is gone.
pub(crate) struct PanicGuard(pub Fatal, pub &'static str);

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.raise(format!("{} panicked", self.1));
        }
    }
}
