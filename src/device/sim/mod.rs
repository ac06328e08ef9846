//! Simulated robots, ovens and cameras on one physical world, for the demo, for tests and for trials without hardware.
//!
//! The world is what is true: it outlives reboots, and no controller ever sees it. Devices know only what their sensors and
//! their memory tell them. `Record` writes down what happened physically, outside all controllers.

mod facts;
mod faults;
mod foreign;
mod machine;
mod record;
mod world;

pub use facts::facts_of;
pub use faults::{Faults, Knobs};
pub use foreign::{Deed, ForeignFact, follow};
pub use machine::{Machine, MachineOptions};
pub use record::Record;
pub use world::{Mishap, Place, World};
