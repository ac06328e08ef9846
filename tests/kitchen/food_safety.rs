//! The food-safety record: what is on it, that its chain holds, and that every replica writes the same.

use std::collections::BTreeMap;

use brigade::kitchen::food_safety::{COLUMNS, GENESIS, KeptRecord, archive_key, text};
use brigade::kitchen::{Decision, Directive, Kitchen, OrderStatus, PizzaState as S, rows};
use sha2::{Digest, Sha256};

use crate::line::Line;

/// The lines of the record, as a replica's archive holds them.
fn lines(line: &Line) -> Vec<String> {
    let records = line.kitchen().meta().food.records;
    let row = |number| line.main.archive.get(&archive_key(number)).expect("the archive has every record");
    (1..=records).map(|number| KeptRecord::read(row(number)).expect("it can be read").line).collect()
}

/// A column of a line.
#[track_caller]
fn field(line: &str, column: &str) -> String {
    let at = COLUMNS.iter().position(|c| *c == column).expect("a column");
    text::fields(line).expect("a line of CSV")[at].clone()
}

/// What anybody can check who has the lines and SHA-256: each names its predecessor's hash, and has that of its own text.
#[track_caller]
fn assert_chained(line: &Line) {
    let mut before = GENESIS.to_owned();
    for (n, line) in lines(line).iter().enumerate() {
        let (body, hash) = line.rsplit_once(',').expect("a hash at its end");
        let computed: String = Sha256::digest(body).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!((hash, body.rsplit_once(',').unwrap().1), (computed.as_str(), before.as_str()), "{line}");
        assert_eq!(field(line, "seq"), (n + 1).to_string());
        before = computed;
    }
    assert_eq!(line.kitchen().meta().food.head(), before);
}

#[test]
fn a_packed_pizza_is_on_record_with_devices_times_temperature_and_verdicts() {
    let mut line = Line::new(1, 1, 1, 1);
    line.device("oven1").temp_dc = Some(3_184);
    line.order("o1", &["seen"]);
    line.until("it is ready", |l| l.end_of("o1") == Some(OrderStatus::Ready));
    let records = lines(&line);
    assert_eq!(records.len(), 1);
    let of = |column: &str| field(&records[0], column);
    let expected = [
        ("format", "1"),
        ("kitchen", "naples"),
        ("order", "o1"),
        ("order_status", "READY"),
        ("generation", "0"),
        ("recipe", "seen"),
        ("recipe_version", "1"),
        ("ended", "PACKED"),
        ("reason", ""),
        ("prep_device", "b1"),
        ("load_device", "b1"),
        ("oven", "oven1"),
        ("bake_s", "20.0"),
        ("bake_temp_c", "318.4"),
        ("unload_device", "a1"),
        ("finish_device", "a1"),
        ("verdicts", "inspect-prep PASS; inspect-bake PASS; inspect-finish PASS"),
        ("incidents", ""),
        ("previous", GENESIS),
    ];
    for (column, value) in expected {
        assert_eq!(of(column), value, "{column}");
    }
    let steps =
        ["prep_start", "prep_end", "bake_start", "bake_end", "unload_end", "finish_start", "finish_end", "ended_at"];
    let times: Vec<String> = steps.into_iter().map(of).collect();
    assert!(
        times.is_sorted() && times.iter().all(|t| t.starts_with("2023-11-14T22:1") && t.ends_with('Z')),
        "{times:?}"
    );
    assert!(of("out_of_oven_s").parse::<f64>().is_ok_and(|s| s < 40.0), "within its window");
    assert!(
        of("attempts").contains("bake#1 oven1 ") && of("attempts").contains(" SUCCEEDED 318.4C"),
        "{}",
        of("attempts")
    );
    assert_chained(&line);
    line.assert_sound();
}

#[test]
fn an_oven_without_a_sensor_leaves_the_temperature_empty() {
    let mut line = Line::new(1, 1, 1, 0);
    line.order("o1", &["plain"]);
    line.until("it is ready", |l| l.end_of("o1").is_some());
    assert_eq!(
        (field(&lines(&line)[0], "bake_temp_c"), field(&lines(&line)[0], "oven")),
        (String::new(), "oven1".into())
    );
    line.assert_sound();
}

