//! The state machine of an order, every state with every input, as a golden file. `UPDATE_GOLDEN=1` writes it anew.

use std::fmt::Write;

use brigade::backend::order::{Input, Standing, State, Verdict};
use brigade::protocol::exchange::Progress;

use super::kitchen::id;

const PROGRESS: [Progress; 8] = [
    Progress::Accepted,
    Progress::Starting,
    Progress::InProgress,
    Progress::Ready,
    Progress::Collected,
    Progress::Cancelled,
    Progress::Failed,
    Progress::Returned,
];

fn inputs() -> Vec<(String, Input)> {
    let (k1, k2) = (id("k1"), id("k2"));
    let mut inputs = vec![
        ("assign to k2".to_owned(), Input::Assign(k2.clone())),
        ("k1's lease over, to k2".to_owned(), Input::Move { from: k1.clone(), to: k2.clone() }),
        ("k2's lease over, to k1".to_owned(), Input::Move { from: k2.clone(), to: k1.clone() }),
        ("client cancels".to_owned(), Input::Cancel),
        ("given up".to_owned(), Input::Fail),
        ("READY of k1 under 2".to_owned(), Input::News(k1.clone(), 2, Progress::Ready)),
        ("RETURNED of k2 under 3".to_owned(), Input::News(k2, 3, Progress::Returned)),
    ];
    inputs.extend(PROGRESS.map(|p| (format!("{} of k1 under 3", p.as_str()), Input::News(k1.clone(), 3, p))));
    inputs
}

/// Every standing that an order can have.
fn standings() -> Vec<Standing> {
    let of = |state: State, kitchen: Option<&str>, cancel_requested| Standing {
        state,
        kitchen: kitchen.map(id),
        assignment: 3,
        cancel_requested,
    };
    State::ALL
        .into_iter()
        .flat_map(|state| match state {
            State::Waiting => vec![of(state, None, false)],
            State::Assigned | State::Accepted => vec![of(state, Some("k1"), false)],
            State::Starting | State::InProgress => vec![of(state, Some("k1"), false), of(state, Some("k1"), true)],
            State::Ready | State::Collected => vec![of(state, Some("k1"), false)],
            State::Cancelled | State::Failed => vec![of(state, Some("k1"), false), of(state, None, true)],
        })
        .collect()
}

fn word(standing: &Standing) -> String {
    let kitchen =
        standing.kitchen.as_ref().map_or("nobody's".to_owned(), |k| format!("{k} under {}", standing.assignment));
    let cancel = if standing.cancel_requested { ", cancel requested" } else { "" };
    format!("{} ({kitchen}{cancel})", standing.state)
}

#[test]
fn every_state_with_every_input_is_as_the_golden_file_shows() {
    let mut table = String::new();
    for standing in standings() {
        writeln!(table, "{}", word(&standing)).unwrap();
        for (name, input) in inputs() {
            let verdict = match standing.decide(&input) {
                Verdict::Change(after) => word(&after),
                Verdict::Unchanged(why) => format!("– {}", why.as_str()),
            };
            writeln!(table, "    {name:26} {verdict}").unwrap();
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/backend_orders.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &table).unwrap();
    }
    assert_eq!(table, std::fs::read_to_string(path).unwrap(), "UPDATE_GOLDEN=1 writes {path} anew");
}

#[test]
fn what_has_ended_never_changes_but_for_handing_out() {
    for standing in standings().into_iter().filter(|s| !s.state.is_open()) {
        for (name, input) in inputs() {
            if let Verdict::Change(after) = standing.decide(&input) {
                assert_eq!((standing.state, after.state), (State::Ready, State::Collected), "{name}");
            }
        }
    }
}

#[test]
fn what_may_be_begun_changes_its_kitchen_by_that_kitchens_word_only() {
    let begun = |s: &Standing| matches!(s.state, State::Starting | State::InProgress);
    for standing in standings().into_iter().filter(begun) {
        for (name, input) in inputs() {
            let Verdict::Change(after) = standing.decide(&input) else { continue };
            let given_up = matches!(input, Input::News(_, 3, Progress::Returned) | Input::Fail);
            assert!(after.kitchen == standing.kitchen || given_up, "{name}: {standing:?} became {after:?}");
            assert!(after.assignment == standing.assignment, "{name}");
        }
    }
}
