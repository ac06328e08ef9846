//! Invariant 5, its other half: what a controller says that has been replaced is refused. A device answers each instruction before it does
//! anything else, so what follows an instruction of a lower epoch than it has seen must be its refusal.

use std::collections::BTreeMap;

use super::Violation;
use crate::history::{DeviceFact, History};

/// What a device has seen in this life.
#[derive(Default)]
struct Life {
    fence: u64,
    /// An instruction of a former tenure that is not refused yet: its id and line.
    due: Option<(String, usize)>,
}

/// Follows each instruction of a former tenure to its refusal.
pub(super) fn former_refused(history: &History) -> Result<(), Violation> {
    let mut lives: BTreeMap<&str, Life> = BTreeMap::new();
    for (line, fact) in history.devices() {
        let life = lives.entry(&fact.device).or_default();
        match fact.event.as_str() {
            "booted" => *life = Life::default(),
            "instructed" | "fenced" | "leased" | "refused" | "started" => life.see(line, fact)?,
            _ => {}
        }
    }
    Ok(())
}

impl Life {
    fn see(&mut self, line: usize, fact: &DeviceFact) -> Result<(), Violation> {
        if let Some((id, since)) = self.due.take()
            && (fact.event != "refused" || fact.id.as_ref() != Some(&id))
        {
            let why = format!("{} obeyed {id} of a controller that had been replaced", fact.device);
            return Err(Violation::new(why, [since, line]));
        }
        let epoch = fact.epoch.unwrap_or(self.fence);
        if fact.event == "instructed" && epoch < self.fence {
            self.due = fact.id.clone().map(|id| (id, line));
        }
        self.fence = self.fence.max(epoch);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Fact;
    use crate::history::testing::{did, history};

    fn instructed(t_ms: u64, id: &str, epoch: u64) -> Fact {
        let (id, epoch) = (Some(id.to_owned()), Some(epoch));
        Fact::Device(DeviceFact { id, epoch, op: Some("ack".to_owned()), ..did(t_ms, "robot1", "instructed", "") })
    }

    fn refused(t_ms: u64, id: &str) -> Fact {
        Fact::Device(DeviceFact { id: Some(id.to_owned()), ..did(t_ms, "robot1", "refused", "") })
    }

    fn fenced(t_ms: u64, epoch: u64) -> Fact {
        Fact::Device(DeviceFact { epoch: Some(epoch), ..did(t_ms, "robot1", "fenced", "") })
    }

    #[test]
    fn a_former_controllers_word_is_refused_before_anything_else() {
        let obeyed = [fenced(1, 9), instructed(2, "5-0", 4), instructed(3, "9-0", 9)];
        assert_eq!(former_refused(&history(obeyed)).unwrap_err().lines, vec![2, 3]);
        let fine = [fenced(1, 9), instructed(2, "5-0", 4), refused(3, "5-0"), instructed(4, "9-0", 9)];
        assert_eq!(former_refused(&history(fine)), Ok(()));
        let another = [fenced(1, 9), instructed(2, "5-0", 4), refused(3, "6-0")];
        assert!(former_refused(&history(another)).unwrap_err().why.contains("5-0"));
    }

    #[test]
    fn the_present_one_is_obeyed_and_a_new_life_has_seen_nobody() {
        assert_eq!(former_refused(&history([fenced(1, 9), instructed(2, "9-0", 9), fenced(3, 10)])), Ok(()));
        let booted = Fact::Device(did(2, "robot1", "booted", ""));
        assert_eq!(former_refused(&history([fenced(1, 9), booted, instructed(3, "5-0", 4), fenced(4, 9)])), Ok(()));
    }
}
