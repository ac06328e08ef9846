//! The model is checked with all guards, and then once without each: a guard whose loss is not noticed would not have been modelled.

use std::collections::BTreeSet;
use std::time::Instant;

use stateright::{Checker, Expectation, HasDiscoveries, Model};

use super::actions::Protocol;
use super::guards::{Bounds, Guards};
use super::properties::{ALONE, FENCED, FORMER_LIFE, LEASED, ONCE, OVER};

/// The smallest spans in which every guard still counts; a device reboots once, at any moment.
const FULL: Bounds = Bounds { lease: 2, max: 1, margin: 2, orphan: 0, tenures: 2, reboots: 1 };
/// With tasks that are accepted with `after`, and start by themselves for two units more than their lease lasts.
const AFTER: Bounds = Bounds { lease: 1, orphan: 2, reboots: 0, ..FULL };
/// For guards that are not about reboots.
const SMALL: Bounds = Bounds { reboots: 0, ..FULL };
/// Where the lengths of spans make no difference.
const SHORT: Bounds = Bounds { lease: 1, margin: 1, ..SMALL };
/// For guards that are not about two controllers either.
const ONE_TENURE: Bounds = Bounds { tenures: 1, ..SMALL };

/// Looks at every state of the protocol as it is. `impossible`: what can't come to pass within these bounds; all else must.
fn holds(bounds: Bounds, impossible: &[&str]) {
    let begun = Instant::now();
    let checker = Protocol { guards: Guards::ALL, bounds }.checker().threads(1).spawn_bfs().join();
    println!("{} unique states, depth {}, {:?}", checker.unique_state_count(), checker.max_depth(), begun.elapsed());
    let found = checker.discoveries();
    for property in checker.model().properties() {
        match (property.expectation, found.get(property.name)) {
            (Expectation::Sometimes, path) => {
                let is_possible = !impossible.contains(&property.name);
                assert_eq!(
                    path.is_some(),
                    is_possible,
                    "it must come to pass, or nothing is proven: {}",
                    property.name
                );
            }
            (Expectation::Always | Expectation::Eventually, None) => {}
            (Expectation::Always | Expectation::Eventually, Some(path)) => {
                panic!("{}, but: {:#?}", property.name, path.clone().into_actions());
            }
        }
    }
}

/// Without this guard the checker finds a way to break this property.
fn breaks(guards: Guards, bounds: Bounds, property: &'static str) {
    let begun = Instant::now();
    let wanted = HasDiscoveries::AnyOf(BTreeSet::from([property]));
    let checker = Protocol { guards, bounds }.checker().threads(1).finish_when(wanted).spawn_bfs().join();
    let path = checker.discovery(property).unwrap_or_else(|| panic!("nothing breaks: {property}"));
    let actions = path.into_actions();
    println!("{} steps, {} states, {:?}: {actions:?}", actions.len(), checker.unique_state_count(), begun.elapsed());
}

#[test]
fn no_step_is_done_twice_whatever_the_bus_the_controllers_and_the_devices_do() {
    holds(FULL, &[]);
}

#[test]
fn no_step_is_done_twice_when_tasks_start_by_themselves_later() {
    holds(AFTER, &[FORMER_LIFE]);
}

#[test]
fn without_the_check_of_the_epoch_a_device_obeys_who_was_replaced() {
    breaks(Guards { epoch_check: false, ..Guards::ALL }, SHORT, FENCED);
}

#[test]
fn without_the_check_of_the_boot_a_device_does_an_attempt_again() {
    breaks(Guards { boot_check: false, ..Guards::ALL }, FULL, ONCE);
}

#[test]
fn without_start_leases_an_instruction_that_waited_moves_a_robot() {
    breaks(Guards { start_lease: false, ..Guards::ALL }, ONE_TENURE, ALONE);
    breaks(Guards { start_lease: false, ..Guards::ALL }, ONE_TENURE, LEASED);
}

#[test]
fn a_lease_that_counts_from_its_receipt_outlives_the_proof_by_time() {
    breaks(Guards { lease_from_sending: false, ..Guards::ALL }, ONE_TENURE, ALONE);
}

#[test]
fn a_former_leader_that_answers_without_its_quorum_outlives_the_proof_by_time() {
    breaks(Guards { quorum_lease: false, ..Guards::ALL }, SHORT, ALONE);
}

#[test]
fn what_is_named_and_not_remembered_is_taken_for_never_named() {
    breaks(Guards { names_remembered: false, ..Guards::ALL }, ONE_TENURE, ALONE);
}

#[test]
fn a_device_that_gets_leases_while_it_is_judged_works_on_after_the_proof() {
    breaks(Guards { withheld: false, ..Guards::ALL }, ONE_TENURE, ALONE);
}

#[test]
fn what_is_named_while_it_is_overdue_runs_after_the_proof() {
    breaks(Guards { overdue_unnamed: false, ..Guards::ALL }, ONE_TENURE, ALONE);
}

#[test]
fn reassignment_without_proof_does_a_step_twice() {
    breaks(Guards { proof: false, ..Guards::ALL }, ONE_TENURE, ALONE);
}

#[test]
fn what_a_former_tenure_may_have_named_is_not_proven_by_the_memory_of_this_one() {
    breaks(Guards { former_names: false, ..Guards::ALL }, SHORT, ALONE);
}

#[test]
fn without_its_margin_the_proof_by_time_is_too_early() {
    breaks(Guards { margin: false, ..Guards::ALL }, SMALL, ALONE);
    breaks(Guards { margin: false, ..Guards::ALL }, SMALL, OVER);
}

#[test]
fn without_the_orphans_time_the_proof_by_time_is_too_early() {
    breaks(Guards { orphan: false, ..Guards::ALL }, AFTER, ALONE);
}

#[test]
fn what_is_sent_before_it_is_committed_makes_two_devices_do_one_attempt() {
    breaks(Guards { commit_first: false, ..Guards::ALL }, SHORT, ONCE);
}
