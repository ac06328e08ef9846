//! Figures with a million archived orders, printed: how long a replica takes to start again, and how long another one takes to stand in the place
//! of a lost one. `make figures-archive`; ignored otherwise, as it takes minutes and some 15 GB of disk. Passes if the limits are kept.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rocksdb::WriteBatch;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::kitchen::{Command, NodeId};

use super::backup::CopyFile;
use super::fatal::Fatal;
use super::store::{ARCHIVE, Store};
use super::{Options, Peer, RaftNode, server};

/// As many as a busy site's clients, and more.
const WRITERS: u64 = 16;
const ORDERS: u64 = 1_000_000;
/// So long an ended order of one or two pizzas is in the archive, and its line of the food-safety record.
const ROW_BYTES: [usize; 2] = [1_000, 1_300];
const SNAPSHOT_EVERY: u64 = 100;
const RESTART_LIMIT: Duration = Duration::from_secs(2);
const REPLACE_LIMIT: Duration = Duration::from_secs(60);

struct Site {
    dir: tempfile::TempDir,
    addresses: BTreeMap<NodeId, SocketAddr>,
    running: BTreeMap<NodeId, (RaftNode, CancellationToken)>,
    snapshot_every: u64,
}

const FOUNDERS: [NodeId; 3] = [1, 2, 3];

impl Site {
    /// Three nodes that run, with a million orders each.
    async fn founded(snapshot_every: u64) -> Self {
        let mut addresses = BTreeMap::new();
        let mut held = vec![];
        for id in 1..=4 {
            held.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
            addresses.insert(id, held.last().unwrap().local_addr().unwrap());
        }
        drop(held);
        let dir = std::env::var_os("FIGURES_DIR").map_or_else(tempfile::tempdir, tempfile::tempdir_in).unwrap();
        let mut site = Self { dir, addresses, running: BTreeMap::new(), snapshot_every };
        for id in FOUNDERS {
            site.run(id, &FOUNDERS).await;
        }
        site.write(1).await;
        for id in FOUNDERS {
            site.stop(id).await;
            let (dir, began) = (site.dir(id), Instant::now());
            tokio::task::spawn_blocking(move || fill(&dir)).await.unwrap();
            println!("node {id}: {ORDERS} orders written in {:?}", began.elapsed());
        }
        for id in FOUNDERS {
            let took = site.run(id, &FOUNDERS).await;
            println!("node {id}: started in {took:?}, {} MB", bytes_in(&site.dir(id)) >> 20);
        }
        site
    }

