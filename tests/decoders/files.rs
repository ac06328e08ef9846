//! Files that people write: a controller's configuration, and a line of simulated devices.

use std::path::Path;

use brigade::config::Config;
use brigade::device::line::Line;
use proptest::prelude::*;

use crate::mutation::{cases, mutated, says_what_is_wrong, survives};

const LINE: &str = r#"
kitchen = "k1"
brokers = ["mqtt://127.0.0.1:1883"]
speed_pct = 1000
record = "record.jsonl"
hb_ms = 500
orphan_ms = 20_000
seed = 7
[[device]]
id = "robot1"
kind = "robot.before_oven"
zone = "north"
[[device]]
id = "oven1"
kind = "oven"
lanes = [0, 1]
faults = { slow_pct = 200, wrong_verdict_pct = 3 }
[[device]]
id = "camera1"
kind = "camera"
stages = ["prep"]
"#;

/// The example of the repository, and one with every table.
fn configurations() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cluster");
    let example = std::fs::read(folder.join("node1.toml")).expect("the example is there");
    let config = read(&example).expect("the example is valid");
    vec![example, written(&config)]
}

fn read(bytes: &[u8]) -> Result<Config, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    Config::parse(Path::new("node.toml"), text).map_err(|error| error.to_string())
}

fn written(config: &Config) -> Vec<u8> {
    toml::to_string(config).expect("a configuration can be written").into_bytes()
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn a_configuration_is_read_or_says_what_is_wrong(bytes in mutated(configurations())) {
        survives(&bytes, read, written)?;
    }

    #[test]
    fn whatever_is_read_is_checked_without_a_panic(bytes in mutated(configurations())) {
        if let Ok(config) = read(&bytes) {
            for fault in config.faults() {
                says_what_is_wrong(&fault.to_string())?;
            }
            let _ = (config.notes(), config.listen_addresses());
            if config.check().is_ok() {
                let _ = (config.raft_options(), config.leader_options());
            }
        }
    }

    #[test]
    fn a_line_file_is_read_or_says_what_is_wrong(bytes in mutated(vec![LINE.as_bytes().to_vec()])) {
        if let Err(error) = Line::parse(&String::from_utf8_lossy(&bytes)) {
            says_what_is_wrong(&error.to_string())?;
            prop_assert!(error.to_string().len() < 5_000, "a long line is not repeated");
        }
    }
}

#[test]
fn the_line_of_the_corpus_is_valid() {
    assert_eq!(Line::parse(LINE).expect("it is valid").devices.len(), 3);
}
