//! What a run must have exercised. A run that did not proves nothing, however well it ended.

use std::fmt;
use std::str::FromStr;

use super::{BrokerDeed, Fact, Fault, History, ReplicaDeed, calls};

/// Something that a run must have exercised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// A controller was killed while the answer to a client's write was due.
    Kill,
    /// A device refused an instruction of a former tenure or a former boot.
    StaleCommand,
    /// A replica replaced its state by another one's snapshot.
    Snapshot,
    /// A second node took charge.
    Failover,
    /// A controller was stopped, and went on later.
    Pause,
    /// A link passed nothing for a while.
    Cut,
    /// A broker was killed.
    BrokerKill,
    /// A broker lost what it had kept.
    BrokerWipe,
    /// A client was not told what became of its write.
    UnknownOutcome,
    /// All devices lost power.
    PowerCut,
    /// The backend kept nothing of what it was told, and kept something whose answer was lost.
    BackendFails,
}

impl Need {
    /// All of them, with their names.
    pub const ALL: [(Self, &str); 11] = [
        (Self::Kill, "kill"),
        (Self::StaleCommand, "stale-command"),
        (Self::Snapshot, "snapshot"),
        (Self::Failover, "failover"),
        (Self::Pause, "pause"),
        (Self::Cut, "cut"),
        (Self::BrokerKill, "broker-kill"),
        (Self::BrokerWipe, "broker-wipe"),
        (Self::UnknownOutcome, "unknown-outcome"),
        (Self::PowerCut, "power-cut"),
        (Self::BackendFails, "backend-fails"),
    ];

    /// True for a run that exercised it.
    pub fn is_met(self, history: &History) -> bool {
        match self {
            Self::Kill => has_kill_with_open_write(history),
            Self::StaleCommand => history
                .devices()
                .any(|(_, f)| f.event == "refused" && matches!(f.code.as_deref(), Some("StaleEpoch" | "StaleBoot"))),
            Self::Snapshot => history.replicas().any(|(_, f)| matches!(f.deed, ReplicaDeed::Installed { .. })),
            Self::Failover => has_failover(history),
            Self::Pause => has(history, Fault::Pause) && has(history, Fault::Resume),
            Self::Cut => has(history, Fault::Cut),
            Self::BrokerKill => has_broker(history, BrokerDeed::Killed),
            Self::BrokerWipe => has_broker(history, BrokerDeed::Wiped),
            Self::UnknownOutcome => calls(history).iter().any(|call| call.is_write() && call.is_open()),
            Self::PowerCut => has(history, Fault::PowerCut),
            Self::BackendFails => has_failing_backend(history),
        }
    }
}

fn has(history: &History, fault: Fault) -> bool {
    history.faults().any(|(_, fact)| fact.fault == fault)
}

fn has_broker(history: &History, deed: BrokerDeed) -> bool {
    history.all().any(|told| matches!(&told.fact, Fact::Broker(fact) if fact.did == deed))
}

fn has_failing_backend(history: &History) -> bool {
    let told = || history.backends().filter(|(_, fact)| !fact.outcomes.is_empty());
    let refuses = told().any(|(_, fact)| !fact.kept);
    let mut kept = std::collections::BTreeSet::new();
    let numbers =
        told().filter(|(_, fact)| fact.kept).flat_map(|(_, f)| f.outcomes.iter().map(|o| (&f.series, o.number)));
    refuses && numbers.filter(|outcome| !kept.insert(*outcome)).count() > 0
}

fn has_failover(history: &History) -> bool {
    let charges = history.replicas().filter(|(_, f)| matches!(f.deed, ReplicaDeed::TookCharge { .. }));
    let nodes: std::collections::BTreeSet<u64> = charges.map(|(_, f)| f.replica).collect();
    nodes.len() > 1
}

fn has_kill_with_open_write(history: &History) -> bool {
    let calls = calls(history);
    let is_open_at =
        |at: u64| calls.iter().any(|c| c.is_write() && c.from_ms <= at && c.to_ms.is_none_or(|to| to >= at));
    history.faults().any(|(_, f)| f.fault == Fault::Kill && is_open_at(f.t_ms))
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(need, _)| need == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

impl FromStr for Need {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(_, name)| *name == text).map(|(need, _)| *need);
        let names = || Self::ALL.map(|(_, name)| name).join(", ");
        found.ok_or_else(|| format!("a run can't need {text:?}: use {}", names()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::testing::{call, fault, history, place, placed, unknown};

    #[test]
    fn a_kill_proves_something_only_while_a_write_waits_for_its_answer() {
        let kill = fault(10, Fault::Kill);
        let waits = call(1, 9, 11, place("quick"), placed(true));
        let answered = call(1, 8, 9, place("quick"), placed(true));
        let given_up = call(1, 8, 9, place("quick"), unknown());
        assert!(Need::Kill.is_met(&history(waits.into_iter().chain([kill.clone()]))));
        assert!(!Need::Kill.is_met(&history(answered.into_iter().chain([kill.clone()]))));
        assert!(Need::Kill.is_met(&history(given_up.into_iter().chain([kill]))));
    }

    #[test]
    fn every_need_is_missing_from_an_empty_history_and_has_a_name() {
        for (need, name) in Need::ALL {
            assert!(!need.is_met(&History::default()), "{name}");
            assert_eq!(name.parse(), Ok(need));
        }
    }
}
