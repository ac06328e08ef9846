//! Whose heart beats: `judge` decides from what this node and the other replicas hear. Two witnesses: a device that another replica
//! still hears is not lost, this node is deaf.
//!
//! Silence counts from the latest of the last heartbeat, taking charge, and the broker's SUBACK. A node on no broker judges nobody.

use std::collections::{BTreeMap, BTreeSet};

use crate::kitchen::{Device, DeviceId, InstructionId, Kitchen, Life, Millis, Standing};

use super::memory::Memory;
use super::witness::Testimony;

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

/// Devices to be judged now: those whose life is another than the kitchen knows, and those whose judgement may not be on record.
pub fn devices_to_judge(kitchen: &Kitchen, memory: &mut Memory, hearing: &Hearing) -> BTreeSet<DeviceId> {
    let Memory { withheld, unsettled, .. } = &mut *memory;
    withheld.retain(|id| unsettled.contains(id) || kitchen.device(id).is_some_and(|d| d.life != Life::Live));
    let unsettled = memory.unsettled.iter().cloned();
    judge(kitchen, memory, hearing).into_iter().map(|(device, _)| device).chain(unsettled).collect()
}

/// The verdict on one device. A lost one gets no lease from here on; what the last ones named is what a proof by time counts from.
/// A judgement that may still be applied is made again: until it is known to be, no lease may contradict it.
pub fn judge_one(
    kitchen: &Kitchen,
    memory: &mut Memory,
    hearing: &Hearing,
    device: &DeviceId,
) -> Option<(Life, BTreeMap<InstructionId, Millis>)> {
    let verdict = judge(kitchen, memory, hearing).into_iter().find(|(id, _)| id == device).map(|(_, life)| life);
    let life = if memory.unsettled.contains(device) { Life::Lost } else { verdict? };
    if life != Life::Lost {
        return Some((life, BTreeMap::new()));
    }
    memory.withheld.insert(device.clone());
    memory.unsettled.insert(device.clone());
    let mine = kitchen.attempts().filter(|a| a.device == *device).map(|a| a.instruction);
    Some((Life::Lost, mine.filter_map(|id| Some((id, *memory.named.get(&id)?))).collect()))
}

/// Why another node should be in charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Impaired {
    /// This node has been on no broker for a while, and another one is.
    NoBroker,
    /// Another replica has heard more devices for a while.
    Deaf,
}

/// How long this node has heard less than others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ears {
    alone_since: Option<Millis>,
    deaf_since: Option<Millis>,
}

impl Ears {
    /// Takes note of what this node and the others hear now. Some when it has lasted too long.
    pub fn judge(
        &mut self,
        kitchen: &Kitchen,
        memory: &Memory,
        hearing: &Hearing,
        others: &[Testimony],
    ) -> Option<Impaired> {
        let now = hearing.mono;
        let alone = hearing.subscribed_at.is_none() && others.iter().any(|t| t.listening);
        let deaf = hearing.in_charge_since + DEAF_MS <= now && hears_less(kitchen, memory, now, others);
        self.alone_since = alone.then(|| self.alone_since.unwrap_or(now));
        self.deaf_since = deaf.then(|| self.deaf_since.unwrap_or(now));
        let lasts = |since: Option<Millis>, span_ms| since.is_some_and(|at| at + span_ms <= now);
        if lasts(self.alone_since, NO_BROKER_MS) {
            Some(Impaired::NoBroker)
        } else if lasts(self.deaf_since, DEAF_MS) {
            Some(Impaired::Deaf)
        } else {
            None
        }
    }
}

fn hears_less(kitchen: &Kitchen, memory: &Memory, mono: Millis, others: &[Testimony]) -> bool {
    let own = heard_lately(kitchen, |id| memory.pulses.get(id).map(|p| mono.saturating_sub(p.heard_ms)));
    others.iter().any(|t| heard_lately(kitchen, |id| t.ages_ms.get(id).copied()) > own)
}

/// How many devices were heard lately, of those that the kitchen knows.
fn heard_lately(kitchen: &Kitchen, ages: impl Fn(&DeviceId) -> Option<Millis>) -> usize {
    kitchen.devices().filter(|d| ages(&d.id).is_some_and(|age| age < 3 * d.facts.heartbeat_ms.max(1))).count()
}
