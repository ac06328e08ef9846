//! A kitchen is copied while it runs or from what is left of it, and made a kitchen again that nothing of the old one takes part in.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use brigade::kitchen::recipe::built_in_menu;
use brigade::kitchen::{Command, NewOrder, OrderId, Reply, order};
use brigade::raft::RaftNode;
use brigade::raft::backup::{Error, Restored, of_directory, restore, verify};

use super::support::{Cluster, wait_for};

fn id(name: &str) -> OrderId {
    name.parse().unwrap()
}

fn place(name: &str) -> Command {
    let item = "margherita".parse().unwrap();
    Command::PlaceOrder(NewOrder { id: id(name), items: vec![item], priority: 0, promise_ms: None })
}

async fn ask(cluster: &Cluster, command: Command) -> u64 {
    let done = cluster.leader().await.propose(command, None).await.unwrap();
    assert!(!matches!(done.reply, Reply::Refused(_)), "{:?}", done.reply);
    done.index
}

/// A kitchen with a menu, an order that ended and one that did not.
async fn kitchen() -> Cluster {
    let cluster = Cluster::start(3, |_| ()).await;
    cluster.write().await;
    for recipe in built_in_menu() {
        ask(&cluster, Command::PutRecipe { recipe }).await;
    }
    ask(&cluster, place("ended")).await;
    ask(&cluster, Command::CancelOrder { order: id("ended"), reason: "a test".to_owned() }).await;
    let last = ask(&cluster, place("open")).await;
    cluster.applied(last).await;
    cluster
}

fn copy_of(node: &RaftNode, dir: &Path) -> PathBuf {
    let path = dir.join("copy");
    node.back_up(File::create(&path).unwrap()).unwrap().sync_all().unwrap();
    path
}

/// A new cluster whose first node has the copy.
async fn restored(copy: &Path, incarnation: Option<u32>) -> (Cluster, Restored) {
    let cluster = Cluster::reserve(3, |_| ()).await;
    let restored = restore(copy, &cluster.options(1), incarnation).unwrap();
    (cluster, restored)
}

