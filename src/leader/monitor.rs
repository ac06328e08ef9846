//! Whose heart beats: `judge` decides from what this node and the other replicas hear. Two witnesses: a device that another replica
//! still hears is not lost, this node is deaf.
//!
//! Silence counts from the latest of the last heartbeat, taking charge, and the broker's SUBACK. A node on no broker judges nobody.

use std::collections::BTreeMap;

use crate::kitchen::{Device, DeviceId, Kitchen, Life, Millis, Standing};

use super::memory::Memory;

/// A device is lost after this silence, on every broker and for every witness.
pub const LOST_MS: Millis = 5_000;

/// A node in charge without a broker for this long hands over.
pub const NO_BROKER_MS: Millis = 2_000;

/// A node in charge that hears fewer devices than another replica for this long hands over.
pub const DEAF_MS: Millis = 5_000;

/// What the judge goes by. All moments are this machine's CLOCK_BOOTTIME, in milliseconds.
#[derive(Clone, Debug, Default)]
pub struct Hearing {
    /// Now.
    pub mono: Millis,
    /// When this node took charge.
    pub in_charge_since: Millis,
    /// When the last broker connection was granted its subscriptions; None on no broker.
    pub subscribed_at: Option<Millis>,
    /// When other replicas last heard each device.
    pub others: BTreeMap<DeviceId, Millis>,
}

/// Devices whose life is another than the kitchen knows.
pub fn judge(kitchen: &Kitchen, memory: &Memory, hearing: &Hearing) -> Vec<(DeviceId, Life)> {
    let Some(subscribed_at) = hearing.subscribed_at else { return Vec::new() };
    let listening_since = subscribed_at.max(hearing.in_charge_since);
    let belongs = |d: &&Device| !matches!(d.standing, Standing::Retired);
    let verdict = |d: &Device| {
        let life = life_of(d, memory, hearing, listening_since);
        let news = match (d.life, life) {
            (Life::Live, Life::Suspect | Life::Lost) | (Life::Suspect, Life::Live | Life::Lost) => true,
            (Life::Live, Life::Live | Life::Stuck) | (Life::Suspect, Life::Suspect | Life::Stuck) => false,
            (Life::Stuck, Life::Lost) => false,
            (Life::Lost | Life::Stuck, _) => false,
        };
        news.then(|| (d.id.clone(), life))
    };
    kitchen.devices().filter(belongs).filter_map(verdict).collect()
}

fn life_of(device: &Device, memory: &Memory, hearing: &Hearing, listening_since: Millis) -> Life {
    let pulse = memory.pulses.get(&device.id);
    let heard_here_ms = pulse.map_or(0, |p| p.heard_ms).max(listening_since);
    let heard_ms = hearing.others.get(&device.id).map_or(heard_here_ms, |other| heard_here_ms.max(*other));
    let silence = hearing.mono.saturating_sub(heard_ms);
    let beat_ms = device.facts.heartbeat_ms.max(1);
    if silence >= LOST_MS.max(4 * beat_ms) {
        Life::Lost
    } else if silence >= 3 * beat_ms || pulse.is_some_and(|p| p.will_arrived) {
        Life::Suspect
    } else {
        Life::Live
    }
}

/// How many devices were heard lately, of those that the kitchen knows.
pub fn heard_lately(kitchen: &Kitchen, ages: impl Fn(&DeviceId) -> Option<Millis>) -> usize {
    kitchen.devices().filter(|d| ages(&d.id).is_some_and(|age| age < 3 * d.facts.heartbeat_ms.max(1))).count()
}
