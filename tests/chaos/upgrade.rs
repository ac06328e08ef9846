//! A release that knows newer rules, one node after the other, while orders go through: replicas of both apply one log.
//!
//! The older program is this one, held at the rules before by `rules_max`; or a real one, whose path is in `CHAOS_OLD_PROGRAM`.

use std::collections::BTreeMap;

use brigade::history::{Answer, DeviceFact, History, Need, ReplicaDeed, calls};
use brigade::kitchen::Rules;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Brokers, Dinner, Plan};

/// The rules before the newest.
const BEFORE: u32 = Rules::NEWEST.0 - 1;

fn rules(dinner: &Dinner) -> u64 {
    dinner.wait_for("a replica tells", |d| d.get("/v1/cluster")?["rules"].as_u64())
}

/// Asks for something that the rules before do not have.
fn ask_for_something_new(dinner: &Dinner) -> (u16, String) {
    let mut settings: Value = dinner.wait_for("the settings", |d| d.get("/v1/kitchen/settings"));
    settings["archive_orders_max"] = json!(5_000);
    let reply = dinner.send(Method::PUT, dinner.leader(), "/v1/kitchen/settings", &settings);
    (reply.status, reply.problem())
}

#[test]
fn a_rolling_upgrade_under_load_loses_nothing_and_raises_the_rules_when_the_last_node_is_new() {
    let plan = Plan { rules_max: Some(BEFORE), brokers: Brokers::Mosquitto(1), ..Plan::default() };
    let mut dinner = Dinner::begin(&plan, 2);
    dinner.seat_guests(2);
    dinner.wait_until_one_bakes();
    let (leader, followers) = (dinner.leader(), dinner.followers());
    for node in followers {
        assert_eq!(rules(&dinner), u64::from(BEFORE), "an old one is left");
        dinner.upgrade(node);
        dinner.order(1);
    }
    let old = dinner.wait_for("the new ones say what they know", |d| {
        let members = d.get("/v1/cluster")?["members"].as_array()?.clone();
        members.into_iter().find(|m| m["node"] == leader)?["rules"].as_u64()
    });
    assert_eq!(old, u64::from(BEFORE), "who holds the rules back can be seen");
    // A real old program in charge does not even know what is asked.
    let no = std::env::var("CHAOS_OLD_PROGRAM").map_or((409, "rules-too-old"), |_| (422, "unknown-field"));
    assert_eq!(ask_for_something_new(&dinner), (no.0, no.1.to_owned()));
    dinner.upgrade(leader);
    dinner.order(1);
    dinner.wait_until("the rules are raised", |d| rules(d) == u64::from(Rules::NEWEST.0));
    dinner.wait_until("what is new is done", |d| ask_for_something_new(d).0 == 200);
    dinner.order(1);
    // The rules are in everybody's state: whoever takes charge goes by them.
    let leader = dinner.leader();
    dinner.kill(&[leader]);
    dinner.start(&[leader]);
    let history = dinner.ends_well(&[Need::Kill, Need::Failover]).history;
    println!("{}", lateness(&history));
}

/// As for an update: stopped by its service manager and started again, the one in charge last. Guests repeat with their keys what is not
/// answered, and each gets what he asked for.
#[test]
fn a_rolling_restart_of_all_three_under_load_loses_no_request_and_holds_up_no_instruction() {
    let mut dinner = Dinner::begin(&Plan { brokers: Brokers::Mosquitto(1), ..Plan::default() }, 2);
    dinner.seat_guests(4);
    dinner.wait_until_one_bakes();
    let (leader, followers) = (dinner.leader(), dinner.followers());
    for node in followers.into_iter().chain([leader]) {
        dinner.upgrade(node);
        dinner.order(2);
    }
    let history = dinner.ends_well(&[Need::Failover]).history;
    println!("{}; {}", lateness(&history), refusals(&history));
}

/// How many calls were answered, and how many had to be repeated.
fn refusals(history: &History) -> String {
    let calls = calls(history);
    let unanswered = |answer: &Answer| matches!(answer, Answer::NotApplied { .. } | Answer::Unknown { .. });
    let repeated = calls.iter().filter(|call| call.answer.is_some_and(unanswered)).count();
    format!("{} calls, {repeated} of them repeated with their key", calls.len())
}

#[test]
fn a_program_that_does_not_know_the_rules_ends_before_it_changes_anything() {
    let mut dinner = Dinner::begin(&Plan::default(), 1);
    dinner.wait_until("the rules are raised", |d| rules(d) == u64::from(Rules::NEWEST.0));
    let follower = dinner.followers()[0];
    let (code, said) = dinner.downgrade(follower, BEFORE);
    assert_eq!(code, 70, "{said}");
    assert!(said.contains(&format!("goes by rules {}", Rules::NEWEST)), "{said}");
    dinner.upgrade(follower);
    dinner.order(1);
    let leader = dinner.leader();
    dinner.kill(&[leader]);
    dinner.start(&[leader]);
    dinner.ends_well(&[Need::Kill]);
}

/// How long after the entry that made it each instruction to do something reached its device for the first time.
fn lateness(history: &History) -> String {
    let mut applied: BTreeMap<u64, u64> = BTreeMap::new();
    for (_, fact) in history.replicas() {
        if let ReplicaDeed::Applied { index, .. } = fact.deed {
            let first = applied.entry(index).or_insert(fact.t_ms);
            *first = fact.t_ms.min(*first);
        }
    }
    let mut reached: BTreeMap<&str, u64> = BTreeMap::new();
    let is_start = |fact: &DeviceFact| fact.event == "instructed" && fact.op.as_deref() == Some("task.start");
    for (_, fact) in history.devices().filter(|(_, fact)| is_start(fact)) {
        reached.entry(fact.id.as_deref().unwrap_or_default()).or_insert(fact.t_ms);
    }
    let late = reached.iter().filter_map(|(id, at)| {
        let index = id.split(['.', '-']).next()?.parse().ok()?;
        Some(at.saturating_sub(*applied.get(&index)?))
    });
    let mut late: Vec<u64> = late.collect();
    late.sort_unstable();
    let at =
        |share: usize| late.get((late.len() * share / 100).min(late.len().saturating_sub(1))).copied().unwrap_or(0);
    format!(
        "{} instructions reached their devices after {} ms (p50), {} (p99), {} (max)",
        late.len(),
        at(50),
        at(99),
        at(100)
    )
}
