//! Elections, replication, restarts, and what a follower or a leader without majority says.

use brigade::kitchen::{Command, Epoch, Reply};
use brigade::raft::{ProposeError, Role};
use futures::FutureExt;

use super::support::{Cluster, command, wait_for};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_replicas_elect_replicate_and_survive_the_leaders_end() {
    let mut cluster = Cluster::start(3, |_| ()).await;
    let first = cluster.write().await;
    cluster.applied(first.index).await;
    let old = cluster.leader().await.node_id();
    cluster.stop(old).await;
    let second = cluster.write().await;
    assert!(second.index > first.index);
    assert_ne!(cluster.leader().await.node_id(), old);
    let back = cluster.run(old).await.unwrap();
    cluster.applied(second.index).await;
    let leader = cluster.leader().await;
    assert_eq!(*back.kitchen(), *leader.kitchen());
    cluster.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_all_brings_back_the_same_state() {
    let mut cluster = Cluster::start(3, |_| ()).await;
    let mut last = cluster.write().await;
    for _ in 0..20 {
        last = cluster.write().await;
    }
    cluster.applied(last.index).await;
    let before = cluster.node(1).kitchen().clone();
    cluster.stop_all().await;
    for id in 1..=3 {
        let node = cluster.run(id).await.unwrap();
        assert_eq!(*node.kitchen(), before, "node {id} loads its rows");
        assert!(node.applied_index() >= last.index);
        assert!(!node.gap_measured(), "nobody measured how long all were down");
    }
    let leader = cluster.leader().await;
    let (epoch, index) = leader.take_charge(1).await.unwrap();
    assert_eq!(epoch, Epoch::new(1, index));
    assert!(index > last.index);
    // Who proposed is answered a moment before everybody else sees the index.
    cluster.applied(index).await;
    assert!(leader.gap_measured());
    assert!(leader.now() >= before.now());
    cluster.stop_all().await;
}

/// What is proposed in the same moment goes into the log as one write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_propose_at_once_each_is_told_of_his_own() {
    let mut cluster = Cluster::start(1, |_| ()).await;
    let node = cluster.node(1).clone();
    let hold = |zone: usize| Command::HoldZone { zone: format!("zone-{zone}"), held: true, actor: "ann".to_owned() };
    let twice = (0..200).map(|n| node.propose(hold(n / 2), None));
    let answered = futures::future::join_all(twice).await.into_iter().map(|proposed| proposed.unwrap());
    let (mut last, mut replies) = (0, Vec::new());
    for proposed in answered {
        assert!(proposed.index > last, "in the order in which they were proposed");
        last = proposed.index;
        replies.push(proposed.reply);
    }
    let wanted: Vec<Reply> = (0..100).flat_map(|_| [Reply::Done, Reply::Unchanged]).collect();
    assert_eq!(replies, wanted);
    assert_eq!(node.with_kitchen(|kitchen| kitchen.meta().held_zones.len()), 100);
    cluster.stop_all().await;
}

/// On one thread: nothing goes on while it is asked.
#[tokio::test]
async fn the_entry_of_who_gave_up_waiting_is_in_the_log_and_the_next_one_is_told_of_his_own() {
    let mut cluster = Cluster::start(1, |_| ()).await;
    let node = cluster.node(1).clone();
    let hold = |zone: &str| Command::HoldZone { zone: zone.to_owned(), held: true, actor: "ann".to_owned() };
    let gave_up = node.propose(hold("zone-1"), None).now_or_never();
    assert!(gave_up.is_none(), "nobody waits for it any more");
    let told = futures::future::join(node.propose(hold("zone-1"), None), node.propose(hold("zone-2"), None)).await;
    assert_eq!((told.0.unwrap().reply, told.1.unwrap().reply), (Reply::Unchanged, Reply::Done));
    assert_eq!(node.with_kitchen(|kitchen| kitchen.meta().held_zones.len()), 2, "and so did who gave up");
    cluster.stop_all().await;
}

