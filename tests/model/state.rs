//! The whole that is checked: what the log holds, two controllers, two devices, and the bus between them.

use super::bus::Bus;
use super::controller::Controller;
use super::device::Device;
use super::kitchen::Kitchen;

/// A span, in units of which a lease lasts two.
///
/// No state holds a moment, only how long ago it was, counted no further than where it makes a difference: so the model is finite
/// without an end of time.
pub type Span = u8;

/// Attempts at the one step of the one pizza, numbered from 0.
pub const ATTEMPTS: usize = 2;

/// Both controllers, both devices.
pub const BOTH: [u8; 2] = [0, 1];

/// A state of the whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// What the log has decided.
    pub kitchen: Kitchen,
    /// Both controllers.
    pub controllers: [Controller; 2],
    /// Both robots.
    pub devices: [Device; 2],
    /// Everything that was ever sent and can still matter.
    pub bus: Bus,
    /// What physically happened, for the properties.
    pub record: Record,
}

/// What the properties look at, and no part of the protocol ever does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Record {
    /// How often each attempt was begun, on whichever device.
    pub starts: [u8; ATTEMPTS],
    /// A device started something under a lower epoch than one that it had seen.
    pub below_fence: bool,
    /// A device started something that no valid lease named.
    pub unleased: bool,
    /// How often devices rebooted.
    pub reboots: u8,
}

impl State {
    /// Node 0 is in charge, both robots are idle, and there is one step to do.
    pub fn new() -> Self {
        let mut controllers = [Controller::default(); 2];
        controllers[0].take_charge(1);
        let devices = [Device::new(); 2];
        let record = Record::default();
        Self { kitchen: Kitchen::new(), controllers, devices, bus: Bus::default(), record }
    }

    /// The node in charge by the log.
    pub fn leader(&self) -> &Controller {
        &self.controllers[usize::from(self.kitchen.node())]
    }

    /// The node in charge by the log.
    pub fn leader_mut(&mut self) -> &mut Controller {
        &mut self.controllers[usize::from(self.kitchen.node())]
    }
}
