//! The whole product as real processes: `brigade demo` with embedded brokers, with killed leaders, and with a real mosquitto; and `brigade bench`.
//!
//! What is checked comes from the devices' own record: nothing lost, nothing made twice, nothing burnt.

mod bench;
mod patience;
mod python;

use std::process::{Command, Output};

use python::Robot;
use serde_json::Value;

/// Runs the demo and returns its last line on standard output, with its success.
fn demo(args: &[&str]) -> (Value, Output) {
    let output = Command::new(env!("CARGO_BIN_EXE_brigade"))
        .args(["demo", "--exit", "--json", "--timeout", "120"])
        .args(args)
        .output()
        .expect("the program was built with the tests");
    let text = String::from_utf8_lossy(&output.stdout);
    let report = text.lines().last().and_then(|line| serde_json::from_str(line).ok());
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    (report.unwrap_or_else(|| panic!("no report; the demo said:\n{complaint}")), output)
}

fn assert_all_delivered_once(report: &Value, orders: u64, pizzas: u64) {
    for (key, expected) in [("accepted", orders), ("completed", orders), ("pizzas_delivered", pizzas)] {
        assert_eq!(report[key], expected, "{key} in {report}");
    }
    for key in ["lost", "made_twice", "burnt", "failed", "cancelled"] {
        assert_eq!(report[key], 0, "{key} in {report}");
    }
}

#[test]
fn orders_of_one_to_four_pizzas_are_delivered_once() {
    let (report, output) = demo(&["--orders", "4", "--speed", "60"]);
    assert_all_delivered_once(&report, 4, 10);
    assert!(output.status.success());
    assert!(report["makespan_s"].as_f64() >= report["lower_bound_s"].as_f64(), "faster than physics: {report}");
}

#[test]
fn killed_leaders_lose_nothing_and_do_nothing_twice() {
    let (report, output) = demo(&["--orders", "4", "--pizzas", "2", "--speed", "20", "--kill-leader-every", "4"]);
    assert_all_delivered_once(&report, 4, 8);
    assert!(output.status.success());
    let failovers = report["failover_ms"].as_array().map_or(0, Vec::len);
    assert!(failovers > 0, "no leader was killed while there was work: nothing is proved: {report}");
}

#[test]
fn a_real_mosquitto_serves_as_well() {
    let broker = brigade::mqtt::testing::Mosquitto::start().expect("make test installs mosquitto");
    let (report, output) = demo(&["--orders", "2", "--pizzas", "2", "--speed", "60", "--broker", &broker.url()]);
    assert_all_delivered_once(&report, 2, 4);
    assert!(output.status.success());
}

/// A line whose only before-oven robots come from elsewhere.
const LINE_WITHOUT_PREP: &str = r#"
    kitchen = "demo"
    brokers = ["mqtt://127.0.0.1:1883"]
    device = [
        { id = "oven1", kind = "oven", lanes = [0, 1] },
        { id = "robot3", kind = "robot.after_oven" },
        { id = "camera1", kind = "camera" },
    ]
"#;

#[test]
fn robots_written_from_the_docs_alone_join_and_cook() {
    let broker = brigade::mqtt::testing::Mosquitto::start().expect("make test installs mosquitto");
    let dir = tempfile::tempdir().expect("a temporary folder");
    let line = dir.path().join("line.toml");
    std::fs::write(&line, LINE_WITHOUT_PREP).expect("the folder can be written");
    let _robots = ["python1", "python2"].map(|id| Robot::start(&broker.url(), "demo", id));
    let line = line.to_string_lossy().into_owned();
    let (report, output) =
        demo(&["--orders", "2", "--pizzas", "2", "--speed", "60", "--broker", &broker.url(), "--line", &line]);
    assert_all_delivered_once(&report, 2, 4);
    assert!(output.status.success());
}
