//! cluster/monitoring/ is true: what alerts and dashboard ask for is what the program shows, and Prometheus' own tool understands all of it.

mod process;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use process::Kitchen;
use serde_json::{Value, json};

const FILES: [&str; 3] = ["alerts.yml", "alerts_test.yml", "grafana-kitchen.json"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cluster/monitoring")
}

fn text(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).expect("the file is there")
}

/// The metrics that a text names, without what a histogram adds to its name.
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c: char| !is_part(c)).filter(|word| word.starts_with("brigade_"));
    let plain = |word: &str| {
        ["_bucket", "_sum", "_count"].iter().fold(word.to_owned(), |w, s| w.trim_end_matches(s).to_owned())
    };
    words.map(plain).collect()
}

/// Every metric name that stands in the program's sources.
fn in_sources(dir: &Path, found: &mut String) {
    for entry in std::fs::read_dir(dir).expect("src/ can be read") {
        let path = entry.expect("src/ can be read").path();
        match path.is_dir() {
            true => in_sources(&path, found),
            false => found.push_str(&std::fs::read_to_string(path).expect("src/ can be read")),
        }
    }
}

#[test]
fn alerts_and_dashboard_name_metrics_that_the_program_has() {
    let mut sources = String::new();
    in_sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut sources);
    let there = named(&sources);
    for file in FILES {
        let missing: Vec<String> = named(&text(file)).difference(&there).cloned().collect();
        assert!(missing.is_empty(), "{file} asks for {missing:?}, which no source names");
    }
}

#[test]
fn what_is_recorded_is_described() {
    let mut sources = String::new();
    in_sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut sources);
    let described = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/telemetry.rs"));
    let described = described.expect("src/ can be read");
    let macros = ["counter!(", "gauge!(", "histogram!("];
    let recorded = macros.iter().flat_map(|m| sources.split(&format!("metrics::{m}")).skip(1).collect::<Vec<_>>());
    let names: BTreeSet<&str> =
        recorded.filter_map(|text| text.split('"').nth(1)).filter(|n| n.starts_with("brigade_")).collect();
    assert!(names.len() > 5);
    for name in names {
        assert!(described.contains(&format!("(\"{name}\", ")), "{name} has no line in RECORDED");
    }
}

#[test]
fn every_alert_says_how_grave_it_is_and_what_to_look_at() {
    let alerts = text("alerts.yml");
    for alert in alerts.split("- alert: ").skip(1) {
        let name = alert.lines().next().unwrap_or_default();
        let graded = alert.contains("severity: page") || alert.contains("severity: ticket");
        assert!(graded && alert.contains("summary:") && alert.contains("action:"), "{name} lacks something");
    }
}

#[test]
fn whoever_is_called_by_an_alert_finds_it_among_the_symptoms() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/OPERATIONS.md");
    let book = std::fs::read_to_string(path).expect("the file is there");
    for alert in text("alerts.yml").split("- alert: ").skip(1) {
        let name = alert.lines().next().unwrap_or_default().trim();
        assert!(book.contains(&format!("`{name}`")), "docs/OPERATIONS.md does not tell what to do about {name}");
    }
}

/// Prometheus' tool, if it is installed; `make monitoring` sees to that.
fn promtool(args: &[&str]) -> Option<Command> {
    let named = std::env::var("BRIGADE_NEEDS_PROMTOOL").ok();
    let mut command = Command::new(named.as_deref().unwrap_or("promtool"));
    let found =
        Command::new(command.get_program()).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(found.is_ok() || named.is_none(), "promtool is missing");
    found.ok()?;
    command.args(args).current_dir(folder());
    Some(command)
}

fn passes(args: &[&str], input: &str) {
    let Some(mut command) = promtool(args) else { return };
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("promtool starts");
    std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), input.as_bytes()).expect("promtool reads");
    let ended = child.wait_with_output().expect("promtool ends");
    let said = [ended.stdout, ended.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(ended.status.success(), "promtool {args:?}: {said}");
}

#[test]
fn prometheus_understands_configuration_and_alerts_and_they_sound_when_they_should() {
    passes(&["check", "config", "prometheus.yml"], "");
    passes(&["check", "rules", "alerts.yml"], "");
    passes(&["test", "rules", "alerts_test.yml"], "");
}

#[test]
fn every_question_of_the_dashboard_is_one_that_prometheus_understands() {
    let dashboard: Value = serde_json::from_str(&text("grafana-kitchen.json")).expect("the dashboard is JSON");
    let panels = dashboard["panels"].as_array().expect("it has panels").iter();
    let questions: Vec<&str> = panels
        .flat_map(|panel| panel["targets"].as_array().into_iter().flatten())
        .map(|target| target["expr"].as_str().expect("a target asks something"))
        .collect();
    assert!(questions.len() > 20);
    // Rules are YAML, and JSON is YAML.
    let rules: Vec<Value> =
        questions.iter().map(|q| json!({ "record": "a:b", "labels": { "q": q }, "expr": q })).collect();
    let file = tempfile::NamedTempFile::with_suffix(".yml").expect("a file");
    std::fs::write(file.path(), json!({ "groups": [{ "name": "dashboard", "rules": rules }] }).to_string())
        .expect("a file");
    passes(&["check", "rules", &file.path().to_string_lossy()], "");
}

#[test]
fn what_a_replica_shows_follows_the_conventions_of_prometheus() {
    let kitchen = Kitchen::open().with_devices();
    kitchen.order("first");
    kitchen.wait_until_ready("first");
    let Value::String(page) = kitchen.get("/metrics").body else { panic!("the metrics are text") };
    assert!(page.contains("brigade_orders_total{status=\"ready\"} 1"), "{page}");
    passes(&["check", "metrics"], &page);
}
