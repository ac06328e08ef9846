//! What is begun next and why: quotes, promises, overtaking, what is kept in hand for the loss of a robot.

use brigade::kitchen::recipe::NMinusOne;
use brigade::kitchen::{Action, Command, Gate, Kitchen, NewOrder, OrderStatus, PizzaState as S, Refusal, Reply};

use crate::line::{Line, quick};

fn ids(names: &[&str]) -> Vec<brigade::kitchen::RecipeId> {
    names.iter().map(|n| n.parse().expect("an id")).collect()
}

fn reason_of(line: &Line, device: &str) -> &'static str {
    let why = line.kitchen().explain_device(&device.parse().expect("an id")).expect("a device of the line");
    why[0].reason
}

fn place(line: &mut Line, id: &str, items: &[&str], promise_ms: u64) -> Reply {
    let id = id.parse().expect("an id");
    let new = NewOrder { id, items: ids(items), priority: 0, promise_ms: Some(promise_ms) };
    line.request(Command::PlaceOrder(new))
}

fn with_status(kitchen: &Kitchen, state: S) -> usize {
    kitchen.pizzas().filter(|p| p.state == state).count()
}

#[test]
fn an_order_is_ready_when_its_quote_said_and_the_quote_changes_nothing() {
    for others in [0, 3, 12] {
        let mut line = Line::new(2, 2, 2, 0);
        for n in 0..others {
            line.order(&format!("other{n}"), &["plain"]);
        }
        let before = line.kitchen().clone();
        let quote = line.kitchen().quote(&ids(&["plain", "plain"]), 0, None).expect("the line can cook");
        assert!(*line.kitchen() == before);
        assert!(quote.p50_ms <= quote.p95_ms);
        let placed_at = line.now;
        line.order("mine", &["plain", "plain"]);
        line.until("it is ready", |l| l.end_of("mine") == Some(OrderStatus::Ready));
        let took = line.now - placed_at;
        let (least, most) = (quote.p50_ms * 4 / 5, quote.p95_ms * 6 / 5 + 1_000);
        assert!((least..=most).contains(&took), "behind {others}: {took} ms, quoted {quote:?}");
    }
}

#[test]
fn there_is_no_quote_without_an_oven_nor_for_what_is_not_on_the_menu() {
    let line = Line::new(1, 1, 1, 0);
    assert_eq!(line.kitchen().quote(&ids(&["hawaii"]), 0, None), None);
    assert_eq!(Line::new(1, 0, 1, 0).kitchen().quote(&ids(&["plain"]), 0, None), None);
    assert_eq!(Line::new(0, 1, 1, 0).kitchen().quote(&ids(&["plain"]), 0, None), None);
}

#[test]
fn a_more_urgent_order_is_quoted_ahead_of_what_waits() {
    let mut line = Line::new(1, 1, 1, 0);
    for n in 0..20 {
        line.order(&format!("o{n}"), &["plain"]);
    }
    let quote = |priority| line.kitchen().quote(&ids(&["plain"]), priority, None).expect("the line can cook");
    assert!(quote(9).pizzas_ahead == 0 && quote(0).pizzas_ahead > 10);
    assert!(2 * quote(9).p50_ms < quote(0).p50_ms, "{:?} {:?}", quote(9), quote(0));
}

#[test]
fn an_order_that_could_only_be_ready_much_too_late_is_refused_with_the_time_that_it_takes() {
    let mut line = Line::new(1, 1, 1, 0);
    line.configure(|s| s.admit_late_ms = 60_000);
    for n in 0..10 {
        line.order(&format!("o{n}"), &["plain"]);
    }
    let Reply::Refused(Refusal::TooMuchAhead { ready_in_ms, promise_ms }) = place(&mut line, "x", &["plain"], 30_000)
    else {
        panic!("ten pizzas of 24 s each are ahead of it");
    };
    assert_eq!(promise_ms, 30_000);
    assert!((200_000..400_000).contains(&ready_in_ms), "{ready_in_ms}");
    assert!(matches!(place(&mut line, "y", &["plain"], ready_in_ms), Reply::Placed { .. }));
}

#[test]
fn promises_that_were_kept_and_that_were_not_are_counted() {
    let mut line = Line::new(1, 1, 1, 0);
    place(&mut line, "soon", &["plain"], 1);
    place(&mut line, "later", &["plain"], 600_000);
    line.until("both are ready", |l| l.kitchen().orders().next().is_none());
    assert_eq!(line.kitchen().meta().promises, [1, 1]);
    assert!(line.kitchen().present_rate(line.now) > 0);
}

