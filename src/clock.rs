//! Clocks. CLOCK_BOOTTIME counts while the machine sleeps, and no one sets it: spans and leases use it. Wall time is for people.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// Milliseconds of CLOCK_BOOTTIME: the same clock for all processes of one machine since it started.
pub fn boottime_ms() -> u64 {
    let t = clock_gettime(ClockId::Boottime);
    t.tv_sec as u64 * 1_000 + t.tv_nsec as u64 / 1_000_000
}

/// Milliseconds since 1970. May jump; decides nothing.
pub fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}