/// Entries that are applied together are written together, and only the last state of a row is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_many_wrote_at_once_is_loaded_as_it_was() {
    let mut cluster = Cluster::start(1, |_| ()).await;
    let node = cluster.node(1).clone();
    let writes = (0..200).map(|_| node.propose(command(), None));
    let written = futures::future::join_all(writes).await;
    let last = written.into_iter().map(|proposed| proposed.unwrap().index).max().unwrap();
    let before = node.kitchen().clone();
    assert_eq!(before.meta().index, last);
    drop(node);
    cluster.stop(1).await;
    assert_eq!(*cluster.run(1).await.unwrap().kitchen(), before);
    cluster.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bootstrap_on_every_node_founds_one_cluster() {
    let mut cluster = Cluster::start(3, |_| ()).await;
    let index = cluster.write().await.index;
    for id in 1..=3 {
        assert!(!cluster.node(id).bootstrap().await.unwrap());
    }
    assert_eq!(cluster.leader().await.status().voters.len(), 3);
    assert!(cluster.write().await.index > index);
    cluster.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_names_the_leader_and_reads_linearizably() {
    let mut cluster = Cluster::start(3, |_| ()).await;
    let index = cluster.write().await.index;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    match follower.propose(command(), None).await {
        Err(ProposeError::NotLeader { leader: Some(named) }) => {
            assert_eq!(named.node, leader.node_id());
            assert_eq!(named.api, format!("api-of-{}", leader.node_id()));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(follower.quorum_age_ms(), None);
    assert!(follower.read_barrier().await.unwrap() >= index);
    assert!(follower.applied_index() >= index);
    assert!(leader.read_barrier().await.unwrap() >= index);
    cluster.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_without_majority_ages_and_takes_no_entry() {
    let mut cluster =
        Cluster::start(3, |options| options.propose_limit = std::time::Duration::from_millis(1_500)).await;
    cluster.write().await;
    let leader = cluster.leader().await;
    for id in (1..=3).filter(|id| *id != leader.node_id()) {
        cluster.stop(id).await;
    }
    wait_for("an old acknowledgement", || leader.quorum_age_ms().filter(|age| *age > 1_000)).await;
    assert!(leader.is_leading(), "it goes on calling itself leader: only the age tells");
    assert_eq!(leader.propose(command(), None).await, Err(ProposeError::NoQuorum));
    assert!(leader.read_barrier().await.is_err());
    assert!(leader.take_charge(1).await.is_err());
    cluster.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_is_handed_over_on_request() {
    let mut cluster = Cluster::start(3, |_| ()).await;
    let index = cluster.write().await.index;
    cluster.applied(index).await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let new = leader.transfer_leadership(Some(follower.node_id())).await.unwrap();
    assert_ne!(new, leader.node_id());
    wait_for("the former leader follows", || (leader.status().role == Role::Follower).then_some(())).await;
    assert!(leader.transfer_leadership(None).await.is_err());
    assert!(cluster.write().await.index > index);
    cluster.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn observers_see_every_entry_once_and_in_order_on_every_replica() {
    let mut cluster = Cluster::start(3, |_| ()).await;
    let mut observers: Vec<_> = (1..=3).map(|id| cluster.node(id).subscribe_events()).collect();
    let mut written = vec![];
    for _ in 0..10 {
        written.push(cluster.write().await);
    }
    for (observer, id) in observers.iter_mut().zip(1..) {
        let mut with_events = vec![];
        for proposed in &written {
            let observed = observer.recv().await.unwrap();
            assert_eq!(observed, proposed.observed);
            with_events.extend((!observed.events.is_empty()).then(|| (*observed).clone()));
        }
        let first = written[0].index;
        assert_eq!(cluster.node(id).events_after(first - 1, 100).unwrap(), with_events);
    }
    cluster.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_replica_alone_serves_and_restarts() {
    let mut cluster = Cluster::start(1, |_| ()).await;
    let index = cluster.write().await.index;
    assert_eq!(cluster.node(1).quorum_age_ms(), Some(0));
    cluster.stop(1).await;
    cluster.run(1).await.unwrap();
    assert!(cluster.write().await.index > index);
    cluster.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_replica_takes_the_place_of_a_lost_one() {
    let mut cluster = Cluster::reserve(4, |_| ()).await;
    cluster.found([1, 2, 3]).await;
    let lost = cluster.follower().await.node_id();
    cluster.stop(lost).await;
    let newcomer = cluster.run(4).await.unwrap();
    assert!(!newcomer.bootstrap().await.unwrap());
    let leader = cluster.leader().await;
    leader.join(4, newcomer.options().peers[&4].clone()).await.unwrap();
    leader.leave(lost).await.unwrap();
    let index = cluster.write().await.index;
    cluster.applied(index).await;
    assert_eq!(*newcomer.kitchen(), *leader.kitchen());
    let voters: Vec<_> = leader.status().voters.into_keys().collect();
    assert_eq!(voters, (1..=4).filter(|id| *id != lost).collect::<Vec<_>>());
    cluster.stop_all().await;
}