    /// Entries a second that so many writers get through, one after the other each, for so long or until `is_over`.
    async fn throughput(&self, span: Duration, is_over: impl Fn() -> bool) -> f64 {
        let (leader, began, done) = (self.leader().await, Instant::now(), Arc::new(AtomicU64::new(0)));
        let over = CancellationToken::new();
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                let (leader, done, over) = (leader.clone(), done.clone(), over.clone());
                tokio::spawn(async move {
                    while !over.is_cancelled() {
                        let command =
                            Command::HoldZone { zone: "a".to_owned(), held: true, actor: "figures".to_owned() };
                        done.fetch_add(u64::from(leader.propose(command, None).await.is_ok()), Ordering::Relaxed);
                    }
                })
            })
            .collect();
        while began.elapsed() < span && !is_over() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let rate = done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
        over.cancel();
        for writer in writers {
            writer.await.unwrap();
        }
        rate
    }

    fn dir(&self, id: NodeId) -> PathBuf {
        self.dir.path().join(format!("node{id}"))
    }

    /// Starts a node that knows these; returns when it knows a leader, if there is to be one.
    async fn run(&mut self, id: NodeId, known: &[NodeId]) -> Duration {
        let peer = |id: &NodeId| (*id, Peer { peer: self.addresses[id].to_string(), api: String::new() });
        let mut options = Options::new("figures", id, self.dir(id), known.iter().map(peer).collect());
        // So that the newcomer gets a snapshot: the log does not go back to its beginning.
        (options.snapshot_every, options.log_keep) = (self.snapshot_every, 0);
        let listener = TcpListener::bind(self.addresses[&id]).await.unwrap();
        let began = Instant::now();
        let node = RaftNode::start(options).await.unwrap();
        let took = began.elapsed();
        let stop = CancellationToken::new();
        let (router, stopped) = (server::router(node.clone(), stop.clone()), stop.clone().cancelled_owned());
        tokio::spawn(axum::serve(listener, router).with_graceful_shutdown(stopped).into_future());
        node.bootstrap().await.unwrap();
        self.running.insert(id, (node, stop));
        took
    }

    async fn stop(&mut self, id: NodeId) {
        let (node, stop) = self.running.remove(&id).unwrap();
        node.shutdown().await;
        stop.cancel();
    }

    async fn leader(&self) -> RaftNode {
        loop {
            let leads = |node: &&RaftNode| node.is_leading() && node.quorum_age_ms().is_some_and(|age| age < 300);
            if let Some(node) = self.running.values().map(|(node, _)| node).find(leads) {
                return node.clone();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn write(&self, entries: u64) {
        let command = Command::TakeCharge { node: 1, incarnation: 1, gap_measured: false, kitchen: String::new() };
        let mut left = entries;
        while left > 0 {
            // A machine that writes gigabytes may elect another leader meanwhile.
            left -= u64::from(self.leader().await.propose(command.clone(), None).await.is_ok());
        }
    }
}

/// Rows as long as apply would write them, and as hard to compress as text with ids and times is.
fn fill(dir: &Path) {
    let store = Store::open(&dir.join("db"), false, Fatal::default()).unwrap();
    let mut chance = 1_u64;
    let mut text = |length: usize| {
        let mut text = Vec::with_capacity(length + 16);
        while text.len() < length {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.extend(b"attempt-of-");
            text.extend((chance >> 44).to_string().bytes());
        }
        text
    };
    for (prefix, length) in [b'f', b'o'].into_iter().zip([ROW_BYTES[1], ROW_BYTES[0]]) {
        for chunk in 0..ORDERS / 1_000 {
            let mut batch = WriteBatch::default();
            for n in chunk * 1_000..(chunk + 1) * 1_000 {
                let key = [&[prefix, b'/'], &n.to_be_bytes()[..]].concat();
                batch.put_cf(store.cf(ARCHIVE), key, text(length));
            }
            store.write(batch).unwrap();
        }
    }
    store.sync().unwrap();
}

fn bytes_in(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|e| if e.path().is_dir() { bytes_in(&e.path()) } else { e.metadata().map_or(0, |m| m.len()) }).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a figure: minutes, and 15 GB"]
async fn a_million_archived_orders_hold_up_neither_a_restart_nor_a_replacement() {
    let mut site = Site::founded(SNAPSHOT_EVERY).await;
    let founders = FOUNDERS;
    let began = Instant::now();
    site.write(SNAPSHOT_EVERY + SNAPSHOT_EVERY / 2).await;
    let is_cut = |node: &RaftNode| node.status().purged.is_some_and(|index| index > 0);
    while !site.running.values().all(|(node, _)| is_cut(node)) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("three snapshots at once in {:?}, {} MB with it", began.elapsed(), bytes_in(&site.dir(1)) >> 20);
    let mut longest = Duration::ZERO;
    for id in founders {
        site.stop(id).await;
    }
    for id in founders {
        let took = site.run(id, &founders).await;
        println!("node {id}: started again, with its snapshot, in {took:?}");
        longest = longest.max(took);
    }
    site.write(1).await;
    let leader = site.leader().await;
    let lost = founders.into_iter().find(|id| *id != leader.node_id()).unwrap();
    site.stop(lost).await;
    std::fs::remove_dir_all(site.dir(lost)).unwrap();
    let began = Instant::now();
    site.run(4, &[leader.node_id(), 4]).await;
    let peer = Peer { peer: site.addresses[&4].to_string(), api: String::new() };
    // As `ctl` does: a machine that writes gigabytes may elect another leader meanwhile.
    while let Err(error) = site.leader().await.replace(lost, 4, peer.clone()).await {
        println!("asked again: {error}");
    }
    let replaced = began.elapsed();
    println!("node {lost} replaced by node 4 in {replaced:?}, {} MB", bytes_in(&site.dir(4)) >> 20);
    let newcomer = &site.running[&4].0;
    let last = newcomer.archive_page_back(None, 1).unwrap();
    assert!(!last.is_empty() && last == site.leader().await.archive_page_back(None, 1).unwrap());
    for id in site.running.keys().copied().collect::<Vec<_>>() {
        site.stop(id).await;
    }
    assert!(longest < RESTART_LIMIT, "{longest:?}");
    assert!(replaced < REPLACE_LIMIT, "{replaced:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a figure: minutes, and 10 GB"]
async fn a_copy_of_a_million_archived_orders_leaves_most_of_the_throughput() {
    let mut site = Site::founded(u64::MAX / 4).await;
    let long = Duration::from_secs(10);
    for who in ["the one in charge", "a follower"] {
        let before = site.throughput(long, || false).await;
        let leader = site.leader().await.node_id();
        let node = FOUNDERS.into_iter().find(|id| (*id == leader) == (who != "a follower")).unwrap();
        let (node, path) = (site.running[&node].0.clone(), site.dir.path().join("copy"));
        let began = Instant::now();
        let copy = std::thread::spawn(move || node.back_up(CopyFile::create(&path).unwrap()).unwrap().sync_all());
        let during = site.throughput(Duration::from_secs(600), || copy.is_finished()).await;
        let took = began.elapsed();
        let bytes = std::fs::metadata(site.dir.path().join("copy")).unwrap().len();
        let after = site.throughput(long, || false).await;
        let usual = (before + after) / 2.0;
        println!(
            "a copy of {} MB from {who} in {took:?}: {during:.0} entries a second with {WRITERS} writers, {before:.0} before and {after:.0} after: {:.0} %",
            bytes >> 20,
            100.0 * during / usual
        );
    }
    for id in FOUNDERS {
        site.stop(id).await;
    }
}
