//! The failure catalogue, row by row, as far as the core decides it. The number of the row stands before each test.

use brigade::kitchen::{CommandResult, Directive, Event, Life, OrderStatus, PizzaState as S, Question, Spoiled};

use crate::line::Line;

/// Why pizzas were thrown away, so far.
fn discards(line: &Line) -> Vec<Spoiled> {
    let reason = |e: &Event| match e {
        Event::PizzaDiscarded { reason, .. } => Some(*reason),
        _ => None,
    };
    line.events.iter().filter_map(reason).collect()
}

/// One order on a line, at the moment when its pizza is in a state.
fn at(state: S, before: u8, ovens: u8, after: u8) -> Line {
    let mut line = Line::new(before, ovens, after, 0);
    line.order("o1", &["plain"]);
    line.until_state(state);
    line.pass(500);
    line
}

#[track_caller]
fn ends_ready(mut line: Line) -> Line {
    line.until("the order is ready", |l| l.end_of("o1") == Some(OrderStatus::Ready));
    line.assert_sound();
    line
}

// 1
#[test]
fn an_idle_before_robot_that_falls_silent_is_lost_and_never_chosen() {
    let mut line = Line::new(2, 1, 1, 0);
    line.device("b1").faults.cut = true;
    line.pass(5_000);
    assert_eq!(line.known("b1").life, Life::Lost);
    assert_eq!(line.kitchen().status().text(), "DEGRADED(prep 1/2, n-1)");
    line.order("o1", &["plain", "plain"]);
    let line = ends_ready(line);
    assert!(line.world.started.values().all(|d| d.as_str() != "b1"));
    assert!(discards(&line).is_empty());
}

// 2
#[test]
fn a_before_robot_lost_while_preparing_has_its_pizza_remade_and_can_never_load_the_old_one() {
    let mut line = at(S::Prepping, 2, 2, 1);
    line.device("b1").faults.cut = true;
    line.pass(30_000);
    line.device("b1").faults.cut = false;
    let line = ends_ready(line);
    assert_eq!(discards(&line), [Spoiled::Lost]);
    assert_eq!(line.world.packed.iter().map(|p| p.generation).collect::<Vec<_>>(), [1]);
}

// 3
#[test]
fn a_before_robot_lost_with_a_prepared_pizza_releases_its_slot_at_once() {
    let mut line = Line::new(2, 1, 1, 0);
    line.device("oven1").faults.mute = 100_000;
    line.order("o1", &["plain"]);
    line.until_state(S::Loading);
    line.device("b1").faults.cut = true;
    line.until("b1 is lost", |l| l.known("b1").life == Life::Lost);
    line.device("oven1").faults.mute = 0;
    let line = ends_ready(line);
    assert_eq!(discards(&line), [Spoiled::Lost]);
}

// 5
#[test]
fn an_oven_lost_before_the_load_does_not_keep_the_pizza_waiting() {
    let mut line = Line::new(1, 2, 1, 0);
    line.order("o1", &["plain"]);
    line.until_state(S::Loading);
    // The oven promises to bake, and the robot may not load yet.
    line.direct("b1", Directive::Hold);
    line.pass(500);
    let oven = line.pizza().oven.clone().expect("a slot").device.to_string();
    line.device(&oven).faults.cut = true;
    line.until("it is lost", |l| l.known(&oven).life == Life::Lost);
    line.direct("b1", Directive::Resume);
    let line = ends_ready(line);
    assert_eq!(line.known(&oven).life, Life::Lost, "the other oven baked it");
}

// 5
#[test]
fn a_pizza_that_turns_up_again_is_not_promised_to_a_second_oven_beside_the_lost_one() {
    let mut line = Line::new(1, 2, 1, 0);
    line.order("o1", &["plain"]);
    line.until_state(S::Loading);
    line.device("b1").faults.fail = 1;
    line.pass(500);
    // Its load fails where nobody hears it, and only the robot comes back, with the pizza in its gripper.
    let oven = line.pizza().oven.clone().expect("a slot").device.to_string();
    line.device("b1").faults.cut = true;
    line.device(&oven).faults.cut = true;
    line.until("nobody knows where it is", |l| l.state() == Some(S::Uncertain));
    line.device("b1").faults.cut = false;
    let line = ends_ready(line);
    assert_eq!(line.known(&oven).life, Life::Lost);
}