#[test]
fn a_burnt_pizza_and_its_remake_are_two_records() {
    let mut line = Line::new(1, 1, 1, 0);
    line.order("o1", &["plain"]);
    line.until_state(S::Baking);
    line.direct("a1", Directive::Hold);
    line.until("it burns", |l| l.kitchen().meta().discarded == 1);
    line.direct("a1", Directive::Resume);
    line.until("its remake is ready", |l| l.end_of("o1") == Some(OrderStatus::Ready));
    let records = lines(&line);
    let told: Vec<[String; 4]> =
        records.iter().map(|r| ["generation", "ended", "reason", "bake_s"].map(|column| field(r, column))).collect();
    assert_eq!(told, [["0", "DISCARDED", "BURNT", "20.0"], ["1", "PACKED", "", "20.0"]]);
    assert_eq!(field(&records[0], "finish_device"), "", "it was never finished");
    assert_chained(&line);
    line.assert_sound();
}

#[test]
fn what_still_ran_when_a_pizza_was_discarded_is_on_its_record() {
    let mut line = Line::new(2, 2, 1, 0);
    line.order("o1", &["plain"]);
    line.until_state(S::Baking);
    line.cancel("o1");
    let record = lines(&line).remove(0);
    assert_eq!((field(&record, "reason"), field(&record, "order_status")), ("CANCELLED".into(), "CANCELLED".into()));
    assert!(!field(&record, "oven").is_empty() && !field(&record, "bake_start").is_empty(), "{record}");
    assert!(field(&record, "attempts").contains("OVERTAKEN"), "{record}");
    line.pass(60_000);
    assert_chained(&line);
    line.assert_sound();
}

#[test]
fn a_pizza_that_nobody_began_leaves_no_record() {
    let mut line = Line::new(1, 1, 1, 0);
    line.order("o1", &["plain"]);
    line.order("o2", &["plain"]);
    line.cancel("o2");
    assert_eq!(line.kitchen().meta().food.records, 0);
    line.until("the other is ready", |l| l.end_of("o1").is_some());
    assert_eq!(line.kitchen().meta().food.records, 1);
    line.assert_sound();
}

#[test]
fn a_persons_word_about_a_pizza_is_on_its_record() {
    let mut line = Line::new(1, 1, 1, 0);
    line.order("o1", &["strict"]);
    while line.end_of("o1").is_none() {
        for incident in line.questions() {
            line.decide(incident.id, Decision::Good);
        }
        line.pass(1_000);
    }
    let said = field(&lines(&line)[0], "incidents");
    assert!(said.contains("judge-pizza: Good by ada ("), "{said}");
    assert_chained(&line);
    line.assert_sound();
}

#[test]
fn the_chain_goes_on_over_many_orders_and_a_replica_that_was_made_from_rows() {
    let mut line = Line::mixed();
    for n in 0..4 {
        line.order(&format!("first{n}"), &["plain", "plain"]);
    }
    line.until("half are done", |l| (0..4).all(|n| l.end_of(&format!("first{n}")).is_some()));
    // A snapshot or a restart: nothing but the rows.
    line.restore_third();
    line.take_charge(true);
    line.order("second", &["plain", "plain", "plain"]);
    line.until("all are done", |l| l.end_of("second").is_some());
    assert!(line.kitchen().meta().food.records >= 11);
    assert_chained(&line);
    let third = line.third.as_ref().expect("it was made");
    assert_eq!(third.kitchen.meta().food, line.kitchen().meta().food);
    assert_eq!((&line.twin.archive, &third.kitchen), (&line.main.archive, line.kitchen()));
    line.assert_sound();
}

#[test]
fn a_data_directory_of_an_earlier_release_opens_and_its_chain_begins() {
    let mut line = Line::new(1, 1, 1, 0);
    line.order("o1", &["plain"]);
    line.until_state(S::Baking);
    // What an earlier release wrote lacks the new fields of the meta row, of pizzas and of past attempts.
    let stripped = line.kitchen().rows().into_iter().map(|(key, value)| {
        let without = |names: &[&str]| {
            let mut fields: BTreeMap<String, serde_json::Value> = rows::decode(&value).expect("a row has names");
            names.iter().for_each(|name| drop(fields.remove(*name).expect("it is there today")));
            rows::encode(&fields)
        };
        let value = match key[0] {
            b'm' => without(&["food"]),
            b'p' => without(&["recipe_version"]),
            _ => value.clone(),
        };
        (key, value)
    });
    let old = Kitchen::from_rows(stripped).expect("it opens");
    assert_eq!((old.meta().food.records, old.meta().food.head()), (0, GENESIS));
    assert_eq!(old.pizzas().next().map(|p| p.recipe_version), Some(0));
}
