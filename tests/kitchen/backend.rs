//! Orders of the main backend: begun only under its lease and after it heard that they are, and never twice.

use brigade::kitchen::feed::News;
use brigade::kitchen::{BackendAnswer, Command, OrderStatus, PizzaState as S, Reply};

use crate::line::Line;

/// A line whose backend says nothing by itself.
fn line() -> Line {
    let mut line = Line::new(1, 1, 1, 0);
    line.backend_answers = false;
    line
}

fn status(line: &Line, id: &str) -> Option<OrderStatus> {
    let open = line.kitchen().order(&id.parse().expect("an id")).map(|o| o.status);
    open.or_else(|| line.end_of(id))
}

fn acknowledge_all(line: &mut Line) {
    let last = line.kitchen().meta().feed_last;
    line.hear_backend(last);
}

fn hold(line: &mut Line, held: bool) {
    line.request(Command::HoldZone { zone: String::new(), held, actor: "op".to_owned() });
}

fn news(line: &Line) -> Vec<String> {
    let word = |news: &News| match news {
        News::Order { order, assignment, status, .. } => format!("{order}/{assignment} {}", status.as_str()),
        News::Starting { order, assignment } => format!("{order}/{assignment} STARTING"),
        News::Kitchen { status } => status.clone(),
        News::Escalation { device, .. } => device.to_string(),
    };
    line.kitchen().feed().map(|o| word(&o.news)).collect()
}

#[test]
fn an_order_of_the_backend_is_begun_once_it_has_heard_that_it_is() {
    let mut line = line();
    acknowledge_all(&mut line);
    line.assign("o1", &["plain"], 1);
    line.pass(60_000);
    assert_eq!(status(&line, "o1"), Some(OrderStatus::Accepted));
    assert_eq!(news(&line), ["o1/1 ACCEPTED", "o1/1 STARTING"]);
    acknowledge_all(&mut line);
    line.pass(1_000);
    assert_eq!(status(&line, "o1"), Some(OrderStatus::InProgress));
    line.until("it is ready", |l| l.end_of("o1") == Some(OrderStatus::Ready));
    assert_eq!(news(&line), ["o1/1 IN_PROGRESS", "o1/1 READY"]);
    line.assert_sound();
}

#[test]
fn nothing_of_the_backend_is_begun_beyond_its_lease_and_local_orders_go_on() {
    let mut line = line();
    line.assign("first", &["plain"], 1);
    line.assign("second", &["plain"], 1);
    acknowledge_all(&mut line);
    line.until("the first is begun", |l| status(l, "first") == Some(OrderStatus::InProgress));
    hold(&mut line, true);
    line.pass(310_000);
    hold(&mut line, false);
    assert!(line.kitchen().lease_is_over());
    line.order("local", &["plain"]);
    line.until("the local one is ready", |l| l.end_of("local") == Some(OrderStatus::Ready));
    assert_eq!(status(&line, "first"), Some(OrderStatus::Ready));
    assert_eq!(status(&line, "second"), Some(OrderStatus::Accepted));
    acknowledge_all(&mut line);
    line.until("the backend is back", |l| l.end_of("second") == Some(OrderStatus::Ready));
    line.assert_sound();
}

#[test]
fn what_the_backend_gave_away_is_dropped_and_not_cleared_by_the_same_answer() {
    let mut line = line();
    line.assign("o1", &["plain"], 1);
    let acknowledged = line.kitchen().meta().feed_last;
    let (lease_until, revoked) = (line.now + 300_000, vec![("o1".parse().expect("an id"), 1)]);
    line.tenure(Command::FollowBackend(BackendAnswer {
        lease_until,
        acknowledged,
        revoked,
        ..BackendAnswer::default()
    }));
    line.pass(60_000);
    assert_eq!(status(&line, "o1"), Some(OrderStatus::Returned));
    line.assert_sound();
}

#[test]
fn a_revocation_of_an_older_assignment_changes_nothing() {
    let mut line = line();
    line.assign("o1", &["plain"], 3);
    let revoked = vec![("o1".parse().expect("an id"), 2)];
    line.tenure(Command::FollowBackend(BackendAnswer { revoked, ..BackendAnswer::default() }));
    assert_eq!(status(&line, "o1"), Some(OrderStatus::Accepted));
    line.assert_sound();
}

