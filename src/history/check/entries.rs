//! Invariant 4, and what else must hold after every entry: each replica looks at its own state then, as tests of the core do, and writes
//! down what is wrong with it. Which exit was reserved is the kitchen's own knowledge: nobody else could tell.

use super::Violation;
use crate::history::{History, ReplicaDeed};

/// No replica found anything wrong with its state.
pub(super) fn entries_sound(history: &History) -> Result<(), Violation> {
    let wrong = history.replicas().find_map(|(line, fact)| match &fact.deed {
        ReplicaDeed::Applied { index, broken: Some(broken), .. } => {
            Some(Violation::new(format!("after entry {index} at replica {}: {broken}", fact.replica), [line]))
        }
        _ => None,
    });
    wrong.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::testing::{history, replica};

    #[test]
    fn what_a_replica_finds_wrong_with_its_state_is_told() {
        let applied = |broken: Option<&str>| ReplicaDeed::Applied {
            index: 7,
            digest: 1,
            state: None,
            broken: broken.map(str::to_owned),
        };
        assert_eq!(entries_sound(&history([replica(1, 2, applied(None))])), Ok(()));
        let found = entries_sound(&history([replica(1, 2, applied(Some("no exit")))])).unwrap_err();
        assert_eq!(found.why, "after entry 7 at replica 2: no exit");
    }
}
