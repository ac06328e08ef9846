//! Writes the logs of some runs for `tests/releases`, when a release brings new rules: docs/UPGRADES.md.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use brigade::kitchen::{Rules, rows};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::run::log_of;

/// Runs with failures of all kinds in them.
const SEEDS: [u64; 5] = [11, 12, 13, 14, 15];

#[test]
#[ignore = "writes the golden logs of a new release: see docs/UPGRADES.md"]
fn the_logs_of_this_release_are_written_once() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/releases/{}", Rules::NEWEST));
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    for seed in SEEDS {
        let path = folder.join(format!("log-{seed}.gz"));
        assert!(!path.exists(), "{} is there: a release's log never changes", path.display());
        let mut file = GzEncoder::new(File::create(&path).expect("the file can be made"), Compression::best());
        for entry in log_of(seed) {
            let bytes = rows::encode(&entry);
            file.write_all(&(bytes.len() as u32).to_le_bytes()).expect("the file can be written");
            file.write_all(&bytes).expect("the file can be written");
        }
        file.finish().expect("the file can be written");
    }
}
