//! What every release wrote, this program still reads, and does the same with: its log, its rows, and a data directory of its.
//!
//! A release leaves `tests/golden/releases/N/` behind, N being the rules that it brought: `log-SEED.gz` and `states-SEED.txt` (from
//! runs of the simulation), and `data.tar.gz` (a replica's directory). docs/UPGRADES.md says when and how
//! they are made. They are never made anew.

#[path = "../process/mod.rs"]
mod process;

mod directory;
mod log;

use std::path::{Path, PathBuf};

/// The releases, oldest first.
fn releases() -> Vec<PathBuf> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/releases");
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir(all)
        .expect("the golden files are there")
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((path.file_name()?.to_str()?.parse().ok()?, path))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

#[test]
fn every_rules_that_this_program_knows_has_its_golden_files() {
    let newest = brigade::kitchen::Rules::NEWEST.0;
    let numbers: Vec<String> =
        releases().iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
    assert_eq!(numbers, (1..=newest).map(|n| n.to_string()).collect::<Vec<_>>());
}