// 2
#[test]
fn a_start_that_a_lease_may_have_named_is_not_given_to_another_robot() {
    let mut line = Line::new(2, 1, 1, 0);
    line.device("b1").faults.mute = 100_000;
    line.order("o1", &["plain"]);
    line.pass(500);
    line.device("b1").faults.cut = true;
    let mut line = ends_ready(line);
    assert_eq!(line.world.packed[0].generation, 1, "its remake is another pizza");
    line.device("b1").faults.cut = false;
    line.device("b1").faults.mute = 0;
    line.pass(30_000);
    assert!(line.world.lanes.is_empty(), "what it made is thrown away");
    line.assert_sound();
}

// 7
#[test]
fn a_slow_robot_that_is_cut_off_is_alone_at_its_slot_until_its_time_is_proven_over() {
    let mut line = Line::new(1, 1, 2, 0);
    for robot in ["a1", "a2"] {
        line.device(robot).faults.slow_percent = 250;
    }
    line.order("o1", &["plain"]);
    line.until_state(S::Unloading);
    line.pass(200);
    let robot = line.pizza().exit.clone().expect("an exit").device.to_string();
    line.device(&robot).faults.hung = true;
    line.device(&robot).faults.cut = true;
    line.pass(5_500);
    line.device(&robot).faults.hung = false;
    ends_ready(line);
}

// 4
#[test]
fn a_before_robot_lost_after_the_load_changes_nothing_for_the_pizza() {
    let mut line = at(S::Baking, 2, 1, 1);
    line.device("b1").faults.cut = true;
    assert!(discards(&ends_ready(line)).is_empty());
}

// 5
#[test]
fn a_before_robot_lost_during_the_load_leaves_the_oven_to_say_who_has_the_pizza() {
    let mut line = Line::new(2, 1, 1, 0);
    line.order("o1", &["plain"]);
    line.until("the load is under way", |l| l.events.iter().any(|e| is_start_of(e, "load")));
    line.device("b1").faults.cut = true;
    assert!(discards(&ends_ready(line)).is_empty());
}

fn is_start_of(event: &Event, job: &str) -> bool {
    matches!(event, Event::AttemptStarted { attempt, .. } if attempt.task.job.as_str() == job)
}

// 5
#[test]
fn a_before_robot_switched_off_before_it_let_go_took_the_pizza_along() {
    let mut line = Line::new(2, 1, 1, 0);
    line.order("o1", &["plain"]);
    line.until("the load is under way", |l| l.events.iter().any(|e| is_start_of(e, "load")));
    line.device("b1").power_off();
    line.pass(60_000);
    line.power_on("b1");
    line.pass(1_000);
    line.answer_all();
    let line = ends_ready(line);
    assert_eq!(discards(&line).len(), 1);
}

// 6
#[test]
fn an_idle_after_robot_lost_has_its_exits_planned_again() {
    let mut line = at(S::Baking, 1, 1, 2);
    let reserved = line.pizza().exit.clone().expect("an exit").device.to_string();
    line.device(&reserved).faults.cut = true;
    line.pass(6_000);
    let now = line.pizza().exit.clone().expect("another exit").device.to_string();
    assert_ne!(now, reserved);
    assert!(discards(&ends_ready(line)).is_empty());
}

// 7
#[test]
fn an_after_robot_lost_before_it_took_the_pizza_out_is_replaced_inside_the_window() {
    let mut line = Line::new(1, 1, 2, 0);
    line.configure(|s| s.lease_ms = 1_000);
    line.order("o1", &["plain"]);
    line.until_state(S::Unloading);
    let robot = line.pizza().exit.clone().expect("an exit").device.to_string();
    line.device(&robot).power_off();
    let line = ends_ready(line);
    assert!(discards(&line).is_empty(), "{:?}", discards(&line));
}

