//! What people do wrong and put right: emergency stops that are pressed and reset, and a second device with the id of the first.

use brigade::kitchen::DeviceId;

use crate::run::{LINE, Simulation};
use crate::storm::Fault;

impl Simulation {
    /// Somebody presses the emergency stop of a device: it stands still, and its zone is held until a person says that all is well.
    pub fn press_stop(&mut self, device: usize) {
        self.seen.count("emergency stops");
        self.devices[device].knobs.change(|f| f.estop = true);
        self.wake_device(device, 1);
        self.mend_later(Fault::Stopped(device), 2_000, 60_000);
    }

    /// The stop is reset by hand.
    pub fn reset_stop(&mut self, device: usize) {
        self.devices[device].knobs.change(|f| f.estop = false);
        self.wake_device(device, 1);
    }

    /// A spare camera is plugged in that still has the id of one that works.
    ///
    /// It is a camera because nothing lies on one: two grippers in one place would be no kitchen.
    pub fn plug_in_twin(&mut self) {
        let twin = LINE.len();
        if self.pulled.is_some() || self.devices[twin].life.is_some() {
            return;
        }
        self.seen.count("twins plugged in");
        let name = self.devices[twin].id.clone();
        self.checks.has_twin(&name);
        self.power_up(twin);
    }

    /// Whoever is asked about twins pulls one of the two plugs, as chance has it, and restarts the other one.
    pub fn pull_a_plug(&mut self, id: &DeviceId) {
        let twin = LINE.len();
        if self.devices[twin].life.is_none() || self.devices[twin].id != *id || self.pulled.is_some() {
            return;
        }
        self.seen.count("twins told from each other");
        let first = self.devices.iter().position(|d| d.id == *id).expect("a twin has a twin");
        let pulled = if self.chance.happens(5_000) { first } else { twin };
        self.pulled = Some(pulled);
        let left = if pulled == first { twin } else { first };
        for device in [pulled, left] {
            self.lose_power(device);
        }
        self.mend_later(Fault::NoPower(left), 300, 5_000);
    }

    /// A broker lets nobody use a name twice: who connects throws the other one out.
    pub fn throw_out_twin(&mut self, device: usize) {
        let (id, broker) = (self.devices[device].id.clone(), self.devices[device].broker);
        let is_twin = |other: usize| other != device && self.devices[other].id == id;
        let twin = (0..self.devices.len()).find(|other| is_twin(*other));
        if let Some(twin) = twin.filter(|twin| self.devices[*twin].connection_to(broker).is_some()) {
            self.say_will(twin);
            self.device_goes_on(twin);
        }
    }
}
