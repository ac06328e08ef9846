//! A random schedule of faults, all of it drawn from one seed, over kitchens full of guests: `make chaos MINUTES=10 SEED=7`.
//!
//! The time is cut into rounds of two minutes, each a kitchen of its own with the next seed, so that a history stays short enough to read
//! and a round that fails is replayed alone. `KILLS=200` kills the leader so many times, and does nothing else.

mod report;
mod schedule;

use std::time::{Duration, Instant};

use brigade::history::Need;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::harness::{Brokers, Dinner, Plan, Wiring};
use report::Report;
use schedule::Step;

/// How long a round lasts, without its beginning and end.
const ROUND: Duration = Duration::from_secs(120);
/// Kills of one round, where nothing else is done.
const KILLS_PER_ROUND: u64 = 40;
/// Guests at a time: more orders than the line can make at once.
const GUESTS: u64 = 8;

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name)
        .ok()
        .filter(|text| !text.is_empty())
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[test]
#[ignore = "make chaos runs it, for as long as it is told"]
fn a_random_schedule_loses_nothing_and_does_nothing_twice() {
    let seed: u64 = setting("CHAOS_SEED").unwrap_or_else(rand::random);
    let minutes: f64 = setting("CHAOS_MINUTES").unwrap_or(10.0);
    let kills: Option<u64> = setting("CHAOS_KILLS");
    let mut report = Report::default();
    let until = Instant::now() + Duration::from_secs_f64(60.0 * minutes);
    for round in 0.. {
        let is_over = kills.map_or(Instant::now() >= until, |kills| report.kills_of_leaders() >= kills);
        if is_over {
            break;
        }
        let seed = seed.wrapping_add(round);
        let replay = kills.map_or("MINUTES=2".to_owned(), |_| format!("KILLS={KILLS_PER_ROUND}"));
        println!("Round {round}. It is replayed by: make chaos {replay} SEED={seed}");
        let left = until.saturating_duration_since(Instant::now()).min(ROUND);
        let is_good = run_round(seed, left, kills.map(|kills| kills - report.kills_of_leaders()), &mut report);
        if !is_good {
            println!("{report}");
            panic!("round {round} is broken; make chaos {replay} SEED={seed} replays it");
        }
    }
    println!("{report}");
    let needs = match kills {
        Some(_) => &[Need::Kill, Need::Failover][..],
        None => &[Need::Kill, Need::Failover, Need::StaleCommand][..],
    };
    assert_eq!(report.not_exercised(needs), Vec::<String>::new(), "this run proved nothing");
}

/// One kitchen from opening to verdict. False when something is wrong; then its folder is kept.
fn run_round(seed: u64, span: Duration, kills: Option<u64>, report: &mut Report) -> bool {
    let mut chance = StdRng::seed_from_u64(seed);
    let brokers = match chance.random_range(0..3) {
        0 => Brokers::Embedded,
        1 => Brokers::Mosquitto(1),
        _ => Brokers::Mosquitto(2),
    };
    let plan = Plan { brokers, wiring: Wiring::Cuttable, snapshot_every: 150, ..Plan::default() };
    let mut dinner = Dinner::open(&plan);
    println!("  {brokers:?}, over {}", dinner.wires());
    dinner.seat_guests(GUESTS);
    let began = Instant::now();
    match kills {
        Some(kills) => {
            for _ in 0..kills.min(KILLS_PER_ROUND) {
                Step::draw_kill(&mut chance).run(&mut dinner, report, began);
            }
        }
        None => {
            while began.elapsed() < span {
                Step::draw(&mut chance, brokers).run(&mut dinner, report, began);
            }
        }
    }
    let accepted = dinner.accepted();
    let verdict = dinner.end();
    report.take(&verdict, accepted);
    let broken = verdict.broken();
    if broken.is_empty() && verdict.burnt() == 0 {
        return true;
    }
    println!("  BROKEN: {broken:#?}; burnt: {}; kept: {}", verdict.burnt(), dinner.keep().display());
    false
}
