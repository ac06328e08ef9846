//! Persons: what they are asked, what their word does, and that nothing else waits for it.

use brigade::kitchen::{Decision, OrderStatus, PizzaState as S, Question, Refusal, Reply};

use crate::line::Line;

/// A line whose first pizza was lost sight of between robot and oven.
fn uncertain() -> Line {
    let mut line = Line::new(2, 2, 1, 0);
    line.order("o1", &["plain"]);
    line.until("the load is under way", |l| {
        l.kitchen().attempts().any(|a| a.id.task.job.as_str() == "load" && a.started_at.is_some())
    });
    line.device("b1").power_off();
    line.device("oven1").faults.cut = true;
    line.until_state(S::Uncertain);
    line
}

// 46
#[test]
fn a_pizza_that_nobody_can_place_is_asked_about_and_nothing_else_waits() {
    let mut line = uncertain();
    assert!(matches!(line.questions()[0].question, Question::WhereIsPizza { .. }));
    line.order("o2", &["plain"]);
    line.until("the other order is ready", |l| l.end_of("o2") == Some(OrderStatus::Ready));
    line.until("without an answer it is remade", |l| l.end_of("o1") == Some(OrderStatus::Ready));
    line.assert_sound();
}

// 46
#[test]
fn a_persons_word_is_on_record_with_actor_and_reason() {
    let mut line = uncertain();
    let incident = line.questions()[0].id;
    assert!(matches!(line.decide(incident, Decision::Good), Reply::Refused(Refusal::Invalid { .. })));
    assert_eq!(line.decide(incident, Decision::PizzaGone), Reply::Done);
    let on_record =
        line.kitchen().incidents().find(|i| i.id == incident).expect("kept").answer.clone().expect("answered");
    assert_eq!((on_record.decision.as_str(), on_record.actor.as_str()), ("PizzaGone", "ada"));
    let again = line.decide(incident, Decision::PizzaGone);
    assert_eq!(again, Reply::Refused(Refusal::UnknownIncident { incident }));
    line.until("it is remade", |l| l.end_of("o1") == Some(OrderStatus::Ready));
    line.assert_sound();
}

// 46
#[test]
fn a_pizza_that_a_person_finds_in_an_oven_that_does_not_bake_it_is_remade() {
    let mut line = uncertain();
    let incident = line.questions()[0].id;
    let nowhere = brigade::kitchen::Place { device: "oven9".parse().expect("an id"), lane: 0 };
    assert!(matches!(line.decide(incident, Decision::OnDevice { place: nowhere }), Reply::Refused(_)));
    let place = brigade::kitchen::Place { device: "oven1".parse().expect("an id"), lane: 0 };
    assert_eq!(line.decide(incident, Decision::OnDevice { place }), Reply::Done);
    assert_ne!(line.state(), Some(S::Uncertain));
    line.until("it is remade", |l| l.end_of("o1") == Some(OrderStatus::Ready));
    line.assert_sound();
}

#[test]
fn a_required_verdict_that_a_person_gives_can_be_bad() {
    let mut line = Line::new(1, 1, 1, 0);
    line.order("o1", &["strict"]);
    line.until("a person is asked", |l| !l.questions().is_empty());
    let incident = line.questions()[0].id;
    assert_eq!(line.decide(incident, Decision::Bad), Reply::Done);
    assert_eq!(line.pizza().id.generation, 1);
    for _ in 0..6 {
        line.pass(20_000);
        line.answer_all();
    }
    assert_eq!(line.end_of("o1"), Some(OrderStatus::Ready));
    line.assert_sound();
}
