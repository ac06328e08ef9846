//! The tasks of a tenure: intake, dispatch, monitor. Each acts on the state that it reads now; a lost wake-up costs latency, never work.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use crate::clock::boottime_ms;
use crate::kitchen::{Command, DeviceId, InstructionId, Life, Millis, Reply};
use crate::mqtt::{Publication, Qos};
use crate::protocol::{AllCmd, Cmd, Heartbeat, Leader, Leaf, Lease, Payload, Topic, encode};

use super::intake::{Meaning, read};
use super::link::Inbound;
use super::memory::{Memory, Pulse};
use super::monitor::{DEAF_MS, Hearing, NO_BROKER_MS, heard_lately, judge};
use super::status::BrokerStatus;
use super::tenure::{EndOfTenure, Shared};
use super::witness::{Testimony, ask_others};
use super::{dispatch as deciding, lease};

/// How often dispatch and monitor look without being woken.
const TICK: Duration = Duration::from_millis(200);

/// Reports on their way through the log at once. With so many nothing more is taken in, and the brokers are held back.
const REPORTS_MAX: usize = 1_024;

/// How long a broker may keep a hold or resume of a zone.
const ZONE_TTL: Duration = Duration::from_secs(5);

/// How often other replicas are asked what they hear.
const TESTIMONY_MS: Millis = 1_000;

/// Takes in what devices say, until the connections are gone or a report does not go through.
///
/// A message that is not recorded is not acknowledged, and brokers send only so many before that (mosquitto: 20). A tenure that went
/// on with them would soon hear heartbeats and nothing else: it ends, and the next one asks every device.
pub(super) async fn intake(shared: &Arc<Shared>, inbox: &mut mpsc::Receiver<Inbound>) {
    let mut records: JoinSet<bool> = JoinSet::new();
    loop {
        tokio::select! {
            inbound = inbox.recv(), if records.len() < REPORTS_MAX => match inbound {
                Some(inbound) => receive(shared, inbound, &mut records),
                None => return,
            },
            Some(recorded) = records.join_next() => if !recorded.unwrap_or(false) { return },
        }
    }
}

fn receive(shared: &Arc<Shared>, inbound: Inbound, records: &mut JoinSet<bool>) {
    let meaning = match meaning_of(shared, &inbound) {
        Ok(meaning) => meaning,
        Err(error) => {
            shared.refused.fetch_add(1, Relaxed);
            warn!(topic = inbound.message.topic(), %error, "A payload was refused");
            return inbound.acknowledge();
        }
    };
    match meaning {
        Meaning::Beat(device, heartbeat) => {
            shared.witness.note(&device, Pulse::of(&heartbeat, inbound.link, boottime_ms()));
            answer_beat(shared, inbound.link, &device, &heartbeat);
        }
        Meaning::Nothing => {}
        Meaning::Will(device) => {
            if let Some(pulse) = shared.memory().pulses.get_mut(&device) {
                pulse.will_arrived = true;
            }
        }
        Meaning::Leader(leader) => contradict(shared, &leader),
        Meaning::Record(command) => {
            records.spawn(record(shared.clone(), command, inbound));
            return;
        }
    }
    inbound.acknowledge();
}

fn meaning_of(shared: &Shared, inbound: &Inbound) -> Result<Meaning, crate::protocol::Error> {
    let (kitchen_name, topic) = Topic::parse(inbound.message.topic())?;
    if kitchen_name != shared.options.kitchen {
        return Ok(Meaning::Nothing);
    }
    let kitchen = shared.node.kitchen();
    let mut memory = shared.memory();
    let (payload, retained) = (inbound.message.payload(), inbound.message.is_retained());
    read(&kitchen, &mut memory, inbound.link, &topic, payload, retained, boottime_ms())
}

/// Durable first: the broker's message is acknowledged after the commit. False when nobody knows whether it was.
async fn record(shared: Arc<Shared>, command: Command, inbound: Inbound) -> bool {
    match shared.propose(command.clone()).await {
        Some(Reply::Refused(refusal)) => {
            warn!(%refusal, "What a device says was refused");
            shared.refused.fetch_add(1, Relaxed);
            shared.memory().refuse(command);
        }
        Some(_) => {}
        None => return false,
    }
    inbound.acknowledge();
    true
}

/// Answers a heartbeat with a start lease, while a majority still answers us.
fn answer_beat(shared: &Shared, link: usize, device: &DeviceId, heartbeat: &Heartbeat) {
    if !shared.quorum.holds() {
        return;
    }
    let answer = {
        let kitchen = shared.node.kitchen();
        lease::answer(&kitchen, &mut shared.memory(), shared.epoch, device, heartbeat, shared.node.now())
    };
    let Some(answer) = answer else { return };
    let topic = Topic::Device(device.clone(), Leaf::Lease).name(&shared.options.kitchen);
    let publication = Publication::new(topic, encode(&answer), Qos::from(Lease::LEAF.qos()));
    if shared.links.publish(Some(link), &publication) {
        shared.leases.fetch_add(1, Relaxed);
    }
}