#[test]
fn the_items_of_an_order_that_is_begun_go_before_those_of_others() {
    let mut line = Line::new(1, 1, 1, 0);
    line.order("first", &["plain", "plain", "plain"]);
    line.order("second", &["plain"]);
    line.until("the second is ready", |l| l.end_of("second").is_some());
    let first = line.archived(&"first".parse().expect("an id")).expect("it is ready too");
    let second = line.archived(&"second".parse().expect("an id")).expect("it is ready");
    assert!(first.order.ended_at < second.order.ended_at);
}

#[test]
fn nobody_is_overtaken_by_what_is_promised_much_later() {
    let mut line = Line::new(1, 1, 1, 0);
    line.configure(|s| s.overtake_ms = 10_000);
    line.order("now", &["plain"]);
    line.until_state(S::Prepping);
    place(&mut line, "soon", &["plain"], 60_000);
    for n in 0..5 {
        place(&mut line, &format!("late{n}"), &["plain"], 600_000);
    }
    line.until("one of the rest is begun", |l| {
        l.kitchen().orders().any(|o| o.id.as_str() != "now" && o.status == OrderStatus::InProgress)
    });
    let begun: Vec<&str> = line
        .kitchen()
        .orders()
        .filter(|o| o.status == OrderStatus::InProgress && o.id.as_str() != "now")
        .map(|o| o.id.as_str())
        .collect();
    assert_eq!(begun, ["soon"]);
}

/// A recipe that keeps its after-oven robot busy for longer than its window is long.
fn slow_finish(line: &mut Line) {
    let mut recipe = quick("slow", Gate::None);
    (recipe.window_ms, recipe.finish_ms, recipe.stale_ms) = (10_000, 30_000, 600_000);
    line.request(Command::PutRecipe { recipe });
}

#[test]
fn with_strict_fewer_bake_at_once_and_nothing_burns_when_a_robot_is_lost() {
    let mut most = Vec::new();
    for policy in [NMinusOne::Off, NMinusOne::Strict] {
        let mut line = Line::new(4, 4, 2, 0);
        line.configure(|s| s.n_minus_one = policy);
        slow_finish(&mut line);
        line.order("o", &["slow"; 12]);
        let mut baking = 0;
        for _ in 0..150 {
            line.pass(1_000);
            baking = baking.max(with_status(line.kitchen(), S::Baking));
        }
        most.push(baking);
        if policy == NMinusOne::Strict {
            line.device("a1").power_off();
            line.pass(500_000);
            let order = line.archived(&"o".parse().expect("an id")).expect("it ended").order;
            let burnt = order.discarded.iter().filter(|d| d.reason == brigade::kitchen::Spoiled::Burnt).count();
            assert_eq!(burnt, 0, "{:?}", order.discarded);
        }
        line.assert_sound();
    }
    assert!(most[0] > most[1], "off {}, strict {}", most[0], most[1]);
}

#[test]
fn who_does_nothing_says_why_and_who_works_says_at_what() {
    let mut line = Line::new(2, 1, 1, 0);
    assert_eq!(
        [reason_of(&line, "b1"), reason_of(&line, "oven1"), reason_of(&line, "a1")],
        ["nothing-waits", "nothing-waits", "nothing-bakes"]
    );
    line.order("o", &["plain"; 4]);
    line.pass(100);
    assert_eq!(reason_of(&line, "b1"), "working");
    assert_eq!(reason_of(&line, "oven1"), "awaits-prep");
    line.until_state(S::Baking);
    line.pass(1_000);
    assert_eq!(reason_of(&line, "a1"), "awaits-bake");
    assert_eq!(reason_of(&line, "oven1"), "working");
    let waiting = line.kitchen().pizzas().find(|p| p.state == S::Queued).expect("one of four waits").id;
    assert_eq!(line.kitchen().explain_pizza(waiting).expect("it is open").reason, "queued");
    line.device("a1").power_off();
    line.pass(6_000);
    assert_eq!(reason_of(&line, "a1"), "unavailable");
    line.assert_sound();
}

#[test]
fn a_robot_before_a_taken_oven_waits_and_says_when_it_will_begin() {
    let mut line = Line::new(3, 1, 1, 0);
    line.order("o", &["plain"; 5]);
    line.until_state(S::Baking);
    line.pass(500);
    let whys: Vec<_> = ["b1", "b2", "b3"]
        .iter()
        .flat_map(|b| line.kitchen().explain_device(&b.parse().expect("an id")))
        .flatten()
        .collect();
    let waits =
        whys.iter().find(|w| w.reason == "just-in-time").expect("a slot falls free in 20 s, and a prep takes 4 s");
    assert!(waits.changes_in_ms.is_some_and(|ms| (5_000..40_000).contains(&ms)), "{waits:?}");
    let begun_in = waits.changes_in_ms.expect("a moment ago");
    line.pass(begun_in + 200);
    let prepping = line.kitchen().attempts().filter(|a| a.id.task.job.action() == Action::Prep).count();
    assert!(prepping > 0, "it begins when it said");
}
