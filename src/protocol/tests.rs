//! Golden files of every message, what is refused, and decoders under arbitrary bytes.

use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const LEAVES: [Leaf; 9] =
    [Leaf::Conn, Leaf::Facts, Leaf::State, Leaf::Hb, Leaf::Obs, Leaf::Lease, Leaf::Cmd, Leaf::AllCmd, Leaf::Leader];

fn golden_path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "golden", "protocol", &format!("{name}.json")].iter().collect()
}

fn value_of(message: &Message) -> Value {
    serde_json::from_slice(&message.encode()).unwrap()
}

/// With BRIGADE_GOLDEN=write in the environment the files are written instead of compared.
#[test]
fn every_message_is_as_its_golden_file_says() {
    for (name, message) in examples::all() {
        let value = value_of(&message);
        if std::env::var_os("BRIGADE_GOLDEN").is_some_and(|mode| mode == "write") {
            std::fs::write(golden_path(name), serde_json::to_string_pretty(&value).unwrap() + "\n").unwrap();
        }
        let file = std::fs::read(golden_path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(serde_json::from_slice::<Value>(&file).unwrap(), value, "{name}");
        assert_eq!(Message::decode(message.leaf(), &file).as_ref(), Ok(&message), "{name}");
    }
}

#[test]
fn every_example_in_the_document_is_a_golden_message() {
    let text = include_str!("../../docs/device-protocol.md");
    let blocks = text.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let values: Vec<Value> =
        blocks.flat_map(|block| serde_json::Deserializer::from_str(block).into_iter().map(Result::unwrap)).collect();
    let golden: Vec<Value> = examples::all().iter().map(|(_, message)| value_of(message)).collect();
    assert!(values.len() >= 12, "{} examples", values.len());
    for value in values {
        assert!(golden.contains(&value), "{value:#}");
    }
}

#[test]
fn unknown_fields_are_ignored() {
    for (name, message) in examples::all() {
        let mut value = value_of(&message);
        value["x-later"] = json!({"anything": [1, 2]});
        assert_eq!(Message::decode(message.leaf(), value.to_string().as_bytes()).as_ref(), Ok(&message), "{name}");
    }
}

#[test]
fn unknown_ops_and_actions_are_kept_so_that_a_device_can_refuse_them() {
    let mut value = value_of(&examples::cmd(Op::Hold).into());
    value["op"] = json!("dance");
    let cmd: Cmd = decode(value.to_string().as_bytes()).unwrap();
    assert_eq!(cmd.op, Op::Unknown("dance".to_owned()));

    let mut value =
        value_of(&examples::cmd(Op::TaskStart(examples::task("prep", Action::Prep, Params::default()))).into());
    value["task"]["act"] = json!("juggle");
    let cmd: Cmd = decode(value.to_string().as_bytes()).unwrap();
    let Op::TaskStart(task) = cmd.op else { panic!("{:?}", cmd.op) };
    assert_eq!((task.act.known(), task.act.as_str()), (None, "juggle"));
}

#[test]
fn what_is_malformed_is_refused_with_the_reason() {
    let good =
        || value_of(&examples::cmd(Op::TaskStart(examples::task("prep", Action::Prep, Params::default()))).into());
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut value = good();
        change(&mut value);
        decode::<Cmd>(value.to_string().as_bytes()).unwrap_err()
    };
    let version = changed(&|v| v["v"] = json!(2));
    assert_eq!(version, Error::Version { leaf: Leaf::Cmd, version: 2 });
    for (field, bad) in
        [("id", json!("x")), ("boot", json!("AB")), ("epoch", json!(-1)), ("idx", json!("1")), ("task", json!(1))]
    {
        assert_eq!(changed(&|v| v[field] = bad.clone()).kind(), "form", "{field}");
    }
    for (field, bad) in [
        ("id", json!("a b")),
        ("att", json!(5_000_000_000_u64)),
        ("pizza", Value::Null),
        ("after", json!({"ev": "LATER"})),
    ] {
        assert_eq!(changed(&|v| v["task"][field] = bad.clone()).kind(), "form", "{field}");
    }
    let large = format!("{}{}", good(), " ".repeat(4_096));
    assert_eq!(decode::<Cmd>(large.as_bytes()).unwrap_err().kind(), "too_large");
    let id = instruction_id_of(changed_text(good(), "task", json!(1)).as_bytes());
    assert_eq!(id.map(|id| id.to_string()), Some("1042-0".to_owned()));
}

