//! A leader whose process dies is replaced without an election timeout, while its lease lasts: here that is eight seconds.

use std::time::{Duration, Instant};

use brigade::raft::{Options, RaftNode};

use crate::support::{Cluster, command, wait_for};

const LEASE: Duration = Duration::from_secs(8);

fn slow(options: &mut Options) {
    (options.heartbeat_ms, options.election_min_ms, options.election_max_ms) = (100, 4_000, 8_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_whose_process_dies_is_replaced_before_its_lease_ends() {
    let mut cluster = Cluster::start_mortal(3, slow).await;
    let index = cluster.write().await.index;
    cluster.applied(index).await;
    let dead = cluster.leader().await.node_id();
    let killed = Instant::now();
    cluster.kill(dead);
    let next = cluster.leader().await;
    assert!(killed.elapsed() < LEASE, "the lease was waited for");
    assert_ne!(next.node_id(), dead);
    assert!(next.propose(command(), None).await.unwrap().index > index);
    cluster.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_replica_that_is_wrong_about_the_leader_changes_nothing() {
    let mut cluster = Cluster::start_mortal(3, slow).await;
    let leader = cluster.leader().await;
    let term = leader.status().term;
    let index = cluster.write().await.index;
    cluster.applied(index).await;
    let wrong: RaftNode = cluster.follower().await;
    wrong.take_the_place_of(leader.node_id()).await;
    wait_for("a heartbeat", || wrong.leader().is_some_and(|known| known.node == leader.node_id()).then_some(())).await;
    assert!(leader.is_leading());
    assert_eq!(leader.status().term, term, "nobody was even asked for a vote");
    assert!(cluster.write().await.index > index);
    cluster.stop_all().await;
}
