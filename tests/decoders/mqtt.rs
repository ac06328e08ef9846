//! MQTT: every payload, from the golden files; topics; and who takes them in, a device's session and a tenure's intake.

use std::collections::BTreeMap;
use std::path::Path;

use brigade::kitchen::Kitchen;
use brigade::leader::intake;
use brigade::leader::memory::Memory;
use brigade::protocol::{Error, Leaf, Message, Payload, Topic, instruction_id_of};
use proptest::prelude::*;

use crate::mutation::{cases, mutated, says_what_is_wrong, survives};

const LEAVES: [Leaf; 9] =
    [Leaf::Conn, Leaf::Facts, Leaf::State, Leaf::Hb, Leaf::Obs, Leaf::Lease, Leaf::Cmd, Leaf::AllCmd, Leaf::Leader];

/// Every golden message, and the leaf that its name says.
fn golden() -> Vec<(Leaf, Vec<u8>)> {
    golden_by_name().into_values().collect()
}

/// The same, by the names of their files.
pub fn golden_by_name() -> BTreeMap<String, (Leaf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/protocol");
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.expect("the folder can be read").path();
        let name = path.file_stem().and_then(|n| n.to_str()).expect("golden files have plain names").to_owned();
        let leaf = match name.split(['-', '.']).next() {
            Some("conn") => Leaf::Conn,
            Some("facts") => Leaf::Facts,
            Some("state") => Leaf::State,
            Some("hb") => Leaf::Hb,
            Some("obs") => Leaf::Obs,
            Some("lease") => Leaf::Lease,
            Some("cmd") => Leaf::Cmd,
            Some("all") => Leaf::AllCmd,
            Some("leader") => Leaf::Leader,
            other => panic!("{name}: no leaf is called {other:?}"),
        };
        (name, (leaf, std::fs::read(path).expect("a golden file can be read")))
    };
    std::fs::read_dir(folder).expect("there are golden files").map(read).collect()
}

fn corpus() -> Vec<Vec<u8>> {
    golden().into_iter().map(|(_, bytes)| bytes).collect()
}

/// What is near the limit may grow past it when it is written with all its fields: only that is forgiven.
fn is_too_large(error: &Error) -> bool {
    matches!(error, Error::TooLarge { .. })
}

#[test]
fn the_corpus_has_every_leaf_and_decodes() {
    let golden = golden();
    for leaf in LEAVES {
        assert!(golden.iter().any(|(l, _)| *l == leaf), "{leaf:?} has no golden file");
    }
    for (leaf, bytes) in golden {
        let message = Message::decode(leaf, &bytes).expect("golden files are valid");
        assert_eq!(Message::decode(leaf, &message.encode()), Ok(message));
    }
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn a_payload_decodes_on_its_leaf_or_says_why_not(bytes in mutated(corpus())) {
        for leaf in LEAVES {
            let decode = |bytes: &[u8]| Message::decode(leaf, bytes);
            let grows = decode(&bytes).is_ok_and(|m| decode(&m.encode()).is_err_and(|e| is_too_large(&e)));
            if !grows {
                survives(&bytes, decode, Message::encode)?;
            }
        }
        // What can't be decoded may still name the instruction that is to be refused.
        let _ = instruction_id_of(&bytes);
    }

    #[test]
    fn a_report_of_a_device_is_understood_or_refused_whatever_it_holds(bytes in mutated(corpus())) {
        if let Ok(Message::State(state)) = Message::decode(Leaf::State, &bytes) {
            let _ = state.to_report();
        }
        if let Ok(Message::Facts(facts)) = Message::decode(Leaf::Facts, &bytes) {
            let _ = intake::to_facts(&facts).check();
        }
    }

    #[test]
    fn a_tenure_takes_in_or_refuses_whatever_comes(bytes in mutated(corpus()), retained: bool) {
        let (kitchen, mut memory) = (Kitchen::default(), Memory::default());
        for leaf in Leaf::FROM_DEVICE {
            let topic = Topic::Device("robot1".parse().expect("an id"), leaf);
            if let Err(error) = intake::read(&kitchen, &mut memory, 0, &topic, &bytes, retained, 1_000) {
                says_what_is_wrong(&error.to_string())?;
            }
        }
    }

    #[test]
    fn a_topic_is_taken_apart_and_put_together_again(name in "(brigade/v1/)?[a-z0-9.:/+#é-]{0,80}|brigade/v1/k[a-z]{0,3}/(robot1|all|ctl)/(cmd|hb|state|leader|x)(/x)?") {
        match Topic::parse(&name) {
            Ok((kitchen, topic)) => prop_assert_eq!(topic.name(&kitchen), name),
            Err(error) => says_what_is_wrong(&error.to_string())?,
        }
    }
}

#[test]
fn a_payload_of_more_bytes_than_its_leaf_may_have_is_refused_unread() {
    let flood = vec![b'['; 1 << 20];
    for leaf in LEAVES {
        let error = Message::decode(leaf, &flood).expect_err("it is too large");
        assert!(is_too_large(&error), "{leaf:?}: {error}");
    }
    assert_eq!(brigade::protocol::State::BYTES_MAX, 16_384);
}
