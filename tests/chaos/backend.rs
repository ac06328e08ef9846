//! A main backend that fails in every way.

use brigade::history::Need;

use crate::harness::{Dinner, Plan};

/// Rows 23 and 24, and invariant 7.
#[test]
fn a_backend_that_refuses_hangs_and_loses_its_answers_misses_no_outcome_though_leaders_die() {
    let mut dinner = Dinner::open(&Plan { has_backend: true, ..Plan::default() });
    (0..3).for_each(|_| dinner.give(2));
    dinner.order(1);
    dinner.wait_until_one_bakes();
    let leader = dinner.leader();
    dinner.kill(&[leader]);
    (0..3).for_each(|_| dinner.give(1));
    dinner.wait_until("another one is in charge", |d| d.in_charge().is_some_and(|n| n != leader));
    dinner.start(&[leader]);
    dinner.wait_until_the_backend_knows_all_ends();
    dinner.ends_well(&[Need::Failover, Need::BackendFails]);
}
