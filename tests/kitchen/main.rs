//! Tests of the kitchen's core with model devices: no broker, no disk, no clock. Time passes only when a test says so.
//!
//! `line` is the harness (kitchen, replicas, model devices, the leader's part), `model` one device, `world` what really
//! happened. `properties` breaks everything at random; the other modules are scenarios, each named after what it proves.

mod access;
mod answers;
mod backend;
mod chaos;
mod devices;
mod drive;
mod food_safety;
mod golden;
mod line;
mod model;
mod orders;
mod persons;
mod planning;
mod properties;
mod remakes;
mod replicas;
mod restored;
mod retention;
mod scenarios;
mod world;
