//! Whole kitchens as real processes, broken in the middle of dinner: what is killed, frozen and cut off here is what dies in kitchens.
//!
//! What is checked is what the devices physically did, by their own record: every order delivered once, nothing executed twice, nothing
//! burnt. Clients and devices know nothing of the harness.

mod faults_harness;

use std::time::Duration;

use brigade::mqtt::testing::free_port;
use faults_harness::{Dinner, Mosquitto, line_with};

/// A robot of each kind is stuck, refuses, fails or is slow; the others are well. Cameras are unsure of every third step, and reports are
/// doubled and lost.
#[test]
fn a_line_with_every_kind_of_bad_device_delivers_every_order_once() {
    let line = line_with(&[
        ("robot1", "stuck = true"),
        ("robot2", "slow_pct = 150, double_report = true"),
        ("robot3", "refuse = true"),
        ("robot4", "lost_reports = 20"),
        ("oven1", "refuse = true"),
        ("oven2", "lost_reports = 20"),
        ("camera1", "unsure_pct = 30"),
        ("camera2", "unsure_pct = 30, double_report = true"),
    ]);
    let mut dinner = Dinner::begin(None, Some(&line), 3);
    dinner.ends_well();
    let states = dinner.device_states();
    assert_eq!(states["robot1"], "QUARANTINED", "it hangs: {states:?}");
    assert_eq!(states["robot2"], "IDLE", "it is only slow: {states:?}");
}

#[test]
fn three_controllers_killed_at_once_go_on_from_their_logs() {
    let mut dinner = Dinner::begin(None, None, 3);
    dinner.wait_for_fact("a pizza bakes", |f| f.event == "started" && f.op.as_deref() == Some("bake"));
    dinner.kill_controllers(&[1, 2, 3]);
    dinner.start_controllers(&[1, 2, 3]);
    dinner.ends_well();
}

#[test]
fn a_leader_that_slept_ten_seconds_moves_nothing_when_it_wakes() {
    let mut dinner = Dinner::begin(None, None, 4);
    let leader = dinner.leader();
    let woken = dinner.freeze(leader, Duration::from_secs(10));
    dinner.wait_until("it follows another one", |d| d.leader() != leader);
    dinner.ends_well();
    dinner.assert_obeyed_no_former_leader(woken);
}

#[test]
fn a_follower_killed_while_the_devices_reboot_changes_no_outcome() {
    let mut dinner = Dinner::begin(None, None, 3);
    dinner.wait_for_fact("a pizza bakes", |f| f.event == "started" && f.op.as_deref() == Some("bake"));
    let follower = [1, 2, 3].into_iter().find(|n| *n != dinner.leader()).expect("two of three follow");
    dinner.kill_controllers(&[follower]);
    dinner.reboot_devices();
    dinner.start_controllers(&[follower]);
    dinner.ends_well();
}

#[test]
fn a_mosquitto_killed_in_use_and_started_again_loses_nothing() {
    let mut broker = Mosquitto::start(free_port());
    let mut dinner = Dinner::begin(Some(broker.url()), None, 3);
    dinner.wait_for_fact("a pizza bakes", |f| f.event == "started" && f.op.as_deref() == Some("bake"));
    broker.kill_and_start_again();
    dinner.ends_well();
}
