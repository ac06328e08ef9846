//! Devices that come, go and behave badly.

use crate::harness::{Dinner, Plan, line_with};

/// Rows 1, 15, 17, 30: a robot of each kind is stuck, refuses, fails or is slow; the others are well. Cameras are unsure of every third
/// step, and reports are doubled and lost.
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
    let dinner = Dinner::begin(&Plan { line, ..Plan::default() }, 3);
    dinner.wait_until("the stuck robot is out of order", |d| {
        d.answer_questions();
        d.device_states().get("robot1").is_some_and(|state| state == "QUARANTINED")
    });
    let robot2 = dinner.device_states()["robot2"].clone();
    assert!(["IDLE", "BUSY"].contains(&robot2.as_str()), "it is only slow: {robot2}");
    dinner.ends_well(&[]);
}

/// Row 19.
#[test]
fn a_robot_cut_off_and_back_with_the_same_boot_gives_no_duplicate() {
    let mut dinner = Dinner::begin(&Plan { devices_here: true, ..Plan::default() }, 1);
    dinner.seat_guests(2);
    dinner.wait_until("robot1 prepares a pizza", |d| {
        d.has_fact(|f| f.device == "robot1" && f.event == "started" && f.op.as_deref() == Some("prep"))
    });
    dinner.silence("robot1", true);
    dinner.wait_until("it is LOST", |d| d.device_states().get("robot1").is_some_and(|state| state == "LOST"));
    dinner.silence("robot1", false);
    dinner.wait_until("it works again", |d| {
        d.answer_questions();
        d.device_states().get("robot1").is_some_and(|state| state != "LOST" && state != "SUSPECT")
    });
    let boots = dinner.history().devices().filter(|(_, f)| f.device == "robot1" && f.event == "booted").count();
    assert_eq!(boots, 1, "the same boot");
    dinner.ends_well(&[]);
}

/// Row 40.
#[test]
fn a_robot_that_joins_under_load_is_adopted_and_works() {
    let line = line_with(&[]) + "[[device]]\nid = \"robot9\"\nkind = \"robot.before_oven\"\n";
    let mut dinner = Dinner::open_without(&Plan { line, devices_here: true, ..Plan::default() }, &["robot9"]);
    dinner.seat_guests(4);
    dinner.wait_until_one_bakes();
    assert!(!dinner.device_states().contains_key("robot9"), "nobody knows it yet");
    dinner.power_up("robot9");
    dinner.wait_until("it works", |d| d.has_fact(|f| f.device == "robot9" && f.event == "started"));
    dinner.ends_well(&[]);
}
