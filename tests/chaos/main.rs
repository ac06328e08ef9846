//! Whole kitchens as real processes, broken in the middle of dinner: what is killed, frozen and cut off here is what dies in kitchens.
//!
//! Each test breaks one thing on purpose, and ends with the history of everybody who was there judged by every invariant: what devices
//! physically did and what clients were told, not what controllers believe. The numbers are rows of docs/scenarios.md.

mod backend;
mod brokers;
mod cuts;
mod devices;
mod harness;
mod kills;
mod random;
mod upgrade;