// 8
#[test]
fn an_after_robot_lost_while_finishing_has_its_pizza_remade_and_its_own_is_a_spare() {
    let mut line = at(S::Finishing, 1, 1, 2);
    let robot = line.pizza().place().expect("a gripper").device.to_string();
    line.device(&robot).faults.cut = true;
    line.pass(10_000);
    assert_eq!(line.world.packed.len(), 1, "it went on and packed it");
    line.device(&robot).faults.cut = false;
    line.pass(2_000);
    let spare = line.world.packed[0];
    let asked = |q: &Question| *q == Question::RemoveFromCounter { pizza: spare };
    assert!(line.questions().iter().any(|i| asked(&i.question)), "a person is asked to throw the spare away");
    let line = ends_ready(line);
    let order = line.archived(&"o1".parse().expect("an id")).expect("it ended").order;
    assert_ne!(order.pizzas[0], spare);
}

// 9
#[test]
fn one_robot_of_each_kind_fails_and_the_others_take_over() {
    let mut line = Line::new(2, 2, 2, 0);
    line.order("o1", &["plain", "plain", "plain", "plain"]);
    line.pass(2_000);
    line.device("b1").power_off();
    line.device("a1").power_off();
    let line = ends_ready(line);
    assert_eq!(line.kitchen().status().text(), "DEGRADED(prep 1/2, finish 1/2, n-1)");
}

// 10
#[test]
fn the_last_before_robot_lost_puts_the_kitchen_out_of_order_and_gives_back_what_is_not_begun() {
    let mut line = Line::new(1, 1, 1, 0);
    line.assign("begun", &["plain"], 1);
    line.until_state(S::Baking);
    line.assign("waiting", &["plain", "plain"], 1);
    line.until("the next is begun", |l| {
        l.kitchen().order(&"waiting".parse().unwrap()).unwrap().status == OrderStatus::InProgress
    });
    line.backend_answers = false;
    line.assign("untouched", &["plain"], 1);
    line.order("local", &["plain"]);
    line.device("b1").faults.cut = true;
    line.pass(5_500);
    assert_eq!(line.kitchen().status().text(), "OUT_OF_ORDER(prep)");
    assert!(line.kitchen().feed().any(|o| format!("{:?}", o.news).contains("OUT_OF_ORDER(prep)")));
    assert_eq!(line.end_of("untouched"), None);
    line.pass(11_000);
    assert_eq!(line.end_of("untouched"), Some(OrderStatus::Returned));
    assert_eq!(line.end_of("local"), None);
    line.until("what bakes is finished", |l| l.end_of("begun") == Some(OrderStatus::Ready));
    line.device("b1").faults.cut = false;
    line.until("the rest is made", |l| {
        l.end_of("local") == Some(OrderStatus::Ready) && l.end_of("waiting") == Some(OrderStatus::Ready)
    });
    line.assert_sound();
}

// 11
#[test]
fn the_last_after_robot_lost_stops_loading_at_once() {
    let mut line = Line::new(2, 2, 1, 0);
    line.device("a1").faults.cut = true;
    line.pass(6_000);
    assert_eq!(line.kitchen().status().text(), "OUT_OF_ORDER(finish)");
    line.order("o1", &["plain"]);
    line.pass(60_000);
    assert!(line.world.started.is_empty(), "nothing is begun that can't be taken out");
    line.device("a1").faults.cut = false;
    ends_ready(line);
}

// 11
#[test]
fn a_prepared_pizza_stays_out_of_the_oven_when_the_last_exit_is_lost() {
    let mut line = Line::new(1, 1, 1, 0);
    line.device("b1").faults.slow_percent = 200;
    line.order("o1", &["plain"]);
    line.device("a1").faults.cut = true;
    line.pass(30_000);
    assert!(line.world.started.keys().all(|a| a.task.job.as_str() == "prep"));
    assert_eq!(line.state(), Some(S::Prepped));
    line.assert_sound();
}

