//! A backend process that is killed (SIGKILL) under load: every order that it acknowledged is there when it comes back.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::kitchen::FakeKitchen;
use super::support::wait_for;
use brigade::tls::Dialer;

/// A process, killed when it is dropped.
struct Process(Child, String);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(database: &str) -> Option<Process> {
    // Not there where the suite runs without the program.
    let program = option_env!("CARGO_BIN_EXE_brigade")?;
    let mut command = Command::new(program);
    command.args(["backend", "--listen", "127.0.0.1:0", "--database", database]);
    command.env("BRIGADE_BACKEND_OPERATOR_TOKEN", "op").env("RUST_LOG", "error").stdout(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listens at ").expect("it says where it listens").to_owned();
    Some(Process(child, url))
}

/// Places orders until the backend is gone; those that it acknowledged.
async fn place(url: String, round: usize, client: usize, count: Arc<AtomicUsize>) -> BTreeSet<String> {
    let http = Dialer::plain().http().build().expect("a client");
    let mut acknowledged = BTreeSet::new();
    for n in 0.. {
        let order = format!("r{round}-{client}-{n}");
        let request = http.put(format!("{url}/v1/orders/{order}")).bearer_auth("op");
        match request.json(&json!({ "items": ["margherita"] })).send().await {
            Ok(response) if response.status() == StatusCode::CREATED => {
                acknowledged.insert(order);
                count.fetch_add(1, Relaxed);
            }
            Ok(response) => panic!("{order}: {}", response.text().await.unwrap_or_default()),
            Err(_) => break,
        }
    }
    acknowledged
}

async fn exchange(url: &str, token: &str, kitchen: &mut FakeKitchen) {
    let call = Dialer::plain()
        .http()
        .build()
        .expect("a client")
        .post(format!("{url}/v1/kitchens/k1/exchange"))
        .bearer_auth(token);
    let answer = call.json(&kitchen.request()).send().await.unwrap().error_for_status().unwrap();
    kitchen.hear(&answer.json().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_is_killed_forgets_no_order_that_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", dir.path().join("brigade.db").display());
    let Some(first) = start(&database) else { return };
    let http = Dialer::plain().http().build().expect("a client");
    let registered = http.put(format!("{}/v1/kitchens/k1", first.1)).bearer_auth("op").json(&json!({})).send().await;
    let registered: Value = registered.unwrap().json().await.unwrap();
    let token = registered["token"].as_str().unwrap().to_owned();
    let mut kitchen = FakeKitchen::new("k1");
    // It makes a hundred thousand pizzas an hour, so that it is never full.
    kitchen.report.limit_milli_per_hour = Some(100_000_000);
    let (mut acknowledged, mut process) = (BTreeSet::new(), Some(first));
    for round in 0..5 {
        let mut running = process.take().or_else(|| start(&database)).unwrap();
        exchange(&running.1, &token, &mut kitchen).await;
        let count = Arc::new(AtomicUsize::new(0));
        let client = |n| tokio::spawn(place(running.1.clone(), round, n, count.clone()));
        let clients: Vec<_> = (0..8).map(client).collect();
        wait_for("some orders", || async { count.load(Relaxed) > 40 + 13 * round }).await;
        running.0.kill().unwrap();
        for client in clients {
            acknowledged.extend(client.await.unwrap());
        }
    }
    assert!(acknowledged.len() > 100, "only {} were acknowledged: this proves little", acknowledged.len());
    let last = start(&database).unwrap();
    for order in &acknowledged {
        let found = http.get(format!("{}/v1/orders/{order}", last.1)).bearer_auth("op").send().await.unwrap();
        assert_eq!(found.status(), StatusCode::OK, "{order} is gone");
    }
    // And all of them, each once, reach the kitchen.
    exchange(&last.1, &token, &mut kitchen).await;
    let held: BTreeSet<String> = kitchen.held.keys().map(ToString::to_string).collect();
    assert!(acknowledged.is_subset(&held));
}
