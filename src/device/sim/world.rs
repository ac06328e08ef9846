//! The physical world: what lies in which gripper, slot and shelf, and what heat does to it. It outlives reboots.
//!
//! Two things can't be in one place: what would collide is a mishap, and the pizza stays where it was.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::record::Record;
use crate::history::DeviceFact;
use crate::protocol::{Id, Lane, Millis};

/// A gripper, an oven slot, or a place on a shelf.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The device or shelf.
    pub device: Id,
    /// Which lane of it.
    pub lane: Lane,
}

impl Place {
    /// This lane of this device.
    pub fn new(device: impl Into<Id>, lane: Lane) -> Self {
        Self { device: device.into(), lane }
    }
}

/// What physics did not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// There is nothing to take.
    NothingThere,
    /// Something is there already.
    Blocked,
}

impl Mishap {
    /// The code of the failure that a device reports.
    pub fn code(self) -> &'static str {
        match self {
            Self::NothingThere => "NOTHING_THERE",
            Self::Blocked => "BLOCKED",
        }
    }
}

/// What lies somewhere.
#[derive(Clone, Debug)]
struct Lying {
    pizza: Id,
    is_burnt: bool,
}

/// A slot whose heat is on.
#[derive(Clone, Copy, Debug)]
struct Heat {
    burns_at: Millis,
}

#[derive(Debug, Default)]
struct Things {
    lying: BTreeMap<Place, Lying>,
    heat: BTreeMap<Place, Heat>,
}

/// The world, shared by all simulated devices of a kitchen.
#[derive(Debug)]
pub struct World {
    things: Mutex<Things>,
    record: Record,
}

impl World {
    /// An empty kitchen.
    pub fn new(record: Record) -> Self {
        Self { things: Mutex::default(), record }
    }

    /// The record of this world.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// What lies there.
    pub fn pizza_at(&self, place: &Place) -> Option<Id> {
        self.things().lying.get(place).map(|lying| lying.pizza.clone())
    }

    /// Which lanes of a device are occupied.
    pub fn occupied(&self, device: &Id) -> Vec<Lane> {
        self.things().lying.keys().filter(|place| place.device == *device).map(|place| place.lane).collect()
    }

    /// Dough comes into a gripper.
    pub fn make(&self, at: Place, pizza: Id) -> Result<(), Mishap> {
        let mut things = self.things();
        if things.lying.contains_key(&at) {
            return Err(Mishap::Blocked);
        }
        things.lying.insert(at, Lying { pizza, is_burnt: false });
        Ok(())
    }

    /// Something goes from one place to another. What it was.
    pub fn carry(&self, from: &Place, to: Place) -> Result<Id, Mishap> {
        let mut things = self.things();
        if !things.lying.contains_key(from) {
            return Err(Mishap::NothingThere);
        }
        if things.lying.contains_key(&to) {
            return Err(Mishap::Blocked);
        }
        let lying = things.lying.remove(from).ok_or(Mishap::NothingThere)?;
        let pizza = lying.pizza.clone();
        things.heat.remove(from);
        things.lying.insert(to, lying);
        Ok(pizza)
    }

    /// Something is put somewhere by a robot whose grippers this world does not know.
    pub fn put(&self, at: Place, pizza: Id) -> Result<(), Mishap> {
        self.make(at, pizza)
    }

    /// Something leaves the kitchen: packed, or thrown away.
    pub fn take_away(&self, from: &Place) -> Option<Id> {
        let mut things = self.things();
        things.heat.remove(from);
        things.lying.remove(from).map(|lying| lying.pizza)
    }

    /// The heat of a slot is on: what lies there burns from this moment on.
    pub fn heat(&self, slot: Place, burns_at: Millis) {
        self.things().heat.insert(slot, Heat { burns_at });
    }

    /// The heat of a slot goes off.
    pub fn cool(&self, slot: &Place) {
        self.things().heat.remove(slot);
    }

    /// Lets time pass: what lies in a hot slot for too long burns.
    pub fn pass_time(&self, now: Millis) {
        let mut things = self.things();
        let Things { lying, heat } = &mut *things;
        for (slot, _) in heat.iter().filter(|(_, heat)| now >= heat.burns_at) {
            if let Some(lying) = lying.get_mut(slot).filter(|lying| !lying.is_burnt) {
                lying.is_burnt = true;
                let pizza = Some(lying.pizza.to_string());
                self.record.write(DeviceFact {
                    pizza,
                    slot: Some(slot.lane),
                    ..DeviceFact::new(&slot.device, "burnt")
                });
            }
        }
    }

    fn things(&self) -> MutexGuard<'_, Things> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
