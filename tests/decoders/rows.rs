//! The rows of a kitchen: what RocksDB keeps and snapshots hold. A damaged row is named by its key, or gives a kitchen that has the same rows
//! again.

use std::sync::LazyLock;

use brigade::kitchen::device::actions_of;
use brigade::kitchen::recipe::built_in_menu;
use brigade::kitchen::rows::InMemory;
use brigade::kitchen::{ActionFact, Command, DeviceKind, Entry, Facts, Kitchen, NewOrder, NewToken, Report, Role};
use brigade::protocol::{State, decode};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::mutation::{cases, mutated, says_what_is_wrong};

type Row = (Vec<u8>, Vec<u8>);

fn facts(kind: DeviceKind) -> Facts {
    let action = |action: &_| ActionFact { action: *action, typ_ms: 1_000, max_ms: 4_000 };
    Facts {
        kind,
        model: String::new(),
        firmware: "1".to_owned(),
        protocol: 1,
        zone: String::new(),
        lanes: vec![0, 1],
        actions: actions_of(kind).iter().map(action).collect(),
        stages: Vec::new(),
        heartbeat_ms: 1_000,
        orphan_ms: 10_000,
    }
}

/// What an idle device says, under the epoch of the first entry.
fn report() -> Report {
    let state = br#"{"v":1,"boot":"0000000000000007","rev":1,"mode":"AUTOMATIC","cond":"IDLE","estop":false,
        "fence":{"epoch":1099511627777},"holds":[],"tasks":[],"cmds":[],"errors":[]}"#;
    decode::<State>(state).expect("it is a state").to_report().report
}

/// A kitchen with something in every table that a few entries can fill.
static KITCHEN: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let mut commands =
        vec![Command::TakeCharge { node: 1, incarnation: 1, gap_measured: true, kitchen: String::new() }];
    commands.extend(built_in_menu().into_iter().map(|recipe| Command::PutRecipe { recipe }));
    for (name, kind) in [("b", DeviceKind::BeforeOven), ("o", DeviceKind::Oven), ("a", DeviceKind::AfterOven)] {
        let device: brigade::kitchen::DeviceId = name.parse().expect("an id");
        commands.push(Command::RecordFacts { device: device.clone(), boot: 7, facts: facts(kind) });
        commands.push(Command::RecordReport { device, report: report() });
    }
    for n in 0..3 {
        let (id, items) = (format!("o{n}").parse().expect("an id"), vec!["margherita".parse().expect("an id")]);
        commands.push(Command::PlaceOrder(NewOrder { id, items, priority: 0, promise_ms: None }));
    }
    let (id, hash) = ("t1".parse().expect("an id"), "0f".repeat(32).try_into().expect("64 digits"));
    let new = NewToken { id, name: "ann".to_owned(), role: Role::Operator, hash, life_ms: Some(60_000) };
    commands.push(Command::AddToken { new, first: false, actor: "root".to_owned() });
    commands.push(Command::NoteTokenUse { token: "t1".parse().expect("an id"), hour: 495_900 });
    let cancelled = "o2".parse().expect("an id");
    commands.push(Command::CancelOrder { order: cancelled, reason: "no appetite".to_owned() });
    let mut kitchen = Kitchen::default();
    for (index, command) in (1..).zip(commands) {
        let epoch = Some(kitchen.epoch()).filter(|_| index > 1);
        kitchen.apply(index, &Entry { at: 1_000 * index, wall: 0, epoch, asked: None, command }, &InMemory::new());
    }
    kitchen.rows()
});

fn part(of: fn(&Row) -> &Vec<u8>) -> Vec<Vec<u8>> {
    KITCHEN.iter().map(|row| of(row).clone()).collect()
}

#[test]
fn the_corpus_has_rows_of_many_tables() {
    let tables: std::collections::BTreeSet<u8> = KITCHEN.iter().map(|(key, _)| key[0]).collect();
    for table in b"mrpoadxt" {
        assert!(tables.contains(table), "no row of table {}: {tables:?}", char::from(*table));
    }
    assert_eq!(Kitchen::from_rows(KITCHEN.clone()).expect("they are its own").rows(), *KITCHEN);
}

proptest! {
    #![proptest_config(cases(1_500))]

    #[test]
    fn a_damaged_row_is_named_or_read(
        at in any::<Index>(),
        key in prop::option::weighted(0.3, mutated(part(|row| &row.0))),
        value in prop::option::weighted(0.9, mutated(part(|row| &row.1))),
    ) {
        let mut rows = KITCHEN.clone();
        let row = at.get_mut(&mut rows);
        row.0 = key.unwrap_or_else(|| row.0.clone());
        row.1 = value.unwrap_or_else(|| row.1.clone());
        match Kitchen::from_rows(rows) {
            Ok(kitchen) => {
                let rows = kitchen.rows();
                let again = Kitchen::from_rows(rows.clone());
                prop_assert_eq!(again.map(|kitchen| kitchen.rows()).ok(), Some(rows));
            }
            Err(error) => {
                says_what_is_wrong(&error.to_string())?;
                prop_assert!(error.key.len() <= 200);
            }
        }
    }
}
