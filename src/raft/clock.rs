//! The kitchen's replicated time on this node, and how sure a moment of the monotonic clock is after the machine slept.
//!
//! Nothing here decides anything and nothing here reads wall time.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::clock::boottime_ms;
use crate::kitchen::Millis;

/// Where replicated time stood, and what this machine's clock said then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The replicated time, in milliseconds.
    pub at: Millis,
    /// CLOCK_BOOTTIME of this machine when `at` was learned, in milliseconds.
    pub boottime_ms: u64,
    /// True once time was measured without a break by some node up to `at`, as far as this process knows.
    pub measured: bool,
}

impl Anchor {
    /// At the start of the process: how long nobody ran is unknown, so time goes on from here.
    pub(crate) fn at_start(at: Millis) -> Self {
        Self { at, boottime_ms: boottime_ms(), measured: false }
    }

    /// After an entry was applied here.
    pub(crate) fn after_apply(self, at: Millis, measured: bool) -> Self {
        Self { at, boottime_ms: boottime_ms(), measured: self.measured || measured }
    }

    /// The replicated time now.
    pub fn now(&self) -> Millis {
        self.at + boottime_ms().saturating_sub(self.boottime_ms)
    }
}

/// Notices that the machine slept: CLOCK_MONOTONIC stood still, so ages measured with `Instant` are too small.
#[derive(Debug)]
pub(crate) struct SleepGuard(Mutex<Sleep>);

#[derive(Debug)]
struct Sleep {
    /// CLOCK_BOOTTIME minus CLOCK_MONOTONIC: grows by the length of every sleep.
    offset_ms: i64,
    /// Moments before this one have no known age.
    void_before: Option<Instant>,
}

/// Two clocks can't be read at once; a difference up to this is no sleep.
const TOLERANCE_MS: i64 = 10;

impl Default for SleepGuard {
    fn default() -> Self {
        Self(Mutex::new(Sleep { offset_ms: offset_ms(), void_before: None }))
    }
}

impl SleepGuard {
    /// How long ago `moment` was; None if the machine may have slept since.
    pub fn age(&self, moment: Instant) -> Option<Duration> {
        let mut sleep = self.0.lock().expect("nothing panics while it holds this lock");
        let offset_ms = offset_ms();
        if offset_ms > sleep.offset_ms + TOLERANCE_MS {
            *sleep = Sleep { offset_ms, void_before: Some(Instant::now()) };
        }
        let known = sleep.void_before.is_none_or(|void_before| moment > void_before);
        known.then(|| moment.elapsed())
    }
}

/// The offset between the clocks, from readings close enough together to be compared.
fn offset_ms() -> i64 {
    let mut least = i64::MAX;
    for _ in 0..8 {
        let before = monotonic_ms();
        least = least.min(boottime_ms() as i64 - before as i64);
        if monotonic_ms() - before <= 1 {
            break;
        }
    }
    least
}

fn monotonic_ms() -> u64 {
    let t = clock_gettime(ClockId::Monotonic);
    t.tv_sec as u64 * 1_000 + t.tv_nsec as u64 / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_from_the_last_applied_entry() {
        let anchor = Anchor { at: 1_000, boottime_ms: boottime_ms() - 500, measured: true };
        assert!((1_500..2_500).contains(&anchor.now()));
        assert!(Anchor::at_start(7).after_apply(9, true).after_apply(10, false).measured);
    }

    #[test]
    fn a_moment_before_a_sleep_has_no_age() {
        let guard = SleepGuard::default();
        let before = Instant::now();
        assert!(guard.age(before).is_some());
        guard.0.lock().unwrap().offset_ms -= 1_000;
        assert_eq!(guard.age(before), None);
        assert!(guard.age(Instant::now() + Duration::from_millis(1)).is_some());
    }
}