// 12
#[test]
fn an_oven_that_fails_in_mid_bake_has_its_pizza_remade_with_a_record_of_why() {
    let mut line = at(S::Baking, 1, 2, 1);
    line.device("oven1").faults.fail = 1;
    let line = ends_ready(line);
    let order = line.archived(&"o1".parse().expect("an id")).expect("it ended").order;
    assert_eq!(order.discarded[0].reason, Spoiled::BakeFailed);
    assert!(order.discarded[0].history.iter().any(|a| a.outcome == "FAILED MECHANICAL"));
}

// 12
#[test]
fn an_oven_that_reboots_in_mid_bake_has_its_pizza_remade_and_a_person_clears_the_slot() {
    let mut line = at(S::Baking, 1, 2, 1);
    line.reboot("oven1", 1_000);
    line.pass(1_000);
    assert_eq!(discards(&line), [Spoiled::BakeFailed]);
    assert!(line.questions().iter().any(|i| matches!(i.question, Question::ClearLane { .. })));
    ends_ready(line);
}

// 13
#[test]
fn an_oven_without_a_connection_is_unloaded_by_the_timer_and_gets_no_second_pizza() {
    let mut line = at(S::Baking, 1, 1, 1);
    line.order("o2", &["plain"]);
    line.device("oven1").faults.cut = true;
    line.until("the first is ready", |l| l.end_of("o1") == Some(OrderStatus::Ready));
    assert!(discards(&line).is_empty());
    let bakes = line.world.started.keys().filter(|a| a.task.job.as_str() == "bake").count();
    assert_eq!(bakes, 1, "no second pizza went in");
    line.device("oven1").faults.cut = false;
    line.until("the second is ready", |l| l.end_of("o2") == Some(OrderStatus::Ready));
    line.assert_sound();
}

// 14
#[test]
fn prepared_pizzas_are_discarded_once_stale_when_the_last_oven_fails() {
    let mut line = at(S::Prepping, 1, 1, 1);
    line.device("oven1").faults.cut = true;
    line.pass(6_000);
    assert_eq!(line.kitchen().status().text(), "OUT_OF_ORDER(bake)");
    line.pass(65_000);
    assert_eq!(discards(&line), [Spoiled::Stale]);
    line.device("oven1").faults.cut = false;
    ends_ready(line);
}

// 15
#[test]
fn a_camera_that_says_bad_has_the_pizza_remade_and_the_robot_blamed() {
    let mut line = Line::new(2, 1, 1, 1);
    line.device("cam1").faults.verdicts = (1, "FAIL");
    line.order("o1", &["seen"]);
    let line = ends_ready(line);
    assert_eq!(discards(&line), [Spoiled::JudgedBad]);
    assert_eq!(line.known("b1").failures_total, 1);
    assert!(line.world.lanes.is_empty(), "the bad one does not stay in the gripper");
}

// 15
#[test]
fn a_camera_that_is_unsure_takes_a_second_look() {
    let mut line = Line::new(1, 1, 1, 1);
    line.device("cam1").faults.verdicts = (1, "UNSURE");
    line.order("o1", &["strict"]);
    let line = ends_ready(line);
    assert!(discards(&line).is_empty());
    let looks = line.world.started.keys().filter(|a| a.task.job.as_str() == "inspect-prep").count();
    assert_eq!(looks, 2);
}

// 15
#[test]
fn every_step_of_a_pizza_is_judged_also_the_packed_one_on_the_counter() {
    let mut line = Line::new(1, 1, 1, 1);
    line.order("o1", &["strict"]);
    let line = ends_ready(line);
    let order = line.archived(&line.orders[0]).expect("it ended").order;
    let looks = line.world.started.keys().filter(|a| a.task.job.as_str().starts_with("inspect")).count();
    assert_eq!(looks, 3, "{order:?}");
    assert_eq!(line.known("cam1").refusals, 0, "a camera is told where to look");
    assert_eq!(line.known("cam1").failures_total, 0);
}

