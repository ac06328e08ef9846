//! Simulated devices against a controller driven by hand, over the embedded broker and a real mosquitto.

mod python;
mod session_controller;

use brigade::device::line::{self, Line, LineHandle};
use brigade::history::DeviceFact;
use brigade::mqtt::testing::AnyBroker;
use brigade::protocol::*;
use python::Robot;
use session_controller::{Controller, task};
use tokio_util::sync::CancellationToken;

fn kitchen() -> Id {
    "k1".parse().unwrap()
}

fn start(brokers: Vec<String>, keep: &[&str]) -> (LineHandle, CancellationToken) {
    let mut line = Line::built_in(kitchen(), brokers);
    line.devices.retain(|device| keep.contains(&device.id.as_str()));
    line.hb_ms = 200;
    let stop = CancellationToken::new();
    (line::start(line, stop.clone()).unwrap(), stop)
}

fn events(line: &LineHandle) -> Vec<DeviceFact> {
    line.world().record().kept()
}

fn has(line: &LineHandle, device: &str, event: &str) -> bool {
    events(line).iter().any(|entry| entry.device == device && entry.event == event)
}

fn id(text: &str) -> DeviceId {
    text.parse().unwrap()
}

/// Loads: the oven has accepted the bake before the robot is told to load.
async fn load_and_bake(controller: &mut Controller, robot: &str, bake_ms: u64) {
    let mut bake = task("bake", Action::Bake, bake_ms);
    bake.after = Some(After::loaded(0));
    controller.start("oven1", bake);
    controller.until_task("oven1", "1.0.0-bake", TaskState::Waiting).await;
    controller.start(robot, task("load", Action::Load, 100));
    controller.until_task(robot, "1.0.0-load", TaskState::Finished).await;
}

#[tokio::test]
async fn a_pizza_goes_from_robot_to_oven_to_robot() {
    for broker in AnyBroker::all() {
        let (line, stop) = start(vec![broker.url()], &["robot1", "oven1", "robot3", "camera1"]);
        let mut controller = Controller::connect(&broker.url(), &kitchen()).await;
        for device in ["robot1", "oven1", "robot3", "camera1"] {
            controller.until_known(device).await;
        }
        controller.start("robot1", task("prep", Action::Prep, 100));
        controller.until_task("robot1", "1.0.0-prep", TaskState::Finished).await;
        controller.start("camera1", task("inspect-prep", Action::Inspect, 50));
        controller.until_task("camera1", "1.0.0-inspect-prep", TaskState::Finished).await;
        assert_eq!(controller.states["camera1"].tasks[0].code, "PASS");
        load_and_bake(&mut controller, "robot1", 200).await;
        controller.until_task("oven1", "1.0.0-bake", TaskState::Finished).await;
        controller.start("robot3", task("unload", Action::Unload, 100));
        controller.until_task("robot3", "1.0.0-unload", TaskState::Finished).await;
        controller.start("robot3", task("finish", Action::Finish, 100));
        controller.until_task("robot3", "1.0.0-finish", TaskState::Finished).await;
        for (device, event) in [("robot1", "placed"), ("robot3", "picked"), ("robot3", "packed")] {
            assert!(has(&line, device, event), "{device} {event}: {:#?}", events(&line));
        }
        assert!(!has(&line, "oven1", "burnt"));
        let attempt = Attempt { id: "1.0.0-finish".parse().unwrap(), att: 1 };
        controller.instruct("robot3", Op::Ack(attempt));
        let finish =
            |c: &Controller| c.states["robot3"].tasks.iter().any(|line| line.attempt.id.as_str() == "1.0.0-finish");
        controller.until("finish forgotten", |c| (!finish(c)).then_some(())).await;
        stop.cancel();
        line.join().await;
        controller.until("a goodbye", |c| (c.conns["robot1"].st == ConnState::Offline).then_some(())).await;
    }
}

#[tokio::test]
async fn a_killed_robot_leaves_a_will_and_comes_back_with_a_new_boot_and_something_in_its_gripper() {
    for broker in AnyBroker::all() {
        let (line, _stop) = start(vec![broker.url()], &["robot1"]);
        let mut controller = Controller::connect(&broker.url(), &kitchen()).await;
        controller.until_known("robot1").await;
        controller.start("robot1", task("prep", Action::Prep, 60_000));
        controller.until_task("robot1", "1.0.0-prep", TaskState::Running).await;
        let boot = controller.states["robot1"].boot;
        assert!(line.kill(&id("robot1")));
        controller.until("a will", |c| (c.conns["robot1"].st == ConnState::Lost).then_some(())).await;
        assert!(line.revive(&id("robot1")));
        controller.until("a new boot", |c| (c.states["robot1"].boot != boot).then_some(())).await;
        let state = &controller.states["robot1"];
        assert_eq!((state.holds.clone(), state.tasks.len()), (vec![Hold { lane: 0, pizza: None }], 0));
        line.clear(&id("robot1"), 0);
        controller.until("an empty gripper", |c| c.states["robot1"].holds.is_empty().then_some(())).await;
    }
}

#[tokio::test]
async fn a_former_controller_is_refused_by_its_epoch() {
    for broker in AnyBroker::all() {
        let (line, _stop) = start(vec![broker.url()], &["robot1"]);
        let mut former = Controller::connect(&broker.url(), &kitchen()).await;
        let mut present = Controller::connect(&broker.url(), &kitchen()).await;
        former.until_known("robot1").await;
        present.until_known("robot1").await;
        present.epoch = Epoch::new(1, 20);
        let leader = Leader { epoch: present.epoch, node: 2, st: LeaderState::Up, brokers: vec![broker.url()] };
        present.say(&Topic::Leader, &leader.into());
        let epoch = present.epoch;
        former.until("the higher epoch", |c| (c.states["robot1"].fence.epoch == epoch).then_some(())).await;
        let refused = former.start("robot1", task("prep", Action::Prep, 100));
        let result = |c: &Controller| Some(c.states["robot1"].cmds.iter().find(|cmd| cmd.id == refused)?.res);
        assert_eq!(former.until("a refusal", result).await, CommandResult::StaleEpoch);
        assert!(!has(&line, "robot1", "started"));
    }
}

