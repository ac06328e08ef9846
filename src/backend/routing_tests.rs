//! Tests of `choose_kitchen`.

use crate::protocol::exchange::QuoteMs;

use super::*;

fn id(text: &str) -> Id {
    text.parse().unwrap()
}

fn report(p95_ms: u64) -> Report {
    let quotes = [(id("margherita"), QuoteMs { p50_ms: p95_ms / 2, p95_ms })].into();
    Report { quotes, limit_milli_per_hour: Some(60_000), ..Report::default() }
}

struct Pool(Vec<(Id, Report)>);

impl Pool {
    fn of(p95s: &[u64]) -> Self {
        Self(p95s.iter().enumerate().map(|(i, p95)| (id(&format!("k{i:04}")), report(*p95))).collect())
    }

    fn candidates(&self) -> Vec<Candidate<'_>> {
        let of = |(id, report)| Candidate {
            id,
            state: KitchenState::Normal,
            report,
            unreported_pizzas: 0,
            recent_pizzas: 0,
            travel_ms: 0,
        };
        self.0.iter().map(|(id, report)| of((id, report))).collect()
    }
}

fn choose(items: &[Id], candidates: &[Candidate<'_>]) -> Result<Choice, NoKitchen> {
    let wanted = Wanted { items, promise_ms: 1_800_000, late_ms_max: Some(900_000), returned_by: None };
    choose_kitchen(&wanted, candidates)
}

#[test]
fn the_kitchen_that_is_ready_first_gets_it() {
    let pool = Pool::of(&[900_000, 600_000, 700_000]);
    let choice = choose(&[id("margherita")], &pool.candidates()).unwrap();
    assert_eq!(choice.kitchen, id("k0001"));
    assert_eq!((choice.why.able, choice.why.others[0].why_not.as_str()), (3, "100 s later"));
}

#[test]
fn what_was_given_and_not_reported_counts() {
    let pool = Pool::of(&[600_000, 700_000]);
    let mut candidates = pool.candidates();
    candidates[0].unreported_pizzas = 5;
    assert_eq!(choose(&[id("margherita")], &candidates).unwrap().kitchen, id("k0001"));
}

#[test]
fn among_near_equals_the_one_that_got_least_is_next() {
    let pool = Pool::of(&[600_000, 610_000]);
    let mut candidates = pool.candidates();
    candidates[0].recent_pizzas = 3;
    assert_eq!(choose(&[id("margherita")], &candidates).unwrap().kitchen, id("k0001"));
    candidates[1].recent_pizzas = 3;
    assert_eq!(choose(&[id("margherita")], &candidates).unwrap().kitchen, id("k0000"));
}

#[test]
fn lateness_goes_before_everything() {
    let pool = Pool::of(&[1_700_000, 1_900_000]);
    let mut candidates = pool.candidates();
    // As a degraded kitchen it costs as much, but it keeps the promise.
    candidates[0].state = KitchenState::Degraded;
    candidates[0].recent_pizzas = 100;
    assert_eq!(choose(&[id("margherita")], &candidates).unwrap().kitchen, id("k0000"));
}

#[test]
fn the_nearer_kitchen_gets_it_when_both_are_as_quick() {
    let pool = Pool::of(&[600_000, 600_000]);
    let mut candidates = pool.candidates();
    candidates[0].travel_ms = 300_000;
    assert_eq!(choose(&[id("margherita")], &candidates).unwrap().kitchen, id("k0001"));
}

#[test]
fn each_kitchen_that_can_not_take_it_has_its_reason() {
    let pool = Pool::of(&[1, 2, 3, 4, 5]);
    let mut candidates = pool.candidates();
    use KitchenState::*;
    for (candidate, state) in candidates.iter_mut().zip([Unreachable, OutOfOrder, Draining, Unknown, Normal]) {
        candidate.state = state;
    }
    let Err(NoKitchen::Now(why)) = choose(&[id("calzone")], &candidates) else { panic!("somebody took it") };
    let words: Vec<&str> = why.iter().map(|o| o.why_not.as_str()).collect();
    assert_eq!(words, ["unreachable", "out of order", "draining", "has not reported yet", "does not offer calzone"]);
}

#[test]
fn a_pool_that_is_full_says_when_it_would_be_ready() {
    let pool = Pool::of(&[5_000_000, 4_000_000]);
    let refused = choose(&[id("margherita")], &pool.candidates());
    assert_eq!(refused, Err(NoKitchen::TooLate { earliest_ms: 4_000_000 }));
}

#[test]
fn the_choice_does_not_depend_on_the_order_of_the_list() {
    let pool = Pool::of(&[700_000, 600_000, 605_000, 600_000, 660_000]);
    let mut candidates = pool.candidates();
    let items = [id("margherita"), id("margherita")];
    let first = choose(&items, &candidates).unwrap();
    candidates.reverse();
    assert_eq!(choose(&items, &candidates).unwrap().kitchen, first.kitchen);
}
