//! What a run came upon: a run that claims to prove something must have met it.

use std::collections::BTreeMap;

use brigade::device::Notice;

/// How often each kind of thing was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen(pub BTreeMap<String, u64>);

impl Seen {
    /// One more.
    pub fn count(&mut self, what: &str) {
        match self.0.get_mut(what) {
            Some(times) => *times += 1,
            None => drop(self.0.insert(what.to_owned(), 1)),
        }
    }

    /// What a session did with an instruction.
    pub fn notice(&mut self, notice: &Notice) {
        match notice {
            Notice::Instructed { .. } | Notice::Fenced { .. } | Notice::Leased { .. } => {}
            Notice::Refused { result, .. } => self.count(&format!("refused {result:?}")),
            Notice::Expired { .. } => self.count("tasks expired"),
        }
    }

    /// Something physical.
    pub fn physical(&mut self, event: &str, code: Option<&str>) {
        match (event, code) {
            ("failed", Some(code)) => self.count(&format!("failed {code}")),
            ("finished", Some(verdict)) => self.count(&format!("judged {verdict}")),
            ("started" | "finished" | "instructed" | "refused", _) => {}
            (event, _) => self.count(&format!("devices: {event}")),
        }
    }

    /// Adds what another run has seen.
    pub fn add(&mut self, other: &Self) {
        for (what, times) in &other.0 {
            *self.0.entry(what.clone()).or_default() += times;
        }
    }
}
