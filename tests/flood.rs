//! Very many callers at once, against a controller process: bad requests, connections that never get to the point, and followers of events.
//! Orders go on, and memory stays bounded. The figures are printed (`--nocapture`); docs/api.md has those of one machine.

mod process;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use brigade::tls::Dialer;
use process::{Kitchen, PATIENCE, wait_for};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const BAD_REQUESTS: usize = 10_000;
const SLOW_CALLERS: usize = 1_000;
const FOLLOWERS: usize = 1_000;
/// A slow caller says a byte this often.
const DRIP: Duration = Duration::from_millis(200);
/// A guest orders this often: more than any kitchen of this size has.
const ORDER_EVERY: Duration = Duration::from_millis(20);
/// What all of that may cost, in MiB: hyper's buffers for a thousand connections, and what the allocator keeps.
const MORE_MIB_MAX: f64 = 150.0;
/// What telling a thousand followers of a hundred orders may cost, in milliseconds of a processor: a sixth of that is usual, and more than it where
/// each follower reads the database and writes its messages out itself.
const FOLLOWERS_MS_MAX: u64 = 1_500;
/// Half of all orders are accepted within this while a machine of two cores also plays all the callers.
const ACCEPTED_MS_MAX: u64 = 2_000;

/// Resident memory of the controller, in MiB.
fn resident_mib(kitchen: &Kitchen) -> f64 {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", kitchen.process.id())).expect("the controller runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
}

/// Processor time that the controller has used, in milliseconds.
fn busy_ms(kitchen: &Kitchen) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", kitchen.process.id())).expect("the controller runs");
    let fields = stat.rsplit(") ").next().expect("a name comes first").split(' ');
    // utime and stime, the 14th and 15th field; Linux counts them in hundredths of a second.
    fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum::<u64>() * 10
}

fn client() -> reqwest::Client {
    Dialer::plain().http().timeout(Duration::from_secs(30)).build().expect("a client")
}

/// How long orders took to be accepted, in milliseconds.
struct Accepted(Vec<u64>);

impl Accepted {
    fn ms(&self, percent: usize) -> u64 {
        self.0[(self.0.len() - 1) * percent / 100]
    }
}

impl std::fmt::Display for Accepted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} orders accepted: p50 {} ms, p95 {} ms, at most {} ms",
            self.0.len(),
            self.ms(50),
            self.ms(95),
            self.ms(100)
        )
    }
}

/// Places orders one after the other, until there are so many and `go_on` is false. Each must be accepted.
async fn place_orders(api: String, name: &str, at_least: usize, go_on: Arc<AtomicBool>) -> Accepted {
    let (client, mut took) = (client(), Vec::new());
    let mut guests = tokio::time::interval(ORDER_EVERY);
    while took.len() < at_least || go_on.load(Relaxed) {
        guests.tick().await;
        let began = Instant::now();
        let url = format!("{api}/v1/orders/{name}-{}", took.len());
        // A disk that stands still for seconds makes an outcome unknown: it is asked again, as a client does, and the time counts.
        loop {
            let placed = client.put(&url).json(&json!({ "items": ["margherita"] })).send().await.expect("an answer");
            match placed.status().as_u16() {
                200 | 201 => break,
                503 => tokio::time::sleep(ORDER_EVERY).await,
                _ => panic!("{:?}", placed.text().await),
            }
        }
        took.push(began.elapsed().as_millis() as u64);
    }
    took.sort_unstable();
    Accepted(took)
}

