//! Several kitchens of real processes behind a real backend, in which controllers, whole kitchens and the backend are killed while orders come in.
//!
//! What is checked comes from outside: clients know what was accepted, the backend's history knows who was to make it, and the devices' own records
//! know what was packed where. Every order ends once, and every pizza is packed in exactly one kitchen.

mod fleet;
mod link;
mod verdict;

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use fleet::{Fleet, Plan};

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_and_a_leader_that_are_killed_cost_no_order_and_double_none() {
    dinner(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_holds_when_the_backend_polls_the_kitchens() {
    dinner(true).await;
}

/// One fleet at a time: each is a dozen processes or more.
static ONE_FLEET: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn dinner(polled: bool) {
    let _alone = ONE_FLEET.lock().await;
    let mut fleet = Fleet::open(Plan { polled, ..Plan::of(2) }).await;
    fleet.order(8, 4).await;
    fleet.backend.kill().await;
    fleet.kill_leader(0).await;
    // The kitchens go on meanwhile, and take what is ordered there.
    fleet.order_locally(1, "local").await;
    fleet.backend.run().expect("it starts again");
    fleet.order(8, 4).await;
    fleet.until_all_have_ended().await;
    fleet.close().await.assert_sound(16);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_kitchen_that_is_cut_off_has_not_begun_is_made_by_another_one_and_only_there() {
    let _alone = ONE_FLEET.lock().await;
    let mut fleet = Fleet::open(Plan { short_leases: true, ..Plan::of(2) }).await;
    fleet.order(24, 8).await;
    fleet.links[0].cut();
    fleet.until_one_has_moved().await;
    fleet.links[0].mend();
    fleet.until_all_have_ended().await;
    let verdict = fleet.close().await;
    verdict.assert_sound(24);
    assert!(verdict.moved > 0 && verdict.by_kitchen.len() == 2, "{verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "make fleet runs it"]
async fn orders_from_many_clients_end_once_whatever_is_killed() {
    let seed: u64 = setting("FLEET_SEED").unwrap_or_else(rand::random);
    let orders: usize = setting("FLEET_ORDERS").unwrap_or(500);
    let polled = setting("FLEET_POLLED").unwrap_or(false);
    println!("It is replayed by: make fleet ORDERS={orders} SEED={seed} POLLED={polled}");
    let mut chance = StdRng::seed_from_u64(seed);
    let mut fleet = Fleet::open(Plan { polled, ..Plan::of(3) }).await;
    let per_round = 20.min(orders);
    for _ in 0..orders.div_ceil(per_round) {
        fleet.order(per_round, 8).await;
        fleet.break_something(&mut chance).await;
        let ms = chance.random_range(500..4_000);
        fleet.pass(Duration::from_millis(ms)).await;
    }
    fleet.until_all_have_ended().await;
    let verdict = fleet.close().await;
    println!("{verdict}");
    verdict.assert_sound(orders.div_ceil(per_round) * per_round);
    verdict.assert_something_was_proved();
}
