//! Invariant 5: no device starts anything under a lower epoch than one that it has seen, or without a valid start lease that names it.

use std::collections::BTreeMap;

use super::Violation;
use crate::history::{DeviceFact, History};

/// What a device was told in this life.
#[derive(Default)]
struct Life {
    /// The highest epoch that it has seen.
    fence: u64,
    /// The instructions for each attempt.
    asked: BTreeMap<(String, u32), Vec<String>>,
    /// What the latest lease names: epoch, end, line. What it leaves out may not start any more, whatever an earlier one said.
    named: BTreeMap<String, (u64, u64, usize)>,
    /// Where each instruction was named first.
    once: BTreeMap<String, usize>,
}

/// Compares each start with the leases before it.
pub(super) fn leased_starts(history: &History) -> Result<(), Violation> {
    let mut lives: BTreeMap<&str, Life> = BTreeMap::new();
    for (line, fact) in history.devices() {
        let life = lives.entry(&fact.device).or_default();
        match fact.event.as_str() {
            "booted" => *life = Life::default(),
            "instructed" | "fenced" => life.hear(fact),
            "leased" => {
                let lease = (fact.epoch.unwrap_or(0), fact.until_ms.unwrap_or(0), line);
                life.named = fact.open.iter().map(|id| (id.clone(), lease)).collect();
                for id in &fact.open {
                    life.once.entry(id.clone()).or_insert(line);
                }
            }
            "started" => life.start(line, fact)?,
            _ => {}
        }
    }
    Ok(())
}

impl Life {
    fn hear(&mut self, fact: &DeviceFact) {
        self.fence = self.fence.max(fact.epoch.unwrap_or(0));
        if let (Some((task, att)), Some(id), Some("task.start")) = (fact.attempt(), &fact.id, fact.op.as_deref()) {
            self.asked.entry((task.to_owned(), att)).or_default().push(id.clone());
        }
    }

    fn start(&self, line: usize, fact: &DeviceFact) -> Result<(), Violation> {
        // A robot of another make writes no clock of its own: what it heard is not in the record.
        let (Some(at_ms), Some((task, att))) = (fact.at_ms, fact.attempt()) else { return Ok(()) };
        let what = format!("{} started attempt {att} at {task}", fact.device);
        let ids = self.asked.get(&(task.to_owned(), att)).map_or(&[][..], Vec::as_slice);
        let Some((epoch, until_ms, lease)) = ids.iter().filter_map(|id| self.named.get(id)).max() else {
            let once = ids.iter().find_map(|id| self.once.get(id));
            let why = if once.is_some() { "its last lease left it out" } else { "no lease named it" };
            return Err(Violation::new(format!("{what}, and {why}"), once.copied().into_iter().chain([line])));
        };
        if *epoch < self.fence {
            let why = format!("{what} by a lease of epoch {epoch} and had seen {}", self.fence);
            return Err(Violation::new(why, [*lease, line]));
        }
        if at_ms >= until_ms + fact.grace_ms.unwrap_or(0) {
            let why = format!("{what} {} ms after its lease", at_ms - until_ms);
            return Err(Violation::new(why, [*lease, line]));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Fact;
    use crate::history::testing::{did, history, of_attempt};

    fn story(lease: (u64, u64), fence: u64, start: DeviceFact) -> History {
        let instructed = of_attempt(did(1, "robot1", "instructed", ""), "1.0.0-prep", 1);
        let (id, op) = (Some("5-0".to_owned()), Some("task.start".to_owned()));
        let instructed = DeviceFact { id, op, epoch: Some(4), ..instructed };
        let (epoch, until_ms, open) = (Some(lease.0), Some(lease.1), vec!["5-0".to_owned()]);
        let leased = DeviceFact { epoch, until_ms, open, ..did(2, "robot1", "leased", "") };
        let fenced = DeviceFact { epoch: Some(fence), ..did(3, "robot1", "fenced", "") };
        history([instructed, leased, fenced, start].map(Fact::Device))
    }

    fn start_at(at_ms: u64, grace_ms: u64) -> DeviceFact {
        let start = of_attempt(did(9, "robot1", "started", "1.0.0"), "1.0.0-prep", 1);
        DeviceFact { at_ms: Some(at_ms), grace_ms: Some(grace_ms), ..start }
    }

    #[test]
    fn a_start_within_its_lease_is_fine() {
        assert_eq!(leased_starts(&story((4, 100), 4, start_at(99, 0))), Ok(()));
        assert_eq!(leased_starts(&story((4, 100), 4, start_at(150, 60))), Ok(()), "accepted with `after`");
    }

    #[test]
    fn a_start_after_its_lease_is_found() {
        assert_eq!(leased_starts(&story((4, 100), 4, start_at(100, 0))).unwrap_err().lines, vec![2, 4]);
    }

    #[test]
    fn a_start_by_the_word_of_a_former_tenure_is_found() {
        assert!(leased_starts(&story((4, 100), 7, start_at(50, 0))).unwrap_err().why.contains("had seen 7"));
    }

    #[test]
    fn a_start_that_the_last_lease_left_out_is_found() {
        let Fact::Device(first) = story((4, 100), 4, start_at(50, 0)).all().nth(1).unwrap().fact.clone() else {
            panic!("the lease is the second line")
        };
        let facts: Vec<Fact> = story((4, 100), 4, start_at(50, 0)).all().map(|told| told.fact.clone()).collect();
        let later = Fact::Device(DeviceFact { t_ms: 3, until_ms: Some(200), open: Vec::new(), ..first });
        let with_later = [&facts[..3], &[later], &facts[3..]].concat();
        let found = leased_starts(&history(with_later)).unwrap_err();
        assert!(found.why.contains("left it out"), "{found:?}");
        assert_eq!(found.lines, vec![2, 5]);
    }

    #[test]
    fn a_start_that_no_lease_named_is_found() {
        let start = DeviceFact { att: Some(2), ..start_at(50, 0) };
        assert!(leased_starts(&story((4, 100), 4, start)).unwrap_err().why.contains("no lease"));
    }
}
