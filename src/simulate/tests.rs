//! A kitchen that is planned and cooked through: nothing burns, and it is near the limit.

use crate::kitchen::recipe::{NMinusOne, built_in_menu};
use crate::kitchen::report::Job;

use super::plan::{Failures, Plan};
use super::{arrivals, run};

fn plan(line: &str, pizzas: usize) -> Plan {
    let mut plan = Plan::new(line.parse().expect("a line"), arrivals::reference_menu(pizzas, 7));
    plan.arrivals = arrivals::at_once(&plan.menu, pizzas, Some(24 * 3_600_000));
    plan.settings.admit_late_ms = 24 * 3_600_000;
    plan.settings.n_minus_one = NMinusOne::Off;
    plan
}

#[test]
fn without_failures_nothing_burns_and_ovens_are_hardly_ever_idle() {
    let outcome = run(&plan("2/4/2", 80));
    assert_eq!((outcome.packed, outcome.remade), (80, 0), "{:?}", outcome.remade_by);
    assert!(outcome.makespan_by_bound < 1.06, "{}", outcome.makespan_by_bound);
    assert!(outcome.busy_percent["ovens"] > 90.0, "{:?}", outcome.busy_percent);
}

#[test]
fn the_same_plan_and_seed_give_the_same_result() {
    let mut plan = plan("3/4/2", 30);
    plan.noise_permille = 100;
    plan.failures = Failures { robots_mtbf_ms: 900_000, ovens_mtbf_ms: 3_600_000, mttr_ms: 120_000, bad_permille: 20 };
    let text = |plan: &Plan| serde_json::to_string(&run(plan)).expect("it is data");
    let first = text(&plan);
    assert_eq!(first, text(&plan));
    plan.seed += 1;
    assert_ne!(first, text(&plan));
}

#[test]
fn every_order_is_made_although_robots_and_ovens_fail_and_cameras_find_fault() {
    let mut plan = plan("3/4/2/2", 60);
    plan.menu = built_in_menu();
    plan.arrivals = arrivals::at_once(&plan.menu, 60, None);
    plan.settings.n_minus_one = NMinusOne::Strict;
    plan.failures =
        Failures { robots_mtbf_ms: 1_800_000, ovens_mtbf_ms: 7_200_000, mttr_ms: 300_000, bad_permille: 20 };
    plan.noise_permille = 100;
    plan.link_ms = 20;
    let outcome = run(&plan);
    assert_eq!(outcome.packed, 60, "{outcome:?}");
    assert!(outcome.device_failures > 3 && outcome.remade > 0, "{outcome:?}");
}

#[test]
fn a_refused_order_is_counted_with_its_reason() {
    let mut plan = plan("1/1/1", 40);
    plan.settings.admit_late_ms = 1;
    plan.arrivals.iter_mut().for_each(|a| a.promise_ms = Some(3_600_000));
    let outcome = run(&plan);
    assert!(outcome.refused > 10 && outcome.packed as usize + outcome.refused == 40, "{outcome:?}");
    assert!(outcome.refused_why.is_some_and(|why| why.contains("minutes")));
}

#[test]
fn a_shelf_saves_pizzas_when_robots_after_the_ovens_fail() {
    let burnt = |slots: Option<u8>| {
        let mut sum = (0, 0);
        for seed in 0..3 {
            let mut plan = plan("6/10/3", 70);
            plan.seed = seed;
            plan.settings.n_minus_one = NMinusOne::Strict;
            plan.settings.shelves = slots.map(|n| ("shelf".parse().expect("an id"), n)).into_iter().collect();
            plan.failures = Failures { robots_mtbf_ms: 1_200_000, mttr_ms: 300_000, ..Failures::default() };
            let outcome = run(&plan);
            assert_eq!(outcome.packed, 70, "{outcome:?}");
            sum.0 += outcome.burnt;
            sum.1 += outcome.spans.iter().filter(|s| s.job == Job::Fetch).count();
        }
        sum
    };
    let ((without, _), (with, fetched)) = (burnt(None), burnt(Some(4)));
    assert!(fetched > 3, "{fetched} were put down and fetched");
    assert!(2 * with <= without + 1, "{with} burnt with a shelf, {without} without");
}
