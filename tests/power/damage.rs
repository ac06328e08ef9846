//! Damaged, missing and old files of one replica: it refuses to start and says what to do, or goes on where that is safe; the others go
//! on meanwhile; and the documented way back (docs/RECOVERY.md) works.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::ledger::{Ledger, Load, assert_nothing_lost, orders_at, wait_for_orders};
use super::site::{Kitchen, wait_for};

/// Snapshots and purges within a few dozen orders.
const MORE: &str = "[raft]\nsnapshot_every = 60\nlog_keep = 10\n";

/// What every refusal of damaged storage ends in.
const WAY_BACK: &str = "under a new node id";

pub fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("a folder can be read") {
        let path = entry.expect("a folder can be read").path();
        let target = to.join(path.file_name().expect("it has a name"));
        if path.is_dir() {
            copy_dir(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a file can be copied");
        }
    }
}

/// Files of a folder that end so, the largest first.
fn files(dir: &Path, suffix: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(dir).expect("a folder can be read").map(|entry| entry.expect("a folder can be read").path());
    let mut files: Vec<PathBuf> = all.filter(|path| path.to_string_lossy().ends_with(suffix)).collect();
    files.sort_by_key(|path| std::cmp::Reverse(path.metadata().map(|m| m.len()).unwrap_or(0)));
    assert!(!files.is_empty(), "no {suffix} in {}: nothing would be damaged", dir.display());
    files
}

fn flip(path: &Path, at: impl Fn(usize) -> usize) {
    let mut bytes = fs::read(path).expect("a file can be read");
    let at = at(bytes.len());
    bytes[at] ^= 0x10;
    fs::write(path, bytes).expect("a file can be written");
}

fn cut(path: &Path) {
    let bytes = fs::read(path).expect("a file can be read");
    fs::write(path, &bytes[..bytes.len() / 2]).expect("a file can be written");
}

/// RocksDB's record of its files, the one in use.
fn manifest(dir: &Path) -> PathBuf {
    let name = fs::read_to_string(dir.join("db/CURRENT")).expect("a database has one");
    dir.join("db").join(name.trim())
}

/// The power goes while a record is being written at the end: the file has grown, and the last of it is not there.
fn tear(manifest: &Path) {
    let mut bytes = fs::read(manifest).expect("a file can be read");
    let header = [0x5a, 0x5a, 0x5a, 0x5a, 60, 0, 1];
    bytes.extend([&header[..], &[7; 20], &[0; 40]].concat());
    fs::write(manifest, bytes).expect("a file can be written");
}

/// Its second half was there, and is not any more.
fn empty_the_end(manifest: &Path) {
    let mut bytes = fs::read(manifest).expect("a file can be read");
    let half = bytes.len() / 2;
    bytes[half..].fill(0);
    fs::write(manifest, bytes).expect("a file can be written");
}

/// A kitchen with orders, one replica of which was killed with all kinds of files on its disk, and a copy of that disk.
struct Broken {
    kitchen: Kitchen,
    ledger: Ledger,
    victim: u64,
    dir: PathBuf,
    copy: PathBuf,
}

impl Broken {
    fn new() -> Self {
        let kitchen = Kitchen::open(MORE);
        let (ledger, victim) = (Ledger::default(), kitchen.follower());
        let (dir, copy) = (kitchen.nodes[&victim].data_dir.clone(), kitchen.dir().join("copy"));
        let mut broken = Self { kitchen, ledger, victim, dir, copy };
        broken.orders(150);
        // A start writes what the log held into sorted files.
        broken.kitchen.node(victim).kill();
        broken.kitchen.start(&[victim]);
        broken.kitchen.wait_until_ready(&[victim]);
        broken.orders(40);
        broken.wait_for_floor();
        broken.kitchen.node(victim).kill();
        copy_dir(&broken.dir, &broken.copy);
        broken
    }

    fn orders(&self, count: usize) {
        let load = Load::start(&self.kitchen, &self.ledger, 4);
        wait_for_orders(&self.ledger, self.ledger.len() + count);
        load.end(&self.kitchen);
    }

