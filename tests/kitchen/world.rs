//! What really happened: which pizza is where, which attempts were started, what was packed. It never asks the kitchen.
//!
//! Model devices write here; tests read `violations`, which must stay empty.

use std::collections::BTreeMap;

use brigade::kitchen::{AttemptId, DeviceId, Lane, PizzaId, Place};

/// The physical record.
#[derive(Default)]
pub struct World {
    /// What lies on each lane.
    pub lanes: BTreeMap<Place, PizzaId>,
    /// Packed pizzas on the counter.
    pub counter: Vec<PizzaId>,
    /// Every pizza that was ever packed.
    pub packed: Vec<PizzaId>,
    /// Attempts that were started, each with its device.
    pub started: BTreeMap<AttemptId, DeviceId>,
    /// What must never happen, and did.
    pub violations: Vec<String>,
}

/// A lane of a device, by parts.
pub fn place(device: &DeviceId, lane: Lane) -> Place {
    Place { device: device.clone(), lane }
}

impl World {
    /// A device begins an attempt: at most once, and one device only.
    pub fn start(&mut self, attempt: AttemptId, device: &DeviceId) {
        if let Some(before) = self.started.insert(attempt, device.clone()) {
            self.violations.push(format!("{attempt} was started on {before} and again on {device}"));
        }
    }

    /// Something comes onto a lane, which must be empty; and there is only one pizza of this name.
    pub fn put(&mut self, place: Place, pizza: PizzaId) {
        if let Some((other, _)) = self.lanes.iter().find(|(_, p)| **p == pizza) {
            self.violations.push(format!("{pizza} is made on {place} and lies on {other}"));
        }
        if let Some(other) = self.lanes.insert(place.clone(), pizza) {
            self.violations.push(format!("{pizza} was put onto {place}, where {other} lies"));
        }
    }

    /// Takes what lies on a lane.
    pub fn take(&mut self, place: &Place) -> Option<PizzaId> {
        self.lanes.remove(place)
    }

    /// Moves this pizza; false when it is not there.
    pub fn carry(&mut self, pizza: PizzaId, from: &Place, to: Place) -> bool {
        if self.lanes.get(from) != Some(&pizza) {
            return false;
        }
        self.lanes.remove(from);
        self.put(to, pizza);
        true
    }

    /// Packs a pizza: each at most once.
    pub fn pack(&mut self, pizza: PizzaId) {
        if self.packed.contains(&pizza) {
            self.violations.push(format!("{pizza} was packed twice"));
        }
        self.packed.push(pizza);
        self.counter.push(pizza);
    }
}
