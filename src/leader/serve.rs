//! The tasks of a tenure: intake, dispatch, monitor. Each acts on the state that it reads now; a lost wake-up costs latency, never work.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use crate::clock::boottime_ms;
use crate::defect;
use crate::kitchen::{Command, DeviceId, Millis, Reply};
use crate::mqtt::{Publication, Qos};
use crate::protocol::{AllCmd, Cmd, Heartbeat, Leader, Leaf, Lease, Payload, Topic, encode};

use super::intake::{Meaning, is_to_be_contradicted, read};
use super::link::Inbound;
use super::memory::Pulse;
use super::monitor::{Ears, Hearing, Impaired, devices_to_judge, judge_one};
use super::status::BrokerStatus;
use super::tenure::{EndOfTenure, Shared};
use super::witness::{Testimony, ask_others, merged};
use super::{dispatch as deciding, lease, room};

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
        Meaning::Leader(leader) => contradict(shared, &leader),
        Meaning::Record(command) => {
            if defect::is("mqtt-ack-before-commit") {
                inbound.acknowledge();
            }
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
    if !defect::is("mqtt-ack-before-commit") {
        inbound.acknowledge();
    }
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
    if is_to_be_contradicted(leader, shared.epoch) && shared.quorum.holds() {
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
    let publication = publication.retained(defect::is("retained-command"));
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
    let dialer = &shared.options.peer_dialer;
    let http = dialer.http().build().expect("a client without files needs nothing that can fail");
    let mut testimonies: (Millis, Vec<Testimony>) = (0, Vec::new());
    let mut ears = Ears::default();
    loop {
        tokio::time::sleep(TICK).await;
        if shared.node.sideline().is_some() {
            return EndOfTenure::Maintenance;
        }
        let mono = boottime_ms();
        if testimonies.0 + TESTIMONY_MS <= mono {
            testimonies = (mono, ask_others(&http, &witnesses(&shared)).await);
        }
        let hearing = Hearing {
            mono: boottime_ms(),
            in_charge_since: shared.since_ms,
            subscribed_at: shared.links.subscribed_at(),
            others: merged(&testimonies.1, testimonies.0),
        };
        // Who is on the sideline hears as well as others, and is no reason to hand over.
        let able = testimonies.1.iter().filter(|t| shared.node.sideline_of(t.node).is_none()).cloned();
        let able: Vec<Testimony> = able.collect();
        report_status(&shared, &testimonies.1);
        judge_devices(&shared, &hearing).await;
        let in_charge_ms = hearing.mono.saturating_sub(shared.since_ms);
        if let Some(better) = room::successor(shared.node.space().is_low(), in_charge_ms, &able) {
            return EndOfTenure::StorageLow(better);
        }
        let end = ears.judge(&shared.node.kitchen(), &shared.memory(), &hearing, &able);
        match end {
            Some(Impaired::NoBroker) => return EndOfTenure::NoBroker,
            Some(Impaired::Deaf) => return EndOfTenure::Deaf,
            None => {}
        }
    }
}

/// Where the other members, as they are now, are asked what they hear.
fn witnesses(shared: &Shared) -> Vec<String> {
    let others = shared.node.peers().into_iter().filter(|(id, _)| *id != shared.options.node);
    others.map(|(_, peer)| format!("{}/witness", shared.options.peer_dialer.url(&peer.peer))).collect()
}

async fn judge_devices(shared: &Shared, hearing: &Hearing) {
    let devices = devices_to_judge(&shared.node.kitchen(), &mut shared.memory(), hearing);
    for device in devices {
        // A proposal takes its time: each device is judged by what is heard now.
        let now = Hearing { mono: boottime_ms(), ..hearing.clone() };
        let verdict = judge_one(&shared.node.kitchen(), &mut shared.memory(), &now, &device);
        let Some((life, named)) = verdict else { continue };
        info!(device = %device, "Device {device} is {life:?}");
        let known = shared.propose(Command::JudgeDevice { device: device.clone(), life, named }).await.is_some();
        if known {
            shared.memory().unsettled.remove(&device);
        }
    }
}

fn report_status(shared: &Shared, others: &[Testimony]) {
    let low = room::low(shared.options.node, shared.node.space().is_low(), others);
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
        let changed = s.brokers != brokers || s.storage_low != low;
        s.brokers = brokers;
        s.storage_low = low;
        changed
    });
}
