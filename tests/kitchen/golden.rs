//! The table of states × inputs of the pizza's machine, as a file that a reader and a reviewer can look at.
//!
//! `UPDATE_GOLDEN=1 cargo test --test kitchen golden` writes it anew.

use brigade::kitchen::PizzaState;
use brigade::kitchen::pizza::{Input, advance};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/pizza_states.txt");

fn table() -> String {
    let mut text = String::from("# state × input → next state; what is missing has no meaning and changes nothing\n");
    for state in PizzaState::ALL {
        text.push_str(&format!("\n{state:?}\n"));
        for input in Input::ALL {
            if let Some(next) = advance(state, input) {
                text.push_str(&format!("  {:<16} → {next:?}\n", format!("{input:?}")));
            }
        }
    }
    text
}

#[test]
fn the_table_of_states_is_the_one_on_file() {
    let table = table();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(FILE, &table).expect("the golden file can be written");
    }
    let on_file = std::fs::read_to_string(FILE).unwrap_or_default();
    assert_eq!(on_file, table, "the machine changed: look at it, then bless it with UPDATE_GOLDEN=1");
}

#[test]
fn packed_is_the_only_state_that_nothing_leaves() {
    let is_end = |s: &PizzaState| Input::ALL.iter().all(|i| advance(*s, *i).is_none());
    assert_eq!(PizzaState::ALL.into_iter().filter(is_end).collect::<Vec<_>>(), [PizzaState::Packed]);
}
