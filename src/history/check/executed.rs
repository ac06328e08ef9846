//! Invariant 2: no two devices, and no device twice, execute the same attempt; and no step is under way on two devices at a time: the
//! second attempt needs proof that the first is over.

use std::collections::BTreeMap;

use super::Violation;
use crate::history::{DeviceFact, Fact, Fault, History};

/// A device at work.
struct Run {
    device: String,
    att: u32,
    line: usize,
}

#[derive(Default)]
struct Work {
    /// The line of each attempt's start.
    starts: BTreeMap<(String, u32), usize>,
    /// What is under way, by task.
    runs: BTreeMap<String, Vec<Run>>,
}

/// Follows every start to its end.
pub(super) fn executed_once(history: &History) -> Result<(), Violation> {
    let mut work = Work::default();
    for told in history.all() {
        match &told.fact {
            Fact::Device(fact) => work.see(told.line, fact)?,
            Fact::Fault(fact) if fact.fault == Fault::PowerCut => work.runs.clear(),
            Fact::Fault(_) | Fact::Client(_) | Fact::Replica(_) | Fact::Broker(_) | Fact::Backend(_) => {}
        }
    }
    Ok(())
}

impl Work {
    fn see(&mut self, line: usize, fact: &DeviceFact) -> Result<(), Violation> {
        match (fact.event.as_str(), fact.attempt()) {
            ("started", Some((task, att))) => self.start(line, &fact.device, task, att),
            ("finished" | "failed" | "cancelled", Some((task, att))) => {
                let runs = self.runs.entry(task.to_owned()).or_default();
                runs.retain(|run| run.device != fact.device || run.att != att);
                Ok(())
            }
            // Without power nothing moves.
            ("booted" | "unpowered", _) => {
                self.runs.values_mut().for_each(|runs| runs.retain(|run| run.device != fact.device));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn start(&mut self, line: usize, device: &str, task: &str, att: u32) -> Result<(), Violation> {
        if let Some(before) = self.starts.insert((task.to_owned(), att), line) {
            return Err(Violation::new(format!("attempt {att} at {task} was started twice"), [before, line]));
        }
        let runs = self.runs.entry(task.to_owned()).or_default();
        if let Some(other) = runs.first() {
            let why = format!("{task} was under way on {} when {device} started it", other.device);
            return Err(Violation::new(why, [other.line, line]));
        }
        runs.push(Run { device: device.to_owned(), att, line });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::testing::{did, fault, history, of_attempt};

    fn started(t_ms: u64, device: &str, att: u32) -> Fact {
        Fact::Device(of_attempt(did(t_ms, device, "started", "1.0.0"), "1.0.0-prep", att))
    }

    fn ended(t_ms: u64, device: &str, event: &str, att: u32) -> Fact {
        Fact::Device(of_attempt(did(t_ms, device, event, "1.0.0"), "1.0.0-prep", att))
    }

    #[test]
    fn a_second_attempt_after_the_first_is_over_is_fine() {
        for over in
            [ended(2, "robot1", "failed", 1), Fact::Device(did(2, "robot1", "booted", "")), fault(2, Fault::PowerCut)]
        {
            assert_eq!(executed_once(&history([started(1, "robot1", 1), over, started(3, "robot2", 2)])), Ok(()));
        }
    }

    #[test]
    fn an_attempt_that_is_started_twice_is_found() {
        let twice = [started(1, "robot1", 1), ended(2, "robot1", "finished", 1), started(3, "robot2", 1)];
        assert_eq!(executed_once(&history(twice)).unwrap_err().lines, vec![1, 3]);
    }

    #[test]
    fn a_step_that_is_under_way_twice_is_found() {
        let both = [started(1, "robot1", 1), started(2, "robot2", 2)];
        assert_eq!(executed_once(&history(both)).unwrap_err().lines, vec![1, 2]);
    }
}
