//! Devices: adopted, out of order, flapping, twins, retired.

use brigade::kitchen::{
    Command, DeviceKind, Directive, Event, Facts, Life, OrderStatus, PizzaState, Question, Refusal, Reply,
};

use crate::line::Line;

fn escalations(line: &Line) -> usize {
    line.events.iter().filter(|e| matches!(e, Event::Escalated { .. })).count()
}

// 20
#[test]
fn a_flapping_robot_waits_longer_each_time_and_is_escalated_once() {
    let mut line = Line::new(2, 1, 1, 0);
    line.configure(|s| s.remakes_max = 1_000);
    line.device("b1").faults.fail = 3;
    for n in 0..8 {
        line.order(&format!("o{n}"), &["plain"]);
    }
    line.until("b1 is out of order", |l| l.known("b1").quarantine.is_some());
    assert_eq!(escalations(&line), 1);
    assert!(line.kitchen().feed().any(|o| format!("{:?}", o.news).contains("Escalation")));
    let first = line.known("b1").quarantine.and_then(|q| q.until).expect("it ends") - line.now;
    line.answer_all();
    line.until("it is back", |l| l.known("b1").quarantine.is_none());
    line.answer_all();
    line.device("b1").faults.fail = 1;
    line.until("again", |l| l.known("b1").quarantine.is_some());
    let second = line.known("b1").quarantine.and_then(|q| q.until).expect("it ends") - line.now;
    assert!(second > first, "{second} > {first}");
    assert_eq!(escalations(&line), 1);
    line.assert_sound();
}

// 20
#[test]
fn an_operator_releases_a_robot_from_quarantine_into_a_self_test() {
    let mut line = Line::new(1, 1, 1, 0);
    line.configure(|s| s.quarantine_ms = 3_600_000);
    line.judge(&"b1".parse().expect("an id"), Life::Stuck);
    line.order("o1", &["plain"]);
    line.pass(60_000);
    assert_eq!(line.state(), Some(PizzaState::Queued));
    assert_eq!(line.direct("b1", Directive::Release), Reply::Done);
    line.until("it works", |l| l.end_of("o1") == Some(OrderStatus::Ready));
    assert!(matches!(line.direct("b1", Directive::Release), Reply::Refused(Refusal::DeviceState { .. })));
    line.assert_sound();
}

// 34
#[test]
fn two_devices_with_one_id_are_found_by_their_boots_and_wait_for_a_person() {
    let mut line = Line::new(2, 1, 1, 0);
    line.reboot("b1", 100);
    line.pass(1_000);
    line.haunt("b1");
    assert!(line.known("b1").quarantine.is_none(), "once may be a late message");
    line.haunt("b1");
    assert_eq!(line.known("b1").quarantine.expect("out of order").until, None);
    assert!(line.questions().iter().any(|i| matches!(i.question, Question::TwinDevices { .. })));
    line.pass(600_000);
    assert!(line.known("b1").quarantine.is_some(), "only a person ends this");
    line.answer_all();
    assert!(line.known("b1").quarantine.is_none());
    line.assert_sound();
}

// 34
#[test]
fn whichever_of_two_devices_with_one_id_is_left_works_once_it_was_restarted() {
    let mut line = Line::new(1, 1, 1, 0);
    line.reboot("b1", 100);
    line.pass(1_000);
    line.haunt("b1");
    line.haunt("b1");
    let asked = line.questions().iter().map(|i| i.question.text()).collect::<String>();
    assert!(asked.contains("restart the other one"), "{asked}");
    // The one that spoke first is left: its life counts as over, and it is asked for again until it is restarted.
    let former = line.device("b1").boot - 1;
    line.device("b1").power_off();
    line.device("b1").power_on(former);
    line.answer_all();
    line.pass(10_000);
    assert!(line.known("b1").quarantine.is_some(), "it is taken for a late message of a life that is over");
    line.device("b1").power_off();
    line.device("b1").power_on(former + 2);
    line.answer_all();
    line.order("o1", &["plain"]);
    line.until("it works", |l| l.end_of("o1") == Some(OrderStatus::Ready));
    line.assert_sound();
}

