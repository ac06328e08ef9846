//! Two instances over one database: what one does, the other one knows, and no order is ever in two kitchens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use brigade::protocol::Id;
use brigade::protocol::exchange::{Held, Progress};
use serde_json::Value;

use super::support::{Kind, Line, Site, wait_for};

async fn site() -> Option<Site> {
    Site::open(Kind::Postgres).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_placed_at_one_instance_reaches_a_kitchen_that_waits_at_the_other() {
    let Some(site) = site().await else { return };
    let second = site.another().await;
    let mut line = site.first.register("k1").await;
    wait_for("the other instance knows the kitchen", || async {
        second.get("/v1/menu").await["items"].as_array().is_some_and(|items| !items.is_empty())
    })
    .await;
    let began = std::time::Instant::now();
    let (answer, placed) = tokio::join!(line.turn(12_000), second.place("o1"));
    assert_eq!(placed.0.as_u16(), 201);
    assert_eq!(answer.assignments.len(), 1);
    assert!(began.elapsed().as_millis() < 2_000, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_and_a_start_at_the_same_moment_leave_one_truth() {
    let Some(site) = site().await else { return };
    let second = site.another().await;
    let mut line = site.first.register("k1").await;
    line.kitchen.report.limit_milli_per_hour = Some(6_000_000);
    line.turn(0).await;
    let orders: Vec<String> = (0..60).map(|n| format!("o{n}")).collect();
    for order in &orders {
        assert!(site.first.place(order).await.0.is_success());
    }
    line.turn(0).await;
    line.turn(0).await;
    line.kitchen.work();
    let cancel = |order: &String| {
        let path = format!("/v1/orders/{order}/cancellation");
        let second = &second;
        async move { second.post(&path, &serde_json::json!({})).await }
    };
    let (cancelled, _) = tokio::join!(futures::future::join_all(orders.iter().map(cancel)), line.turn(0));
    assert!(cancelled.iter().all(|(status, _)| status.is_success()), "{cancelled:?}");
    let mut begun = 0;
    for order in &orders {
        let row = second.get(&format!("/v1/orders/{order}")).await;
        let is_begun = line.kitchen.begun.iter().any(|held| held.order.as_str() == order);
        let expected = if is_begun { "STARTING" } else { "CANCELLED" };
        assert_eq!((row["status"].as_str(), &row["cancel_requested"]), (Some(expected), &Value::Bool(true)), "{row}");
        begun += usize::from(is_begun);
    }
    eprintln!("{begun} of {} had begun", orders.len());
}

/// A kitchen that works, loses answers, returns orders, falls silent until its order is moved, and changes between the instances.
async fn cook(mut line: Line, urls: [String; 2], client: String, seed: usize, stop: Arc<AtomicBool>) -> Line {
    let mut turn = seed;
    while !stop.load(Ordering::Relaxed) {
        turn = turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        line.url.clone_from(&urls[(turn >> 33) % 2]);
        let accepted = line.kitchen.held.iter().find(|(_, mine)| mine.progress == Progress::Accepted);
        match ((turn >> 40) % 10, accepted.map(|(order, _)| order.clone())) {
            // What it heard is lost, and what it says is repeated.
            (0, _) => drop(line.send(&line.kitchen.request(), 0).await),
            (1 | 2, Some(order)) => line.kitchen.tell(&order, Progress::Returned),
            (3, Some(order)) => wait_until_moved(&line, &client, &order).await,
            _ => line.kitchen.work(),
        }
        line.turn(20).await;
    }
    line
}

/// Says nothing until the order is another kitchen's, or for four seconds: an instance looks every second, and must have seen the same beat twice.
async fn wait_until_moved(line: &Line, client: &str, order: &Id) {
    let until = Instant::now() + Duration::from_secs(4);
    let mut revision = 0;
    while Instant::now() < until {
        let url = format!("{}/v1/orders/{order}?after_revision={revision}&wait=1", line.url);
        let row: Value = line.http.get(url).bearer_auth(client).send().await.unwrap().json().await.unwrap();
        revision = row["revision"].as_u64().unwrap();
        if row["kitchen"] != line.kitchen.id.as_str() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_never_in_two_kitchens() {
    let Some(mut site) = site().await else { return };
    // Leases of 0.3 s and a margin of 0.1 s, so that moves happen all the time. The kitchens' clocks stand still, so that theirs never end: only
    // STARTING keeps them apart, which is the harder case.
    (site.options.lease_ms, site.options.margin_ms, site.options.unreachable_ms) = (300, 100, 150);
    let [one, two] = [site.another().await, site.another().await];
    let urls = [one.url.clone(), two.url.clone()];
    let stop = Arc::new(AtomicBool::new(false));
    let mut cooks = Vec::new();
    for n in 0..6 {
        let line = one.register(&format!("k{n}")).await;
        cooks.push(tokio::spawn(cook(line, urls.clone(), one.client.clone(), n + 1, stop.clone())));
    }
    one.backend.round().await.unwrap();
    two.backend.round().await.unwrap();
    let place = |n: u32| {
        let at = [&one, &two][n as usize % 2];
        async move { at.place(&format!("o{n}")).await.0.is_success() }
    };
    let mut placed = Vec::new();
    for block in 0..20 {
        let numbers: Vec<u32> = (block * 10..block * 10 + 10).collect();
        let results = futures::future::join_all(numbers.iter().map(|n| place(*n))).await;
        placed.extend(numbers.into_iter().zip(results).filter(|(_, ok)| *ok).map(|(n, _)| n));
    }
    assert!(placed.len() > 50, "only {} of 200 were taken", placed.len());
    wait_for("every order ends", || async {
        one.get("/v1/orders?status=open&limit=1").await["items"].as_array().is_some_and(Vec::is_empty)
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    let lines: Vec<Line> = futures::future::join_all(cooks).await.into_iter().map(Result::unwrap).collect();
    let mut begun: BTreeMap<Held, Vec<String>> = BTreeMap::new();
    for line in &lines {
        for held in &line.kitchen.begun {
            begun.entry(held.clone()).or_default().push(line.kitchen.id.to_string());
        }
    }
    let (mut given, mut moved) = (0, 0);
    for n in &placed {
        let order = format!("o{n}");
        let history = one.get(&format!("/v1/orders/{order}/history")).await;
        let lines = history["items"].as_array().unwrap();
        judge(&order, lines);
        given +=
            lines.iter().filter(|line| line["assignment"].as_u64() > Some(1) && line["status"] == "ASSIGNED").count();
        moved += lines.iter().filter(|line| line["what"].as_str().is_some_and(|w| w.starts_with("moved"))).count();
        let kitchens: Vec<&String> =
            begun.iter().filter(|(held, _)| held.order.as_str() == order).flat_map(|(_, k)| k).collect();
        assert_eq!(kitchens.len(), 1, "{order} was begun by {kitchens:?}: {history}");
    }
    let seen = format!("{} taken, {given} given to a second kitchen, {moved} of them moved", placed.len());
    assert!(given > 5 && moved > 0, "this proves little: {seen}");
}

/// One order's history: revisions without gap, one kitchen for each assignment, one end.
fn judge(order: &str, lines: &[Value]) {
    let mut owner: BTreeMap<u64, String> = BTreeMap::new();
    for (i, line) in lines.iter().enumerate() {
        assert_eq!(line["revision"].as_u64(), Some(i as u64 + 1), "{order}: {lines:?}");
        if let Some(kitchen) = line["kitchen"].as_str() {
            let assignment = line["assignment"].as_u64().unwrap();
            let before = owner.insert(assignment, kitchen.to_owned());
            assert!(before.is_none_or(|before| before == kitchen), "{order} has two kitchens: {lines:?}");
        }
    }
    let begun: Vec<u64> =
        lines.iter().filter(|l| l["status"] == "STARTING").filter_map(|l| l["assignment"].as_u64()).collect();
    assert!(begun.windows(2).all(|pair| pair[0] == pair[1]), "{order} was begun under two assignments: {lines:?}");
    assert_eq!(lines.last().map(|l| l["status"] == "READY"), Some(true), "{order}: {lines:?}");
}
