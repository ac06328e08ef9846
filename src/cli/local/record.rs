//! The devices' own record of what they physically did, and what is counted from it. Pure functions over lines of JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};

use crate::history::DeviceFact;
use crate::kitchen::PizzaId;

/// The record.
#[derive(Debug, Default)]
pub struct Record(Vec<DeviceFact>);

impl Record {
    /// Reads the record. A last line that is cut off is left out.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("record {}", path.display()))?;
        Ok(Self::of(&text))
    }

    /// The record in this text.
    pub fn of(text: &str) -> Self {
        Self(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    fn pizzas(&self, event: &str) -> impl Iterator<Item = (PizzaId, u64)> {
        let named = move |f: &DeviceFact| Some((f.pizza.as_deref()?.parse().ok()?, f.t_ms));
        self.0.iter().filter(move |f| f.event == event).filter_map(named)
    }

    /// How often each item was packed and not judged bad afterwards: (order number, item) → times.
    pub fn delivered(&self) -> BTreeMap<(u64, u16), i64> {
        let mut items: BTreeMap<(u64, u16), i64> = BTreeMap::new();
        for (pizza, _) in self.pizzas("packed") {
            *items.entry((pizza.order, pizza.item)).or_default() += 1;
        }
        for (pizza, _) in self.pizzas("rejected") {
            *items.entry((pizza.order, pizza.item)).or_default() -= 1;
        }
        items
    }

    /// Pizzas that stayed in a hot oven past their window.
    pub fn burnt(&self) -> usize {
        self.pizzas("burnt").map(|(pizza, _)| pizza).collect::<BTreeSet<_>>().len()
    }

    /// Pizzas begun as a second or later generation of their item.
    pub fn remade(&self) -> usize {
        let remade = self.pizzas("started").filter(|(pizza, _)| pizza.generation > 0);
        remade.map(|(pizza, _)| pizza).collect::<BTreeSet<_>>().len()
    }

    /// Attempts that more than one start is recorded for, and items that were delivered more than once.
    pub fn made_twice(&self) -> usize {
        let mut starts: BTreeMap<(&str, u32), usize> = BTreeMap::new();
        for fact in self.0.iter().filter(|f| f.event == "started") {
            if let (Some(task), Some(att)) = (&fact.task, fact.att) {
                *starts.entry((task, att)).or_default() += 1;
            }
        }
        let doubled = starts.values().filter(|n| **n > 1).count();
        doubled + self.delivered().values().filter(|n| **n > 1).count()
    }

    /// How often something was put where another thing lay. The simulated world keeps them apart: who runs into something fails as BLOCKED.
    pub fn collisions(&self) -> usize {
        self.0.iter().filter(|f| f.event == "failed" && f.code.as_deref() == Some("BLOCKED")).count()
    }

    /// When the last pizza was packed.
    pub fn last_packed_ms(&self) -> Option<u64> {
        self.pizzas("packed").map(|(_, at)| at).max()
    }

    /// From each kill to the first instruction of a later tenure that a device took, in milliseconds. A question is no instruction.
    pub fn failovers_ms(&self, kills: &[u64]) -> Vec<u64> {
        let instructed = |f: &&DeviceFact| {
            f.event == "instructed" && !matches!(f.op.as_deref(), Some("state.get" | "facts.get") | None)
        };
        let instructions: Vec<&DeviceFact> = self.0.iter().filter(instructed).collect();
        let first_after = |kill: &u64| {
            let before = instructions.iter().filter(|f| f.t_ms <= *kill).filter_map(|f| f.epoch).max().unwrap_or(0);
            let next = instructions.iter().filter(|f| f.t_ms > *kill && f.epoch > Some(before));
            next.map(|f| f.t_ms - kill).min()
        };
        kills.iter().filter_map(first_after).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"
        {"t_ms":1,"device":"robot1","event":"instructed","op":"task.start","epoch":5}
        {"t_ms":2,"device":"robot1","event":"started","pizza":"1.0.0","task":"1.0.0-prep","att":1}
        {"t_ms":3,"device":"robot2","event":"started","pizza":"1.0.0","task":"1.0.0-prep","att":1}
        {"t_ms":20,"device":"robot1","event":"instructed","op":"state.get","epoch":9}
        {"t_ms":30,"device":"robot1","event":"instructed","op":"ack","epoch":9}
        {"t_ms":40,"device":"robot3","event":"packed","pizza":"1.0.0"}
        {"t_ms":41,"device":"camera3","event":"rejected","pizza":"1.0.0"}
        {"t_ms":42,"device":"robot1","event":"started","pizza":"1.0.1","task":"1.0.1-prep","att":1}
        {"t_ms":50,"device":"robot3","event":"packed","pizza":"1.0.1"}
        {"t_ms":60,"device":"oven1","event":"burnt","pizza":"1.1.0"}
        {"t_ms":61,"device":"oven1","event":"bur"#;

    #[test]
    fn who_runs_into_something_has_collided() {
        let fact = |event: &str, code: &str| {
            format!(r#"{{"t_ms":1,"device":"robot1","event":"{event}","pizza":"1.0.0","code":"{code}"}}"#)
        };
        let orderly = [fact("placed", ""), fact("failed", "JAMMED"), fact("refused", "BLOCKED")].join("\n");
        assert_eq!(Record::of(&orderly).collisions(), 0);
        assert_eq!(Record::of(&[orderly, fact("failed", "BLOCKED")].join("\n")).collisions(), 1);
    }

    #[test]
    fn the_record_counts_what_physically_happened() {
        let record = Record::of(RECORD);
        assert_eq!(record.made_twice(), 1, "two robots made the same attempt");
        assert_eq!(record.burnt(), 1);
        assert_eq!(record.remade(), 1);
        assert_eq!(record.delivered(), BTreeMap::from([((1, 0), 1)]), "a rejected pizza is not delivered");
        assert_eq!(record.last_packed_ms(), Some(50));
        assert_eq!(record.failovers_ms(&[10]), vec![20], "a question is no instruction");
    }
}
