//! A small model of dispatch, epochs, leases, proof and reassignment, checked in every state that it can reach.
//!
//! Two controllers take turns in charge by one log; two robots; one step of one pizza; a bus that loses, doubles, delays and reorders
//! without bound; a pause anywhere. Names are those of the code that it mirrors: src/leader/{lease,dispatch,serve,monitor}.rs,
//! src/kitchen/{lives,opening,merge}.rs, src/device/session/.
//!
//! What it assumes about time, and what it leaves out, is in docs/MODEL.md. It never runs the code itself.

mod actions;
mod bus;
mod checks;
mod controller;
mod device;
mod forget;
mod guards;
mod kitchen;
mod properties;
mod state;
mod steps;