    /// Waits until the identity file remembers all that the log holds, so that what is damaged below was answered for.
    fn wait_for_floor(&self) {
        let file = self.dir.join("identity.json");
        wait_for("a floor at the end of the log", || {
            let identity: serde_json::Value = serde_json::from_slice(&fs::read(&file).ok()?).ok()?;
            let last = self.kitchen.get(self.victim, "/v1/cluster").body["log"]["last"].as_u64()?;
            (identity["floor"].as_u64()? >= last).then_some(())
        });
    }

    /// The disk as it was before the damage.
    fn heal(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
        copy_dir(&self.copy, &self.dir);
    }

    #[track_caller]
    fn refuses(&mut self, what: &str, words: &[&str], damage: impl Fn(&Path)) {
        self.heal();
        damage(&self.dir);
        let said = self.kitchen.node(self.victim).refusal();
        println!("{what}: {said}");
        for word in words {
            assert!(said.contains(word), "{what}: {word:?} in: {said}");
        }
    }

    /// `ctl`, as docs/RECOVERY.md has it.
    fn ctl(&self, words: &[&str]) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_brigade"));
        command.arg("ctl");
        for node in self.kitchen.nodes.values().filter(|n| n.id != self.victim) {
            command.args(["--api", &format!("http://{}", node.api)]);
        }
        let done = command.args(words).output().expect("the program was built");
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// An empty directory, a new id, and the one command of docs/RECOVERY.md.
    fn way_back(&mut self) {
        let (old, new) = (self.victim, 4);
        fs::remove_dir_all(&self.dir).expect("it is ours");
        self.kitchen.add(new);
        self.kitchen.start(&[new]);
        let (peer, api) = (self.kitchen.nodes[&new].peer.clone(), self.kitchen.nodes[&new].api.clone());
        let (old_id, new_id) = (old.to_string(), new.to_string());
        let who = ["--node", &old_id, "--with", &new_id, "--peer", &peer, "--node-api", &api];
        self.ctl(&[&["cluster", "replace"], &who[..]].concat());
        self.kitchen.nodes.remove(&old);
        let all: Vec<u64> = self.kitchen.nodes.keys().copied().collect();
        self.kitchen.wait_until_ready(&all);
        let cluster = self.kitchen.get(new, "/v1/cluster").body;
        let members: Vec<u64> =
            cluster["members"].as_array().expect("members").iter().filter_map(|m| m["node"].as_u64()).collect();
        assert_eq!(members, all, "{cluster}");
        assert!(cluster["log"]["snapshot"].is_u64(), "it came back without a snapshot: {cluster}");
        assert_nothing_lost(&self.kitchen, &all, &self.ledger);
    }
}

#[test]
fn a_replica_with_damaged_or_missing_files_refuses_to_start_and_comes_back_under_a_new_id() {
    let mut broken = Broken::new();
    let log = |dir: &Path| files(&dir.join("db"), ".log").remove(0);
    let table = |dir: &Path| files(&dir.join("db"), ".sst").remove(0);
    let remove = |path: PathBuf| fs::remove_file(path).expect("it is ours");
    broken.refuses("a flipped byte in the log", &["Corruption", WAY_BACK], |dir| flip(&log(dir), |len| len / 2));
    broken.refuses("a cut log", &["lost synced writes", WAY_BACK], |dir| cut(&log(dir)));
    broken.refuses("a deleted log", &[WAY_BACK], |dir| remove(log(dir)));
    broken.refuses("a flipped byte in the MANIFEST", &["Corruption", WAY_BACK], |dir| flip(&manifest(dir), |_| 20));
    broken.refuses("the same, with a torn end", &["Corruption", WAY_BACK], |dir| {
        flip(&manifest(dir), |_| 20);
        tear(&manifest(dir));
    });
    broken.refuses("a MANIFEST without what was synced", &[WAY_BACK], |dir| empty_the_end(&manifest(dir)));
    broken.refuses("a deleted table", &[WAY_BACK], |dir| remove(table(dir)));
    broken.refuses("a deleted identity", &["identity.json is gone", WAY_BACK], |dir| remove(dir.join("identity.json")));
    broken.refuses("a deleted database", &["the database is gone", WAY_BACK], |dir| {
        fs::remove_dir_all(dir.join("db")).expect("it is ours");
    });
    broken.orders(20);
    broken.way_back();
}

