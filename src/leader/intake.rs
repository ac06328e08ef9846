//! What devices say becomes commands: `read` turns a payload into what it means, `Tenure` proposes it. A message is acknowledged to the
//! broker after the commit, so what a dying node had not recorded is delivered again or asked for.
//!
//! Retained messages prove nothing: they may be of any age. They prompt a question and nothing else.

use crate::kitchen::{self, Command, DeviceId, Kitchen, Life, Millis};
use crate::protocol::{self, ConnState, Heartbeat, Message, State, Topic};

use super::memory::{Memory, Pulse};

/// What a message means to a tenure.
#[derive(Clone, Debug, PartialEq)]
pub enum Meaning {
    /// A heartbeat: answer it.
    Beat(DeviceId, Heartbeat),
    /// Something to be recorded through the log.
    Record(Command),
    /// Nothing to be done, besides what `memory` has noted.
    Nothing,
    /// Somebody says who is in charge.
    Leader(protocol::Leader),
}

/// Reads one message. `mono` is this machine's CLOCK_BOOTTIME in milliseconds, `link` the broker that it came from.
pub fn read(
    kitchen: &Kitchen,
    memory: &mut Memory,
    link: usize,
    topic: &Topic,
    payload: &[u8],
    retained: bool,
    mono: Millis,
) -> Result<Meaning, protocol::Error> {
    let message = Message::decode(topic.leaf(), payload)?;
    let Topic::Device(device, _) = topic else {
        return Ok(match message {
            Message::Leader(leader) => Meaning::Leader(leader),
            _ => Meaning::Nothing,
        });
    };
    let known = kitchen.device(device).is_some();
    if retained || !(known || memory.has_room_for(device)) {
        return Ok(Meaning::Nothing);
    }
    Ok(match message {
        Message::Heartbeat(heartbeat) => {
            memory.pulses.insert(device.clone(), Pulse::of(&heartbeat, link, mono));
            Meaning::Beat(device.clone(), heartbeat)
        }
        Message::State(state) => read_state(kitchen, memory, device, &state),
        Message::Facts(facts) => read_facts(kitchen, memory, device, &facts),
        Message::Conn(conn) => read_conn(memory, device, &conn),
        // The verdict itself is the result of the inspection, in the camera's state.
        Message::Observation(_) => Meaning::Nothing,
        Message::Lease(_) | Message::Cmd(_) | Message::AllCmd(_) | Message::Leader(_) => Meaning::Nothing,
    })
}

/// A state is recorded when something changed that matters: progress in percent and telemetry alone do not.
fn read_state(kitchen: &Kitchen, memory: &mut Memory, device: &DeviceId, state: &State) -> Meaning {
    // A stranger must first say what it is: its heartbeats have it asked.
    if kitchen.device(device).is_none() {
        return Meaning::Nothing;
    }
    let report = state.to_report().report;
    let recorded = memory.reports.get(device);
    let older = recorded.is_some_and(|r| r.boot == report.boot && r.rev > report.rev);
    let same = recorded.is_some_and(|r| kitchen::Report { rev: r.rev, ..report.clone() } == *r);
    let known_alive = kitchen.device(device).is_some_and(|d| d.life == Life::Live && d.boot == Some(report.boot));
    if older {
        return Meaning::Nothing;
    }
    if same && known_alive {
        if let Some(recorded) = memory.reports.get_mut(device) {
            recorded.rev = report.rev;
        }
        return Meaning::Nothing;
    }
    memory.reports.insert(device.clone(), report.clone());
    Meaning::Record(Command::RecordReport { device: device.clone(), report })
}

fn read_facts(kitchen: &Kitchen, memory: &Memory, device: &DeviceId, facts: &protocol::Facts) -> Meaning {
    let facts = to_facts(facts);
    let known = kitchen.device(device).is_some_and(|d| d.facts == facts);
    if known || memory.refused.get(device) == Some(&facts) {
        return Meaning::Nothing;
    }
    let boot = memory.pulses.get(device).map_or(0, |p| p.boot);
    Meaning::Record(Command::RecordFacts { device: device.clone(), boot, facts })
}

/// A goodbye or a will: the device is suspect until its next heartbeat. A will counts when it is of the present connection: an older one
/// can arrive after a newer birth.
fn read_conn(memory: &mut Memory, device: &DeviceId, conn: &protocol::Conn) -> Meaning {
    let known = memory.connections.get(device).copied();
    let is_gone = match conn.st {
        ConnState::Online => false,
        ConnState::Offline => true,
        ConnState::Lost => known.is_none_or(|k| k == (conn.boot, conn.n)),
    };
    if conn.st != ConnState::Lost {
        memory.connections.insert(device.clone(), (conn.boot, conn.n));
    }
    if let Some(pulse) = memory.pulses.get_mut(device).filter(|_| is_gone) {
        pulse.will_arrived = true;
    }
    Meaning::Nothing
}

/// True when somebody's word about who is in charge is older than `epoch`, or takes it back: ours replaces it where it stands.
pub fn is_to_be_contradicted(said: &protocol::Leader, epoch: kitchen::Epoch) -> bool {
    let ours = said.epoch == epoch && said.st == protocol::LeaderState::Up;
    said.epoch <= epoch && !ours
}

/// Facts as the kitchen keeps them. Actions that this release does not know are left out.
pub fn to_facts(facts: &protocol::Facts) -> kitchen::Facts {
    let action = |a: &protocol::ActionFacts| {
        Some(kitchen::ActionFact { action: a.name.known()?, typ_ms: a.typ_ms, max_ms: a.max_ms })
    };
    let cut = |text: &str| text.chars().take(100).collect::<String>();
    kitchen::Facts {
        kind: facts.kind,
        model: facts.model.as_deref().map(cut).unwrap_or_default(),
        firmware: cut(&facts.fw),
        protocol: u32::from(facts.proto),
        zone: facts.zone.as_ref().map(|z| z.as_str().to_owned()).unwrap_or_default(),
        lanes: facts.lanes.clone(),
        actions: facts.actions.iter().filter_map(action).collect(),
        stages: facts.stages.iter().map(|s| s.as_str().to_owned()).collect(),
        heartbeat_ms: facts.hb_ms,
        orphan_ms: facts.orphan_ms,
    }
}