async fn is_archived(node: &RaftNode, name: &str) {
    let found = || node.archive_get(&order::archive_key(&id(name))).unwrap();
    wait_for("the archived order", found).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_any_replica_is_made_a_kitchen_again_with_empty_directories_beside_it() {
    let (dir, mut old) = (tempfile::tempdir().unwrap(), kitchen().await);
    let copy = copy_of(&old.follower().await, dir.path());
    let epoch = old.leader().await.with_kitchen(|k| k.epoch());
    // What comes after the copy is forgotten; its names must not come again.
    let forgotten = ask(&old, place("forgotten")).await;
    old.stop_all().await;

    let summary = verify(&copy).unwrap();
    assert_eq!((summary.open_orders, summary.archived_orders, summary.kitchen.as_str()), (1, 1, "test"));
    let (mut new, made) = restored(&copy, None).await;
    assert_eq!((made.copy, made.incarnation), (summary, epoch.incarnation() + 1));
    for node in 1..=3 {
        new.run(node).await.unwrap();
    }
    let charge = new.write().await;
    let Reply::InCharge { epoch: raised } = charge.reply else { panic!("{:?}", charge.reply) };
    assert!(raised > epoch && raised.incarnation() == made.incarnation);
    assert!(charge.index > forgotten + 1_000_000, "no name of the time after the copy comes again");
    ask(&new, place("new")).await;
    let last = ask(&new, Command::CancelOrder { order: id("open"), reason: "a test".to_owned() }).await;
    new.applied(last).await;
    let leader = new.leader().await;
    for node in 1..=3 {
        let node = new.node(node);
        assert_eq!(*node.kitchen(), *leader.kitchen());
        is_archived(node, "ended").await;
        is_archived(node, "open").await;
        assert!(node.with_kitchen(|k| k.order(&id("forgotten")).is_none() && k.order(&id("new")).is_some()));
    }
    new.stop_all().await;
    // It is a kitchen like any other: it stops and starts.
    for node in 1..=3 {
        new.run(node).await.unwrap();
    }
    new.write().await;
    new.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_from_before_a_restore_takes_no_part_in_the_restored_kitchen() {
    let (dir, mut old) = (tempfile::tempdir().unwrap(), kitchen().await);
    let copy = copy_of(&old.leader().await, dir.path());
    for n in 0..20 {
        ask(&old, place(&format!("after-{n}"))).await;
    }
    old.stop_all().await;
    let (mut new, _) = restored(&copy, None).await;
    // Somebody forgot to empty the third one's directory.
    copy_directory(&old.dir(3), &new.dir(3));
    for node in 1..=3 {
        new.run(node).await.unwrap();
    }
    let last = new.write().await;
    assert_ne!(new.leader().await.node_id(), 3);
    assert!(new.node(3).applied_index() < last.index && !new.node(3).is_leading());
    new.stop(3).await;
    fs::remove_dir_all(new.dir(3)).unwrap();
    new.run(3).await.unwrap();
    new.applied(last.index).await;
    new.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_directory_that_is_left_is_enough_for_all_that_it_had_stored() {
    let (dir, mut old) = (tempfile::tempdir().unwrap(), kitchen().await);
    for n in 0..50 {
        ask(&old, place(&format!("late-{n}"))).await;
    }
    old.stop_all().await;
    let (left, copy) = (old.dir(2), dir.path().join("copy"));
    let before = files(&left);
    let notes = of_directory(&left, &copy).unwrap();
    assert_eq!((notes, files(&left)), (vec![], before), "nothing in the directory changes");
    assert_eq!(verify(&copy).unwrap().open_orders, 51);
    let (mut new, _) = restored(&copy, Some(40)).await;
    for node in 1..=3 {
        new.run(node).await.unwrap();
    }
    let Reply::InCharge { epoch } = new.write().await.reply else { panic!("nobody is in charge") };
    assert_eq!(epoch.incarnation(), 40);
    assert!(new.leader().await.with_kitchen(|k| k.order(&id("late-49")).is_some()));
    new.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_that_were_stored_and_not_applied_are_in_the_copy_of_a_directory() {
    let (dir, mut old) = (tempfile::tempdir().unwrap(), kitchen().await);
    let (leader, follower) = (old.leader().await, old.follower().await.node_id());
    for id in [1, 2, 3].into_iter().filter(|id| *id != leader.node_id() && *id != follower) {
        old.stop(id).await;
    }
    old.stop(follower).await;
    // Alone it stores what nobody acknowledges.
    let alone = leader.clone();
    let lost = tokio::spawn(async move { alone.propose(place("stored"), None).await });
    let at = leader.status().last_log;
    wait_for("it is stored", || (leader.status().last_log > at).then_some(())).await;
    let node = leader.node_id();
    drop(leader);
    old.stop(node).await;
    let _ = lost.await;
    let copy = dir.path().join("copy");
    of_directory(&old.dir(node), &copy).unwrap();
    assert_eq!(verify(&copy).unwrap().open_orders, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_restored_is_refused_and_nothing_is_written() {
    let (dir, mut old) = (tempfile::tempdir().unwrap(), kitchen().await);
    let copy = copy_of(&old.leader().await, dir.path());
    old.stop_all().await;
    let new = Cluster::reserve(3, |_| ()).await;
    let good = new.options(1);
    let no = |options: &brigade::raft::Options, incarnation| restore(&copy, options, incarnation).unwrap_err();
    assert!(matches!(no(&new.options(2), None), Error::NotFirst { node: 2, first: 1 }));
    assert!(matches!(no(&good, Some(1)), Error::Incarnation { given: 1, above: 1 }));
    let foreign = brigade::raft::Options { cluster: "other".to_owned(), ..good.clone() };
    assert!(matches!(no(&foreign, None), Error::OtherKitchen { .. }));
    assert!(!good.data_dir.exists());
    assert!(matches!(no(&old.options(1), None), Error::NotEmpty { .. }));
    let bytes = fs::read(&copy).unwrap();
    for at in (0..bytes.len()).step_by(61) {
        let mut bad = bytes.clone();
        bad[at] ^= 4;
        fs::write(&copy, &bad).unwrap();
        assert!(matches!(no(&good, None), Error::Damaged { .. }), "byte {at}");
        fs::write(&copy, &bytes[..at]).unwrap();
        assert!(matches!(no(&good, None), Error::Damaged { .. }), "cut at {at}");
    }
    assert!(!good.data_dir.exists());
}

fn files(dir: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push((entry.path(), entry.metadata().unwrap().len())),
        }
    }
    found.sort();
    found
}

fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_directory(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}
