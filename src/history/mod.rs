//! What happened in a kitchen, as everybody who was there wrote it down: clients, devices, brokers, replicas, and whoever broke things.
//!
//! One file of JSON lines, read into a `History`; `judge` runs every invariant over it. Nothing here knows a clock, a controller or a
//! network: the judge trusts what was done and seen, never what the kitchen believes. An old history can be judged again.

mod check;
mod device;
mod facts;
mod needs;
mod orders;
mod read;
#[cfg(test)]
mod testing;
mod writer;

pub use check::{Judgement, Violation, judge};
pub use device::DeviceFact;
pub use facts::{
    Answer, Ask, BackendFact, BrokerDeed, BrokerFact, ClientFact, Fact, Fault, FaultFact, Outcome, ReplicaDeed,
    ReplicaFact, Step,
};
pub use needs::Need;
pub use orders::{Call, calls};
pub use read::{BadLine, History, Told};
pub use writer::Writer;
