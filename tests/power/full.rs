//! A disk that fills up: the early alarm, then the end of the replica, and its return when there is room. The disk is a small tmpfs that
//! the test mounts; that needs root.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::ledger::{Ledger, Load, assert_nothing_lost, wait_for_orders};
use super::site::{Kitchen, wait_for};

/// The disk has so many MB, and with less than so many free it is low.
const DISK_MB: u64 = 48;
const MORE: &str = "[storage]\nfree_min_mb = 16\n";

/// A small disk, unmounted with its value.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None, with the reason printed, where mounting is not permitted.
    fn mount(at: &Path) -> Option<Self> {
        fs::create_dir_all(at).expect("a folder can be made");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={DISK_MB}m"), "tmpfs"]).arg(at);
        let done = mount.output().expect("there is a mount command");
        if done.status.success() {
            return Some(Self(at.to_owned()));
        }
        let why = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(std::env::var_os("BRIGADE_NEEDS_ROOT").is_none(), "mounting is not permitted: {why}");
        println!("skipped: a full disk needs a mount, which is not permitted: {why}");
        None
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Fills the disk until so many MB are left; 0 leaves nothing.
    fn leave(&self, mb: u64) {
        let _ = fs::remove_file(self.ballast());
        let free = rustix::fs::statvfs(&self.0).map(|s| s.f_bavail * s.f_frsize).expect("it is a disk");
        let mut file = File::create(self.ballast()).expect("there is room");
        let chunk = [7; 4096];
        let chunks = if mb == 0 { u64::MAX } else { free.saturating_sub(mb << 20) / 4096 };
        // The disk says itself when it is full.
        let _ = (0..chunks).try_for_each(|_| file.write_all(&chunk));
    }

    fn make_room(&self) {
        fs::remove_file(self.ballast()).expect("it is ours");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// A kitchen of three, node 1 of which has a small disk.
fn open() -> Option<(Kitchen, SmallDisk)> {
    let mut kitchen = Kitchen::lay_out(MORE);
    let disk = SmallDisk::mount(&kitchen.node(1).data_dir)?;
    kitchen.start(&[1, 2, 3]);
    kitchen.wait_until_ready(&[1, 2, 3]);
    Some((kitchen, disk))
}

fn lead(kitchen: &Kitchen, node: u64) {
    wait_for(&format!("node {node} leads"), || {
        let answer = kitchen.post(node, "/v1/cluster/transfer", serde_json::json!({ "to": node }));
        (answer.status == 200 && kitchen.leader() == node).then_some(())
    });
}

#[test]
fn a_replica_whose_disk_is_full_stops_and_catches_up_when_there_is_room() {
    let Some((mut kitchen, disk)) = open() else { return };
    let ledger = Ledger::default();
    let load = Load::start(&kitchen, &ledger, 4);
    wait_for_orders(&ledger, 20);
    disk.leave(0);
    let (code, said) = kitchen.node(1).end();
    println!("{code}: {said}");
    assert_eq!(code, 1, "a full disk may pass: {said}");
    assert!(said.contains("No space left on device"), "{said}");
    let before = ledger.len();
    wait_for_orders(&ledger, before + 50);
    // While there is no room it says so again, at the start or soon after.
    kitchen.node(1).start();
    let (code, said) = kitchen.node(1).end();
    println!("{code}: {said}");
    let says_why = ["full: make room", "No space left on device"].iter().any(|words| said.contains(words));
    assert!(code == 1 && says_why, "{code}: {said}");
    disk.make_room();
    kitchen.start(&[1]);
    load.end(&kitchen);
    kitchen.wait_until_ready(&[1, 2, 3]);
    assert_nothing_lost(&kitchen, &[1, 2, 3], &ledger);
}

#[test]
fn a_leader_whose_disk_is_nearly_full_hands_over_and_is_shown() {
    let Some((mut kitchen, disk)) = open() else { return };
    lead(&kitchen, 1);
    disk.leave(8);
    let other = wait_for("another one is in charge", || Some(kitchen.leader()).filter(|leader| *leader != 1));
    let own = kitchen.get(1, "/v1/cluster").body;
    assert_eq!(own["storage"]["low"], true, "{own}");
    let ready = kitchen.get(1, "/readyz");
    let warning = ready.body["warnings"][0].as_str().unwrap_or_default().to_owned();
    assert!(ready.status == 200 && warning.contains("nearly full"), "{ready:?}");
    let metrics = kitchen.get(1, "/metrics").body;
    assert!(metrics.as_str().is_some_and(|page| page.contains("brigade_storage_low 1")), "{metrics}");
    wait_for("the one in charge knows it", || {
        let low = kitchen.get(other, "/v1/cluster").body["tenure"]["storage_low"].clone();
        (low == serde_json::json!([1])).then_some(())
    });
    kitchen.order(1, "goes-to-the-other-one");
    disk.make_room();
    wait_for("room", || (kitchen.get(1, "/v1/cluster").body["storage"]["low"] == false).then_some(()));
    assert!(kitchen.node(1).ended().is_none());
}

/// All disks are alike, and fill up alike: nobody is better.
#[test]
fn a_kitchen_without_room_takes_no_new_orders_and_goes_on_with_the_old_ones() {
    let Some((kitchen, disk)) = alone() else { return };
    kitchen.order(1, "before");
    disk.leave(8);
    let order = |id: &str| kitchen.put(1, &format!("/v1/orders/{id}"), serde_json::json!({ "items": ["margherita"] }));
    let refused = order("after");
    assert_eq!(
        (refused.status, &refused.body["type"]),
        (507, &"urn:brigade:problem:storage-low".into()),
        "{refused:?}"
    );
    assert_eq!(order("before").status, 200, "what was accepted is answered again");
    let cancelled = kitchen.post(1, "/v1/orders/before/cancellation", serde_json::json!({}));
    assert_eq!(cancelled.status, 200, "and can be ended: {cancelled:?}");
    assert_eq!(kitchen.get(1, "/v1/orders/after").status, 404);
    disk.make_room();
    assert_eq!(order("after").status, 201);
}

/// One node on a small disk; the others are not started, so that it founds the kitchen alone.
fn alone() -> Option<(Kitchen, SmallDisk)> {
    let mut kitchen = Kitchen::lay_out(MORE);
    kitchen.nodes.retain(|id, _| *id == 1);
    let disk = SmallDisk::mount(&kitchen.node(1).data_dir)?;
    kitchen.start(&[1]);
    kitchen.wait_until_ready(&[1]);
    Some((kitchen, disk))
}
