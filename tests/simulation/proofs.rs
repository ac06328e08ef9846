//! What is proven over neither runs nor ever starts: whatever makes the kitchen believe that an attempt is over is held against what its
//! device does. Every later attempt, remake and free lane rests on it.

use std::collections::BTreeMap;

use brigade::kitchen::{AttemptId, Event};

/// Attempts that are over by the log, with the reason.
#[derive(Default)]
pub struct Proofs(BTreeMap<(String, u32), String>);

impl Proofs {
    /// An entry said something. `runs` tells whether an attempt runs on a device at this moment.
    pub fn note(&mut self, event: &Event, runs: impl Fn(&(String, u32)) -> bool) -> Result<(), String> {
        let Event::AttemptEnded { attempt: AttemptId { task, number }, device, outcome } = event else { return Ok(()) };
        let key = (task.to_string(), *number);
        if runs(&key) {
            return Err(format!("{task}#{number} runs on {device}, and is over by the log: {outcome}"));
        }
        self.0.insert(key, outcome.clone());
        Ok(())
    }

    /// A device starts an attempt.
    pub fn may_start(&self, key: &(String, u32)) -> Result<(), String> {
        let over = self.0.get(key);
        over.map_or(Ok(()), |why| Err(format!("{}#{} starts after it was over by the log: {why}", key.0, key.1)))
    }
}
