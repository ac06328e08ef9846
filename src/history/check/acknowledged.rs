//! Invariant 6: an acknowledged write is seen by everybody who asks later, whatever dies in between.

use std::collections::BTreeMap;

use super::Violation;
use crate::history::{Answer, Ask, Call, History, calls};

/// When something was acknowledged, and where that stands.
type Acknowledged = (u64, usize);

/// What was acknowledged about an order.
#[derive(Default)]
struct Promises {
    placed: Option<Acknowledged>,
    cancelled: Option<Acknowledged>,
    collected: Option<Acknowledged>,
}

/// Compares each answer with what was acknowledged before its call began.
pub(super) fn acknowledged_stays(history: &History) -> Result<(), Violation> {
    let calls = calls(history);
    let mut promises: BTreeMap<&str, Promises> = BTreeMap::new();
    for call in &calls {
        let (Some(answer), Some(line), Some(to_ms)) = (call.answer, call.answer_line, call.to_ms) else { continue };
        let known = promises.entry(call.ask.order()).or_default();
        let promise = match (call.ask, answer) {
            (Ask::Place { .. }, Answer::Placed { .. }) => &mut known.placed,
            (Ask::Cancel { .. }, Answer::Done) => &mut known.cancelled,
            (Ask::Collect { .. }, Answer::Done) => &mut known.collected,
            _ => continue,
        };
        let first = promise.get_or_insert((to_ms, line));
        *first = (*first).min((to_ms, line));
    }
    calls.iter().try_for_each(|call| judge_call(call, &promises))
}

fn judge_call(call: &Call<'_>, promises: &BTreeMap<&str, Promises>) -> Result<(), Violation> {
    if matches!(call.ask, Ask::Show { stale: true, .. }) {
        return Ok(());
    }
    let (Some(answer), Some(promises)) = (call.answer, promises.get(call.ask.order())) else { return Ok(()) };
    let before = |promise: Option<Acknowledged>| promise.filter(|(at, _)| *at < call.from_ms);
    let broken = |promise: Acknowledged, what: &str| {
        let why = format!("order {} was {what}, and a later answer denies it", call.ask.order());
        Err(Violation::new(why, [promise.1].into_iter().chain(call.answer_line)))
    };
    match answer {
        Answer::Refused { problem, .. } if problem == "unknown-order" => {
            before(promises.placed).map_or(Ok(()), |promise| broken(promise, "accepted"))
        }
        Answer::Placed { created: true, .. } => {
            before(promises.placed).map_or(Ok(()), |promise| broken(promise, "accepted"))
        }
        Answer::Shown { status, .. } => {
            let cancelled = before(promises.cancelled).filter(|_| status != "CANCELLED");
            let collected = before(promises.collected).filter(|_| status != "COLLECTED");
            match (cancelled, collected) {
                (Some(promise), _) => broken(promise, "cancelled"),
                (None, Some(promise)) => broken(promise, "collected"),
                (None, None) => Ok(()),
            }
        }
        Answer::Placed { .. }
        | Answer::Done
        | Answer::Refused { .. }
        | Answer::NotApplied { .. }
        | Answer::Unknown { .. } => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::testing::{call, cancel, history, place, placed, refused, show, shown};

    #[test]
    fn what_was_acknowledged_and_is_seen_later_is_fine() {
        let calls = [call(1, 1, 2, place("quick"), placed(true)), call(2, 3, 4, show(), shown("ACCEPTED"))];
        assert_eq!(acknowledged_stays(&history(calls.concat())), Ok(()));
        let at_once =
            [call(1, 1, 5, place("quick"), placed(true)), call(2, 3, 4, show(), refused("unknown-order", None))];
        assert_eq!(acknowledged_stays(&history(at_once.concat())), Ok(()), "it was not acknowledged yet");
    }

    #[test]
    fn an_accepted_order_that_is_forgotten_is_found() {
        let denied =
            [call(1, 1, 2, place("quick"), placed(true)), call(2, 3, 4, show(), refused("unknown-order", None))];
        assert_eq!(acknowledged_stays(&history(denied.concat())).unwrap_err().lines, vec![2, 4]);
        let again = [call(1, 1, 2, place("quick"), placed(true)), call(2, 3, 4, place("quick"), placed(true))];
        assert!(acknowledged_stays(&history(again.concat())).is_err(), "it was created a second time");
    }

    #[test]
    fn a_cancellation_that_is_forgotten_is_found() {
        let denied = [call(1, 1, 2, cancel(), Answer::Done), call(2, 3, 4, show(), shown("IN_PROGRESS"))];
        assert!(acknowledged_stays(&history(denied.concat())).unwrap_err().why.contains("cancelled"));
    }
}
