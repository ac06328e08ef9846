//! The harness's own lines of the history: calls of clients, faults, brokers.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use brigade::clock::boottime_ms;
use brigade::history::{
    BackendFact, BrokerDeed, BrokerFact, ClientFact, Fact, Fault, FaultFact, Outcome, Step, Writer,
};

/// The history, open for writing.
pub struct Book {
    writer: Writer,
    calls: AtomicU64,
}

impl Book {
    /// Begins the history.
    pub fn begin(path: &Path) -> Self {
        let writer = Writer::append_to(path).expect("the folder can be written");
        Self { writer, calls: AtomicU64::new(1) }
    }

    /// A number that no other call has.
    pub fn next_call(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed)
    }

    /// Half of a call.
    pub fn call(&self, client: &str, call: u64, step: Step) {
        let fact = ClientFact { t_ms: boottime_ms(), client: client.to_owned(), call, step };
        self.writer.write(&[Fact::Client(fact)]);
    }

    /// A fault, or its mending. Returns when.
    pub fn fault(&self, fault: Fault, nodes: &[u64], in_charge: bool, note: &str) -> u64 {
        let t_ms = boottime_ms();
        let fact = FaultFact { t_ms, fault, nodes: nodes.to_vec(), in_charge, note: note.to_owned() };
        self.writer.write(&[Fact::Fault(fact)]);
        t_ms
    }

    /// What a kitchen told the backend.
    pub fn exchange(&self, series: &str, first: u64, outcomes: &[Outcome], kept: bool) {
        let (backend, series, outcomes) = ("backend".to_owned(), series.to_owned(), outcomes.to_vec());
        let fact = BackendFact { t_ms: boottime_ms(), backend, series, first, outcomes, kept };
        self.writer.write(&[Fact::Backend(fact)]);
    }

    /// What happened to a broker.
    pub fn broker(&self, broker: &str, did: BrokerDeed) {
        let fact = BrokerFact { t_ms: boottime_ms(), broker: broker.to_owned(), did };
        self.writer.write(&[Fact::Broker(fact)]);
    }
}