// 16
#[test]
fn without_a_camera_a_wanted_verdict_is_marked_and_a_required_one_is_a_persons() {
    let mut line = Line::new(1, 1, 1, 0);
    line.order("o1", &["seen"]);
    let mut line = ends_ready(line);
    assert_eq!(line.events.iter().filter(|e| matches!(e, Event::Unverified { .. })).count(), 3);
    line.order("o2", &["strict"]);
    line.pass(30_000);
    assert_eq!(line.state(), Some(S::Prepped));
    for _ in 0..3 {
        line.answer_all();
        line.pass(40_000);
    }
    assert_eq!(line.end_of("o2"), Some(OrderStatus::Ready));
    line.assert_sound();
}

// 16
#[test]
fn a_camera_that_hangs_does_not_block_the_line() {
    let mut line = Line::new(1, 1, 1, 1);
    line.device("cam1").faults.hung = true;
    line.order("o1", &["seen"]);
    ends_ready(line);
}

// 16
#[test]
fn a_camera_that_refuses_everything_is_not_waited_for_and_burns_nothing() {
    let mut line = Line::new(2, 3, 1, 1);
    line.device("cam1").faults.refuse = Some((100, None));
    line.order("o1", &["seen"; 6]);
    let line = ends_ready(line);
    assert!(discards(&line).is_empty(), "{:?}", discards(&line));
    assert!(line.known("cam1").refusals > 1);
}

// 17
#[test]
fn a_robot_that_hangs_while_its_heart_beats_is_stuck_and_its_work_goes_on_elsewhere() {
    let mut line = at(S::Prepping, 2, 1, 1);
    line.device("b1").faults.hung = true;
    line.until("b1 is stuck", |l| l.known("b1").life == Life::Stuck);
    assert!(line.known("b1").quarantine.is_some());
    assert!(line.kitchen().outbox().any(|i| i.device.as_str() == "b1"), "it is told to stop");
    ends_ready(line);
}

// 17
#[test]
fn a_robot_that_hangs_in_the_middle_of_anything_keeps_no_order_waiting() {
    let states = [S::Prepping, S::Loading, S::Unloading, S::Finishing];
    for (state, shows_its_task) in states.into_iter().flat_map(|state| [(state, false), (state, true)]) {
        let mut line = at(state, 2, 2, 2);
        let busy = line.kitchen().attempts().find(|a| a.device.as_str() != "oven1" && a.device.as_str() != "oven2");
        let robot = busy.expect("a robot is at it").device.clone();
        line.until("it is at work", |l| l.world.started.values().any(|d| *d == robot));
        let faults = &mut line.device(robot.as_str()).faults;
        (faults.hung, faults.frozen) = (!shows_its_task, shows_its_task);
        ends_ready(line);
    }
}

// 5
#[test]
fn what_was_thrown_away_from_an_oven_is_fetched_only_once() {
    let mut line = at(S::Baking, 2, 2, 1);
    line.cancel("o1");
    line.until("its oven is empty", |l| l.world.lanes.is_empty());
    line.pass(30_000);
    let discards = line.world.started.keys().filter(|a| a.task.job.as_str() == "discard").count();
    assert_eq!(discards, 1);
    line.assert_sound();
}

// 17
#[test]
fn a_proof_by_time_waits_for_the_longest_lease_that_was_ever_allowed() {
    let mut line = Line::new(2, 1, 1, 0);
    line.configure(|s| s.lease_ms = 30_000);
    line.order("o1", &["plain"]);
    line.until_state(S::Prepping);
    line.pass(500);
    let cut_at = line.now;
    line.configure(|s| s.lease_ms = 1_000);
    line.device("b1").faults.cut = true;
    line.until("b1 is lost", |l| l.known("b1").life == Life::Lost);
    let doubt = line.kitchen().attempts().find(|a| a.device.as_str() == "b1").expect("its attempt is in doubt");
    assert!(doubt.proof_at.expect("time can prove it") >= cut_at + 30_000, "{doubt:?}");
    ends_ready(line);
}

