//! A replica's data directory of each release is opened, its orders are there, and it takes new ones.

use std::fs::File;
use std::path::Path;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::process::Kitchen;
use crate::releases;

/// What the kitchen in the directory had finished, and what it had not begun when it was left.
const READY: [&str; 3] = ["table-1", "table-2", "table-3"];
const OPEN: [&str; 2] = ["table-4", "table-5"];

#[test]
fn every_releases_data_directory_is_opened_and_its_orders_are_served() {
    for release in releases() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let data = dir.path().join("data");
        let archive = File::open(release.join("data.tar.gz")).expect("the directory is on file");
        tar::Archive::new(GzDecoder::new(archive)).unpack(&data).expect("it is whole");
        let kitchen = Kitchen::open_with(|node| node.data_dir = data).with_devices();
        for order in READY.into_iter().chain(OPEN) {
            kitchen.wait_until_ready(order);
        }
        kitchen.order("table-6");
        kitchen.wait_until_ready("table-6");
        let records = kitchen.get("/v1/food-safety").body;
        assert!(records["items"].as_array().is_some_and(|items| items.len() >= 6), "{records}");
        let rules = kitchen.get("/v1/cluster").body["rules"].clone();
        assert_eq!(rules, brigade::kitchen::Rules::NEWEST.0, "the node is alone, and knows the newest rules");
    }
}

#[test]
#[ignore = "writes the golden data directory of a new release: see docs/UPGRADES.md"]
fn the_data_directory_of_this_release_is_written_once() {
    let newest = brigade::kitchen::Rules::NEWEST.to_string();
    let release = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/releases").join(newest);
    let path = release.join("data.tar.gz");
    assert!(!path.exists(), "{} is there: it never changes", path.display());
    let mut kitchen = Kitchen::open().with_devices();
    READY.iter().for_each(|order| kitchen.order(order));
    READY.iter().for_each(|order| kitchen.wait_until_ready(order));
    assert_eq!(kitchen.post("/v1/kitchen/hold", "{}").status, 200);
    OPEN.iter().for_each(|order| kitchen.order(order));
    assert_eq!(kitchen.post("/v1/kitchen/resume", "{}").status, 200);
    kitchen.process.kill();
    std::fs::create_dir_all(&release).expect("the folder can be made");
    let file = GzEncoder::new(File::create(&path).expect("the file can be made"), Compression::best());
    let mut tar = tar::Builder::new(file);
    tar.append_dir_all(".", &kitchen.node.data_dir).expect("the directory can be read");
    tar.into_inner().and_then(GzEncoder::finish).expect("the file can be written");
}
