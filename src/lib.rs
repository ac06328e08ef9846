//! Brigade: the execution system for kitchens of pizza-cooking robots that does not stop.
//!
//! Start here:
//! - the states of a pizza: `src/kitchen/pizza.rs`, `advance`
//! - the place where a decision becomes an MQTT message: `src/leader/dispatch.rs`, `due`
//! - the failover path: `src/leader/tenure.rs`, `take_charge` → `serve` → `hand_over`
//!
//! Layers, from below: `kitchen`, `protocol`, `raft` and `mqtt`, `leader`, `http`, `device` and `conform`, `node` and `config`, `cli`. Imports
//! point down only; tests/layers.rs holds that, and docs/ARCHITECTURE.md says why.

pub mod backend;
pub mod cli;
pub mod clock;
pub mod config;
pub mod conform;
pub mod defect;
pub mod device;
pub mod history;
pub mod http;
pub mod kitchen;
pub mod leader;
pub mod loopback;
pub mod mqtt;
pub mod node;
pub mod protocol;
pub mod raft;
pub mod secret;
pub mod shutdown;
pub mod simulate;
pub mod telemetry;
pub mod tls;
pub mod web;

/// How the tests of decoders bend what was valid; shared with tests/decoders.
#[cfg(test)]
#[path = "../tests/decoders/mutation.rs"]
mod mutation;