/// Somebody's older word stands on a broker: ours replaces it.
fn contradict(shared: &Shared, leader: &Leader) {
    let ours = leader.epoch == shared.epoch && leader.st == crate::protocol::LeaderState::Up;
    if leader.epoch <= shared.epoch && !ours && shared.quorum.holds() {
        shared.links.announce(shared.epoch, crate::protocol::LeaderState::Up);
    }
}

/// Sends what is due, whenever the state changed, and again every so often.
pub(super) async fn dispatch(shared: Arc<Shared>) {
    let mut applied = shared.node.applied_watch();
    loop {
        send_due(&shared);
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            changed = applied.changed() => if changed.is_err() { return },
        }
    }
}

fn send_due(shared: &Shared) {
    if !shared.quorum.holds() || shared.links.subscribed_at().is_none() {
        return;
    }
    publish_zones(shared);
    let (outgoing, mono) = {
        let kitchen = shared.node.kitchen();
        let mut memory = shared.memory();
        let mono = boottime_ms();
        let outgoing = deciding::due(&kitchen, &mut memory, shared.epoch, shared.node.now(), mono);
        memory.forget_except(|id| kitchen.is_open(id));
        (outgoing, mono)
    };
    for deciding::Outgoing { device, cmd } in outgoing {
        let link = link_of(shared, &device, mono);
        if !shared.quorum.holds() || !publish(shared, link, &device, &cmd) {
            let mut memory = shared.memory();
            memory.sent.remove(&cmd.id);
            memory.asked.remove(&device);
        }
    }
}

/// Holds and resumes go to everybody on every broker. One that is lost is made good by the next lease.
fn publish_zones(shared: &Shared) {
    let changed = deciding::zones_due(&shared.node.kitchen(), &mut shared.memory(), shared.epoch);
    for cmd in changed.iter().filter(|_| shared.quorum.holds()) {
        let topic = Topic::All.name(&shared.options.kitchen);
        let publication = Publication::new(topic, encode(cmd), Qos::from(AllCmd::LEAF.qos()));
        shared.links.publish(None, &publication.expiring(ZONE_TTL));
    }
}

/// Where the device was heard lately.
fn link_of(shared: &Shared, device: &DeviceId, mono: Millis) -> Option<usize> {
    let memory = shared.memory();
    memory.pulses.get(device).filter(|p| p.heard_ms + 3_000 > mono && !p.will_arrived).map(|p| p.link)
}

fn publish(shared: &Shared, link: Option<usize>, device: &DeviceId, cmd: &Cmd) -> bool {
    let topic = Topic::Device(device.clone(), Leaf::Cmd).name(&shared.options.kitchen);
    let publication = Publication::new(topic, encode(cmd), Qos::from(Cmd::LEAF.qos()));
    let publication = publication.expiring(Duration::from_millis(cmd.ttl_ms));
    let taken = shared.links.publish(link, &publication);
    if taken {
        shared.published.fetch_add(1, Relaxed);
        debug!(device = %device, instruction = %cmd.id, op = cmd.op.name(), "Instructed {device}");
    }
    taken
}

/// Watches hearts, and this node's own ears. Returns when another node should be in charge.
pub(super) async fn monitor(shared: Arc<Shared>) -> EndOfTenure {
    let http = reqwest::Client::new();
    let me = shared.options.node;
    let peers = shared.node.options().peers.iter().filter(|(id, _)| **id != me);
    let urls: Vec<String> = peers.map(|(_, peer)| format!("http://{}/witness", peer.peer)).collect();
    let mut testimonies: (Millis, Vec<Testimony>) = (0, Vec::new());
    let mut alone_since: Option<Millis> = None;
    let mut deaf_since: Option<Millis> = None;
    loop {
        tokio::time::sleep(TICK).await;
        let mono = boottime_ms();
        if testimonies.0 + TESTIMONY_MS <= mono {
            testimonies = (mono, ask_others(&http, &urls).await);
        }
        let others = merged(&testimonies.1, testimonies.0);
        let hearing = Hearing {
            mono: boottime_ms(),
            in_charge_since: shared.since_ms,
            subscribed_at: shared.links.subscribed_at(),
            others,
        };
        report_status(&shared);
        judge_devices(&shared, &hearing).await;
        let listening = testimonies.1.iter().any(|t| t.listening);
        note(&mut alone_since, hearing.subscribed_at.is_none() && listening, hearing.mono);
        note(&mut deaf_since, hears_less(&shared, &hearing, &testimonies.1), hearing.mono);
        if lasts(alone_since, NO_BROKER_MS, hearing.mono) {
            return EndOfTenure::NoBroker;
        }
        if lasts(deaf_since, DEAF_MS, hearing.mono) {
            return EndOfTenure::Deaf;
        }
    }
}

