//! What-if for people who plan a kitchen: the real state machine with its real scheduler, and model devices, in virtual time.
//!
//! `Plan` says which line, which menu, which orders, what fails and how often; `run` cooks it through and returns what came of it.
//! Nothing here is consensus, brokers or clocks: one replica that never fails, and devices that obey at once. For those see
//! `tests/simulation`. The same plan and seed give the same result.

pub mod arrivals;
pub mod chance;
mod machine;
pub mod picture;
pub mod plan;
pub mod result;
mod run;
#[cfg(test)]
mod tests;
mod world;

pub use plan::{BadPlan, LinePlan, Plan};
pub use result::Outcome;
pub use run::{run, run_watched};
