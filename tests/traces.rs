//! Traces of orders, as a collector gets them from a real kitchen.

mod process;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use brigade::node::traces::trace_id;
use process::{Kitchen, wait_for};
use serde_json::Value;

/// A collector that keeps what it gets.
struct Collector {
    url: String,
    got: Arc<Mutex<Vec<Value>>>,
    _runtime: tokio::runtime::Runtime,
}

impl Collector {
    fn start() -> Self {
        let got = Arc::new(Mutex::new(Vec::new()));
        let keeps = got.clone();
        let take = move |body: axum::Json<Value>| async move {
            keeps.lock().expect("nothing panics while it holds this lock").push(body.0);
            axum::Json(serde_json::json!({}))
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("loopback has free ports");
        let url = format!("http://{}", listener.local_addr().expect("a bound listener has an address"));
        let router = axum::Router::new().route("/v1/traces", axum::routing::post(take));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { url, got, _runtime: runtime }
    }

    /// Spans by service.
    fn spans(&self) -> BTreeMap<String, Vec<Value>> {
        let got = self.got.lock().expect("nothing panics while it holds this lock");
        let resources = got.iter().flat_map(|request| request["resourceSpans"].as_array().expect("a list"));
        let mut spans: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for resource in resources {
            let name = &resource["resource"]["attributes"][0];
            assert_eq!(name["key"], "service.name");
            let service = name["value"]["stringValue"].as_str().expect("text").to_owned();
            let own = resource["scopeSpans"][0]["spans"].as_array().expect("a list").iter().cloned();
            spans.entry(service).or_default().extend(own);
        }
        spans
    }
}

fn nanos(span: &Value, key: &str) -> u128 {
    span[key].as_str().expect("64-bit numbers are text").parse().expect("a number")
}

#[test]
fn an_order_that_is_ready_is_one_trace_from_the_order_to_the_work_of_each_device() {
    let collector = Collector::start();
    let traces = format!("[traces]\nendpoint = {:?}\n", collector.url);
    let kitchen = Kitchen::open_with(|node| node.more += &traces).with_devices();
    kitchen.order("first");
    kitchen.wait_until_ready("first");
    let spans = wait_for("a trace", || Some(collector.spans()).filter(|spans| !spans.is_empty()));

    let (ours, devices) = (&spans["brigade-controller"], &spans["brigade-device"]);
    let all: Vec<&Value> = ours.iter().chain(devices).collect();
    assert!(all.iter().all(|span| span["traceId"] == trace_id("k1", "first").as_str()));
    let by_id: BTreeMap<&str, &Value> =
        all.iter().map(|span| (span["spanId"].as_str().expect("text"), *span)).collect();
    assert_eq!(by_id.len(), all.len(), "each span has an id of its own");
    let roots: Vec<&&Value> = all.iter().filter(|span| span["parentSpanId"] == "").collect();
    assert!(roots.len() == 1 && roots[0]["name"] == "order", "{roots:?}");
    for span in all.iter().filter(|span| span["parentSpanId"] != "") {
        let parent = by_id[span["parentSpanId"].as_str().expect("text")];
        let (from, to) = (nanos(span, "startTimeUnixNano"), nanos(span, "endTimeUnixNano"));
        let (outer_from, outer_to) = (nanos(parent, "startTimeUnixNano"), nanos(parent, "endTimeUnixNano"));
        assert!(outer_from <= from && from <= to && to <= outer_to, "{span} is not within {parent}");
    }
    let names: BTreeSet<&str> = ours.iter().map(|span| span["name"].as_str().expect("text")).collect();
    for job in ["order", "pizza", "prep", "load", "bake", "unload", "finish"] {
        assert!(names.contains(job), "no {job} in {names:?}");
    }
    assert!(devices.iter().any(|span| span["name"].as_str().is_some_and(|name| name.starts_with("bake on oven"))));
    assert!(all.iter().all(|span| span["status"]["code"] == 1), "all went well");
}

#[test]
fn a_collector_that_is_not_there_costs_no_order() {
    let traces = format!("[traces]\nendpoint = \"http://{}\"\n", process::free_address());
    let kitchen = Kitchen::open_with(|node| node.more += &traces).with_devices();
    kitchen.order("first");
    kitchen.wait_until_ready("first");
    wait_for("a trace that is counted as lost", || {
        let Value::String(page) = kitchen.get("/metrics").body else { return None };
        page.contains("brigade_traces_total{result=\"lost\"} 1").then_some(())
    });
}
