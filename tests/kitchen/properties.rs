//! Random operations on a whole line: whatever happens, the invariants hold after every entry, replicas agree bit for
//! bit, nothing physical happens twice, and once all is well again every accepted order ends.
//!
//! `PROPTEST_CASES=5000 cargo test --test kitchen properties` looks longer.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError};

use crate::chaos::{self, Step};
use crate::line::Line;

/// How many cases a usual run looks at.
const CASES: u32 = 120;

fn config() -> Config {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(CASES);
    Config { cases, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() }
}

/// What must have come up in a run that claims to have tried everything: a word of the trace for each.
const MUST_OCCUR: [&str; 21] = [
    "AttemptUnknown",
    "NEVER_NAMED",
    "PROVEN_BY_TIME",
    "REBOOTED",
    "CANCELLED",
    "REJECTED_",
    "Where is pizza",
    "Something lies on",
    "No camera judged",
    "fails on different devices",
    "is not for the customer",
    "reported an emergency stop",
    "JudgedBad",
    "RemakePizza",
    "BakeFailed",
    "Dropped",
    "reason: Stale",
    "reason: Burnt",
    "status: Returned",
    "Escalated",
    "its self-test passed",
];

fn run(steps: &[Step]) -> Result<(), String> {
    play(steps).1
}

fn play(steps: &[Step]) -> (Line, Result<(), String>) {
    let mut line = Line::mixed();
    line.order("first", &["seen", "plain"]);
    for step in steps {
        chaos::play(&mut line, step);
        if let Some(wrong) = line.wrong() {
            return (line, Err(wrong));
        }
    }
    chaos::heal(&mut line);
    let verdict = chaos::judge(&line);
    (line, verdict)
}

#[test]
fn random_runs_exercise_every_kind_of_fault() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut missing: Vec<&str> = MUST_OCCUR.to_vec();
    for _ in 0..300 {
        let steps = chaos::steps().new_tree(&mut runner).expect("steps can be drawn").current();
        let (line, verdict) = play(&steps);
        verdict.expect("a sound run");
        missing.retain(|word| !line.trace.iter().any(|l| l.contains(word)));
        if missing.is_empty() {
            return;
        }
    }
    panic!("no run came to {missing:?}");
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_happens_every_order_ends_and_nothing_is_done_twice(steps in chaos::steps()) {
        run(&steps).map_err(TestCaseError::fail)?;
    }
}
