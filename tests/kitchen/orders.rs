//! Orders: placed, refused, cancelled in every phase, collected.

use brigade::kitchen::{Command, Directive, Event, NewOrder, OrderStatus, PizzaState, Refusal, Reply};

use crate::line::Line;

fn refused(reply: Reply) -> Refusal {
    match reply {
        Reply::Refused(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn an_order_of_three_pizzas_with_cameras_is_made_and_packed() {
    let mut line = Line::new(2, 2, 2, 1);
    line.order("o1", &["seen", "seen", "strict"]);
    line.until("the order is ready", |l| l.end_of("o1") == Some(OrderStatus::Ready));
    assert_eq!(line.world.packed.len(), 3);
    assert!(!line.events.iter().any(|e| matches!(e, Event::IncidentRaised { .. } | Event::Unverified { .. })));
    assert_eq!(line.kitchen().meta().packed, 3);
    line.assert_sound();
}

#[test]
fn the_same_order_twice_has_no_effect_and_the_same_answer() {
    let mut line = Line::new(1, 1, 1, 0);
    let Reply::Placed { number, created: true } = line.order("o1", &["plain"]) else { panic!("accepted") };
    assert_eq!(line.order("o1", &["plain"]), Reply::Placed { number, created: false });
    line.until("it is ready", |l| l.end_of("o1").is_some());
    assert_eq!(line.order("o1", &["plain"]), Reply::Placed { number, created: false });
    line.pass(60_000);
    assert_eq!(line.world.packed.len(), 1);
    line.assert_sound();
}

#[test]
fn an_id_with_another_content_is_refused_open_or_archived() {
    let mut line = Line::new(1, 1, 1, 0);
    line.order("o1", &["plain"]);
    assert!(matches!(refused(line.order("o1", &["plain", "plain"])), Refusal::IdempotencyKeyReused { .. }));
    line.until("it is ready", |l| l.end_of("o1").is_some());
    assert!(matches!(refused(line.order("o1", &["seen"])), Refusal::IdempotencyKeyReused { .. }));
    line.assert_sound();
}

#[test]
fn an_unknown_recipe_an_empty_order_and_too_many_pizzas_are_refused() {
    let mut line = Line::new(1, 1, 1, 0);
    assert!(matches!(refused(line.order("o1", &["hawaii"])), Refusal::UnknownRecipe { .. }));
    assert!(matches!(refused(line.order("o1", &[])), Refusal::Invalid { .. }));
    assert!(matches!(refused(line.order("o1", &["plain"; 101])), Refusal::Invalid { .. }));
    line.configure(|s| s.open_pizzas_max = 3);
    line.order("o1", &["plain", "plain"]);
    assert_eq!(refused(line.order("o2", &["plain", "plain"])), Refusal::CapacityExceeded { open: 2, max: 3 });
    line.assert_sound();
}

#[test]
fn a_draining_kitchen_finishes_what_it_has_and_takes_no_more() {
    let mut line = Line::new(1, 1, 1, 0);
    line.order("o1", &["plain"]);
    line.request(Command::Drain { draining: true });
    assert_eq!(line.kitchen().status().text(), "DRAINING");
    assert_eq!(refused(line.order("o2", &["plain"])), Refusal::Draining);
    assert!(matches!(line.order("o1", &["plain"]), Reply::Placed { created: false, .. }));
    line.until("it is ready", |l| l.end_of("o1") == Some(OrderStatus::Ready));
    line.assert_sound();
}

#[test]
fn a_ready_order_is_collected_once() {
    let mut line = Line::new(1, 1, 1, 0);
    let collect = |line: &mut Line| line.request(Command::CollectOrder { order: "o1".parse().expect("an id") });
    assert!(matches!(refused(collect(&mut line)), Refusal::UnknownOrder { .. }));
    line.order("o1", &["plain"]);
    assert!(matches!(refused(collect(&mut line)), Refusal::NotReady { .. }));
    line.until("it is ready", |l| l.end_of("o1").is_some());
    assert_eq!(collect(&mut line), Reply::Done);
    assert_eq!(collect(&mut line), Reply::Unchanged);
    assert_eq!(line.end_of("o1"), Some(OrderStatus::Collected));
    assert!(matches!(refused(line.cancel("o1")), Refusal::PointOfNoReturn { .. }));
    line.assert_sound();
}

/// Cancels when the pizza is in a state; everything must be thrown away and every lane free again.
#[track_caller]
fn cancel_in(state: PizzaState) {
    let mut line = Line::new(1, 1, 1, 1);
    line.order("o1", &["seen"]);
    if state == PizzaState::Baked {
        line.until_state(PizzaState::Baking);
        line.direct("a1", Directive::Hold);
    }
    line.until_state(state);
    assert_eq!(line.cancel("o1"), Reply::Done);
    line.direct("a1", Directive::Resume);
    assert_eq!(line.end_of("o1"), Some(OrderStatus::Cancelled));
    assert_eq!(line.cancel("o1"), Reply::Unchanged);
    line.order("o2", &["plain"]);
    line.until("the next order is ready", |l| l.end_of("o2") == Some(OrderStatus::Ready));
    line.answer_all();
    line.pass(30_000);
    assert!(line.world.lanes.is_empty(), "{state:?}: {:?}", line.world.lanes);
    assert!(line.kitchen().attempts().next().is_none(), "{state:?}");
    line.assert_sound();
}

#[test]
fn a_cancelled_order_is_thrown_away_in_every_phase_and_blocks_nothing() {
    use PizzaState as S;
    for state in
        [S::Prepping, S::Prepped, S::Loading, S::Baking, S::Baked, S::Unloading, S::Unloaded, S::Finishing, S::Finished]
    {
        cancel_in(state);
    }
}

#[test]
fn a_waiting_order_is_cancelled_without_a_trace_on_the_line() {
    let mut line = Line::new(1, 1, 1, 0);
    line.order("o1", &["plain"]);
    line.order("o2", &["plain"]);
    assert_eq!(line.cancel("o2"), Reply::Done);
    line.pass(120_000);
    assert_eq!(line.world.packed.len(), 1);
    line.assert_sound();
}

#[test]
fn a_packed_order_is_too_late_to_cancel() {
    let mut line = Line::new(1, 1, 1, 0);
    line.order("o1", &["plain"]);
    line.until("it is ready", |l| l.end_of("o1").is_some());
    assert!(matches!(refused(line.cancel("o1")), Refusal::PointOfNoReturn { .. }));
    assert!(matches!(refused(line.cancel("o7")), Refusal::UnknownOrder { .. }));
    line.assert_sound();
}

#[test]
fn a_higher_priority_goes_first_and_then_the_nearest_promise() {
    let mut line = Line::new(1, 1, 1, 0);
    for (id, priority, promise_ms) in [("late", 0, 900_000), ("soon", 0, 100_000), ("vip", 5, 900_000)] {
        let items = vec!["plain".parse().expect("an id")];
        let id = id.parse().expect("an id");
        let new = NewOrder { id, items, priority, promise_ms: Some(promise_ms) };
        line.request(Command::PlaceOrder(new));
    }
    line.pass(200_000);
    let ended = |id: &str| line.archived(&id.parse().expect("an id")).expect("it ended").order.ended_at;
    // The first one was begun at once, as nothing else was there.
    assert!(ended("late") < ended("vip") && ended("vip") < ended("soon"));
    line.assert_sound();
}
