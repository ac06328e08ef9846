//! What a random run showed: faults by kind, orders, and how long the kitchen stood still after each fault.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use brigade::history::{DeviceFact, Need};

use super::schedule::Breakage;
use crate::harness::Verdict;

/// Figures of a run, over all its rounds.
#[derive(Default)]
pub struct Report {
    rounds: usize,
    /// Faults of the round under way, with when each was done.
    open: Vec<(Breakage, u64)>,
    injected: BTreeMap<Breakage, u64>,
    /// Milliseconds from each fault to the next instruction that a device received.
    recoveries: BTreeMap<Breakage, Vec<u64>>,
    accepted: u64,
    ended: BTreeMap<String, u64>,
    facts: usize,
    starts: usize,
    refused: usize,
    exercised: BTreeSet<Need>,
    verdicts: BTreeMap<&'static str, u64>,
}

impl Report {
    /// A fault was done.
    pub fn injected(&mut self, what: Breakage, at_ms: u64) {
        *self.injected.entry(what).or_default() += 1;
        self.open.push((what, at_ms));
    }

    /// How often the leader was killed alone.
    pub fn kills_of_leaders(&self) -> u64 {
        self.injected.get(&Breakage::KillLeader).copied().unwrap_or(0)
    }

    /// What the run should have exercised and did not.
    pub fn not_exercised(&self, needs: &[Need]) -> Vec<String> {
        needs.iter().filter(|need| !self.exercised.contains(need)).map(ToString::to_string).collect()
    }

    /// Takes in a round.
    pub fn take(&mut self, verdict: &Verdict, accepted: u64) {
        let history = &verdict.history;
        let instructions: Vec<&DeviceFact> = history.devices().map(|(_, f)| f).filter(is_instruction).collect();
        for (what, at) in std::mem::take(&mut self.open) {
            let span = recovery(&instructions, what, at);
            self.recoveries.entry(what).or_default().extend(span);
        }
        let count = |event: &str| history.devices().filter(|(_, f)| f.event == event).count();
        self.rounds += 1;
        self.accepted += accepted;
        self.facts += history.all().count();
        self.starts += count("started");
        self.refused += count("refused");
        self.exercised.extend(Need::ALL.into_iter().map(|(need, _)| need).filter(|need| need.is_met(history)));
        for judgement in &verdict.judgements {
            *self.verdicts.entry(judgement.invariant).or_default() += u64::from(judgement.violation.is_some());
        }
        let mut last: BTreeMap<String, String> = BTreeMap::new();
        for call in brigade::history::calls(history) {
            if let Some(brigade::history::Answer::Shown { status, .. }) = call.answer {
                last.insert(call.ask.order().to_owned(), status.clone());
            }
        }
        last.into_values().for_each(|status| *self.ended.entry(status).or_default() += 1);
    }
}

/// A question is no instruction.
fn is_instruction(fact: &&DeviceFact) -> bool {
    fact.event == "instructed" && !matches!(fact.op.as_deref(), Some("state.get" | "facts.get") | None)
}

/// From a fault to the next instruction that a device received: of a later tenure, where the fault ends one.
fn recovery(instructions: &[&DeviceFact], what: Breakage, at_ms: u64) -> Option<u64> {
    let before = instructions.iter().filter(|f| f.t_ms <= at_ms).filter_map(|f| f.epoch).max().unwrap_or(0);
    let counts = |f: &&&DeviceFact| f.t_ms > at_ms && (!what.ends_a_tenure() || f.epoch > Some(before));
    instructions.iter().filter(counts).map(|f| f.t_ms - at_ms).min()
}

/// The value that this share of all values does not exceed.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or(0)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{} rounds, {} facts, {} starts on devices", self.rounds, self.facts, self.starts)?;
        writeln!(f, "Orders: {} accepted from guests; all orders ended {:?}", self.accepted, self.ended)?;
        writeln!(f, "Instructions that devices refused: {}", self.refused)?;
        writeln!(
            f,
            "\n{:32} {:>6} {:>9} {:>9} {:>9}   ms to the next instruction",
            "fault", "times", "p50", "p99", "max"
        )?;
        for (what, times) in &self.injected {
            let mut spans = self.recoveries.get(what).cloned().unwrap_or_default();
            spans.sort_unstable();
            let (p50, p99, max) = (percentile(&spans, 50), percentile(&spans, 99), percentile(&spans, 100));
            writeln!(f, "{what:32} {times:>6} {p50:>9} {p99:>9} {max:>9}")?;
        }
        let exercised: Vec<String> = self.exercised.iter().map(ToString::to_string).collect();
        writeln!(f, "\nExercised: {}", exercised.join(", "))?;
        for (invariant, broken) in &self.verdicts {
            writeln!(f, "{:7} {invariant}", if *broken == 0 { "OK" } else { "BROKEN" })?;
        }
        Ok(())
    }
}
