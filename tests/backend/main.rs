//! The main backend over real HTTP, with kitchens that speak the exchange. Every test runs against SQLite and against PostgreSQL.

mod cancelling;
mod contract;
mod exchanging;
mod killed;
mod kitchen;
mod leases;
mod operating;
mod orders;
mod polling;
mod postgres;
mod routes;
mod states;
mod support;
mod two_instances;
