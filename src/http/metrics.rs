//! `GET /metrics`: Prometheus' text form, made from the state when it is asked for. Counters of the process come from the recorder.

use std::collections::BTreeMap;
use std::fmt::Write;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use crate::kitchen::Kitchen;

use super::Api;
use super::views::cluster::ClusterView;

/// `GET /metrics`: what monitoring reads, in Prometheus' text form.
#[utoipa::path(get, path = "/metrics", operation_id = "measure", tag = "monitoring", responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn metrics(State(api): State<Api>) -> impl IntoResponse {
    let mut page = Page::default();
    page.add_kitchen(&api.node().kitchen());
    page.add_cluster(&super::cluster::show(State(api.clone())).await.body, api.node().is_leading());
    if let Some(more) = &api.sources().more_metrics {
        page.0.push_str(&more());
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page.0)
}

/// The text as it grows.
#[derive(Default)]
struct Page(String);

impl Page {
    /// One metric with its samples: label pairs and value.
    fn add(&mut self, name: &str, kind: &str, help: &str, samples: impl IntoIterator<Item = (String, u64)>) {
        // Writing to a String does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(self.0, "{name}{labels} {value}");
        }
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.add(name, "counter", help, [(String::new(), value)]);
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.add(name, "gauge", help, [(String::new(), value)]);
    }

    /// A span, kept in milliseconds and shown in Prometheus' base unit.
    fn seconds(&mut self, name: &str, help: &str, ms: u64) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {}.{:03}", ms / 1_000, ms % 1_000);
    }

    fn add_kitchen(&mut self, kitchen: &Kitchen) {
        let meta = kitchen.meta();
        let ends = ["ready", "cancelled", "failed", "returned"].into_iter().zip(meta.ended);
        let ends = ends.map(|(end, count)| (labels(&[("status", end)]), count));
        self.add("brigade_orders_total", "counter", "Orders that ended, by end.", ends);
        self.gauge("brigade_orders_open", "Orders that are open.", kitchen.orders().count() as u64);
        self.gauge("brigade_pizzas_open", "Pizzas not yet packed.", meta.open_pizzas.into());
        self.add("brigade_pizzas", "gauge", "Pizzas of open orders, by state.", by_state(kitchen));
        self.counter("brigade_pizzas_packed_total", "Pizzas packed.", meta.packed);
        self.counter("brigade_pizzas_discarded_total", "Pizzas that were thrown away.", meta.discarded);
        let promises = ["kept", "broken"].into_iter().zip(meta.promises);
        let promises = promises.map(|(word, count)| (labels(&[("promise", word)]), count));
        self.add(
            "brigade_promises_total",
            "counter",
            "Ready orders, by whether they were ready when promised.",
            promises,
        );
        let menu = kitchen.recipes().collect();
        let limit = crate::kitchen::limit::steady_rate(&menu, kitchen.line()).map_or(0, |r| r.milli_per_hour / 1_000);
        self.gauge(
            "brigade_pizzas_per_hour",
            "What is made, by the last few pizzas.",
            kitchen.present_rate(meta.now) / 1_000,
        );
        self.gauge("brigade_pizzas_per_hour_limit", "What the line can keep up with this menu.", limit);
        self.add("brigade_devices", "gauge", "Devices, by kind and state.", by_kind(kitchen));
        let capacity = capacity(kitchen);
        self.add("brigade_capacity_up", "gauge", "Executors that can work, by stage.", capacity.clone().map(|c| c.0));
        self.add("brigade_capacity", "gauge", "Executors that belong to the kitchen.", capacity.map(|c| c.1));
        self.counter("brigade_incidents_total", "Questions raised to people.", meta.incidents);
        let open = kitchen.incidents().filter(|i| i.answer.is_none()).count();
        self.gauge("brigade_incidents_open", "Questions that wait for a person.", open as u64);
        self.gauge("brigade_instructions_open", "Instructions not yet reported on.", kitchen.outbox().count() as u64);
        self.gauge("brigade_feed_waiting", "Outcomes not acknowledged by the backend.", kitchen.feed().count() as u64);
        let dropped = meta.backend.dropped;
        self.counter("brigade_feed_dropped_total", "Outcomes not kept for the backend, as too many waited.", dropped);
        self.gauge("brigade_draining", "1 if the kitchen takes no new orders.", meta.draining.into());
        self.gauge("brigade_epoch", "The epoch in charge.", kitchen.epoch().0);
    }

    fn add_cluster(&mut self, cluster: &ClusterView, leads: bool) {
        let info = labels(&[("version", &cluster.version), ("kitchen", &cluster.kitchen)]);
        self.add("brigade_info", "gauge", "Which program serves which kitchen.", [(info, 1)]);
        self.gauge("brigade_raft_applied_index", "The last entry applied here.", cluster.log.applied);
        self.gauge("brigade_raft_committed_index", "The last entry committed.", cluster.log.committed.unwrap_or(0));
        self.gauge("brigade_raft_last_log_index", "The last entry in the log here.", cluster.log.last.unwrap_or(0));
        self.gauge("brigade_raft_snapshot_index", "The last entry in a snapshot.", cluster.log.snapshot.unwrap_or(0));
        self.gauge("brigade_raft_term", "Raft's term.", cluster.term);
        self.gauge("brigade_raft_is_leader", "1 if this replica leads, as far as it knows.", leads.into());
        self.gauge("brigade_raft_has_leader", "1 if a leader is known.", cluster.leader.is_some().into());
        let lags = cluster.members.iter().filter_map(|m| Some((labels(&[("node", &m.node.to_string())]), m.lag?)));
        self.add("brigade_raft_lag_entries", "gauge", "Entries that a member has yet to store.", lags);
        if let Some(age) = cluster.quorum_age_ms {
            self.seconds("brigade_raft_quorum_age_seconds", "Since a majority acknowledged.", age);
        }
        let storage = &cluster.storage;
        self.gauge("brigade_storage_low", "1 if new orders are refused for want of room here.", storage.low.into());
        self.gauge("brigade_storage_free_bytes", "Room on the disk here.", storage.free_bytes.unwrap_or(0));
        let tenure = &cluster.tenure;
        self.gauge("brigade_in_charge", "1 if this replica gives the instructions.", tenure.in_charge.into());
        self.counter("brigade_tenures_total", "Tenures begun by this process.", tenure.tenures);
        let published = tenure.instructions_published;
        self.counter(
            "brigade_instructions_published_total",
            "Instructions published, repetitions included.",
            published,
        );
        self.counter("brigade_leases_answered_total", "Start leases answered.", tenure.leases_answered);
        self.counter("brigade_payloads_refused_total", "Payloads refused.", tenure.payloads_refused);
        let brokers = tenure.brokers.iter().map(|b| (labels(&[("broker", &b.url)]), b.connected.into()));
        self.add("brigade_broker_connected", "gauge", "1 if connected and subscribed.", brokers);
    }
}

