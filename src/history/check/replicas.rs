//! Invariant 9: two replicas that have applied the same log index have the same state, bit for bit, as far as their digests tell.

use std::collections::BTreeMap;

use super::Violation;
use crate::history::{History, ReplicaDeed};

/// A digest, with who told it first and on which line.
type Digests = BTreeMap<u64, (u32, u64, usize)>;

/// Compares the digests of each index: of what an entry changed, and of the whole state.
pub(super) fn replicas_agree(history: &History) -> Result<(), Violation> {
    let (mut changes, mut states) = (Digests::new(), Digests::new());
    for (line, fact) in history.replicas() {
        let (index, digest, state) = match &fact.deed {
            ReplicaDeed::Applied { index, digest, state, .. } => (*index, Some(*digest), *state),
            ReplicaDeed::Installed { index, state } => (*index, None, Some(*state)),
            ReplicaDeed::Began | ReplicaDeed::TookCharge { .. } | ReplicaDeed::TenureEnded { .. } => continue,
        };
        agree(&mut changes, index, digest, fact.replica, line, "the change by")?;
        agree(&mut states, index, state, fact.replica, line, "the state after")?;
    }
    Ok(())
}

fn agree(
    known: &mut Digests,
    index: u64,
    digest: Option<u32>,
    replica: u64,
    line: usize,
    what: &str,
) -> Result<(), Violation> {
    let Some(digest) = digest else { return Ok(()) };
    let (other, first, since) = *known.entry(index).or_insert((digest, replica, line));
    if other != digest {
        let why = format!("replicas {first} and {replica} differ in {what} log index {index}");
        return Err(Violation::new(why, [since, line]));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::testing::{history, replica};

    fn applied(index: u64, digest: u32, state: Option<u32>) -> ReplicaDeed {
        ReplicaDeed::Applied { index, digest, state, broken: None }
    }

    #[test]
    fn replicas_that_agree_are_fine() {
        let facts = [(1, 7, Some(3)), (2, 7, Some(3)), (3, 7, None)].map(|(n, d, s)| replica(n, n, applied(9, d, s)));
        assert_eq!(replicas_agree(&history(facts)), Ok(()));
    }

    #[test]
    fn a_replica_that_changed_something_else_is_found() {
        let facts = [replica(1, 1, applied(9, 7, None)), replica(2, 2, applied(9, 8, None))];
        assert_eq!(replicas_agree(&history(facts)).unwrap_err().lines, vec![1, 2]);
    }

    #[test]
    fn a_snapshot_that_is_not_the_state_at_its_index_is_found() {
        let facts =
            [replica(1, 1, applied(9, 7, Some(3))), replica(2, 2, ReplicaDeed::Installed { index: 9, state: 4 })];
        assert!(replicas_agree(&history(facts)).is_err());
    }
}