#[tokio::test]
async fn devices_move_on_to_the_next_broker_and_finish_what_runs() {
    let [embedded, other] =
        [0, 1].map(|_| brigade::mqtt::broker::Broker::start(brigade::mqtt::broker::Options::loopback()).unwrap());
    let (line, _stop) = start(vec![embedded.url(), other.url()], &["robot1", "oven1"]);
    let mut controller = Controller::connect(&embedded.url(), &kitchen()).await;
    let mut second = Controller::connect(&other.url(), &kitchen()).await;
    controller.until_known("robot1").await;
    controller.until_known("oven1").await;
    controller.start("robot1", task("prep", Action::Prep, 1_500));
    controller.until_task("robot1", "1.0.0-prep", TaskState::Running).await;
    tokio::task::spawn_blocking(move || embedded.stop()).await.unwrap();
    second.until_known("robot1").await;
    second.until_task("robot1", "1.0.0-prep", TaskState::Finished).await;
    assert_eq!(events(&line).iter().filter(|entry| entry.event == "started").count(), 1);
}

#[tokio::test]
async fn devices_leave_a_living_broker_on_which_nobody_answers() {
    let [deaf, good] =
        [0, 1].map(|_| brigade::mqtt::broker::Broker::start(brigade::mqtt::broker::Options::loopback()).unwrap());
    let (_line, _stop) = start(vec![deaf.url(), good.url()], &["robot1"]);
    let mut controller = Controller::connect(&good.url(), &kitchen()).await;
    controller.until_known("robot1").await;
}

#[tokio::test]
async fn a_pizza_that_nobody_unloads_burns_and_the_oven_says_overdue() {
    let broker = AnyBroker::all().remove(0);
    let (line, _stop) = start(vec![broker.url()], &["robot1", "oven1"]);
    let mut controller = Controller::connect(&broker.url(), &kitchen()).await;
    controller.until_known("robot1").await;
    controller.until_known("oven1").await;
    controller.start("robot1", task("prep", Action::Prep, 50));
    controller.until_task("robot1", "1.0.0-prep", TaskState::Finished).await;
    let mut bake = task("bake", Action::Bake, 50);
    bake.after = Some(After::loaded(0));
    bake.params.window_ms = Some(100);
    controller.start("oven1", bake);
    controller.until_task("oven1", "1.0.0-bake", TaskState::Waiting).await;
    controller.start("robot1", task("load", Action::Load, 50));
    let overdue = |c: &Controller| c.states["oven1"].errors.iter().any(|fault| fault.code == "OVERDUE").then_some(());
    controller.until("OVERDUE", overdue).await;
    assert!(has(&line, "oven1", "burnt"));
}

#[tokio::test]
async fn a_lost_report_is_made_good_by_asking_for_the_state() {
    let broker = AnyBroker::all().remove(0);
    let (line, _stop) = start(vec![broker.url()], &["robot1"]);
    let mut controller = Controller::connect(&broker.url(), &kitchen()).await;
    controller.until_known("robot1").await;
    controller.start("robot1", task("prep", Action::Prep, 300));
    controller.until_task("robot1", "1.0.0-prep", TaskState::Running).await;
    line.change_faults(&id("robot1"), |faults| faults.lost_reports = 100);
    let done = |line: &LineHandle| has(line, "robot1", "finished");
    controller.until("a physical end", |_| done(&line).then_some(())).await;
    line.change_faults(&id("robot1"), |faults| faults.lost_reports = 0);
    controller.instruct("robot1", Op::StateGet);
    controller.until_task("robot1", "1.0.0-prep", TaskState::Finished).await;
}

/// A robot of another make, written in Python after docs/, prepares and loads a pizza for a simulated oven.
#[tokio::test]
async fn a_robot_written_in_python_after_the_documents_works_in_the_line() {
    for broker in AnyBroker::all() {
        let (line, _stop) = start(vec![broker.url()], &["oven1"]);
        let mut controller = Controller::connect(&broker.url(), &kitchen()).await;
        let _robot = Robot::start(&broker.url(), "k1", "robot9");
        controller.until_known("robot9").await;
        controller.until_known("oven1").await;
        let occupied = controller.start("robot9", task("load", Action::Load, 100));
        let result = |c: &Controller| Some(c.states["robot9"].cmds.iter().find(|cmd| cmd.id == occupied)?.res);
        assert_eq!(controller.until("a refusal", result).await, CommandResult::RejectedInvalid);
        controller.start("robot9", task("prep", Action::Prep, 200));
        controller.until_task("robot9", "1.0.0-prep", TaskState::Finished).await;
        let mut second = task("load", Action::Load, 200);
        second.attempt.att = 2;
        let mut bake = task("bake", Action::Bake, 200);
        bake.after = Some(After::loaded(0));
        controller.start("oven1", bake);
        controller.until_task("oven1", "1.0.0-bake", TaskState::Waiting).await;
        controller.start("robot9", second);
        controller.until_task("robot9", "1.0.0-load", TaskState::Finished).await;
        controller.until_task("oven1", "1.0.0-bake", TaskState::Finished).await;
        assert!(has(&line, "robot9", "placed"), "{:#?}", events(&line));
        controller.until("empty", |c| c.states["robot9"].holds.is_empty().then_some(())).await;
    }
}
