//! The HTTP API and the operator's command line over real replicas, sockets and disks, without devices.

mod access;
mod audit;
mod cluster;
mod ctl;
mod description;
mod doors;
mod errors;
mod events;
mod fuzz;
mod kitchen;
mod orders;
mod origins;
mod page;
mod quotes;
mod remake;
mod support;
