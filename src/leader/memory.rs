//! What a tenure remembers of devices and of what it said. Lost with the tenure: whatever matters is in the kitchen.

use std::collections::{BTreeMap, BTreeSet};

use crate::kitchen::{Command, DeviceId, Facts, InstructionId, Millis, Report};
use crate::protocol::Heartbeat;

/// So many devices are remembered: a broker full of strangers must not fill this memory.
pub const DEVICES_MAX: usize = 1_000;

/// A device's pulse, as this node hears it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// When it was last heard, on this machine's CLOCK_BOOTTIME.
    pub heard_ms: Millis,
    /// Its life.
    pub boot: u64,
    /// The broker that it was heard on, by its place in the configuration.
    pub link: usize,
    /// The revision that its last heartbeat named.
    pub rev: u64,
    /// Its will arrived after the last heartbeat.
    pub will_arrived: bool,
}

impl Pulse {
    /// What this heartbeat says, heard on this link at this moment of CLOCK_BOOTTIME.
    pub fn of(beat: &Heartbeat, link: usize, heard_ms: Millis) -> Self {
        Self { heard_ms, boot: beat.boot, link, rev: beat.rev, will_arrived: false }
    }
}

/// What a tenure remembers.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Devices that were heard.
    pub pulses: BTreeMap<DeviceId, Pulse>,
    /// When an instruction was last sent.
    pub sent: BTreeMap<InstructionId, Millis>,
    /// When a device was last asked for its state or facts.
    pub asked: BTreeMap<DeviceId, Millis>,
    /// When a lease last named an instruction, in kitchen time.
    pub named: BTreeMap<InstructionId, Millis>,
    /// Devices that get no lease: they are about to be judged.
    pub withheld: BTreeSet<DeviceId>,
    /// Devices that were judged lost, and nobody knows yet whether that is on record.
    pub unsettled: BTreeSet<DeviceId>,
    /// Facts that were refused: the same ones are not proposed again.
    pub refused: BTreeMap<DeviceId, Facts>,
    /// The last report of each device that was proposed.
    pub reports: BTreeMap<DeviceId, Report>,
    /// Connection counters of devices, to tell an older will from the present one: boot and number.
    pub connections: BTreeMap<DeviceId, (u64, u64)>,
    /// Zones that this tenure has said are on hold.
    pub held_zones: BTreeSet<String>,
    /// Numbers what this tenure asks on its own account.
    pub questions: u32,
}

impl Memory {
    /// True for a device that is remembered, and for another one while there is room.
    pub fn has_room_for(&self, device: &DeviceId) -> bool {
        let known = |map: usize, has: bool| has || map < DEVICES_MAX;
        known(self.pulses.len(), self.pulses.contains_key(device))
            && known(self.connections.len(), self.connections.contains_key(device))
            && known(self.refused.len(), self.refused.contains_key(device))
    }

    /// What was refused is not on record: a report is asked for again, facts must be others.
    pub fn refuse(&mut self, command: Command) {
        match command {
            Command::RecordReport { device, .. } => {
                self.reports.remove(&device);
            }
            Command::RecordFacts { device, facts, .. } => {
                self.refused.insert(device, facts);
            }
            _ => {}
        }
    }

    /// Forgets what is no longer in the outbox.
    pub fn forget_except(&mut self, is_open: impl Fn(&InstructionId) -> bool) {
        self.sent.retain(|id, _| is_open(id));
        self.named.retain(|id, _| is_open(id));
    }
}
