//! The order API is linearizable, order by order: there is one sequence of its calls, each taking effect between its beginning and its
//! answer, that the specification allows. A call without a known outcome may take effect at any later time, or never.
//!
//! The search is Wing and Gong's with Lowe's memory of what was tried: "Testing and verifying concurrent objects" (1993) and "Testing
//! for linearizability" (2017). Histories of one order are short.

use std::collections::{BTreeMap, HashSet};

use super::Violation;
use super::specification::Order;
use crate::history::{Answer, Ask, Call, History, calls};

/// Calls of one order that the search takes: as many as its set has bits.
const CALLS_MAX: usize = 128;

/// Judges each order by itself.
pub(super) fn linearizable_orders(history: &History) -> Result<(), Violation> {
    let mut by_order: BTreeMap<&str, Vec<Call<'_>>> = BTreeMap::new();
    for call in calls(history).into_iter().filter(matters) {
        by_order.entry(call.ask.order()).or_default().push(call);
    }
    by_order.iter().try_for_each(|(order, calls)| judge_order(order, calls))
}

/// What has no effect and promises nothing is left out.
fn matters(call: &Call<'_>) -> bool {
    let is_nothing = matches!(call.answer, Some(Answer::NotApplied { .. }));
    let promises_nothing = matches!(call.ask, Ask::Show { stale: true, .. });
    !is_nothing && !promises_nothing && (call.is_write() || !call.is_open())
}

fn judge_order(order: &str, calls: &[Call<'_>]) -> Result<(), Violation> {
    if calls.len() > CALLS_MAX {
        let why = format!("order {order} has {} calls; at most {CALLS_MAX} can be judged", calls.len());
        return Err(Violation::new(why, []));
    }
    if Search::new(calls).finds_an_order() {
        return Ok(());
    }
    let fewest = fewest(calls.to_vec());
    let why = format!("no order of the calls of {order} explains their answers");
    Err(Violation::new(why, fewest.iter().flat_map(Call::lines)))
}

/// The same contradiction with as few reads as possible: without a read what is left is only easier to explain.
fn fewest(mut calls: Vec<Call<'_>>) -> Vec<Call<'_>> {
    let mut at = 0;
    while at < calls.len() {
        let without: Vec<Call<'_>> =
            calls.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, c)| c.clone()).collect();
        let is_spare = !calls[at].is_write() && !Search::new(&without).finds_an_order();
        if is_spare {
            calls = without;
        } else {
            at += 1;
        }
    }
    calls
}

struct Search<'a> {
    calls: &'a [Call<'a>],
    /// The calls that must be in the sequence.
    needed: u128,
    tried: HashSet<(u128, Order)>,
}

impl<'a> Search<'a> {
    fn new(calls: &'a [Call<'a>]) -> Self {
        let needed = calls.iter().enumerate().filter(|(_, call)| !call.is_open());
        Self { calls, needed: needed.fold(0, |set, (at, _)| set | 1 << at), tried: HashSet::new() }
    }

    fn finds_an_order(&mut self) -> bool {
        self.go_on(0, &Order::default())
    }

    fn go_on(&mut self, done: u128, order: &Order) -> bool {
        if done & self.needed == self.needed {
            return true;
        }
        if !self.tried.insert((done, order.clone())) {
            return false;
        }
        let left = |at: &usize| done & (1 << at) == 0;
        // Whatever was answered before another call began comes before it.
        let first_answer = (0..self.calls.len()).filter(left).filter_map(|at| self.calls[at].to_ms).min();
        let may_be_next = |at: &usize| first_answer.is_none_or(|answer| self.calls[*at].from_ms <= answer);
        let next: Vec<usize> = (0..self.calls.len()).filter(left).filter(may_be_next).collect();
        next.into_iter().any(|at| {
            let call = &self.calls[at];
            order.after(call.ask, call.answer).is_some_and(|order| self.go_on(done | 1 << at, &order))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Fact;
    use crate::history::testing::{call, cancel, collect, history, place, placed, refused, show, shown, unknown};

    fn holds(calls: &[[Fact; 2]]) -> bool {
        linearizable_orders(&history(calls.concat())).is_ok()
    }

    #[test]
    fn an_orderly_life_is_explained() {
        assert!(holds(&[
            call(1, 1, 2, show(), refused("unknown-order", None)),
            call(2, 3, 4, place("quick"), placed(true)),
            call(3, 5, 6, place("quick"), placed(false)),
            call(4, 7, 8, place("other"), refused("idempotency-key-reused", None)),
            call(5, 9, 10, show(), shown("IN_PROGRESS")),
            call(6, 11, 12, collect(), refused("not-ready", Some("IN_PROGRESS"))),
            call(7, 13, 14, collect(), Answer::Done),
            call(8, 15, 16, cancel(), refused("point-of-no-return", Some("COLLECTED"))),
        ]));
    }

    #[test]
    fn an_unknown_outcome_may_come_late_or_never() {
        let lost = call(1, 1, 2, place("quick"), unknown());
        assert!(holds(&[lost.clone(), call(2, 3, 4, show(), refused("unknown-order", None))]));
        let late = call(3, 5, 6, show(), shown("ACCEPTED"));
        assert!(holds(&[lost.clone(), call(2, 3, 4, show(), refused("unknown-order", None)), late.clone()]));
        assert!(!holds(&[lost, late, call(4, 7, 8, show(), refused("unknown-order", None))]), "it is there for good");
    }

    #[test]
    fn a_read_that_misses_an_acknowledged_order_is_found() {
        let placed = call(1, 1, 2, place("quick"), placed(true));
        assert!(!holds(&[placed.clone(), call(2, 3, 4, show(), refused("unknown-order", None))]));
        assert!(holds(&[placed, call(2, 2, 4, show(), refused("unknown-order", None))]), "they may overlap");
    }

    #[test]
    fn a_status_that_goes_back_is_found_with_the_fewest_lines() {
        let calls = [
            call(1, 1, 2, place("quick"), placed(true)),
            call(2, 3, 4, show(), shown("ACCEPTED")),
            call(3, 5, 6, show(), shown("IN_PROGRESS")),
            call(4, 7, 8, show(), shown("ACCEPTED")),
        ];
        let found = linearizable_orders(&history(calls.concat())).unwrap_err();
        assert_eq!(found.lines, vec![1, 2, 5, 6, 7, 8], "{}", found.why);
    }

    #[test]
    fn a_cancelled_order_that_is_made_all_the_same_is_found() {
        let calls = [call(1, 1, 2, place("quick"), placed(true)), call(2, 3, 4, cancel(), Answer::Done)];
        assert!(holds(&calls));
        assert!(!holds(&[calls[0].clone(), calls[1].clone(), call(3, 5, 6, show(), shown("READY"))]));
    }

    #[test]
    fn an_order_that_is_created_twice_is_found() {
        assert!(!holds(&[call(1, 1, 2, place("quick"), placed(true)), call(2, 3, 4, place("quick"), placed(true)),]));
    }

    #[test]
    fn an_order_whose_content_changed_is_found() {
        assert!(!holds(&[call(1, 1, 2, place("quick"), placed(true)), call(2, 3, 4, place("other"), placed(false)),]));
    }
}
