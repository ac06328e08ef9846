//! Invariant 7: the backend sees each kitchen's outcomes in order, without gap.
//!
//! At least once: what it was told and did not acknowledge comes again, and is the same. What it tells of an order goes forward, and ends once.

use std::collections::BTreeMap;

use super::Violation;
use crate::history::{BackendFact, History, Outcome};

/// What the backend has of one numbering.
#[derive(Default)]
struct Feed {
    /// Up to here it keeps all.
    last: u64,
    /// The line of that one.
    line: usize,
    /// What each number said, kept or not, and where.
    said: BTreeMap<u64, (Outcome, usize)>,
}

/// Looks for outcomes that are missing, changed, in another order, or of an order that went back.
pub(super) fn outcomes_in_order(history: &History) -> Result<(), Violation> {
    let mut feeds: BTreeMap<&str, Feed> = BTreeMap::new();
    for (line, fact) in history.backends() {
        let feed = feeds.entry(&fact.series).or_default();
        listen(feed, fact, line)?;
        if fact.kept {
            keep(feed, fact, line)?;
        }
    }
    feeds.values().try_for_each(orders_go_forward)
}

/// What is told is numbered without gap from `first` on, and the same number says the same.
fn listen(feed: &mut Feed, fact: &BackendFact, line: usize) -> Result<(), Violation> {
    for (number, outcome) in (fact.first..).zip(&fact.outcomes) {
        if outcome.number != number {
            let why = format!("outcome {} of series {} stands where {number} should", outcome.number, fact.series);
            return Err(Violation::new(why, [line]));
        }
        let (before, there) = feed.said.entry(number).or_insert_with(|| (outcome.clone(), line));
        if before != outcome {
            let why = format!("outcome {number} of series {} said {before:?}, and then {outcome:?}", fact.series);
            return Err(Violation::new(why, [*there, line]));
        }
    }
    Ok(())
}

fn keep(feed: &mut Feed, fact: &BackendFact, line: usize) -> Result<(), Violation> {
    if fact.first > feed.last + 1 {
        let why = format!("outcomes {} to {} of series {} never came", feed.last + 1, fact.first - 1, fact.series);
        return Err(Violation::new(why, [feed.line, line]));
    }
    if let Some(outcome) = fact.outcomes.last().filter(|outcome| outcome.number > feed.last) {
        (feed.last, feed.line) = (outcome.number, line);
    }
    Ok(())
}

/// How far an order is that has this status. The kitchen gives back only what is not begun.
fn rank(status: &str) -> u8 {
    match status {
        "ACCEPTED" => 1,
        "STARTING" => 2,
        "IN_PROGRESS" => 3,
        "COLLECTED" => 5,
        _ => 4,
    }
}

fn orders_go_forward(feed: &Feed) -> Result<(), Violation> {
    let mut orders: BTreeMap<&str, (&Outcome, usize)> = BTreeMap::new();
    for (outcome, line) in feed.said.range(..=feed.last).map(|(_, said)| (&said.0, said.1)) {
        let Some(order) = outcome.order.as_deref() else { continue };
        if let Some((before, there)) = orders.insert(order, (outcome, line)).filter(|(b, _)| goes_back(b, outcome)) {
            let why = format!("order {order} was {}, and then {}", before.status, outcome.status);
            return Err(Violation::new(why, [there, line]));
        }
    }
    let open = orders.iter().find(|(_, (outcome, _))| rank(&outcome.status) < 4);
    open.map_or(Ok(()), |(order, (outcome, line))| {
        Err(Violation::new(
            format!("the backend never learnt how order {order} ended: it was {}", outcome.status),
            [*line],
        ))
    })
}

/// An order that was given back may be given to this kitchen again.
fn goes_back(before: &Outcome, after: &Outcome) -> bool {
    before.status != "RETURNED" && rank(&after.status) <= rank(&before.status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Fact;
    use crate::history::testing::history;

    fn told(first: u64, statuses: &[&str], kept: bool) -> Fact {
        let outcome = |(number, status): (u64, &&str)| Outcome {
            number,
            order: (!status.starts_with("NORMAL")).then(|| "a".to_owned()),
            status: (*status).to_owned(),
        };
        let outcomes = (first..).zip(statuses).map(outcome).collect();
        let (backend, series) = ("b".to_owned(), "s".to_owned());
        Fact::Backend(BackendFact { t_ms: 1, backend, series, first, outcomes, kept })
    }

    fn judge(facts: impl IntoIterator<Item = Fact>) -> Result<(), Violation> {
        outcomes_in_order(&history(facts))
    }

    #[test]
    fn what_is_repeated_until_it_is_kept_is_in_order() {
        let story = [
            told(1, &["NORMAL", "ACCEPTED"], false),
            told(1, &["NORMAL", "ACCEPTED", "IN_PROGRESS"], true),
            told(1, &["NORMAL", "ACCEPTED", "IN_PROGRESS"], true),
            told(4, &[], true),
            told(4, &["READY", "COLLECTED"], true),
        ];
        assert_eq!(judge(story), Ok(()));
        assert_eq!(judge([told(1, &["ACCEPTED", "RETURNED", "ACCEPTED", "STARTING", "FAILED"], true)]), Ok(()));
    }

    #[test]
    fn a_gap_is_found() {
        let missing = judge([told(1, &["NORMAL"], true), told(2, &["NORMAL"], false), told(3, &["NORMAL"], true)]);
        assert_eq!(missing.unwrap_err().lines, vec![1, 3]);
        let Fact::Backend(mut inside) = told(1, &["NORMAL", "NORMAL"], true) else { unreachable!() };
        inside.outcomes[1].number = 3;
        assert!(judge([Fact::Backend(inside)]).unwrap_err().why.contains("stands where 2 should"));
    }

    #[test]
    fn a_number_that_says_something_else_the_second_time_is_found() {
        let changed = judge([told(1, &["NORMAL"], false), told(1, &["ACCEPTED"], true)]);
        assert_eq!(changed.unwrap_err().lines, vec![1, 2]);
    }

    #[test]
    fn an_order_that_goes_back_or_ends_twice_or_never_is_found() {
        for wrong in [&["READY", "ACCEPTED"][..], &["READY", "FAILED"], &["STARTING", "STARTING"], &["ACCEPTED"]] {
            assert!(judge([told(1, wrong, true)]).is_err(), "{wrong:?}");
        }
    }
}
