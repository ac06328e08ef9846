//! Spans between two moments of kitchen time.

use crate::kitchen::Millis;

pub use crate::web::rfc3339;

/// How long until `moment`; negative once it is over.
pub fn until(moment: Millis, now: Millis) -> i64 {
    i64::try_from(i128::from(moment) - i128::from(now)).unwrap_or(if moment > now { i64::MAX } else { i64::MIN })
}

/// Wall time of a kitchen moment, reckoned from a moment whose wall time is known.
pub fn wall_of(moment: Millis, known: Millis, known_wall: u64) -> String {
    rfc3339((known_wall + moment).saturating_sub(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_negative_once_their_moment_is_over() {
        assert_eq!((until(7, 5), until(5, 7), until(u64::MAX, 0)), (2, -2, i64::MAX));
    }
}
