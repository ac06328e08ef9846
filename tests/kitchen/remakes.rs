//! A person says that a pizza is bad: in every phase it is made again, once, and nothing that is in doubt is touched.

use brigade::kitchen::{
    Command, Directive, Event, OrderStatus, PizzaId, PizzaState as S, Question, Refusal, Reply, Spoiled,
};

use crate::line::Line;

fn remake(line: &mut Line, pizza: PizzaId) -> Reply {
    line.request(Command::RemakePizza { pizza, actor: "ada".to_owned(), reason: "wrong topping".to_owned() })
}

fn id(text: &str) -> PizzaId {
    text.parse().expect("an id")
}

/// Has a pizza made again when it is in a state; what was bad must be thrown away, and every lane free again.
#[track_caller]
fn remake_in(state: S) {
    let mut line = Line::new(1, 1, 1, 1);
    line.order("o1", &["seen"]);
    if state == S::Baked {
        line.until_state(S::Baking);
        line.direct("a1", Directive::Hold);
    }
    line.until_state(state);
    let bad = line.pizza().id;
    assert_eq!(remake(&mut line, bad), Reply::Done);
    line.direct("a1", Directive::Resume);
    assert_eq!(line.pizza().id, bad.remade());
    line.until("the order is ready", |l| l.end_of("o1") == Some(OrderStatus::Ready));
    line.answer_all();
    line.pass(60_000);
    let ended = line.archived(&line.orders[0]).expect("it ended").order;
    assert_eq!(ended.pizzas, [bad.remade()], "{state:?}");
    assert!(line.world.packed.contains(&bad.remade()), "{state:?}");
    assert!(!line.world.counter.contains(&bad), "{state:?}: a bad pizza is on the counter");
    assert!(line.world.lanes.is_empty(), "{state:?}: {:?}", line.world.lanes);
    assert!(line.kitchen().attempts().next().is_none(), "{state:?}");
    line.assert_sound();
}

#[test]
fn a_pizza_that_a_person_calls_bad_is_made_again_in_every_phase() {
    for state in
        [S::Prepping, S::Prepped, S::Loading, S::Baking, S::Baked, S::Unloading, S::Unloaded, S::Finishing, S::Finished]
    {
        remake_in(state);
    }
}

#[test]
fn the_persons_word_stays_with_the_pizza_and_nobody_is_blamed() {
    let mut line = Line::new(1, 1, 1, 0);
    line.order("o1", &["plain"]);
    line.until_state(S::Baking);
    let bad = line.pizza().id;
    remake(&mut line, bad);
    assert!(line.pizza().failed_on.is_empty());
    assert!(!line.events.iter().any(|e| matches!(e, Event::DeviceFailed { .. })));
    line.until("the order is ready", |l| l.end_of("o1") == Some(OrderStatus::Ready));
    let ended = line.archived(&line.orders[0]).expect("it ended").order;
    let record = &ended.discarded[0];
    let word = record.word.as_ref().expect("it is on record");
    assert_eq!((word.actor.as_str(), word.reason.as_str()), ("ada", "wrong topping"));
    assert_eq!((record.pizza, record.reason, record.state), (bad, Spoiled::JudgedBad, S::Baking));
    line.assert_sound();
}

#[test]
fn the_same_word_twice_makes_one_pizza_more_also_after_the_order_ended() {
    let mut line = Line::new(1, 1, 1, 0);
    line.order("o1", &["plain"]);
    line.until_state(S::Baking);
    let bad = line.pizza().id;
    assert_eq!(remake(&mut line, bad), Reply::Done);
    assert_eq!(remake(&mut line, bad), Reply::Unchanged);
    assert_eq!(line.pizza().id, bad.remade());
    line.until("the order is ready", |l| l.end_of("o1") == Some(OrderStatus::Ready));
    assert_eq!(remake(&mut line, bad), Reply::Unchanged);
    line.assert_sound();
}

