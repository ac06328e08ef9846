//! Replays what each release's replicas applied, and compares the bytes of the whole state with those of then.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use brigade::kitchen::rows::{self, InMemory, decode};
use brigade::kitchen::{Entry, Kitchen};
use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

/// The entries of a log file: a length of four bytes each, little endian, then the entry as the log keeps it.
fn entries(path: &Path) -> Vec<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).expect("the log is there");
    GzDecoder::new(file).read_to_end(&mut bytes).expect("the log is whole");
    let mut rest = bytes.as_slice();
    let mut entries = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let (entry, behind) = behind.split_at(u32::from_le_bytes(*length) as usize);
        entries.push(entry.to_vec());
        rest = behind;
    }
    entries
}

/// The logs of a release, and where the states are that they gave.
fn logs(release: &Path) -> Vec<(PathBuf, PathBuf)> {
    let named = |path: &Path| Some(path.file_name()?.to_str()?.strip_prefix("log-")?.strip_suffix(".gz")?.to_owned());
    let files = std::fs::read_dir(release).expect("the release is there").filter_map(|entry| Some(entry.ok()?.path()));
    files.filter_map(|path| Some((path.clone(), release.join(format!("states-{}.txt", named(&path)?))))).collect()
}

/// SHA-256 of every row of state and archive, with its key.
fn hash(kitchen: &Kitchen, shelf: &InMemory) -> String {
    let mut hasher = Sha256::new();
    for (key, value) in kitchen.rows().iter().map(|(k, v)| (k, v)).chain(shelf) {
        for field in [key, value] {
            hasher.update((field.len() as u64).to_le_bytes());
            hasher.update(field);
        }
    }
    format!("{:x}", hasher.finalize())
}

/// Lines of `index hash`, one for every `every` entries and one for the end.
fn states(entries: &[Vec<u8>], every: usize) -> Vec<String> {
    let (mut kitchen, mut shelf, mut lines) = (Kitchen::default(), InMemory::default(), Vec::new());
    for (n, bytes) in entries.iter().enumerate() {
        let entry: Entry = decode(bytes).unwrap_or_else(|why| panic!("entry {n} can't be read: {why}"));
        // The first entry of a real log is Raft's own.
        let applied = kitchen.apply(n as u64 + 1, &entry, &shelf);
        rows::write(&mut shelf, &applied.archive);
        if (n + 1) % every == 0 || n + 1 == entries.len() {
            lines.push(format!("{} {}", n + 1, hash(&kitchen, &shelf)));
        }
    }
    lines
}

/// A state is hashed after so many entries.
const EVERY: usize = 250;

#[test]
fn every_releases_log_gives_the_state_that_it_gave_then_byte_for_byte() {
    for (log, on_file) in super::releases().iter().flat_map(|release| logs(release)) {
        let entries = entries(&log);
        assert!(entries.len() > 500, "{} shows something", log.display());
        let now = states(&entries, EVERY);
        if std::env::var_os("NEW_RELEASE").is_some() && !on_file.exists() {
            std::fs::write(&on_file, now.join("\n") + "\n").expect("the golden file can be written");
        }
        let then = std::fs::read_to_string(&on_file).expect("the states are on file");
        for (now, then) in now.iter().zip(then.lines()) {
            assert_eq!(
                now,
                then,
                "what apply does with {} changed in the {EVERY} entries before this: switch it by new rules (docs/UPGRADES.md)",
                log.display()
            );
        }
        assert_eq!(now.len(), then.lines().count());
    }
}

#[test]
fn a_state_of_every_release_is_loaded_from_its_rows() {
    for (log, _) in super::releases().iter().flat_map(|release| logs(release)) {
        let (mut kitchen, mut shelf) = (Kitchen::default(), InMemory::default());
        for (n, bytes) in entries(&log).iter().enumerate() {
            let entry: Entry = decode(bytes).expect("it was read by another test");
            let applied = kitchen.apply(n as u64 + 1, &entry, &shelf);
            rows::write(&mut shelf, &applied.archive);
        }
        let loaded = Kitchen::from_rows(kitchen.rows()).expect("the rows are good");
        assert!(loaded == kitchen, "{}", log.display());
    }
}
