//! What the archive lets go, and that it does so on all replicas alike, in small steps, and under the rules that have it.

use brigade::kitchen::food_safety::{KeptRecord, archive_key as record_key, number_of};
use brigade::kitchen::recipe::KEPT_MIN;
use brigade::kitchen::rows::InMemory;
use brigade::kitchen::{Archive, Command, OrderStatus, Reply, Rules};

use crate::line::Line;

fn line_that_keeps(orders: u32, records: u32) -> Line {
    let mut line = Line::new(2, 4, 2, 0);
    assert_eq!(line.tenure(Command::RaiseRules { to: Rules::RETENTION }), Reply::Done);
    line.configure(|s| (s.archive_orders_max, s.food_safety_records_max) = (orders, records));
    line
}

/// Orders that end at once.
fn order_and_cancel(line: &mut Line, numbers: std::ops::RangeInclusive<u32>) {
    for n in numbers {
        line.order(&format!("o{n}"), &["plain"]);
        line.cancel(&format!("o{n}"));
    }
}

fn is_kept(line: &Line, n: u32) -> bool {
    line.end_of(&format!("o{n}")).is_some()
}

#[test]
fn the_oldest_orders_go_when_there_are_more_than_the_site_keeps() {
    let mut line = line_that_keeps(KEPT_MIN, 0);
    order_and_cancel(&mut line, 1..=KEPT_MIN);
    assert!(is_kept(&line, 1), "so many are kept");
    order_and_cancel(&mut line, KEPT_MIN + 1..=KEPT_MIN + 3);
    assert_eq!([1, 2, 3, 4].map(|n| is_kept(&line, n)), [false, false, false, true]);
    assert_eq!(line.kitchen().meta().orders_let_go, 3);
    line.assert_sound();
}

#[test]
fn a_site_that_keeps_less_from_now_on_lets_a_few_go_with_each_entry() {
    let mut line = line_that_keeps(0, 0);
    order_and_cancel(&mut line, 1..=KEPT_MIN + 50);
    assert!(is_kept(&line, 1), "0 keeps all");
    line.configure(|s| s.archive_orders_max = KEPT_MIN);
    let at_once = line.kitchen().meta().orders_let_go;
    assert!((1..10).contains(&at_once), "{at_once} with one entry");
    for _ in 0..50 {
        line.request(Command::Drain { draining: false });
    }
    assert_eq!((is_kept(&line, 50), is_kept(&line, 51)), (false, true));
    line.assert_sound();
}

#[test]
fn an_order_that_was_let_go_can_be_placed_again() {
    let mut line = line_that_keeps(KEPT_MIN, 0);
    order_and_cancel(&mut line, 1..=KEPT_MIN + 1);
    assert!(matches!(line.order("o2", &["plain"]), Reply::Placed { created: false, .. }), "it is remembered");
    assert!(matches!(line.order("o1", &["plain"]), Reply::Placed { created: true, .. }));
}

#[test]
fn food_safety_records_go_in_the_order_of_the_chain_which_goes_on() {
    let mut line = line_that_keeps(0, KEPT_MIN);
    for n in 0..13 {
        let order = format!("o{n}");
        line.order(&order, &["plain"; 8]);
        line.until("it is ready", |l| l.end_of(&order) == Some(OrderStatus::Ready));
    }
    let food = &line.kitchen().meta().food;
    assert!(food.records >= 104 && food.records - food.let_go == u64::from(KEPT_MIN), "{food:?}");
    let kept: Vec<u64> = line.main.archive.keys().filter_map(|key| number_of(key)).collect();
    assert_eq!(kept, (food.let_go + 1..=food.records).collect::<Vec<_>>());
    let (_, first) = line.main.archive.next(&record_key(0)).expect("records are kept");
    let first = KeptRecord::read(&first).expect("it can be read").line;
    assert!(first.starts_with(&format!("1,{},", food.let_go + 1)), "{first}");
    line.assert_sound();
}

#[test]
fn under_older_rules_the_setting_is_not_proposed_and_nothing_goes() {
    let mut line = Line::new(1, 1, 1, 0);
    let mut settings = line.kitchen().settings().clone();
    settings.archive_orders_max = KEPT_MIN;
    assert_eq!(Command::Configure { settings: settings.clone() }.since(), Rules::RETENTION);
    assert_eq!(settings.under(Rules::FIRST).archive_orders_max, 0);
    line.configure(|s| s.archive_orders_max = KEPT_MIN);
    order_and_cancel(&mut line, 1..=KEPT_MIN + 1);
    assert!(is_kept(&line, 1), "an entry that should not be there does nothing");
}

#[test]
fn too_few_to_find_ones_order_again_are_refused() {
    let mut line = line_that_keeps(0, 0);
    let mut settings = line.kitchen().settings().clone();
    settings.archive_orders_max = KEPT_MIN - 1;
    assert!(matches!(line.request(Command::Configure { settings }), Reply::Refused(_)));
}

#[test]
fn an_archive_in_memory_finds_the_next_row() {
    let archive = InMemory::from([(vec![1], vec![7]), (vec![3], vec![8])]);
    assert_eq!(archive.next(&[1]), Some((vec![3], vec![8])));
    assert_eq!(archive.next(&[3]), None);
}