// 36
#[test]
fn what_is_cancelled_while_it_leaves_the_oven_is_thrown_away_once() {
    let mut line = at(S::Baking, 1, 2, 2);
    line.until_state(S::Unloading);
    line.pass(500);
    line.cancel("o1");
    line.device("oven1").faults.cut = true;
    line.pass(1_600);
    line.device("oven1").faults.cut = false;
    line.until("nothing lies anywhere", |l| l.world.lanes.is_empty());
    line.pass(30_000);
    let discards = line.world.started.keys().filter(|a| a.task.job.as_str() == "discard").count();
    assert_eq!(discards, 1, "the slot was empty when the robot said that it has the pizza");
    line.assert_sound();
}

// 31
#[test]
fn a_refusal_that_crosses_a_cancellation_frees_its_lane() {
    let mut line = Line::new(1, 1, 1, 0);
    line.order("o1", &["plain"]);
    line.until_state(S::Loading);
    line.device("oven1").faults.refuse = Some((1, Some(CommandResult::RejectedMode)));
    line.device("oven1").faults.mute = 6;
    line.pass(1);
    line.cancel("o1");
    line.pass(60_000);
    assert_eq!(line.kitchen().attempts().count(), 0, "the oven said that it never starts");
    line.order("o2", &["plain"]);
    line.until("its slot is used again", |l| l.end_of("o2") == Some(OrderStatus::Ready));
    line.assert_sound();
}

// 41
#[test]
fn what_an_oven_said_to_a_former_tenure_sends_nobody_there() {
    let mut line = at(S::Unloading, 1, 1, 2);
    // Nobody is in charge while the robot takes it out, and the oven's word of that comes late.
    for id in ["oven1", "a1", "a2"] {
        line.device(id).faults.cut = true;
    }
    line.until("it is in a gripper", |l| l.world.lanes.keys().any(|p| p.device.as_str().starts_with('a')));
    line.pass(1_000);
    line.take_charge(false);
    for id in ["a1", "a2"] {
        line.device(id).faults.cut = false;
    }
    line.pass(2_000);
    line.device("oven1").faults.cut = false;
    line.until("it is thrown away", |l| l.world.lanes.is_empty());
    let discards = line.world.started.keys().filter(|a| a.task.job.as_str() == "discard").count();
    assert_eq!(discards, 1, "one from the gripper, and none from the slot that is empty");
    ends_ready(line);
}

// 18
#[test]
fn a_rebooted_robot_is_cleared_by_a_person_tests_itself_and_does_one_trial_task() {
    let mut line = at(S::Prepping, 1, 1, 1);
    line.reboot("b1", 500);
    line.pass(20_000);
    assert!(line.world.started.keys().all(|a| a.task.pizza.generation == 0), "nothing resumes by itself");
    let question = line.questions().remove(0).question;
    assert!(matches!(question, Question::ClearLane { .. }), "{question:?}");
    line.answer_all();
    line.until("it is on trial", |l| l.known("b1").recovery == brigade::kitchen::device::Recovery::Trial);
    let line = ends_ready(line);
    assert_eq!(line.known("b1").recovery, brigade::kitchen::device::Recovery::Ready);
}

// 18
#[test]
fn a_robot_that_fails_on_trial_goes_back_into_a_longer_quarantine() {
    let mut line = at(S::Prepping, 1, 1, 1);
    line.reboot("b1", 500);
    line.pass(1_000);
    line.answer_all();
    line.device("b1").faults.fail = 1;
    line.until("it is in quarantine", |l| l.known("b1").quarantine.is_some());
    line.answer_all();
    line.pass(10_000);
    line.answer_all();
    ends_ready(line);
}

