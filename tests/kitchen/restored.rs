//! A kitchen that another incarnation goes on with: what is open begins anew under new names, and the invariants hold.

use brigade::kitchen::{Kitchen, OrderStatus, PizzaState, invariants};

use crate::line::Line;

/// Far behind every index of a test.
const INDEX: u64 = 5_000_000;

#[test]
fn whatever_a_kitchen_was_doing_it_begins_anew_under_new_names() {
    let mut line = Line::new(2, 3, 2, 2);
    for n in 0..6 {
        line.order(&format!("o{n}"), &["plain", "seen", "plain"]);
    }
    line.until("one is ready, and others are not", |l| l.end_of("o0") == Some(OrderStatus::Ready));
    let old = line.kitchen().clone();
    assert!(old.attempts().next().is_some() && old.orders().count() > 2, "a kitchen at work");
    let new = old.clone().restored(7, INDEX).expect("its rows can be read");
    assert_eq!(invariants::check(&new), Ok(()));
    assert_eq!((new.epoch().incarnation(), new.meta().index), (7, INDEX));
    assert!(new.attempts().next().is_none() && new.incidents().next().is_none());
    let ids = |k: &Kitchen| k.orders().map(|o| o.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&new), ids(&old));
    let kept = [PizzaState::Queued, PizzaState::Packed];
    assert!(new.pizzas().all(|p| kept.contains(&p.state) && p.id.order > INDEX - 10 && p.id.order <= INDEX));
    let packed = |k: &Kitchen| k.pizzas().filter(|p| p.state == PizzaState::Packed).count();
    assert_eq!(packed(&new), packed(&old));
    let begun = old.pizzas().filter(|p| !kept.contains(&p.state)).count();
    let given_up = |k: &Kitchen| k.orders().map(|o| o.discarded.len()).sum::<usize>();
    assert_eq!(given_up(&new) - given_up(&old), begun, "food that was begun stays on record");
}
