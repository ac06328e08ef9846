//! Storage, power and clocks of real controllers, broken on purpose: disks that are full, damaged, old or forget what was not synced, and
//! clocks that jump. Clients keep every order that was acknowledged; all of them must be there at the end, on every replica.
//!
//! `make power ROUNDS=100 SEED=7` cuts the power for longer.

mod clocks;
mod damage;
mod disk;
mod ears;
mod full;
mod image;
mod ledger;
#[path = "../patience/mod.rs"]
mod patience;
mod rounds;
mod shim;
mod site;
