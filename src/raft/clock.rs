//! The kitchen's replicated time on this node, and how sure a moment of the monotonic clock is after the machine slept.
//!
//! An entry carries the time at which it was proposed, and is applied a little later. The node that proposed it keeps its clock: counting on from
//! `at` at every apply would lose that little while each time, and under load the kitchen's time would all but stand still. A follower does
//! count on from `at`: so its clock is behind the leader's by one commit, and never ahead, however fast its crystal. When it takes charge, time has not
//! jumped forward, which would prove things over that are not.
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
    /// The replicated time now.
    pub fn now(&self) -> Millis {
        self.at_boottime(boottime_ms())
    }

    /// The replicated time when this machine's clock shows this.
    pub fn at_boottime(&self, boottime_ms: u64) -> Millis {
        self.at + boottime_ms.saturating_sub(self.boottime_ms)
    }
}

/// A follower prefers what an earlier entry said of the time for so long, in milliseconds: one that was long under way says little. Its crystal
/// gains nothing to speak of meanwhile.
const PREFER_MS: u64 = 5_000;

/// Whose clock the last of some applied entries was stamped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// This node proposed it: its clock leads.
    Own,
    /// Another node did.
    Other,
    /// Another node did, and took charge in one of these entries: from here on its clock leads, however far it is behind. What the kitchen then
    /// proves by time is counted on that clock, and a node that went on by its own would prove too much if it took charge soon after.
    NewCharge,
}

/// The replicated clock of a node. What this machine's clock shows is handed in: simulations drive it too.
#[derive(Clone, Debug)]
pub struct ReplicatedClock {
    anchor: Anchor,
}

impl ReplicatedClock {
    /// At the start of the process: how long nobody ran is unknown, so time goes on from here.
    pub fn at_start(at: Millis, boottime_ms: u64) -> Self {
        Self { anchor: Anchor { at, boottime_ms, measured: false } }
    }

    /// Where it stands.
    pub fn anchor(&self) -> Anchor {
        self.anchor
    }

    /// Entries were applied, the last of them made at `at`.
    pub fn after_apply(&mut self, at: Millis, measured: bool, stamp: Stamp, boottime_ms: u64) {
        let measured = self.anchor.measured || measured;
        let is_behind = at > self.anchor.at_boottime(boottime_ms);
        let is_old = boottime_ms.saturating_sub(self.anchor.boottime_ms) > PREFER_MS;
        let follows = match stamp {
            Stamp::Own => false,
            Stamp::Other => is_old,
            Stamp::NewCharge => true,
        };
        if is_behind || follows {
            self.anchor = Anchor { at, boottime_ms, measured };
        }
        self.anchor.measured = measured;
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

    /// A clock that showed 1,000 when the machine's showed 5,000.
    fn clock() -> ReplicatedClock {
        ReplicatedClock::at_start(1_000, 5_000)
    }

    #[test]
    fn time_goes_on_from_the_last_applied_entry() {
        let anchor = Anchor { at: 1_000, boottime_ms: boottime_ms() - 500, measured: true };
        assert!((1_500..2_500).contains(&anchor.now()));
        let mut clock = clock();
        clock.after_apply(9_000, true, Stamp::Other, 5_001);
        assert_eq!((clock.anchor.at_boottime(5_101), clock.anchor.measured), (9_100, true));
    }

    #[test]
    fn what_an_entry_takes_to_commit_is_not_lost() {
        let mut clock = clock();
        // A second of entries, one each millisecond, each applied 20 ms after it was made.
        for made in 5_000..6_000 {
            let at = clock.anchor.at_boottime(made);
            clock.after_apply(at, true, Stamp::Own, made + 20);
        }
        assert_eq!(clock.anchor.at_boottime(6_000), 2_000);
    }

    #[test]
    fn a_follower_whose_clock_is_fast_is_not_ahead_of_the_leader() {
        let mut clock = clock();
        // An hour: this machine's clock gains a hundredth; entries take 4 to 9 ms, and now and then there is none for half a minute.
        for second in (1..=3_600u64).filter(|second| second % 100 < 70) {
            let (made, here) = (1_000 + second * 1_000, 5_000 + second * 1_010);
            clock.after_apply(made, true, Stamp::Other, here + 4 + second % 6);
            let ahead = clock.anchor.at_boottime(here) as i64 - made as i64;
            assert!((-10..=60).contains(&ahead), "{ahead} ms ahead of the leader after {second} s");
        }
    }

    #[test]
    fn one_entry_that_was_under_way_for_long_does_not_set_a_clock_back() {
        let mut clock = clock();
        clock.after_apply(2_000, true, Stamp::Other, 6_000);
        clock.after_apply(2_010, true, Stamp::Other, 8_000);
        assert_eq!(clock.anchor.at_boottime(8_000), 4_000);
    }

    #[test]
    fn a_node_that_takes_charge_sets_the_clocks_of_the_others_back_to_its_own() {
        let mut clock = clock();
        clock.after_apply(2_000, true, Stamp::Other, 6_000);
        // Four seconds later somebody takes charge who heard of that entry only now.
        clock.after_apply(2_010, true, Stamp::NewCharge, 10_000);
        assert_eq!(clock.anchor.at_boottime(10_000), 2_010);
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
