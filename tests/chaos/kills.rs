//! Controllers that die and hang.

use std::time::{Duration, Instant};

use brigade::history::{Answer, Ask, Need};

use crate::harness::{Brokers, Dinner, Plan};

/// Row 25, and with embedded brokers row 21 too: the leader's broker dies with it.
#[test]
fn a_leader_that_is_killed_with_its_broker_loses_nothing_and_nothing_is_done_twice() {
    let mut dinner = Dinner::begin(&Plan::default(), 2);
    dinner.seat_guests(2);
    dinner.wait_until_one_bakes();
    let leader = dinner.leader();
    dinner.kill(&[leader]);
    dinner.deliver_late_when_there_are();
    dinner.start(&[leader]);
    dinner.ends_well(&[Need::Kill, Need::Failover, Need::StaleCommand]);
}

/// Row 25: all of them at once, as by a power cut of the controllers alone.
#[test]
fn three_controllers_killed_at_once_go_on_from_their_logs() {
    let mut dinner = Dinner::begin(&Plan::default(), 2);
    dinner.wait_until_one_bakes();
    dinner.kill(&[1, 2, 3]);
    dinner.start(&[1, 2, 3]);
    dinner.ends_well(&[Need::Kill]);
}

/// Rows 25 and 41: a follower dies while every device loses power.
#[test]
fn a_follower_killed_while_the_devices_reboot_changes_no_outcome() {
    let mut dinner = Dinner::begin(&Plan::default(), 2);
    dinner.wait_until_one_bakes();
    let follower = dinner.followers()[0];
    dinner.kill(&[follower]);
    dinner.reboot_devices();
    dinner.start(&[follower]);
    dinner.ends_well(&[Need::Kill, Need::PowerCut]);
}

/// Row 26.
#[test]
fn a_leader_that_slept_moves_nothing_when_it_wakes() {
    let mut dinner = Dinner::begin(&Plan { brokers: Brokers::Mosquitto(1), ..Plan::default() }, 2);
    dinner.seat_guests(2);
    dinner.wait_until_one_bakes();
    let leader = dinner.leader();
    dinner.pause(leader);
    dinner.wait_until("another one is in charge", |d| d.in_charge().is_some_and(|n| n != leader));
    dinner.deliver_late_when_there_are();
    dinner.resume(leader);
    dinner.wait_until("it knows that it is not in charge", |d| {
        d.get_from(leader, "/v1/cluster?consistency=stale").body["tenure"]["in_charge"] == false
    });
    dinner.ends_well(&[Need::Pause, Need::Failover, Need::StaleCommand]);
}

/// Row 28.
#[test]
fn two_of_three_lost_stops_the_kitchen_says_so_and_goes_on_when_one_is_back() {
    let mut dinner = Dinner::begin(&Plan { brokers: Brokers::Mosquitto(1), ..Plan::default() }, 4);
    dinner.wait_until_one_bakes();
    let (leader, followers) = (dinner.leader(), dinner.followers());
    let lost = [leader, followers[0]];
    let at = dinner.kill(&lost);
    let left = followers[1];
    let place = Ask::Place { order: "alone".to_owned(), items: vec!["quick".to_owned()] };
    let answer = dinner.call(left, place);
    assert!(
        matches!(answer, Answer::NotApplied { .. } | Answer::Unknown { .. }),
        "a minority took an order: {answer:?}"
    );
    let read = dinner.get_from(left, "/v1/kitchen");
    assert_eq!((read.status, read.problem().as_str()), (503, "no-quorum"), "a read pretends to be fresh");
    let stale = dinner.get_from(left, "/v1/kitchen?consistency=stale");
    assert_eq!((stale.status, stale.staleness.as_deref()), (200, Some("unknown")), "a stale read says that it is");
    // Lease, what may outlive it on a device, and as much again: from here on nothing may start.
    let quiet_from = at + 3_000 + 3_000 + 500;
    let until = Instant::now() + Duration::from_millis(9_000);
    dinner.wait_until("the kitchen stands still", |_| Instant::now() >= until);
    let late = dinner.history().devices().filter(|(_, f)| f.event == "started" && f.t_ms > quiet_from).count();
    assert_eq!(late, 0, "something started without a majority");
    dinner.start(&lost);
    dinner.ends_well(&[Need::Kill, Need::Failover]);
}

/// Invariants 6 and 9: a replica that was away comes back through a snapshot, and is the same as the others.
#[test]
fn a_replica_that_was_away_for_long_comes_back_through_a_snapshot() {
    let mut dinner = Dinner::open(&Plan { snapshot_every: 40, ..Plan::default() });
    let follower = dinner.followers()[0];
    dinner.kill(&[follower]);
    dinner.seat_guests(3);
    dinner.wait_until("the others are far ahead", |d| {
        d.history().replicas().filter(|(_, f)| f.replica != follower).count() > 500
    });
    dinner.start(&[follower]);
    dinner.wait_until("it installed a snapshot", |d| Need::Snapshot.is_met(&d.history()));
    // From here on it takes part: what it applies is compared.
    let leader = dinner.leader();
    dinner.kill(&[leader]);
    dinner.start(&[leader]);
    dinner.ends_well(&[Need::Kill, Need::Snapshot]);
}
