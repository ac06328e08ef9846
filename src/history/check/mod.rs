//! One function for each invariant that a history can show. Each is pure, and says with the fewest lines why an invariant was broken.

mod acknowledged;
mod custodian;
mod ends;
mod entries;
mod executed;
mod linearizable;
mod outcomes;
mod refused;
mod replicas;
mod specification;
mod started;

use serde::Serialize;

use super::History;

/// Why an invariant does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// A sentence.
    pub why: String,
    /// The lines of the history that show it.
    pub lines: Vec<usize>,
}

impl Violation {
    fn new(why: impl Into<String>, lines: impl IntoIterator<Item = usize>) -> Self {
        Self { why: why.into(), lines: lines.into_iter().collect() }
    }
}

/// What became of one invariant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// Its name.
    pub invariant: &'static str,
    /// What it says.
    pub says: &'static str,
    /// Why it does not hold, if it does not.
    pub violation: Option<Violation>,
}

type Check = fn(&History) -> Result<(), Violation>;

/// Name, what it says, and the function. Numbers are those of docs/scenarios.md.
const INVARIANTS: &[(&str, &str, Check)] = &[
    ("1-one-custodian", "a pizza is in one place, and a slot holds one pizza", custodian::one_custodian),
    ("2-executed-once", "no attempt is executed twice, no step by two devices at a time", executed::executed_once),
    ("3-ends-once", "every accepted order ends once and delivers each item once", ends::ends_once),
    ("4-entries-sound", "nothing is loaded without a reserved exit, and the state is sound", entries::entries_sound),
    ("5-former-refused", "no device obeys a controller that has been replaced", refused::former_refused),
    ("5-leased-starts", "nothing starts but what a lease of the highest epoch names", started::leased_starts),
    ("6-acknowledged-stays", "what was acknowledged is seen ever after", acknowledged::acknowledged_stays),
    ("7-outcomes-in-order", "the backend learns every outcome, in order and without gap", outcomes::outcomes_in_order),
    ("8-all-end", "every accepted order is seen to end", ends::all_end),
    ("9-replicas-agree", "replicas at the same index have the same state", replicas::replicas_agree),
    ("linearizable-orders", "the order API behaves as if there were one kitchen", linearizable::linearizable_orders),
];

/// Runs every invariant over a history.
pub fn judge(history: &History) -> Vec<Judgement> {
    let judged = |(invariant, says, check): &(&'static str, &'static str, Check)| Judgement {
        invariant,
        says,
        violation: check(history).err(),
    };
    INVARIANTS.iter().map(judged).collect()
}
