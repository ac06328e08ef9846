//! Logs to standard error: text for people, or one JSON object a line. Secrets are never fields. And the process' recorder of counters
//! and durations, rendered for Prometheus.

use std::io::IsTerminal;
use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

/// How a process logs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// `text` or `json`.
    pub format: LogFormat,
    /// `info`, or a filter such as `brigade=debug,info,openraft=warn`.
    pub filter: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info,openraft=warn,mqtt5=warn".to_owned() }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging, once per process. `RUST_LOG` goes before the configured filter; a filter that can't be read means `info`.
pub fn start(options: &Options) {
    let filter = EnvFilter::try_from_default_env()
        .or_else(|_| EnvFilter::try_new(&options.filter))
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal();
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr);
    let started = match options.format {
        LogFormat::Text => logs.with_target(false).try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    };
    // A second start in one process (tests) keeps the first.
    drop(started);
}

/// Upper bounds of the histograms, in seconds: from a read in memory to a write that waits for an election.
const BUCKETS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// How often samples are put into their buckets where nobody scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

/// What is recorded, and what it tells. A name tells its type: `_total` is a counter, `_duration_seconds` a histogram, anything else a gauge.
const RECORDED: [(&str, &str); 12] = [
    ("brigade_backend_exchanges_total", "Exchanges with kitchens."),
    ("brigade_backend_http_request_duration_seconds", "Answers of the backend, by kind and route."),
    ("brigade_backend_http_requests_total", "Requests to the backend, by kind, route and status."),
    ("brigade_backend_orders_moved_total", "Orders that were given to another kitchen."),
    ("brigade_backend_outcomes_total", "Outcomes that kitchens told, by what was done with them."),
    ("brigade_backend_polls_failed_total", "Polls of kitchens that brought nothing."),
    ("brigade_backup_interval_seconds", "How often this replica shall take a copy of the kitchen."),
    ("brigade_backup_last_success_timestamp_seconds", "When a copy was last taken, in seconds since 1970."),
    ("brigade_certificate_expiry_timestamp_seconds", "When a certificate ends, in seconds since 1970."),
    ("brigade_http_request_duration_seconds", "Answers of this replica, by kind and route."),
    ("brigade_http_requests_total", "Requests to this replica, by kind, route and status."),
    ("brigade_traces_total", "Traces of orders, by whether the collector took them."),
];

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Starts recording, once per process, and returns what renders it in Prometheus' text form. Must run within tokio.
pub fn record() -> impl Fn() -> String + Send + Sync + 'static {
    let recorder = RECORDER.get_or_init(|| {
        let builder = PrometheusBuilder::new().set_buckets(&BUCKETS).expect("the buckets are not empty");
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        // Another recorder can only be one of the same process' tests: it stays.
        let _ = metrics::set_global_recorder(recorder);
        RECORDED.into_iter().for_each(describe);
        let upkeep = handle.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(UPKEEP).await;
                upkeep.run_upkeep();
            }
        });
        handle
    });
    move || recorder.render()
}

fn describe((name, help): (&'static str, &'static str)) {
    if name.ends_with("_total") {
        metrics::describe_counter!(name, help);
    } else if name.ends_with("_duration_seconds") {
        metrics::describe_histogram!(name, help);
    } else {
        metrics::describe_gauge!(name, help);
    }
}
