//! A replica that lost, swapped or damaged its memory refuses to start; a stranger is refused by type.

use std::fs;
use std::path::{Path, PathBuf};

use brigade::raft::{Error, IdentityError, ProposeError, RaftNode, Refused};
use brigade::tls::Dialer;

use super::support::{Cluster, command, wait_for};

/// A cluster of one that has stored some entries, stopped.
async fn stopped() -> Cluster {
    let mut cluster = Cluster::start(1, |_| ()).await;
    for _ in 0..20 {
        cluster.write().await;
    }
    cluster.stop(1).await;
    cluster
}

async fn refusal(cluster: &Cluster) -> Error {
    RaftNode::start(cluster.options(1)).await.err().expect("it must refuse")
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn write_ahead_log(dir: &Path) -> PathBuf {
    let files = fs::read_dir(dir.join("db")).unwrap().map(|entry| entry.unwrap().path());
    let logs = files.filter(|path| path.extension().is_some_and(|e| e == "log"));
    logs.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_byte_in_the_log_is_refused() {
    let cluster = stopped().await;
    let path = write_ahead_log(&cluster.dir(1));
    let good = fs::read(&path).unwrap();
    for at in [good.len() / 4, good.len() / 2] {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&path, bad).unwrap();
        let error = refusal(&cluster).await;
        assert!(matches!(error, Error::Database { .. }), "byte {at} of {}: {error}", good.len());
    }
    fs::write(&path, good).unwrap();
    RaftNode::start(cluster.options(1)).await.unwrap().shutdown().await;
}

/// Rows behind the last entry: the log brings them back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_end_behind_all_that_was_answered_for_is_dropped() {
    let mut cluster = Cluster::start(1, |_| ()).await;
    let last = cluster.write().await.index;
    cluster.stop(1).await;
    let path = write_ahead_log(&cluster.dir(1));
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len() - 10;
    bytes[end] ^= 0x10;
    fs::write(&path, bytes).unwrap();
    let node = cluster.run(1).await.unwrap();
    assert!(node.status().last_log >= Some(last), "{:?}", node.status());
    assert!(cluster.write().await.index > last);
    cluster.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wiped_database_is_refused() {
    let cluster = stopped().await;
    fs::remove_dir_all(cluster.dir(1).join("db")).unwrap();
    let error = refusal(&cluster).await;
    assert!(matches!(error, Error::Identity(IdentityError::DatabaseGone { node: 1 })), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_write_ahead_log_is_refused() {
    let cluster = stopped().await;
    fs::remove_file(write_ahead_log(&cluster.dir(1))).unwrap();
    let error = refusal(&cluster).await;
    assert!(matches!(error, Error::Identity(_) | Error::Database { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_copy_of_the_database_is_refused() {
    let mut cluster = stopped().await;
    let (db, copy) = (cluster.dir(1).join("db"), cluster.dir(1).join("copy"));
    copy_dir(&db, &copy);
    cluster.run(1).await.unwrap();
    for _ in 0..5 {
        cluster.write().await;
    }
    cluster.stop(1).await;
    fs::remove_dir_all(&db).unwrap();
    fs::rename(&copy, &db).unwrap();
    let error = refusal(&cluster).await;
    let lost = matches!(error, Error::Identity(IdentityError::VoteLost { .. } | IdentityError::LogLost { .. }));
    assert!(lost, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_without_its_identity_is_refused() {
    let cluster = stopped().await;
    fs::remove_file(cluster.dir(1).join("identity.json")).unwrap();
    let error = refusal(&cluster).await;
    assert!(matches!(error, Error::Identity(IdentityError::IdentityGone)), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_directory_of_another_node_or_cluster_is_refused() {
    let cluster = stopped().await;
    let mut options = cluster.options(1);
    options.cluster = "another".to_owned();
    let error = RaftNode::start(options).await.err().expect("another cluster");
    assert!(matches!(error, Error::Identity(IdentityError::Foreign { node: 1, .. })), "{error}");
    let mut options = cluster.options(1);
    options.peers.insert(2, Default::default());
    options.node_id = 2;
    let error = RaftNode::start(options).await.err().expect("another node");
    assert!(error.to_string().contains("belongs to node 1 of cluster \"test\""), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_of_another_disk_is_refused() {
    let (here, there) = (stopped().await, stopped().await);
    let db = here.dir(1).join("db");
    fs::remove_dir_all(&db).unwrap();
    copy_dir(&there.dir(1).join("db"), &db);
    let error = refusal(&here).await;
    assert!(matches!(error, Error::Identity(IdentityError::ForeignDatabase { .. })), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_is_refused_with_the_reason() {
    let mut cluster = Cluster::start(1, |_| ()).await;
    let url = format!("http://{}/raft/vote", cluster.address(1));
    let ask = |cluster: &'static str, to: &'static str, disk: &'static str| {
        let request = Dialer::plain().http().build().expect("a client").post(&url).header("x-brigade-cluster", cluster);
        let request = request.header("x-brigade-from", "9").header("x-brigade-disk", disk);
        async move {
            let response = request.header("x-brigade-to", to).body("?").send().await.unwrap();
            (response.status().as_u16(), response.json::<Refused>().await.unwrap())
        }
    };
    assert_eq!(ask("other", "1", "a").await, (403, Refused::ForeignCluster { cluster: "test".into() }));
    assert_eq!(ask("test", "2", "a").await, (403, Refused::WrongNode { node: 1 }));
    assert!(matches!(ask("test", "1", "a").await, (400, Refused::BadBody { .. })));
    assert_eq!(ask("test", "1", "b").await, (403, Refused::OtherDisk { node: 9 }));
    cluster.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_whose_disk_fails_stops_and_says_why() {
    let mut cluster = Cluster::start(1, |_| ()).await;
    cluster.write().await;
    let node = cluster.node(1).clone();
    let fatal = node.watch_fatal();
    assert!(fatal.borrow().is_none());
    fs::remove_file(cluster.dir(1).join("identity.json")).unwrap();
    fs::create_dir_all(cluster.dir(1).join("identity.json/in-the-way")).unwrap();
    let _ = node.propose(command(), None).await;
    let why = wait_for("a reason", || fatal.borrow().clone()).await;
    assert!(why.starts_with("identity file"), "{why}");
    let after = node.propose(command(), None).await;
    assert!(matches!(after, Err(ProposeError::Stopped | ProposeError::Unknown)), "{after:?}");
    cluster.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_lost_its_whole_directory_is_not_counted_by_its_peers() {
    let mut cluster = Cluster::start(3, |options| options.propose_limit = std::time::Duration::from_secs(2)).await;
    let index = cluster.write().await.index;
    cluster.applied(index).await;
    let lost = cluster.follower().await.node_id();
    cluster.stop(lost).await;
    fs::remove_dir_all(cluster.dir(lost)).unwrap();
    let empty = cluster.run(lost).await.unwrap();
    let leader = cluster.leader().await;
    assert!(cluster.write().await.index > index, "two of three go on");
    let other = (1..=3).find(|id| *id != lost && *id != leader.node_id()).unwrap();
    cluster.stop(other).await;
    wait_for("an old acknowledgement", || leader.quorum_age_ms().filter(|age| *age > 1_000)).await;
    assert!(leader.propose(command(), None).await.is_err(), "one that forgot is no majority");
    assert_eq!(empty.applied_index(), 0, "and learns nothing under its old id");
    cluster.stop_all().await;
}

/// The leader knows what was acknowledged to it, also where no edition tells. openraft alone would panic on the leader.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_takes_back_what_it_acknowledged_ends_and_the_leader_does_not() {
    let mut cluster = Cluster::start(3, |_| ()).await;
    let index = cluster.write().await.index;
    cluster.applied(index).await;
    let (leader, old) = (cluster.leader().await, cluster.follower().await.node_id());
    cluster.stop(old).await;
    let (dir, copy) = (cluster.dir(old), cluster.dir(old).with_extension("copy"));
    for part in ["", "db", "snapshots"] {
        fs::create_dir_all(copy.join(part)).unwrap();
        for entry in fs::read_dir(dir.join(part)).unwrap().map(Result::unwrap).filter(|e| e.path().is_file()) {
            fs::copy(entry.path(), copy.join(part).join(entry.file_name())).unwrap();
        }
    }
    cluster.run(old).await.unwrap();
    let index = cluster.write().await.index;
    cluster.applied(index).await;
    cluster.stop(old).await;
    fs::remove_dir_all(&dir).unwrap();
    fs::rename(&copy, &dir).unwrap();
    let fatal = cluster.run(old).await.unwrap().watch_fatal();
    let why = wait_for("a reason", || fatal.borrow().clone()).await;
    assert!(why.contains("old copy"), "{why}");
    assert!(leader.watch_fatal().borrow().is_none());
    assert!(cluster.write().await.index > index, "the others go on");
    cluster.stop_all().await;
}
