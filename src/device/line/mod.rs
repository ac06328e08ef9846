//! A line: all simulated devices of one kitchen in one process, each with its own connection, on one physical world.
//!
//! Devices can be crashed, killed and revived one by one through the `LineHandle`; their world goes on.

mod config;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use self::config::{DeviceLine, Error, Line};
use super::runtime::{Options, Runtime};
use super::sim::{self, Faults, Knobs, Machine, MachineOptions, Place, Record, World, facts_of};
use crate::history::DeviceFact;
use crate::protocol::{DeviceId, Facts, Id, Lane};
use crate::tls::Dialer;

/// A running line. Dropping it is a power cut of the whole kitchen.
pub struct LineHandle {
    line: Line,
    dialer: Dialer,
    world: Arc<World>,
    stop: CancellationToken,
    knobs: BTreeMap<DeviceId, Knobs>,
    running: Mutex<BTreeMap<DeviceId, JoinHandle<()>>>,
    followers: Vec<JoinHandle<()>>,
}

/// Runs all devices of a line until told to stop.
pub async fn run(line: Line, stop: CancellationToken) -> Result<(), Error> {
    let handle = start(line, stop.clone())?;
    stop.cancelled().await;
    handle.join().await;
    Ok(())
}

/// Starts all devices of a line; the handle turns their knobs. Must be called within a tokio runtime.
pub fn start(line: Line, stop: CancellationToken) -> Result<LineHandle, Error> {
    let record = match &line.record {
        Some(path) => {
            Record::to_file(path).map_err(|source| Error::Record { path: path.clone(), why: source.to_string() })?
        }
        None => Record::in_memory(),
    };
    let world = Arc::new(World::new(record));
    let knobs = line.devices.iter().map(|device| (device.id.clone(), Knobs::new(device.faults.clone()))).collect();
    let dialer = line.ca.as_deref().map(Dialer::trusting).transpose();
    let dialer = dialer.map_err(|error| Error::Form { why: format!("ca: {error}") })?.unwrap_or_default();
    let follow = |broker: &String| {
        let (world, kitchen) = (world.clone(), line.kitchen.clone());
        tokio::spawn(sim::follow(world, kitchen, broker.clone(), dialer.clone(), stop.clone()))
    };
    // Robots of other makes tell the world without a key: where brokers ask for one there is nobody to hear, and we would knock for ever.
    let is_open = line.devices.iter().all(|device| device.key.is_none());
    let followers = line.brokers.iter().filter(|_| is_open).map(follow).collect();
    let handle = LineHandle { line, dialer, world, stop, knobs, running: Mutex::default(), followers };
    for device in &handle.line.devices {
        handle.power_up(device);
    }
    Ok(handle)
}

impl LineHandle {
    /// The world, with its record.
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// The devices of the line.
    pub fn devices(&self) -> impl Iterator<Item = &DeviceId> {
        self.line.devices.iter().map(|device| &device.id)
    }

    /// Turns the knobs of a device. False if there is none of that name.
    pub fn change_faults(&self, device: &DeviceId, change: impl FnOnce(&mut Faults)) -> bool {
        let knobs = self.knobs.get(device);
        if let Some(knobs) = knobs {
            knobs.change(change);
        }
        knobs.is_some()
    }

    /// Cuts a device's power: its connection breaks, its memory is gone, what it holds stays where it is.
    pub fn kill(&self, device: &DeviceId) -> bool {
        let running = self.running().remove(device);
        if let Some(task) = &running {
            task.abort();
            self.world.record().write(DeviceFact::new(device, "unpowered"));
            // Without power there is no heat.
            let lanes = self.line.devices.iter().filter(|line| line.id == *device).flat_map(|line| &line.lanes);
            lanes.for_each(|lane| self.world.cool(&Place::new(device.clone(), *lane)));
        }
        running.is_some()
    }

    /// Gives a device its power back, with a new boot. False if it has it, or if there is none of that name.
    pub fn revive(&self, device: &DeviceId) -> bool {
        let is_dead = self.running().get(device).is_none_or(JoinHandle::is_finished);
        let known = self.line.devices.iter().find(|line| line.id == *device).filter(|_| is_dead);
        known.map(|line| self.power_up(line)).is_some()
    }

    /// Cuts a device's power and gives it back at once: a reboot.
    pub fn crash(&self, device: &DeviceId) -> bool {
        self.kill(device) && self.revive(device)
    }

    /// A person takes away what lies on a lane. What it was.
    pub fn clear(&self, device: &DeviceId, lane: Lane) -> Option<Id> {
        let pizza = self.world.take_away(&Place::new(device.clone(), lane))?;
        let fact =
            DeviceFact { pizza: Some(pizza.to_string()), slot: Some(lane), ..DeviceFact::new(device, "cleared") };
        self.world.record().write(fact);
        Some(pizza)
    }

    /// Waits until all devices have ended; they do when the line's token is cancelled.
    pub async fn join(mut self) {
        let running = std::mem::take(&mut *self.running());
        for task in running.into_values().chain(self.followers.drain(..)) {
            let _ = task.await;
        }
    }

    fn power_up(&self, device: &DeviceLine) {
        let knobs = self.knobs.get(&device.id).cloned().unwrap_or_default();
        let brokers = self.brokers_of(device);
        let mut options = Options::new(self.line.kitchen.clone(), device.id.clone(), brokers);
        options.dialer = self.dialer.clone();
        options.password = device.key.clone();
        options.wire = Some(Box::new(knobs.clone()));
        let machine = MachineOptions {
            id: device.id.clone(),
            facts: self.facts(device),
            boot: options.boot,
            knobs,
            seed: self.line.seed,
        };
        let machine = Machine::new(machine, self.world.clone());
        let stop = self.stop.clone();
        let task = tokio::spawn(async move { drop(Runtime::new(machine, options).run(stop).await) });
        self.running().insert(device.id.clone(), task);
    }

    /// The brokers of the line, each device beginning with another one: the loss of a broker concerns some of them.
    fn brokers_of(&self, device: &DeviceLine) -> Vec<String> {
        let mut brokers = self.line.brokers.clone();
        let position = self.line.devices.iter().position(|d| d.id == device.id).unwrap_or(0);
        let turns = position % brokers.len().max(1);
        brokers.rotate_left(turns);
        brokers
    }

    fn facts(&self, device: &DeviceLine) -> Facts {
        let facts = facts_of(device.kind, device.lanes.clone(), self.line.speed_pct, self.line.hb_ms);
        let orphan_ms = self.line.orphan_ms.unwrap_or(facts.orphan_ms);
        Facts { zone: device.zone.clone(), stages: device.stages.clone(), orphan_ms, ..facts }
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<DeviceId, JoinHandle<()>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for LineHandle {
    fn drop(&mut self) {
        let running = std::mem::take(&mut *self.running());
        for task in running.into_values().chain(self.followers.drain(..)) {
            task.abort();
        }
    }
}