/// One of the ways to get it wrong, and the status that says so.
async fn ask_wrongly(client: &reqwest::Client, api: &str, n: usize) {
    let put = |path: &str| client.put(format!("{api}{path}")).header("content-type", "application/json");
    let (request, status) = match n % 9 {
        0 => (put("/v1/orders/bad").body("{\"items\": ["), 400),
        1 => (put("/v1/orders/bad").body("{\"items\": 7}"), 422),
        2 => (put("/v1/orders/bad").body("{\"items\": [\"margherita\"], \"prioritty\": 1}"), 422),
        3 => (client.get(format!("{api}/v9/nothing")), 404),
        4 => (client.patch(format!("{api}/v1/orders/bad")), 405),
        5 => (client.put(format!("{api}/v1/orders/bad")).body("{}"), 415),
        6 => (client.get(format!("{api}/v1/orders?limit=-1")), 400),
        7 => (client.get(format!("{api}/v1/events")).header("last-event-id", "yesterday"), 400),
        // A large body costs its sender most: every ninth of them.
        _ if n % 81 == 8 => (put("/v1/orders/bad").body(vec![b' '; 2 << 20]), 413),
        _ => (put("/v1/orders/%ff").body("{}"), 400),
    };
    match request.send().await {
        Ok(answer) => assert_eq!(answer.status(), status, "{n}"),
        // Who sends megabytes that nobody wants, and is slow, may find the door shut.
        Err(error) => assert!(status == 413, "{n}: {error:?}"),
    }
}