#[test]
fn an_assignment_that_comes_twice_is_one_order_also_after_its_end() {
    let mut line = line();
    line.assign("o1", &["plain"], 1);
    assert_eq!(line.assign("o1", &["plain"], 1), Reply::Unchanged);
    line.backend_answers = true;
    acknowledge_all(&mut line);
    line.until("it is ready", |l| l.end_of("o1") == Some(OrderStatus::Ready));
    acknowledge_all(&mut line);
    assert_eq!(line.assign("o1", &["plain"], 1), Reply::Unchanged);
    assert_eq!(news(&line), ["o1/1 READY"], "the backend hears again what it may have missed");
    line.assert_sound();
}

#[test]
fn an_order_that_went_back_can_be_assigned_again() {
    let mut line = line();
    line.direct("b1", brigade::kitchen::Directive::Maintain);
    line.assign("o1", &["plain"], 1);
    line.pass(15_000);
    assert_eq!(status(&line, "o1"), Some(OrderStatus::Returned));
    line.direct("b1", brigade::kitchen::Directive::Resume);
    assert_eq!(line.assign("o1", &["plain"], 1), Reply::Unchanged, "that one was given back");
    line.backend_answers = true;
    assert!(matches!(line.assign("o1", &["plain"], 2), Reply::Placed { created: true, .. }));
    line.until("it is ready", |l| l.end_of("o1") == Some(OrderStatus::Ready));
    line.assert_sound();
}

#[test]
fn an_id_that_a_local_order_has_goes_back_to_the_backend() {
    let mut line = line();
    acknowledge_all(&mut line);
    line.order("o1", &["plain"]);
    line.assign("o1", &["plain"], 1);
    assert_eq!(news(&line), ["o1/1 RETURNED"]);
    line.until("the local one is ready", |l| l.end_of("o1") == Some(OrderStatus::Ready));
    line.assert_sound();
}

#[test]
fn an_order_that_the_kitchen_refuses_goes_back_with_the_reason() {
    let mut line = line();
    acknowledge_all(&mut line);
    assert!(matches!(line.assign("o1", &["nowhere"], 1), Reply::Refused(_)));
    assert_eq!(news(&line), ["o1/1 RETURNED"]);
    line.assert_sound();
}

#[test]
fn only_the_next_few_orders_are_announced() {
    let mut line = line();
    for n in 0..20 {
        line.assign(&format!("o{n}"), &["plain"], 1);
    }
    let starting = |l: &Line| news(l).iter().filter(|n| n.ends_with("STARTING")).count();
    assert_eq!(starting(&line), 2);
    acknowledge_all(&mut line);
    line.until("one is begun", |l| l.state() == Some(S::Prepping));
    assert_eq!(starting(&line), 1, "another one moved up");
    line.assert_sound();
}

#[test]
fn a_cold_start_ends_the_lease() {
    let mut line = line();
    line.assign("o1", &["plain"], 1);
    hold(&mut line, true);
    acknowledge_all(&mut line);
    line.take_charge(false);
    hold(&mut line, false);
    line.pass(20_000);
    assert_eq!(status(&line, "o1"), Some(OrderStatus::Accepted));
    line.assert_sound();
}

#[test]
fn the_backend_learns_every_status_in_order_until_it_acknowledges() {
    let mut line = line();
    line.assign("o1", &["plain"], 1);
    acknowledge_all(&mut line);
    line.until("it is ready", |l| l.end_of("o1").is_some());
    let numbers: Vec<u64> = line.kitchen().feed().map(|o| o.number).collect();
    assert!(numbers.len() > 1 && numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
    let last = *numbers.last().expect("there is news");
    line.hear_backend(last - 1);
    assert_eq!(line.kitchen().feed().map(|o| o.number).collect::<Vec<_>>(), [last]);
    line.hear_backend(last - 1);
    assert_eq!(line.kitchen().feed().count(), 1);
    line.assert_sound();
}
