//! Devices that keep every rule: the own simulators of every kind, and the robot that was written after the documents alone.

use std::sync::Arc;

use brigade::conform::{Hand, Hands, Report};
use brigade::device::line::{self, DeviceLine, Line, LineHandle};
use brigade::device::sim::{Faults, Place};
use brigade::mqtt::testing::AnyBroker;
use brigade::protocol::{DeviceId, DeviceKind};
use tokio_util::sync::CancellationToken;

use crate::python::Robot;
use crate::support::{failures, judge, reasons};

/// Every kind, and which rules can't be tried on it because they are about other kinds.
const KINDS: [(&str, DeviceKind, &[&str]); 5] = [
    ("before", DeviceKind::BeforeOven, &["O1", "O2", "O3", "R9.4", "R9.5", "R9.7"]),
    ("after", DeviceKind::AfterOven, &["G1", "G2", "O1", "O2", "O3", "R10.1", "R9.4", "R9.5", "R9.7"]),
    ("oven", DeviceKind::Oven, &["G1", "G2", "R10.1", "R9.1", "R9.3"]),
    ("camera", DeviceKind::Camera, &["G1", "G2", "O1", "O2", "O3", "R10.2", "R10.3", "R5.6", "R9.4", "R9.5", "R9.7"]),
    ("human", DeviceKind::Human, &["O1", "O2", "O3", "R5.6", "R9.4", "R9.5", "R9.7"]),
];

/// A line of one device.
fn one(kitchen: &str, broker: &str, kind: DeviceKind) -> LineHandle {
    let mut line = Line::built_in(kitchen.parse().unwrap(), vec![broker.to_owned()]);
    (line.hb_ms, line.speed_pct) = (200, 5_000);
    let zone = Some("line-a".parse().unwrap());
    let id: DeviceId = "device1".parse().unwrap();
    let (lanes, stages, faults) = (vec![0], vec![], Faults::default());
    line.devices = vec![DeviceLine { id, kind, lanes, stages, zone, key: None, faults }];
    line::start(line, CancellationToken::new()).unwrap()
}

/// Hands on a simulated device.
fn hands(line: &Arc<LineHandle>) -> Hands {
    let id: DeviceId = "device1".parse().unwrap();
    let call = |deed: fn(&LineHandle, &DeviceId) -> Result<(), String>| {
        let (line, id) = (line.clone(), id.clone());
        Hand::Call(Box::new(move || deed(&line, &id)))
    };
    Hands {
        power_cycle: call(|line, id| line.crash(id).then_some(()).ok_or("it has no power".to_owned())),
        load: call(|line, id| {
            let put = line.world().put(Place::new(id.clone(), 0), "something".parse().unwrap());
            put.map_err(|mishap| format!("{mishap:?}"))
        }),
        clear: call(|line, id| line.clear(id, 0).map(drop).ok_or("there was nothing".to_owned())),
    }
}

fn assert_conforms(name: &str, report: &Report, other_kinds: &[&str]) {
    assert!(report.failed().is_empty(), "{name}:\n{}", failures(report));
    let mut skipped = report.skipped();
    skipped.sort_unstable();
    let mut expected = other_kinds.to_vec();
    expected.sort_unstable();
    assert_eq!(skipped, expected, "{name}:\n{}", reasons(report));
}

/// One test for both, so that they wait side by side on two cores: most of their minute and a half is waiting for what must not happen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "make conform runs it: a minute and a half of waiting, by clocks that a busy machine upsets"]
async fn simulated_devices_of_every_kind_and_the_robot_written_after_the_documents_keep_every_rule() {
    futures::future::join(judge_simulated_devices(), judge_the_robot()).await;
}

async fn judge_simulated_devices() {
    let brokers = AnyBroker::all();
    let pairs = brokers.iter().flat_map(|broker| KINDS.map(|kind| (broker, kind)));
    let judged = pairs.map(|(broker, (name, kind, other_kinds))| async move {
        let line = Arc::new(one(name, &broker.url(), kind));
        let report = judge(&broker.url(), name, "device1", hands(&line)).await;
        (format!("{name} over {}", broker.name()), report, other_kinds)
    });
    for (name, report, other_kinds) in futures::future::join_all(judged).await {
        eprintln!("{name}: {}", report.summary());
        assert_conforms(&name, &report, other_kinds);
    }
}

async fn judge_the_robot() {
    let brokers = AnyBroker::all();
    let judged = brokers.iter().map(|broker| async {
        let url = broker.url();
        let hands = Hands { power_cycle: power_of_the_robot(&url), ..Hands::default() };
        judge(&url, "python", "robot9", hands).await
    });
    let reports = futures::future::join_all(judged).await;
    for (broker, report) in brokers.iter().zip(&reports) {
        assert_conforms(broker.name(), report, KINDS[0].2);
    }
}

/// Starts the robot, with a hand on its power switch.
fn power_of_the_robot(url: &str) -> Hand {
    let url = url.to_owned();
    let mut robot = Some(Robot::start(&url, "python", "robot9"));
    Hand::Call(Box::new(move || {
        drop(robot.take());
        robot = Some(Robot::start(&url, "python", "robot9"));
        Ok(())
    }))
}
