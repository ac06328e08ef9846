//! Histories for the checkers' own tests, in few words.

use super::{Answer, Ask, ClientFact, DeviceFact, Fact, Fault, FaultFact, History, ReplicaDeed, ReplicaFact, Step};

/// A history of these facts; times that are 0 become the facts' places.
pub fn history(facts: impl IntoIterator<Item = Fact>) -> History {
    let lines: Vec<String> = facts.into_iter().map(|fact| serde_json::to_string(&fact).unwrap()).collect();
    History::read(&lines.join("\n")).unwrap()
}

/// A fact about a device and a pizza.
pub fn did(t_ms: u64, device: &str, event: &str, pizza: &str) -> DeviceFact {
    let pizza = (!pizza.is_empty()).then(|| pizza.to_owned());
    DeviceFact { t_ms, pizza, ..DeviceFact::new(device, event) }
}

/// The same in a slot.
pub fn in_slot(fact: DeviceFact, oven: &str, slot: u8) -> Fact {
    Fact::Device(DeviceFact { oven: Some(oven.to_owned()), slot: Some(slot), ..fact })
}

/// The same in an attempt.
pub fn of_attempt(fact: DeviceFact, task: &str, att: u32) -> DeviceFact {
    DeviceFact { task: Some(task.to_owned()), att: Some(att), ..fact }
}

/// A replica's deed.
pub fn replica(t_ms: u64, replica: u64, deed: ReplicaDeed) -> Fact {
    Fact::Replica(ReplicaFact { t_ms, replica, deed })
}

/// A fault.
pub fn fault(t_ms: u64, fault: Fault) -> Fact {
    Fact::Fault(FaultFact { t_ms, fault, nodes: vec![1], in_charge: true, note: String::new() })
}

/// A call that was asked at one moment and answered at another.
pub fn call(number: u64, from_ms: u64, to_ms: u64, ask: Ask, answer: Answer) -> [Fact; 2] {
    let half = |t_ms, step| Fact::Client(ClientFact { t_ms, client: "c".to_owned(), call: number, step });
    [half(from_ms, Step::Invoke { node: 1, ask }), half(to_ms, Step::Return { answer })]
}

/// `Ask::Place` of order a.
pub fn place(item: &str) -> Ask {
    Ask::Place { order: "a".to_owned(), items: vec![item.to_owned()] }
}

/// `Ask::Show` of order a.
pub fn show() -> Ask {
    Ask::Show { order: "a".to_owned(), stale: false }
}

/// `Ask::Cancel` of order a.
pub fn cancel() -> Ask {
    Ask::Cancel { order: "a".to_owned() }
}

/// `Ask::Collect` of order a.
pub fn collect() -> Ask {
    Ask::Collect { order: "a".to_owned() }
}

/// 201 or 200.
pub fn placed(created: bool) -> Answer {
    Answer::Placed { number: 5, created }
}

/// 200 with this status.
pub fn shown(status: &str) -> Answer {
    Answer::Shown { number: 5, status: status.to_owned() }
}

/// A business "no".
pub fn refused(problem: &str, status: Option<&str>) -> Answer {
    Answer::Refused { problem: problem.to_owned(), status: status.map(str::to_owned) }
}

/// Nobody knows.
pub fn unknown() -> Answer {
    Answer::Unknown { why: "time".to_owned() }
}
