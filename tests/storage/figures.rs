//! Figures, printed: `cargo test --release --test storage -- --ignored --nocapture figures`. Ignored, as they need a quiet machine.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::{Duration, Instant};

use brigade::raft::{Options, RaftNode};

use super::support::{Cluster, command};

fn usual(options: &mut Options) {
    (options.heartbeat_ms, options.election_min_ms, options.election_max_ms) = (50, 150, 300);
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn sync_median() -> Duration {
    let dir = tempfile::tempdir().unwrap();
    let mut file = OpenOptions::new().create(true).append(true).open(dir.path().join("f")).unwrap();
    let sync = |_| {
        file.write_all(&[7; 256]).unwrap();
        let start = Instant::now();
        file.sync_data().unwrap();
        start.elapsed()
    };
    median((0..500).map(sync).collect())
}

async fn write_median(leader: &RaftNode, writes: usize) -> Duration {
    let mut times = vec![];
    for _ in 0..writes {
        let start = Instant::now();
        leader.propose(command(), None).await.unwrap();
        times.push(start.elapsed());
    }
    median(times)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a quiet machine"]
async fn a_write_takes_at_most_eight_syncs() {
    let before = sync_median();
    let mut cluster = Cluster::start(3, usual).await;
    let leader = cluster.leader().await;
    write_median(&leader, 200).await;
    let write = write_median(&leader, 1_000).await;
    // The faster of the two measurements: the stricter limit.
    let sync = sync_median().min(before);
    println!("fdatasync median {sync:?} (before {before:?}), write median {write:?}: {:.1} syncs", ratio(write, sync));
    for clients in [16, 64] {
        let start = Instant::now();
        let tasks = (0..clients).map(|_| {
            let leader = leader.clone();
            tokio::spawn(async move { write_median(&leader, 200).await })
        });
        let medians = futures::future::join_all(tasks.collect::<Vec<_>>()).await;
        let rate = (clients * 200) as f64 / start.elapsed().as_secs_f64();
        println!("{clients} clients: {rate:.0} writes/s, median {:?}", median(medians.into_iter().flatten().collect()));
    }
    assert!(write <= sync * 8, "{write:?} is more than eight times {sync:?}");
    cluster.stop_all().await;
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a quiet machine"]
async fn the_quorum_age_of_a_healthy_leader_stays_low() {
    let mut cluster = Cluster::start(3, usual).await;
    let leader = cluster.leader().await;
    let end = Instant::now() + Duration::from_secs(5);
    let mut ages = vec![];
    while Instant::now() < end {
        ages.push(leader.quorum_age_ms().unwrap_or(u64::MAX));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    ages.sort_unstable();
    let at = |share: f64| ages[((ages.len() - 1) as f64 * share) as usize];
    println!("quorum age ms: median {}, p99 {}, max {}", at(0.5), at(0.99), at(1.0));
    cluster.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a quiet machine"]
async fn a_leaders_end_costs_less_than_a_second() {
    for way in ["shutdown", "transfer"] {
        let mut times = vec![];
        for _ in 0..5 {
            let mut cluster = Cluster::start(3, usual).await;
            cluster.write().await;
            let leader = cluster.leader().await;
            let start = Instant::now();
            match way {
                "shutdown" => cluster.stop(leader.node_id()).await,
                _ => drop(leader.transfer_leadership(None).await.unwrap()),
            }
            cluster.write().await;
            times.push(start.elapsed());
            cluster.stop_all().await;
        }
        println!("{way} to the next committed write: median {:?}", median(times));
    }
}
