//! Writes the logs of some runs for `tests/releases`, when a release brings new rules: docs/UPGRADES.md.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use brigade::kitchen::{Command, Entry, Rules, rows};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::run::log_of;

/// So many runs are kept, with failures of all kinds in them.
const RUNS: usize = 5;

/// A run that goes by the newest rules in the end.
fn raises_the_rules(log: &[Entry]) -> bool {
    let is_raise = |e: &Entry| matches!(e.command, Command::RaiseRules { to } if to == Rules::NEWEST);
    Rules::NEWEST == Rules::FIRST || log.iter().any(is_raise)
}

#[test]
#[ignore = "writes the golden logs of a new release: see docs/UPGRADES.md"]
fn the_logs_of_this_release_are_written_once() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/releases/{}", Rules::NEWEST));
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let runs = (11..).map(|seed| (seed, log_of(seed))).filter(|(_, log)| raises_the_rules(log)).take(RUNS);
    for (seed, log) in runs {
        let path = folder.join(format!("log-{seed}.gz"));
        assert!(!path.exists(), "{} is there: a release's log never changes", path.display());
        let mut file = GzEncoder::new(File::create(&path).expect("the file can be made"), Compression::best());
        for entry in log {
            let bytes = rows::encode(&entry);
            file.write_all(&(bytes.len() as u32).to_le_bytes()).expect("the file can be written");
            file.write_all(&bytes).expect("the file can be written");
        }
        file.finish().expect("the file can be written");
    }
}
