//! Replicas that leave, join and take each other's place, and what is refused because the kitchen would stand still.

use std::time::Duration;

use brigade::raft::MemberError;

use super::support::{Cluster, wait_for};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_voter_leaves_while_too_few_of_the_others_answer() {
    let mut cluster = Cluster::start(3, |_| ()).await;
    cluster.write().await;
    let dead = cluster.follower().await.node_id();
    cluster.stop(dead).await;
    let leader = cluster.leader().await;
    let alive = (1..=3).find(|id| ![dead, leader.node_id()].contains(id)).unwrap();
    wait_for("silence", || (leader.tolerates() == 0).then_some(())).await;
    let refused = leader.leave(alive).await.unwrap_err();
    let voters = (1..=3).filter(|id| *id != alive).collect();
    assert_eq!(refused, MemberError::NoQuorum { missing: vec![dead], voters }, "{refused}");
    assert_eq!(leader.status().voters.len(), 3);
    leader.leave(dead).await.unwrap();
    assert_eq!(leader.status().voters.len(), 2);
    assert_eq!(leader.tolerates(), 0);
    cluster.write().await;
    leader.leave(alive).await.unwrap();
    cluster.write().await;
    cluster.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_replica_is_replaced_in_one_change_that_may_be_cut_short_anywhere() {
    let mut cluster = Cluster::reserve(5, |_| ()).await;
    cluster.found([1, 2, 3]).await;
    let index = cluster.write().await.index;
    cluster.applied(index).await;
    let dead = cluster.follower().await.node_id();
    cluster.stop(dead).await;
    let peer = cluster.options(4).peers[&4].clone();
    let leader = cluster.leader().await;
    // Before the newcomer is there.
    let early = tokio::time::timeout(Duration::from_millis(300), leader.replace(dead, 4, peer.clone())).await;
    assert!(early.is_err(), "{early:?}");
    assert_eq!(leader.status().voters.len(), 3, "the old one has its vote until the new one has caught up");
    assert!(leader.status().learners.contains_key(&4));
    let newcomer = cluster.run(4).await.unwrap();
    // In the middle: both sets of voters decide together, and whoever began it dies.
    let mut status = leader.watch_status();
    tokio::select! {
        biased;
        _ = status.wait_for(|status| status.voters.len() == 4) => {}
        done = leader.replace(dead, 4, peer.clone()) => panic!("the change was over at once: {done:?}"),
    }
    cluster.stop(leader.node_id()).await;
    let second = cluster.run(leader.node_id()).await.unwrap();
    let leader = cluster.leader().await;
    assert_eq!(leader.status().voters.len(), 4, "is this test blind?");
    match leader.replace(dead, 4, peer.clone()).await {
        Ok(()) => {}
        // It was replaced itself meanwhile.
        Err(MemberError::NotLeader) => cluster.leader().await.replace(dead, 4, peer.clone()).await.unwrap(),
        Err(error) => panic!("{error}"),
    }
    let leader = cluster.leader().await;
    leader.replace(dead, 4, peer).await.unwrap();
    let voters: Vec<_> = leader.status().voters.into_keys().collect();
    assert_eq!(voters, (1..=4).filter(|id| *id != dead).collect::<Vec<_>>());
    assert!(leader.status().learners.is_empty());
    let index = cluster.write().await.index;
    cluster.applied(index).await;
    assert_eq!(*newcomer.kitchen(), *second.kitchen());
    cluster.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replacement_that_makes_no_sense_is_refused() {
    let mut cluster = Cluster::reserve(5, |_| ()).await;
    cluster.found([2, 3, 4]).await;
    let index = cluster.write().await.index;
    cluster.applied(index).await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await.node_id());
    let peer = |id| cluster.options(id).peers[&id].clone();
    for (old, new) in [(follower, follower), (leader.node_id(), 5), (9, 5), (follower, 1)] {
        let refused = leader.replace(old, new, peer(new)).await.unwrap_err();
        assert!(matches!(refused, MemberError::Refused(_)), "{old} by {new}: {refused}");
    }
    assert!(matches!(leader.join(1, peer(1)).await, Err(MemberError::Refused(_))), "it would have founded a cluster");
    assert_eq!(leader.status().voters.len(), 3);
    cluster.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_need_both_and_come_back_with_everything() {
    let mut cluster = Cluster::start(2, |options| options.propose_limit = Duration::from_millis(1_500)).await;
    let index = cluster.write().await.index;
    cluster.applied(index).await;
    let leader = cluster.leader().await;
    assert_eq!(leader.tolerates(), 0);
    let other = 3 - leader.node_id();
    cluster.stop(other).await;
    wait_for("an old acknowledgement", || leader.quorum_age_ms().filter(|age| *age > 1_000)).await;
    assert!(leader.take_charge(1).await.is_err(), "one of two decides nothing");
    let refused = leader.leave(other).await.unwrap_err();
    assert!(matches!(refused, MemberError::NoQuorum { .. }), "{refused}");
    cluster.run(other).await.unwrap();
    assert!(cluster.write().await.index > index);
    cluster.stop_all().await;
}