// 19
#[test]
fn a_robot_back_with_the_same_boot_has_what_it_did_merged_when_nothing_replaced_it() {
    let mut line = at(S::Baking, 1, 1, 1);
    line.until_state(S::Unloading);
    line.device("a1").faults.cut = true;
    line.pass(6_000);
    assert_eq!(line.known("a1").life, Life::Lost);
    line.device("a1").faults.cut = false;
    let line = ends_ready(line);
    assert!(discards(&line).is_empty());
    assert_eq!(line.world.packed.len(), 1);
}

// 30, 32
#[test]
fn the_same_report_twice_and_late_ones_have_no_effect() {
    let mut line = Line::new(2, 2, 2, 1);
    for id in ["b1", "b2", "oven1", "oven2", "a1", "a2", "cam1"] {
        line.device(id).faults.repeats = true;
    }
    line.order("o1", &["seen", "seen", "plain"]);
    let line = ends_ready(line);
    assert_eq!(line.world.packed.len(), 3);
    assert!(discards(&line).is_empty());
}

// 31
#[test]
fn a_refused_start_never_happened_and_is_tried_again() {
    let mut line = Line::new(1, 1, 1, 0);
    line.device("b1").faults.refuse = Some((2, Some(CommandResult::RejectedBusy)));
    line.device("a1").faults.refuse = Some((1, Some(CommandResult::RejectedMode)));
    line.order("o1", &["plain"]);
    let line = ends_ready(line);
    assert!(discards(&line).is_empty());
}

// 31
#[test]
fn a_robot_that_refuses_everything_is_put_out_of_order() {
    let mut line = Line::new(2, 2, 2, 0);
    line.configure(|s| s.failures_max = 1);
    line.device("b1").faults.refuse = Some((u32::MAX, None));
    line.order("o1", &["plain"; 6]);
    line.until("b1 is in quarantine", |l| l.known("b1").quarantine.is_some());
    line.device("b1").faults.refuse = None;
    ends_ready(line);
}

// 35
#[test]
fn an_item_that_fails_on_two_devices_of_a_kind_is_parked_and_the_robots_are_forgiven() {
    let mut line = Line::new(2, 1, 1, 0);
    line.device("b1").faults.fail = 1;
    line.device("b2").faults.fail = 1;
    line.order("o1", &["plain"]);
    line.until("a person is asked", |l| l.questions().iter().any(|i| matches!(i.question, Question::ItemFails { .. })));
    assert!(line.known("b1").failures.is_empty() && line.known("b2").failures.is_empty());
    line.order("o2", &["plain"]);
    line.until("the others go on", |l| l.end_of("o2") == Some(OrderStatus::Ready));
    assert_eq!(line.end_of("o1"), None);
    line.answer_all();
    ends_ready(line);
}

// 35
#[test]
fn an_item_that_a_person_gives_up_fails_its_order() {
    let mut line = Line::new(2, 1, 1, 0);
    line.device("b1").faults.fail = 1;
    line.device("b2").faults.fail = 1;
    line.order("o1", &["plain"]);
    line.until("a person is asked", |l| l.questions().iter().any(|i| matches!(i.question, Question::ItemFails { .. })));
    let incident = line.questions()[0].id;
    line.decide(incident, brigade::kitchen::Decision::GiveUp);
    assert_eq!(line.end_of("o1"), Some(OrderStatus::Failed));
    line.pass(60_000);
    assert!(line.world.lanes.is_empty(), "what was begun is thrown away");
    line.assert_sound();
}

// 37
#[test]
fn a_baked_pizza_that_nobody_fetches_burns_and_is_remade() {
    let mut line = at(S::Baking, 1, 1, 1);
    line.device("a1").faults.cut = true;
    line.pass(90_000);
    assert_eq!(discards(&line)[0], Spoiled::Burnt);
    line.device("a1").faults.cut = false;
    ends_ready(line);
}