/// Keeps since when a condition holds.
fn note(since: &mut Option<Millis>, holds: bool, now: Millis) {
    *since = holds.then(|| since.unwrap_or(now));
}

fn lasts(since: Option<Millis>, span_ms: Millis, now: Millis) -> bool {
    since.is_some_and(|at| at + span_ms <= now)
}

/// When each device was last heard by any witness, by what they said at `asked_at`.
fn merged(testimonies: &[Testimony], asked_at: Millis) -> BTreeMap<DeviceId, Millis> {
    let mut heard: BTreeMap<DeviceId, Millis> = BTreeMap::new();
    for (device, age) in testimonies.iter().flat_map(|t| &t.ages_ms) {
        let at = asked_at.saturating_sub(*age);
        heard.entry(device.clone()).and_modify(|known| *known = at.max(*known)).or_insert(at);
    }
    heard
}

fn hears_less(shared: &Shared, hearing: &Hearing, testimonies: &[Testimony]) -> bool {
    if hearing.in_charge_since + DEAF_MS > hearing.mono {
        return false;
    }
    let kitchen = shared.node.kitchen();
    let memory = shared.memory();
    let own = heard_lately(&kitchen, |id| memory.pulses.get(id).map(|p| hearing.mono.saturating_sub(p.heard_ms)));
    testimonies.iter().any(|t| heard_lately(&kitchen, |id| t.ages_ms.get(id).copied()) > own)
}

async fn judge_devices(shared: &Shared, hearing: &Hearing) {
    for device in devices_to_judge(shared, hearing) {
        // A proposal takes its time: each device is judged by what is heard now.
        let now = Hearing { mono: boottime_ms(), ..hearing.clone() };
        let Some((life, named)) = judge_now(shared, &now, &device) else { continue };
        info!(device = %device, "Device {device} is {life:?}");
        let known = shared.propose(Command::JudgeDevice { device: device.clone(), life, named }).await.is_some();
        if known {
            shared.memory().unsettled.remove(&device);
        }
    }
}

fn devices_to_judge(shared: &Shared, hearing: &Hearing) -> BTreeSet<DeviceId> {
    let kitchen = shared.node.kitchen();
    let mut memory = shared.memory();
    let Memory { withheld, unsettled, .. } = &mut *memory;
    withheld.retain(|id| unsettled.contains(id) || kitchen.device(id).is_some_and(|d| d.life != Life::Live));
    let unsettled = memory.unsettled.iter().cloned();
    judge(&kitchen, &memory, hearing).into_iter().map(|(device, _)| device).chain(unsettled).collect()
}

/// The verdict on one device. A lost one gets no lease from here on; what the last ones named is what a proof by time counts from.
/// A judgement that may still be applied is made again: until it is known to be, no lease may contradict it.
fn judge_now(shared: &Shared, hearing: &Hearing, device: &DeviceId) -> Option<(Life, BTreeMap<InstructionId, Millis>)> {
    let kitchen = shared.node.kitchen();
    let mut memory = shared.memory();
    let verdict = judge(&kitchen, &memory, hearing).into_iter().find(|(id, _)| id == device).map(|(_, life)| life);
    let life = if memory.unsettled.contains(device) { Some(Life::Lost) } else { verdict };
    if life? != Life::Lost {
        return Some((life?, BTreeMap::new()));
    }
    memory.withheld.insert(device.clone());
    memory.unsettled.insert(device.clone());
    let mine = kitchen.attempts().filter(|a| a.device == *device).map(|a| a.instruction);
    Some((Life::Lost, mine.filter_map(|id| Some((id, *memory.named.get(&id)?))).collect()))
}

fn report_status(shared: &Shared) {
    let brokers: Vec<BrokerStatus> = shared
        .links
        .iter()
        .map(|l| BrokerStatus { url: l.url.clone(), connected: l.subscribed_at().is_some() })
        .collect();
    let published = shared.published.swap(0, Relaxed);
    let leases = shared.leases.swap(0, Relaxed);
    let refused = shared.refused.swap(0, Relaxed);
    shared.status.send_if_modified(|s| {
        s.instructions_published += published;
        s.leases_answered += leases;
        s.payloads_refused += refused;
        let changed = s.brokers != brokers;
        s.brokers = brokers;
        changed
    });
}
