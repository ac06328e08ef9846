//! The devices' record of physical facts, and the facts that robots of another make tell the simulated world.

use brigade::cli::local::record::Record;
use brigade::device::sim::ForeignFact;
use brigade::history::DeviceFact;
use proptest::prelude::*;

use crate::mutation::{cases, mutated, says_what_is_wrong, survives};

const LINES: [&str; 8] = [
    r#"{"t_ms":1,"device":"robot1","boot":"00ab54a98ceb1f0a","event":"instructed","op":"task.start","epoch":5,"id":"7-0"}"#,
    r#"{"t_ms":2,"device":"robot1","event":"started","pizza":"1.0.0","task":"1.0.0-prep","att":1,"op":"prep"}"#,
    r#"{"t_ms":30,"device":"robot1","event":"placed","pizza":"1.0.0","oven":"oven1","slot":0}"#,
    r#"{"t_ms":40,"device":"robot3","event":"picked","pizza":"1.0.0","oven":"oven1","slot":0}"#,
    r#"{"t_ms":50,"device":"robot3","event":"packed","pizza":"1.0.0"}"#,
    r#"{"t_ms":51,"device":"camera3","event":"rejected","pizza":"1.0.0","code":"FAIL"}"#,
    r#"{"t_ms":60,"device":"oven1","event":"burnt","pizza":"1.1.0","oven":"oven1","slot":255}"#,
    r#"{"ev":"placed","device":"robot9","lane":0,"oven":"oven1","slot":0,"pizza":"1.0.0","task":"t","att":1,"act":"load","epoch":9}"#,
];

fn lines() -> Vec<Vec<u8>> {
    LINES.map(|line| line.as_bytes().to_vec()).to_vec()
}

proptest! {
    #![proptest_config(cases(1_500))]

    #[test]
    fn a_fact_is_read_or_refused(line in mutated(lines())) {
        let encode = |entry: &DeviceFact| serde_json::to_vec(entry).expect("entries have text keys");
        survives(&line, |bytes| serde_json::from_slice::<DeviceFact>(bytes), encode)?;
        if let Err(error) = serde_json::from_slice::<ForeignFact>(&line) {
            says_what_is_wrong(&error.to_string())?;
        }
    }

    #[test]
    fn what_is_counted_from_a_damaged_record_is_counted_without_a_panic(
        damaged in prop::collection::vec(mutated(lines()), 0..12),
        kills in prop::collection::vec(any::<u64>(), 0..4),
    ) {
        let text = damaged.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect::<Vec<_>>().join("\n");
        let record = Record::of(&text);
        let _ = (record.delivered(), record.burnt(), record.remade(), record.made_twice(), record.collisions());
        let _ = (record.last_packed_ms(), record.failovers_ms(&kills));
    }
}
