//! Reads a history. A last line that is cut off is what a killed writer leaves, and is left out; any other bad line is an error.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{BackendFact, BrokerFact, ClientFact, DeviceFact, Fact, FaultFact, ReplicaFact};

/// A line that is none.
#[derive(Debug, thiserror::Error)]
#[error("line {line} is no fact of a history: {why}")]
pub struct BadLine {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

/// A fact and the line it stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told<T> {
    /// From 1.
    pub line: usize,
    /// What happened.
    pub fact: T,
}

/// Everything that happened, by time. Facts of one millisecond keep the order in which they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    told: Vec<Told<Fact>>,
}

impl History {
    /// Reads the lines of a history.
    pub fn read(text: &str) -> Result<Self, BadLine> {
        let mut told = Vec::new();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            match parse(line) {
                Ok(fact) => told.push(Told { line: at + 1, fact }),
                Err(_) if !text.ends_with('\n') && at + 1 == text.lines().count() => {}
                Err(why) => return Err(BadLine { line: at + 1, why }),
            }
        }
        told.sort_by_key(|told| told.fact.t_ms());
        Ok(Self { told })
    }

    /// Every fact.
    pub fn all(&self) -> impl Iterator<Item = &Told<Fact>> {
        self.told.iter()
    }

    /// What devices wrote.
    pub fn devices(&self) -> impl Iterator<Item = (usize, &DeviceFact)> {
        self.told.iter().filter_map(|told| match &told.fact {
            Fact::Device(fact) => Some((told.line, fact)),
            Fact::Client(_) | Fact::Replica(_) | Fact::Broker(_) | Fact::Fault(_) | Fact::Backend(_) => None,
        })
    }

    /// What clients wrote.
    pub fn clients(&self) -> impl Iterator<Item = (usize, &ClientFact)> {
        self.told.iter().filter_map(|told| match &told.fact {
            Fact::Client(fact) => Some((told.line, fact)),
            Fact::Device(_) | Fact::Replica(_) | Fact::Broker(_) | Fact::Fault(_) | Fact::Backend(_) => None,
        })
    }

    /// What controllers wrote.
    pub fn replicas(&self) -> impl Iterator<Item = (usize, &ReplicaFact)> {
        self.told.iter().filter_map(|told| match &told.fact {
            Fact::Replica(fact) => Some((told.line, fact)),
            Fact::Device(_) | Fact::Client(_) | Fact::Broker(_) | Fact::Fault(_) | Fact::Backend(_) => None,
        })
    }

    /// What the main backend wrote.
    pub fn backends(&self) -> impl Iterator<Item = (usize, &BackendFact)> {
        self.told.iter().filter_map(|told| match &told.fact {
            Fact::Backend(fact) => Some((told.line, fact)),
            Fact::Device(_) | Fact::Client(_) | Fact::Replica(_) | Fact::Broker(_) | Fact::Fault(_) => None,
        })
    }

    /// What was broken on purpose.
    pub fn faults(&self) -> impl Iterator<Item = (usize, &FaultFact)> {
        self.told.iter().filter_map(|told| match &told.fact {
            Fact::Fault(fact) => Some((told.line, fact)),
            Fact::Device(_) | Fact::Client(_) | Fact::Replica(_) | Fact::Broker(_) | Fact::Backend(_) => None,
        })
    }
}

fn parse(line: &str) -> Result<Fact, String> {
    let value: Value = serde_json::from_str(line).map_err(|e| e.to_string())?;
    let is_by = |key: &str| value.get(key).is_some();
    match () {
        () if is_by("device") => of::<DeviceFact>(value).map(Fact::Device),
        () if is_by("client") => of::<ClientFact>(value).map(Fact::Client),
        () if is_by("replica") => of::<ReplicaFact>(value).map(Fact::Replica),
        () if is_by("broker") => of::<BrokerFact>(value).map(Fact::Broker),
        () if is_by("backend") => of::<BackendFact>(value).map(Fact::Backend),
        () if is_by("fault") => of::<FaultFact>(value).map(Fact::Fault),
        () => Err("nobody of device, client, replica, broker, backend and fault wrote it".to_owned()),
    }
}

fn of<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Answer, Ask, Fault, Outcome, ReplicaDeed, Step};

    #[test]
    fn every_kind_of_fact_is_read_as_it_was_written() {
        let ask = Ask::Place { order: "a".to_owned(), items: vec!["quick".to_owned()] };
        let call = |t_ms, step| Fact::Client(ClientFact { t_ms, client: "c".to_owned(), call: 7, step });
        let deed = ReplicaDeed::Applied { index: 9, digest: u32::MAX, state: None, broken: None };
        let fault = FaultFact { t_ms: 5, fault: Fault::Kill, nodes: vec![1], in_charge: true, note: String::new() };
        let outcome = Outcome { number: 3, order: Some("a".to_owned()), status: "READY".to_owned() };
        let series = "s1".to_owned();
        let exchange =
            BackendFact { t_ms: 5, backend: "b".to_owned(), series, first: 3, outcomes: vec![outcome], kept: true };
        let facts = vec![
            Fact::Device(DeviceFact { t_ms: 1, epoch: Some(u64::MAX), ..DeviceFact::new("robot1", "started") }),
            call(2, Step::Invoke { node: 1, ask }),
            call(3, Step::Return { answer: Answer::Unknown { why: "time".to_owned() } }),
            Fact::Replica(ReplicaFact { t_ms: 4, replica: 1, deed }),
            Fact::Backend(exchange),
            Fact::Fault(fault),
        ];
        let lines: Vec<String> = facts.iter().map(|f| serde_json::to_string(f).unwrap()).collect();
        let history = History::read(&lines.join("\n")).unwrap();
        assert_eq!(history.all().map(|told| told.fact.clone()).collect::<Vec<_>>(), facts);
    }

    #[test]
    fn a_line_cut_off_at_the_end_is_left_out_and_any_other_is_an_error() {
        let good = r#"{"t_ms":1,"device":"robot1","event":"booted"}"#;
        let history = History::read(&format!("{good}\n{{\"t_ms\":2,\"dev")).unwrap();
        assert_eq!(history.all().count(), 1);
        let error = History::read(&format!("{{\"t_ms\":2}}\n{good}\n")).unwrap_err();
        assert_eq!(error.line, 1);
    }
}