/// Every state of a pizza has a sample, so that a graph shows zeros and not gaps.
fn by_state(kitchen: &Kitchen) -> Vec<(String, u64)> {
    let mut counts: BTreeMap<_, u64> = crate::kitchen::PizzaState::ALL.into_iter().map(|s| (s, 0)).collect();
    for pizza in kitchen.pizzas() {
        *counts.entry(pizza.state).or_default() += 1;
    }
    counts.into_iter().map(|(state, count)| (labels(&[("state", &super::views::word(&state))]), count)).collect()
}

fn by_kind(kitchen: &Kitchen) -> Vec<(String, u64)> {
    let mut counts: BTreeMap<_, u64> = BTreeMap::new();
    for device in kitchen.devices() {
        *counts.entry((device.facts.kind.as_str(), device.state_word())).or_default() += 1;
    }
    counts.into_iter().map(|((kind, state), count)| (labels(&[("kind", kind), ("state", state)]), count)).collect()
}

type Sample = (String, u64);

fn capacity(kitchen: &Kitchen) -> impl Iterator<Item = (Sample, Sample)> + Clone {
    let status = kitchen.status();
    let stages = [("prep", status.prep), ("bake", status.bake), ("finish", status.finish), ("inspect", status.inspect)];
    let label = |stage| labels(&[("stage", stage)]);
    stages.into_iter().map(move |(stage, c)| ((label(stage), c.up.into()), (label(stage), c.of.into())))
}

fn labels(pairs: &[(&str, &str)]) -> String {
    let escape = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
    format!("{{{}}}", pairs.join(","))
}
