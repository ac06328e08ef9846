//! Every decoder, fed with arbitrary and mutated input: never a panic or an endless loop, memory bounded by the input, and errors that say
//! what is wrong. What decodes encodes again to something that decodes to the same.
//!
//! Here: MQTT payloads and topics, configuration and line files, the kitchen's rows, the devices' record. What is private to its module
//! is tested there, with the same `mutation`: Raft's bodies, log entries and snapshot files in `src/raft/decoders.rs`, HTTP bodies and queries in
//! `src/http/decoders.rs` (`cargo test --lib decoders`). Whole requests are sent by tests/http/fuzz.rs.

mod asyncapi;
mod files;
mod mqtt;
mod mutation;
mod record;
mod rows;
