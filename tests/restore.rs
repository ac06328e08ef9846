//! Copies of a kitchen at the command line, and a kitchen that is made of one while its devices went on: they obey it, and cook what was open.

mod process;

use std::fs;
use std::path::{Path, PathBuf};

use process::{Ended, Kitchen, Process, brigade, run, wait_for};
use serde_json::Value;

fn ctl(kitchen: &Kitchen, args: &[&str]) -> Ended {
    let api = kitchen.api();
    run(brigade(&[&["ctl", "--json", "--api", &api], args].concat()))
}

#[track_caller]
fn done(ended: &Ended) -> Value {
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).expect("JSON")
}

fn name(path: &Path) -> &str {
    path.to_str().expect("a path of the test's")
}

fn start(kitchen: &mut Kitchen) {
    let config = kitchen.dir.path().join("node.toml");
    kitchen.process = Process::start(brigade(&["controller", "--config", name(&config)]), &kitchen.log);
    wait_for("a kitchen that is ready", || (kitchen.get("/readyz").status == 200).then_some(()));
}

/// The directory is lost: moved away, as the book says.
fn lose(kitchen: &mut Kitchen) -> PathBuf {
    kitchen.process.kill();
    let away = kitchen.dir.path().join("away");
    fs::rename(&kitchen.node.data_dir, &away).expect("the directory is there");
    away
}

#[test]
fn a_kitchen_is_restored_from_a_copy_and_the_devices_obey_it() {
    let mut kitchen = Kitchen::open().with_devices();
    kitchen.order("before");
    kitchen.wait_until_ready("before");
    assert_eq!(kitchen.post("/v1/kitchen/hold", "{}").status, 200);
    kitchen.order("open");
    let copy = kitchen.dir.path().join("a.backup");
    let taken = done(&ctl(&kitchen, &["backup", "--out", name(&copy)]));
    assert_eq!((&taken["open_orders"], &taken["archived_orders"]), (&1.into(), &1.into()));
    // After the copy the kitchen goes on: devices see epochs, orders and instructions that will be forgotten.
    assert_eq!(kitchen.post("/v1/kitchen/resume", "{}").status, 200);
    kitchen.order("after");
    ["open", "after"].iter().for_each(|order| kitchen.wait_until_ready(order));
    lose(&mut kitchen);

    assert_eq!(done(&ctl(&kitchen, &["verify", name(&copy)])), taken);
    let config = kitchen.dir.path().join("node.toml");
    let made = done(&ctl(&kitchen, &["restore", name(&copy), "--config", name(&config)]));
    assert_eq!(made["incarnation"], 2);
    start(&mut kitchen);
    assert_eq!(kitchen.get("/v1/orders/after").status, 404, "it was forgotten");
    assert_eq!(kitchen.get("/v1/orders/before").body["status"], "READY");
    // The hold was in the copy.
    wait_for("a leader", || (kitchen.post("/v1/kitchen/resume", "{}").status == 200).then_some(()));
    kitchen.wait_until_ready("open");
    kitchen.order("new");
    kitchen.wait_until_ready("new");
    assert_eq!(kitchen.get("/v1/incidents?open=true").body["items"].as_array().map(Vec::len), Some(0));
    kitchen.assert_well();
}

#[test]
fn what_is_left_of_a_dead_kitchen_is_copied_from_its_directory() {
    let mut kitchen = Kitchen::open();
    kitchen.order("taken");
    let dir = kitchen.node.data_dir.clone();
    let copy = kitchen.dir.path().join("left.backup");
    let in_use = ctl(&kitchen, &["backup", "--data-dir", name(&dir), "--out", name(&copy)]);
    assert!(in_use.code() == 1 && in_use.stderr.contains("another process uses"), "{}", in_use.stderr);
    let away = lose(&mut kitchen);
    let taken = done(&ctl(&kitchen, &["backup", "--data-dir", name(&away), "--out", name(&copy)]));
    assert_eq!(taken["open_orders"], 1);
    let config = kitchen.dir.path().join("node.toml");
    done(&ctl(&kitchen, &["restore", name(&copy), "--config", name(&config), "--incarnation", "9"]));
    start(&mut kitchen);
    assert_eq!(kitchen.get("/v1/orders/taken").status, 200);
    let again = ctl(&kitchen, &["restore", name(&copy), "--config", name(&config)]);
    assert!(again.code() == 1 && again.stderr.contains("is not empty"), "{}", again.stderr);
}

#[test]
fn copies_are_taken_on_a_schedule_and_the_oldest_go() {
    let shelf = tempfile::tempdir().expect("a temporary folder");
    let old = ["20200101T000000Z", "20200102T000000Z", "20200103T000000Z"];
    for time in old {
        let path = shelf.path().join(format!("k1-node1-{time}.backup"));
        let file = fs::File::create(path).expect("the folder can be written");
        file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(3 * 86_400))
            .expect("its time can be set");
    }
    let kitchen = Kitchen::open_with(|node| {
        node.more = format!("[backup]\ndir = {:?}\nkeep = 2\n", shelf.path());
    });
    let files = || {
        let files = fs::read_dir(shelf.path()).expect("it is there").filter_map(|entry| Some(entry.ok()?.path()));
        let mut files: Vec<PathBuf> = files.collect();
        files.sort();
        files
    };
    wait_for("a copy, and no more than are kept", || {
        let files = files();
        (files.len() == 2 && files.iter().all(|f| f.extension().is_some_and(|e| e == "backup"))).then_some(())
    });
    let newest = files().pop().expect("there are two");
    assert_eq!(done(&ctl(&kitchen, &["verify", name(&newest)]))["kitchen"], "k1");
    let damaged = shelf.path().join("damaged");
    let bytes = fs::read(&newest).expect("it is there");
    fs::write(&damaged, &bytes[..bytes.len() - 1]).expect("the folder can be written");
    let refused = ctl(&kitchen, &["verify", name(&damaged)]);
    assert!(refused.code() == 1 && refused.stderr.contains("can't be trusted"), "{}", refused.stderr);
}
