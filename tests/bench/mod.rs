//! `brigade bench` as a process: what it prints and writes, and that nothing stays behind when it is told to stop. The bare log alone, as it takes
//! seconds; what the figures are is nobody's business here.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::patience::wait_for;

fn bench(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brigade"));
    command.arg("bench").args(args).stdin(Stdio::null());
    command
}

#[test]
fn a_bench_prints_figures_beside_their_limits_and_draws_them() {
    let plots = tempfile::tempdir().unwrap();
    let output = bench(&["bare", "--span", "1", "--json", "--svg"]).arg(plots.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let figures: Value = serde_json::from_slice(&output.stdout).expect("it prints one JSON object");
    assert!(figures.pointer("/raw/fdatasync_ms/p50").and_then(Value::as_f64) > Some(0.0), "{figures}");
    let steps = figures.pointer("/bare/steps").and_then(Value::as_array).expect("the bare log was measured");
    let clients: Vec<_> = steps.iter().filter_map(|step| step["clients"].as_u64()).collect();
    assert_eq!(clients, [1, 16, 64, 256]);
    let rows = figures["rows"].as_array().expect("there is a table");
    let is_beside = |row: &&Value| row["section"] == "bare log" && row["of"] == "fdatasync" && row["ratio"].is_number();
    assert_eq!(rows.iter().filter(is_beside).count(), 4, "{figures}");
    let drawn = std::fs::read_to_string(plots.path().join("intake.svg")).expect("it was drawn");
    assert!(drawn.contains(">bare log</text>") && drawn.ends_with("</svg>\n"), "{drawn}");
    assert!(!plots.path().join("failover.svg").exists(), "what was not measured is not drawn");
}

/// What a process was started with; nothing for one that has ended and waits for whoever inherited it to notice.
fn command_of(pid: u32) -> String {
    let command = std::fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline"));
    String::from_utf8_lossy(&command.unwrap_or_default()).into_owned()
}

/// The replicas of the bare log whose parent is this process.
fn replicas_of(parent: u32) -> Vec<u32> {
    let is_child = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        fields.get(1) == Some(&parent.to_string().as_str()) && command_of(*pid).contains("bench-bare")
    };
    let processes = std::fs::read_dir("/proc").unwrap();
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(is_child).collect()
}

/// A process that this test's failure ends as well.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_bench_that_is_told_to_stop_leaves_no_process() {
    let mut command = bench(&["bare", "--span", "600"]);
    let mut bench = Ends(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let pid = bench.0.id();
    let started = wait_for("the three replicas of the bare log", || Some(replicas_of(pid)).filter(|r| r.len() == 3));
    kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::TERM).unwrap();
    let status = wait_for("the end of the bench", || bench.0.try_wait().unwrap());
    assert!(!status.success(), "what was stopped has no figures");
    wait_for("the end of its replicas", || started.iter().all(|pid| command_of(*pid).is_empty()).then_some(()));
}
