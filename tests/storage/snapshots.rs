//! A replica that is far behind is brought up by a snapshot; a damaged one is refused.

use std::fs;
use std::path::PathBuf;

use brigade::kitchen::NodeId;
use brigade::raft::{Options, Refused};
use brigade::tls::Dialer;

use super::support::{Cluster, wait_for};

fn small_log(options: &mut Options) {
    options.snapshot_every = 40;
    options.log_keep = 5;
}

fn snapshots(cluster: &Cluster, id: NodeId) -> Vec<PathBuf> {
    let Ok(files) = fs::read_dir(cluster.dir(id).join("snapshots")) else { return vec![] };
    let files = files.map(|file| file.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|e| e == "snapshot")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_was_away_is_brought_up_by_a_snapshot_and_is_equal() {
    let mut cluster = Cluster::start(3, small_log).await;
    let away = cluster.follower().await.node_id();
    cluster.stop(away).await;
    let mut last = 0;
    for _ in 0..200 {
        last = cluster.write().await.index;
    }
    let leader = cluster.leader().await;
    wait_for("a purge", || leader.status().purged.filter(|index| *index > 100)).await;
    assert!(snapshots(&cluster, away).is_empty());
    let back = cluster.run(away).await.unwrap();
    cluster.applied(last).await;
    assert!(!snapshots(&cluster, away).is_empty(), "it came by a snapshot");
    assert_eq!(*back.kitchen(), *leader.kitchen());
    assert!(back.events_after(1, 10).is_err(), "its ring starts at the snapshot, and says so");
    let next = cluster.write().await;
    cluster.applied(next.index).await;
    cluster.stop(away).await;
    let again = cluster.run(away).await.unwrap();
    assert!(again.applied_index() >= last);
    cluster.applied(next.index).await;
    assert_eq!(*again.kitchen(), *leader.kitchen());
    cluster.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_snapshot_is_refused_and_leaves_no_file() {
    let mut cluster = Cluster::start(1, small_log).await;
    cluster.write().await;
    let node = cluster.leader().await;
    node.trigger_snapshot().await.unwrap();
    let path = wait_for("a snapshot", || snapshots(&cluster, 1).pop()).await;
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let request =
        Dialer::plain().http().build().expect("a client").post(format!("http://{}/raft/snapshot", cluster.address(1)));
    let vote = r#"{"leader_id":{"term":99,"node_id":1},"committed":true}"#;
    let request =
        request.header("x-brigade-cluster", "test").header("x-brigade-to", "1").header("x-brigade-vote", vote);
    let request = request.header("x-brigade-from", "9").header("x-brigade-disk", "of-9");
    let response = request.body(bytes).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 422);
    assert!(matches!(response.json::<Refused>().await.unwrap(), Refused::BadSnapshot { .. }));
    let files = fs::read_dir(cluster.dir(1).join("snapshots")).unwrap().count();
    assert_eq!(files, 1, "only the good one is left");
    cluster.write().await;
    cluster.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_was_damaged_on_disk_is_made_again() {
    let mut cluster = Cluster::start(1, small_log).await;
    for _ in 0..120 {
        cluster.write().await;
    }
    wait_for("a snapshot", || snapshots(&cluster, 1).pop()).await;
    cluster.stop(1).await;
    let path = snapshots(&cluster, 1).pop().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    cluster.run(1).await.unwrap();
    cluster.write().await;
    wait_for("a new snapshot", || snapshots(&cluster, 1).pop()).await;
    cluster.stop_all().await;
}