// 41
#[test]
fn a_cold_start_discards_what_lay_in_the_open_and_trusts_only_bakes_that_are_seen() {
    let mut line = at(S::Baking, 1, 2, 1);
    line.take_charge(false);
    assert!(line.pizza().unmeasured);
    line.pass(1_000);
    assert!(!line.pizza().unmeasured, "the oven says that it bakes");
    assert!(discards(&ends_ready(line)).is_empty());

    let mut line = Line::new(1, 1, 1, 1);
    line.order("o1", &["seen"]);
    line.until_state(S::Unloaded);
    line.take_charge(false);
    assert_eq!(discards(&line), [Spoiled::Stale]);
    ends_ready(line);
}

// 41
#[test]
fn a_power_cut_of_the_whole_kitchen_loses_no_order() {
    let mut line = Line::new(2, 2, 2, 1);
    line.order("o1", &["seen", "plain", "strict"]);
    line.pass(18_000);
    for id in ["b1", "b2", "oven1", "oven2", "a1", "a2", "cam1"] {
        line.device(id).power_off();
    }
    line.now += 3_600_000;
    for id in ["b1", "b2", "oven1", "oven2", "a1", "a2", "cam1"] {
        line.power_on(id);
    }
    line.take_charge(false);
    for _ in 0..10 {
        line.pass(30_000);
        line.answer_all();
    }
    ends_ready(line);
}

// 42
#[test]
fn an_emergency_stop_holds_the_zone_until_it_is_reset_and_a_person_confirms() {
    let mut line = at(S::Prepping, 1, 1, 1);
    line.device("b1").estop = true;
    line.pass(1_000);
    assert!(line.kitchen().is_held(&"a1".parse().expect("an id")));
    let incident = line.questions()[0].id;
    let reply = line.decide(incident, brigade::kitchen::Decision::Resolved);
    assert!(matches!(reply, brigade::kitchen::Reply::Refused(_)), "the button is still pressed");
    line.pass(60_000);
    assert_eq!(line.known("b1").life, Life::Live, "standing still on command is not being stuck");
    line.answer_all();
    assert!(!line.kitchen().is_held(&"a1".parse().expect("an id")));
    ends_ready(line);
}

// 25, 26
#[test]
fn a_change_of_charge_in_every_phase_loses_nothing_and_does_nothing_twice() {
    // Baked is left in the same entry: nothing can come between.
    let phases = [S::Prepping, S::Prepped, S::Loading, S::Baking, S::Unloading, S::Unloaded, S::Finishing, S::Finished];
    for state in phases {
        let mut line = Line::new(1, 1, 1, 1);
        line.order("o1", &["seen"]);
        line.until_state(state);
        line.take_charge(true);
        let line = ends_ready(line);
        assert!(discards(&line).is_empty(), "{state:?}: {:?}", discards(&line));
    }
}

// 36
#[test]
fn a_drained_robot_finishes_what_it_holds_and_gets_nothing_more() {
    let mut line = at(S::Prepping, 1, 1, 1);
    line.direct("b1", Directive::Drain);
    let mut line = ends_ready(line);
    line.order("o2", &["plain"]);
    line.pass(60_000);
    assert_eq!(line.state(), Some(S::Queued));
    line.direct("b1", Directive::Resume);
    line.until("it goes on", |l| l.end_of("o2") == Some(OrderStatus::Ready));
    line.assert_sound();
}

// 38
#[test]
fn a_robot_at_half_speed_is_known_for_it_and_its_exits_are_planned_longer() {
    let mut line = Line::new(1, 1, 1, 0);
    line.device("a1").faults.slow_percent = 200;
    line.order("o1", &["plain"; 6]);
    let mut line = ends_ready(line);
    let pace = line
        .kitchen()
        .learned(&"a1".parse().expect("an id"), brigade::kitchen::Action::Finish)
        .expect("it was seen")
        .overall
        .mean;
    assert!((1_700..=2_000).contains(&pace), "{pace}");
    line.order("o2", &["plain"]);
    line.until_state(S::Baking);
    let exit = line.pizza().exit.clone().expect("an exit");
    assert!(exit.until - exit.from > 8_000, "{exit:?}: 5 s of work by the recipe");
    assert!(discards(&line).is_empty());
}