// 33
#[test]
fn facts_that_can_not_be_are_refused() {
    let mut line = Line::new(1, 1, 1, 0);
    let facts = line.device("b1").facts.clone();
    let mut tell = |id: &str, facts: Facts| {
        line.tenure(Command::RecordFacts { device: id.parse().expect("an id"), boot: 1, facts })
    };
    let claims = Facts { kind: DeviceKind::Oven, ..facts.clone() };
    assert!(matches!(tell("x", claims), Reply::Refused(Refusal::Invalid { .. })));
    assert!(matches!(tell("x", Facts { lanes: vec![], ..facts.clone() }), Reply::Refused(Refusal::Invalid { .. })));
    let other = Facts { kind: DeviceKind::Oven, actions: vec![], ..facts.clone() };
    assert!(matches!(tell("b1", other), Reply::Refused(Refusal::KindChanged { .. })));
    assert_eq!(tell("b1", facts), Reply::Unchanged);
    line.assert_sound();
}

// 40
#[test]
fn a_new_robot_works_without_anybody_changing_anything() {
    let mut line = Line::new(1, 2, 1, 0);
    line.order("o1", &["plain"; 4]);
    line.pass(1_000);
    line.install("b7", DeviceKind::BeforeOven, 1);
    line.until("all is made", |l| l.end_of("o1") == Some(OrderStatus::Ready));
    assert!(line.world.started.values().any(|d| d.as_str() == "b7"));
    line.assert_sound();
}

#[test]
fn a_site_that_adopts_by_hand_lets_nobody_work_before_its_yes() {
    let mut line = Line::bare();
    line.configure(|s| s.adopt_at_once = false);
    for (id, kind) in [("b1", DeviceKind::BeforeOven), ("oven1", DeviceKind::Oven), ("a1", DeviceKind::AfterOven)] {
        line.install(id, kind, 1);
    }
    line.order("o1", &["plain"]);
    line.pass(30_000);
    assert_eq!(line.known("b1").state_word(), "PENDING");
    assert_eq!(line.state(), Some(PizzaState::Queued));
    for id in ["b1", "oven1", "a1"] {
        line.direct(id, Directive::Adopt);
    }
    line.until("it is made", |l| l.end_of("o1") == Some(OrderStatus::Ready));
    line.assert_sound();
}

#[test]
fn a_retired_oven_with_a_pizza_inside_leaves_nothing_waiting() {
    let mut line = Line::new(1, 2, 1, 0);
    line.order("o1", &["plain"]);
    line.until_state(PizzaState::Baking);
    assert!(matches!(line.direct("oven1", Directive::Retire), Reply::Refused(_)), "it is at work");
    line.device("oven1").faults.cut = true;
    line.until("it is lost", |l| l.known("oven1").life == Life::Lost);
    assert_eq!(line.direct("oven1", Directive::Retire), Reply::Done);
    line.until("the other oven makes it", |l| l.end_of("o1") == Some(OrderStatus::Ready));
    line.assert_sound();
}

#[test]
fn a_device_that_has_seen_a_higher_epoch_is_asked_about() {
    let mut line = Line::new(1, 1, 1, 0);
    line.device("b1").fence = brigade::kitchen::Epoch::new(9, 1);
    line.pass(2_000);
    assert!(line.questions().iter().any(|i| i.question.text().contains("incarnation = 10")));
    line.assert_sound();
}

#[test]
fn a_held_robot_stands_still_and_is_not_stuck() {
    let mut line = Line::new(1, 1, 1, 0);
    line.direct("b1", Directive::Hold);
    line.order("o1", &["plain"]);
    line.pass(60_000);
    assert!(line.world.started.is_empty());
    line.direct("b1", Directive::Resume);
    line.until("it is made", |l| l.end_of("o1") == Some(OrderStatus::Ready));
    assert_eq!(line.known("b1").failures_total, 0);
    line.assert_sound();
}