fn changed_text(mut value: Value, field: &str, to: Value) -> String {
    value[field] = to;
    value.to_string()
}

#[test]
fn a_state_becomes_a_report_without_its_foreign_tasks() {
    let Some((_, Message::State(mut state))) = examples::all().into_iter().find(|(name, _)| *name == "state-robot")
    else {
        panic!("there is an example of a state")
    };
    state.tasks[1].attempt.id = "somebody-elses".parse().unwrap();
    state.tasks[0].detail = "x".repeat(1_000);
    state.holds.push(Hold { lane: 1, pizza: Some("not-ours".parse().unwrap()) });
    let reported = state.to_report();
    assert_eq!(reported.foreign_tasks, 1);
    assert_eq!(reported.report.tasks.len(), 1);
    assert_eq!(reported.report.tasks[0].attempt.to_string(), "17.0.0-prep#1");
    assert_eq!(reported.report.tasks[0].detail.len(), 200);
    assert_eq!(reported.report.holds[1], (1, Content::Unknown));
}

#[test]
fn a_temperature_is_kept_once_its_task_is_over_and_where_a_sensor_can_have_measured_it() {
    let Some((_, Message::State(mut state))) =
        examples::all().into_iter().find(|(name, _)| *name == "state-oven-baked")
    else {
        panic!("there is an example of a bake that is over")
    };
    let mut kept = |st: TaskState, temp_dc: Option<i32>| {
        (state.tasks[0].st, state.tasks[0].temp_dc) = (st, temp_dc);
        state.to_report().report.tasks[0].temp_dc
    };
    assert_eq!(kept(TaskState::Finished, Some(3184)), Some(3184));
    assert_eq!(kept(TaskState::Finished, None), None, "firmware that measures nothing is as good as before");
    assert_eq!(kept(TaskState::Running, Some(3184)), None);
    for (dc, is_kept) in [(-501, false), (-500, true), (10_000, true), (10_001, false), (i32::MAX, false)] {
        assert_eq!(kept(TaskState::Failed, Some(dc)).is_some(), is_kept, "{dc}");
    }
}

#[test]
fn an_observation_without_a_pizza_counts_as_unsure() {
    let Some((_, Message::Observation(mut seen))) = examples::all().into_iter().find(|(name, _)| *name == "obs") else {
        panic!("there is an example of an observation")
    };
    assert_eq!(seen.verdict(), Verdict::Fail);
    seen.pizza = None;
    assert_eq!(seen.verdict(), Verdict::Unsure);
}

/// A message of the examples with some bytes replaced, cut or doubled.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let count = examples::all().len();
    (0..count, proptest::collection::vec((any::<usize>(), any::<u8>(), 0..4u8), 0..6)).prop_map(|(which, edits)| {
        let mut bytes = examples::all()[which].1.encode();
        for (at, byte, edit) in edits {
            let at = at % bytes.len().max(1);
            match edit {
                0 if !bytes.is_empty() => bytes[at] = byte,
                1 => bytes.truncate(at),
                2 => bytes.insert(at.min(bytes.len()), byte),
                _ => bytes.extend_from_within(at.min(bytes.len())..),
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn no_decoder_panics_on_arbitrary_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        for leaf in LEAVES {
            let _ = Message::decode(leaf, &bytes);
        }
        let _ = instruction_id_of(&bytes);
    }

    #[test]
    fn what_a_decoder_accepts_of_a_mutated_message_survives_another_round(bytes in mutated()) {
        for leaf in LEAVES {
            if let Ok(message) = Message::decode(leaf, &bytes) {
                let again = message.encode();
                prop_assert_eq!(Message::decode(leaf, &again), Ok(message));
            }
        }
    }

    #[test]
    fn no_topic_parser_panics(name in "(brigade/v1/)?[ -~/+#]{0,60}") {
        let _ = Topic::parse(&name);
    }
}