#[test]
fn a_manifest_that_was_being_written_when_the_power_went_loses_that_record_and_nothing_else() {
    let mut broken = Broken::new();
    let name = manifest(&broken.dir).file_name().expect("it has one").to_string_lossy().into_owned();
    tear(&manifest(&broken.dir));
    let torn = fs::read(manifest(&broken.dir)).expect("a file can be read");
    broken.kitchen.start(&[broken.victim]);
    broken.kitchen.wait_until_ready(&[1, 2, 3]);
    let said = broken.kitchen.nodes[&broken.victim].log_text();
    assert!(said.contains("The MANIFEST ends in zeros"), "{said}");
    let kept = broken.dir.join(format!("{name}.torn"));
    assert_eq!(fs::read(kept).expect("it is kept as it was"), torn);
    assert!(!broken.dir.join("db.look").exists(), "what was looked at is gone");
    broken.orders(20);
    assert_nothing_lost(&broken.kitchen, &[1, 2, 3], &broken.ledger);
}

#[test]
fn a_replica_with_a_damaged_snapshot_throws_it_away_and_goes_on() {
    let mut broken = Broken::new();
    flip(&files(&broken.dir.join("snapshots"), ".snapshot")[0], |len| len / 2);
    broken.kitchen.start(&[broken.victim]);
    broken.kitchen.wait_until_ready(&[1, 2, 3]);
    // It is looked through beside everything else, so that a large one holds up no start.
    wait_for("the damage, found", || {
        let said = broken.kitchen.nodes[&broken.victim].log_text();
        said.contains("The snapshot on the shelf is damaged, and replaced").then_some(())
    });
    broken.orders(20);
    assert_nothing_lost(&broken.kitchen, &[1, 2, 3], &broken.ledger);
}

/// What a table holds is read at the start (the kitchen's rows) or later (log and archive): either way the replica stops, and never serves
/// what it misread.
#[test]
fn a_flipped_byte_in_any_table_ends_the_replica_or_changes_nothing() {
    let mut broken = Broken::new();
    let names: Vec<PathBuf> =
        files(&broken.dir.join("db"), ".sst").iter().map(|p| p.file_name().expect("it has one").into()).collect();
    let mut refused = 0;
    for name in &names {
        broken.heal();
        flip(&broken.dir.join("db").join(name), |_| 20);
        broken.kitchen.start(&[broken.victim]);
        let (victim, kitchen) = (broken.victim, &mut broken.kitchen);
        let ended = wait_for("an end, or all orders", || match kitchen.node(victim).ended() {
            Some(code) => Some(Some(code)),
            None => orders_at(kitchen, victim).filter(|o| broken.ledger.missing_in(o).is_empty()).map(|_| None),
        });
        let log = kitchen.nodes[&victim].log_text();
        match ended {
            Some(code) => assert!(code == 70 && log.contains("Corruption"), "{name:?}: {code}, {log}"),
            None => kitchen.node(victim).kill(),
        }
        refused += usize::from(ended.is_some());
    }
    println!("{refused} of {} tables were read", names.len());
    assert!(refused > 0, "no damage was met: this run proved nothing");
    broken.way_back();
}

#[test]
fn an_old_copy_of_a_data_directory_is_refused_whole_or_in_part() {
    let mut broken = Broken::new();
    let victim = broken.victim;
    broken.kitchen.start(&[victim]);
    broken.kitchen.wait_until_ready(&[1, 2, 3]);
    broken.orders(30);
    broken.wait_for_floor();
    broken.kitchen.node(victim).kill();
    let newer = broken.kitchen.dir().join("newer");
    copy_dir(&broken.dir, &newer);
    // The database alone: the identity beside it knows better.
    fs::remove_dir_all(broken.dir.join("db")).expect("it is ours");
    copy_dir(&broken.copy.join("db"), &broken.dir.join("db"));
    let said = broken.kitchen.node(victim).refusal();
    assert!(said.contains("old copy") && said.contains(WAY_BACK), "{said}");
    // The whole: its peers know better, and tell it.
    broken.heal();
    let said = broken.kitchen.node(victim).refusal();
    assert!(said.contains("old copy") && said.contains(WAY_BACK), "{said}");
    // The latest one is taken.
    fs::remove_dir_all(&broken.dir).expect("it is ours");
    copy_dir(&newer, &broken.dir);
    broken.kitchen.start(&[victim]);
    broken.kitchen.wait_until_ready(&[1, 2, 3]);
    assert_nothing_lost(&broken.kitchen, &[1, 2, 3], &broken.ledger);
}
