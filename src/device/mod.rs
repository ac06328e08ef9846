//! The device's side of the protocol: what a robot, an oven or a camera does with it.
//!
//! `Session` decides, without clock, randomness or I/O; `runtime` drives one over MQTT; a firmware author implements `Device`.
//! `sim` has simulated devices on a shared physical world, `line` runs a whole kitchen of them; `human` is a person with a tablet. Nothing here
//! knows orders, recipes or the kitchen's state machine.

mod firmware;
pub mod human;
pub mod line;
pub mod runtime;
pub mod session;
pub mod sim;

pub use firmware::{Device, End, Happening, Status};
pub use session::{Notice, Output, Session};