async fn ask_wrongly_very_often(api: String) {
    let next = Arc::new(AtomicU64::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..16 {
        let (api, next, client) = (api.clone(), next.clone(), client());
        workers.spawn(async move {
            loop {
                let n = next.fetch_add(1, Relaxed) as usize;
                if n >= BAD_REQUESTS {
                    return;
                }
                ask_wrongly(&client, &api, n).await;
            }
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended.expect("every wrong request gets its answer");
    }
}

/// Begins a head, a fat head, a body or a large body, and goes on byte by byte, until the server has had enough.
async fn drip(address: String, n: usize) {
    let mut socket = TcpStream::connect(address).await.expect("a place");
    let head = "GET /v1/orders HTTP/1.1\r\nhost: x\r\nx-slow: ";
    let body = "PUT /v1/orders/slow HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    let body = format!("{body}content-length: 1000000\r\n\r\n{{");
    let begun = match n % 4 {
        0 => head.to_owned(),
        1 => format!("{head}{}", "x".repeat(300_000)),
        2 => body,
        _ => format!("{body}{}", " ".repeat(900_000)),
    };
    let mut tick = tokio::time::interval(DRIP);
    let mut rest = [0; 1024];
    if socket.write_all(begun.as_bytes()).await.is_err() {
        return;
    }
    loop {
        tokio::select! {
            _ = tick.tick() => if socket.write_all(b" ").await.is_err() { return },
            read = socket.read(&mut rest) => if !matches!(read, Ok(1..)) { return },
        }
    }
}

#[test]
fn ten_thousand_bad_requests_and_a_thousand_slow_callers_cost_little_memory_and_orders_go_on() {
    let mut kitchen = Kitchen::open().with_devices();
    let (api, address) = (kitchen.api(), kitchen.node.api.clone());
    kitchen.block_on(place_orders(api.clone(), "before", 20, Arc::default()));
    let before = resident_mib(&kitchen);
    let busy = Arc::new(AtomicBool::new(true));
    let (slow, orders, bad) = kitchen.block_on(async {
        let mut slow = JoinSet::new();
        (0..SLOW_CALLERS).for_each(|n| drop(slow.spawn(drip(address.clone(), n))));
        let orders = tokio::spawn(place_orders(api.clone(), "during", 50, busy.clone()));
        (tokio::spawn(slow.join_all()), orders, tokio::spawn(ask_wrongly_very_often(api.clone())))
    });
    let (began, mut took, mut most) = (Instant::now(), None, before);
    // Nobody is waited for longer than 15 s, who sends a head or a body never so slowly.
    wait_for("the bad requests' answers, and that slow callers are sent away", || {
        most = most.max(resident_mib(&kitchen));
        took = took.or_else(|| bad.is_finished().then(|| began.elapsed()));
        (bad.is_finished() && slow.is_finished()).then_some(())
    });
    busy.store(false, Relaxed);
    let orders = kitchen.block_on(async {
        bad.await.expect("all were refused as they should be");
        orders.await.expect("orders go on")
    });
    let after = resident_mib(&kitchen);
    let (took, all) = (took.unwrap_or_default(), began.elapsed());
    println!(
        "{BAD_REQUESTS} bad requests in {took:.1?} beside {SLOW_CALLERS} slow callers, gone after {all:.1?}; {orders}"
    );
    println!("resident memory: {before:.0} MiB before, at most {most:.0} MiB meanwhile, {after:.0} MiB after");
    assert!(orders.ms(50) <= ACCEPTED_MS_MAX, "{orders}");
    assert!(most.max(after) - before < MORE_MIB_MAX, "{before:.0} MiB, then {most:.0} and {after:.0}");
    kitchen.wait_until_ready("during-0");
    kitchen.assert_well();
}

/// Follows the events until this order is accepted; tells how many bytes came.
async fn follow(address: String, until: String, open: Arc<AtomicU64>) -> usize {
    let mut socket = TcpStream::connect(address).await.expect("a place");
    socket.write_all(b"GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("it is sent");
    let (mut text, mut bytes, mut chunk) = (String::new(), 0, vec![0; 16 << 10]);
    loop {
        let read = socket.read(&mut chunk).await.expect("the stream goes on");
        assert!(read > 0, "the stream ended");
        if bytes == 0 {
            assert!(chunk.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&chunk[..read]));
            open.fetch_add(1, Relaxed);
        }
        bytes += read;
        text.push_str(&String::from_utf8_lossy(&chunk[..read]));
        if text.contains(&until) {
            return bytes;
        }
        // What was sought may lie across two chunks.
        text = text.split_off(text.len().saturating_sub(2 * until.len()).min(text.len()));
    }
}

#[test]
fn a_thousand_followers_of_events_hear_of_every_order_and_do_not_hold_orders_up() {
    const ORDERS: usize = 100;
    let mut kitchen = Kitchen::open();
    let (api, address) = (kitchen.api(), kitchen.node.api.clone());
    let idle_ms = busy_ms(&kitchen);
    let alone = kitchen.block_on(place_orders(api.clone(), "alone", ORDERS, Arc::default()));
    let (before, alone_ms) = (resident_mib(&kitchen), busy_ms(&kitchen) - idle_ms);
    let last = format!("\"order\":\"followed-{}\"", ORDERS - 1);
    let open = Arc::new(AtomicU64::new(0));
    let followers = kitchen.block_on(async {
        let mut followers = JoinSet::new();
        (0..FOLLOWERS).for_each(|_| drop(followers.spawn(follow(address.clone(), last.clone(), open.clone()))));
        followers
    });
    wait_for("all the followers", || (open.load(Relaxed) == FOLLOWERS as u64).then_some(()));
    let idle_ms = busy_ms(&kitchen);
    let followed = kitchen.block_on(place_orders(api, "followed", ORDERS, Arc::default()));
    let told = Instant::now();
    let bytes = kitchen.block_on(async { tokio::time::timeout(PATIENCE, followers.join_all()).await });
    let bytes = bytes.expect("each of them hears of the last order");
    let (lag, with, followed_ms) = (told.elapsed(), resident_mib(&kitchen), busy_ms(&kitchen) - idle_ms);
    println!("without followers: {alone}");
    println!("with {FOLLOWERS} followers: {followed}; the last of them heard of the last order {lag:.1?} later");
    println!("processor time of the controller: {alone_ms} ms without them, {followed_ms} ms with them");
    println!("resident memory: {before:.0} MiB without them, {with:.0} MiB with them; {} bytes to each", bytes[0]);
    assert!(followed.ms(50) <= ACCEPTED_MS_MAX, "{followed}");
    assert!(followed_ms < alone_ms + FOLLOWERS_MS_MAX, "{alone_ms} ms without followers, {followed_ms} ms with them");
    assert!(with - before < MORE_MIB_MAX, "{before:.0} MiB, then {with:.0}");
    kitchen.assert_well();
}
