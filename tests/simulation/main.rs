//! The whole kitchen in virtual time, from a seed: the real state machine, deciders, sessions and machines, without sockets or threads.
//!
//! `make simulate SEEDS=10000` runs many; `SEED=17 make simulate` runs one and shows what happened.

mod agenda;
mod ambush;
mod backend;
mod bus;
mod chance;
mod checks;
mod clock;
mod deadlines;
mod device;
mod ears;
mod fleet;
mod golden;
mod hazards;
mod many;
mod node;
mod people;
mod proofs;
mod raft;
mod run;
mod seen;
mod storm;
mod tenure;
mod trace;
mod voice;

use many::{Plan, run_many};

/// What a few hundred seeds must have come upon, or they prove nothing.
const MUST_BE_SEEN: [&str; 56] = [
    "leaders killed",
    "followers killed",
    "all controllers killed",
    "controllers frozen",
    "controllers frozen while sending",
    "letters sent late",
    "controllers cut off",
    "controllers cut off from a broker",
    "brokers killed",
    "clocks jumped",
    "snapshots installed",
    "entries committed by the next leader",
    "entries lost with their leader",
    "heartbeats not answered for want of a quorum",
    "hand-overs",
    "tenures ended deaf",
    "orders asked again",
    "orders asked again much later",
    "orders that were placed already",
    "cancellations",
    "questions answered",
    "devices lost",
    "devices without power",
    "devices cut off",
    "devices with bad habits",
    "devices moved to the next broker",
    "spells of bad wires",
    "ambushes at a start",
    "ambushes at a transfer",
    "ambushes at an instruction",
    "ambushes at a verdict",
    "ambushes at a report",
    "refused StaleEpoch",
    "refused StaleBoot",
    "refused Duplicate",
    "refused RejectedBusy",
    "tasks expired",
    "failed JAMMED",
    "devices: burnt",
    "devices: shelved",
    "emergency stops",
    "emergency stops confirmed",
    "twins plugged in",
    "twins told from each other",
    "recipes changed",
    "rules raised",
    "pizzas called bad",
    "judged FAIL",
    "judged UNSURE",
    "orders given here",
    "orders given elsewhere",
    "orders of the backend cancelled",
    "cuts from the backend",
    "backends restarted",
    "orders moved once the lease was over",
    "orders given back by the other kitchen",
];

#[test]
fn whatever_breaks_every_order_ends_and_nothing_is_done_twice() {
    let plan = Plan::from_environment();
    let seen = run_many(&plan);
    if plan.is_usual() {
        let missing: Vec<&&str> = MUST_BE_SEEN.iter().filter(|what| !seen.0.contains_key(**what)).collect();
        assert!(missing.is_empty(), "no seed came upon {missing:?}; seen: {:#?}", seen.0);
    }
}

#[test]
fn the_same_seed_gives_the_same_trace_byte_for_byte() {
    for seed in [1, 2] {
        let (first, second) = (run::run(seed, true), run::run(seed, true));
        assert!(first.trace.lines.len() > 1_000, "seed {seed} shows something");
        assert!(first.trace.lines == second.trace.lines, "seed {seed} went two ways");
    }
}

#[test]
fn a_question_about_the_counter_names_its_pizza_where_the_checks_look() {
    let pizza: brigade::kitchen::PizzaId = "17.2.0".parse().expect("an id");
    assert!(checks::text_of_removal(pizza).starts_with("Pizza 17.2.0 is not for the customer"));
}