#[test]
fn what_is_not_begun_given_away_cancelled_or_unknown_is_not_remade() {
    let refusal = |line: &mut Line, pizza: &str| match remake(line, id(pizza)) {
        Reply::Refused(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    };
    let mut line = Line::new(1, 1, 1, 0);
    line.order("o1", &["plain"]);
    line.order("o2", &["plain"]);
    let waiting = line.kitchen().order(&line.orders[1]).expect("it is open").pizzas[0];
    assert!(
        matches!(refusal(&mut line, &waiting.to_string()), Refusal::NothingToRemake { state, .. } if state == "QUEUED")
    );
    let first = line.pizza().id;
    for unknown in [format!("{}.9.0", first.order), format!("{}.0.7", first.order), "999999.0.0".to_owned()] {
        assert_eq!(refusal(&mut line, &unknown), Refusal::UnknownPizza { pizza: id(&unknown) });
    }
    line.cancel("o2");
    assert!(matches!(
        refusal(&mut line, &waiting.to_string()),
        Refusal::UnknownPizza { .. } | Refusal::NothingToRemake { .. }
    ));
    line.until("the order is ready", |l| l.end_of("o1") == Some(OrderStatus::Ready));
    assert!(
        matches!(refusal(&mut line, &first.to_string()), Refusal::NothingToRemake { state, .. } if state == "READY")
    );
    line.request(Command::CollectOrder { order: line.orders[0].clone() });
    assert!(
        matches!(refusal(&mut line, &first.to_string()), Refusal::NothingToRemake { state, .. } if state == "COLLECTED")
    );
    line.assert_sound();
}

#[test]
fn a_packed_pizza_whose_order_is_open_is_remade_and_taken_from_the_counter() {
    let mut line = Line::new(1, 1, 1, 0);
    line.order("o1", &["plain", "plain"]);
    line.until("one of the two is packed", |l| l.kitchen().pizzas().any(|p| p.state == S::Packed));
    let bad = line.kitchen().pizzas().find(|p| p.state == S::Packed).expect("just seen").id;
    assert_eq!(remake(&mut line, bad), Reply::Done);
    let asked = |l: &Line| l.questions().iter().any(|i| i.question == Question::RemoveFromCounter { pizza: bad });
    assert!(asked(&line), "{:?}", line.questions());
    line.answer_all();
    line.until("the order is ready", |l| l.end_of("o1") == Some(OrderStatus::Ready));
    assert_eq!(line.world.packed.len(), 3);
    assert_eq!(line.kitchen().meta().packed, 2);
    line.assert_sound();
}

#[test]
fn a_lane_in_doubt_stays_blocked_while_the_remake_goes_on_elsewhere() {
    let mut line = Line::new(2, 1, 1, 0);
    line.order("o1", &["plain"]);
    line.until("the robot works", |l| l.kitchen().attempts().any(|a| a.started_at.is_some()));
    let (bad, robot) = (line.pizza().id, line.kitchen().attempts().next().expect("just seen").device.clone());
    line.device(robot.as_str()).power_off();
    assert_eq!(remake(&mut line, bad), Reply::Done);
    let in_doubt = |l: &Line| l.kitchen().attempts().any(|a| a.id.task.pizza == bad && a.device == robot);
    assert!(in_doubt(&line), "there is no proof that it is over");
    line.until("the other robot makes it", |l| {
        l.kitchen().attempts().any(|a| a.id.task.pizza == bad.remade() && a.device != robot)
    });
    assert!(in_doubt(&line), "there is no proof that it is over");
    line.until("the order is ready", |l| l.end_of("o1") == Some(OrderStatus::Ready));
    line.assert_sound();
}

#[test]
fn after_so_many_remakes_a_person_decides_first() {
    let mut line = Line::new(1, 1, 1, 0);
    line.configure(|s| s.remakes_max = 2);
    line.order("o1", &["plain"]);
    for _ in 0..2 {
        line.until_state(S::Baking);
        let bad = line.pizza().id;
        assert_eq!(remake(&mut line, bad), Reply::Done);
    }
    line.pass(60_000);
    let (parked, question) = (line.pizza().clone(), line.questions().remove(0));
    assert_eq!((parked.state, parked.parked), (S::Queued, Some(question.id)));
    assert!(matches!(question.question, Question::ItemFails { .. }));
    let Reply::Refused(Refusal::NothingToRemake { hint, .. }) = remake(&mut line, parked.id) else {
        panic!("not refused")
    };
    assert!(hint.contains(&format!("decide incident {}", question.id)), "{hint}");
    line.answer_all();
    line.until("the order is ready", |l| l.end_of("o1") == Some(OrderStatus::Ready));
    line.assert_sound();
}

#[test]
fn a_lost_pizza_that_a_person_calls_bad_is_asked_about_no_longer() {
    let mut line = Line::new(2, 2, 1, 0);
    line.order("o1", &["plain"]);
    line.until("the load is under way", |l| {
        l.kitchen().attempts().any(|a| a.id.task.job.as_str() == "load" && a.started_at.is_some())
    });
    line.device("b1").power_off();
    line.device("oven1").faults.cut = true;
    line.until_state(S::Uncertain);
    let lost = line.pizza().id;
    assert_eq!(remake(&mut line, lost), Reply::Done);
    assert!(!line.questions().iter().any(|i| i.question == Question::WhereIsPizza { pizza: lost }));
    line.until("the order is ready", |l| l.end_of("o1") == Some(OrderStatus::Ready));
    line.assert_sound();
}
