//! How long tests wait for other processes, in one place.

use std::time::{Duration, Instant};

/// How long anything may take: the machine may be busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Asks until there is an answer.
#[track_caller]
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let limit = Instant::now() + PATIENCE;
    while Instant::now() < limit {
        if let Some(answer) = ask() {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("after {} s not yet: {what}", PATIENCE.as_secs());
}
