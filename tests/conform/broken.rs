//! A device that breaks one rule: the real session and a simulated machine, with one flaw between them and the wire.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use brigade::clock;
use brigade::device::sim::{Knobs, Machine, MachineOptions, World, facts_of};
use brigade::device::{Device, Output, Session};
use brigade::mqtt::{self, Client, Event, Publication};
use brigade::protocol::*;

use crate::flaws::Flaw;

/// Its name.
pub const DEVICE: &str = "broken1";
/// Interval of its heartbeats.
pub const HB_MS: Millis = 400;

/// A device with a flaw.
pub struct Broken {
    pub flaw: Flaw,
    pub kitchen: Id,
    broker: String,
    client: Option<Client>,
    retry_at: Millis,
    pub session: Session,
    machine: Machine,
    /// Attempts that were asked for, refused, cancelled before they came, or acknowledged; by what happened last.
    pub fates: BTreeMap<Attempt, &'static str>,
    pub acknowledged_at: BTreeMap<Attempt, Millis>,
    pub over_since: BTreeMap<Attempt, Millis>,
    pub stale: Vec<InstructionId>,
    pub starts: BTreeMap<InstructionId, Attempt>,
    pub named: Vec<InstructionId>,
    pub sent: BTreeMap<u64, Millis>,
    pub unanswered: u32,
    pub counter: u64,
    pub connections: u64,
    pub connected_at: Millis,
    pub orphan_ms: Millis,
    pub told_over: BTreeMap<Attempt, u64>,
    pub highest: InstructionId,
    pub questions: Vec<InstructionId>,
    pub zone_holds: bool,
    pub lease_holds: bool,
    pub shams_hold: bool,
    pub beat_at: Millis,
    pub booted_full: bool,
    /// Which pizza it takes for what lies in its slot.
    pub takes_for: Option<Id>,
    pub max_ms: BTreeMap<Attempt, Millis>,
    pub running_since: BTreeMap<Attempt, Millis>,
    pub now: Millis,
}

impl Broken {
    /// Power-up, in a world that outlives it.
    pub fn new(flaw: Flaw, kind: DeviceKind, kitchen: &str, broker: &str, world: Arc<World>) -> Self {
        let mut facts = facts_of(kind, vec![0], 5_000, HB_MS);
        flaw.change_facts(&mut facts);
        let booted_full = !world.occupied(&DEVICE.parse().unwrap()).is_empty();
        let boot = if flaw == Flaw::SameBoot { 7 } else { rand::random() };
        let (id, knobs) = (DEVICE.parse().unwrap(), Knobs::default());
        let mut machine = Machine::new(MachineOptions { id, facts, boot, knobs, seed: 1 }, world);
        let now = clock::boottime_ms();
        let mut session = Session::new(now, boot, machine.facts(), machine.status(now));
        session.set_watchdog(flaw != Flaw::NoWatchdog);
        Self {
            flaw,
            kitchen: kitchen.parse().unwrap(),
            broker: broker.to_owned(),
            client: None,
            retry_at: now,
            session,
            machine,
            fates: BTreeMap::new(),
            acknowledged_at: BTreeMap::new(),
            over_since: BTreeMap::new(),
            stale: Vec::new(),
            starts: BTreeMap::new(),
            named: Vec::new(),
            sent: BTreeMap::new(),
            unanswered: 0,
            counter: 1_000_000_000_000_000,
            connections: 0,
            connected_at: now,
            orphan_ms: ORPHAN_MS,
            told_over: BTreeMap::new(),
            highest: InstructionId { index: 0, n: 0 },
            questions: Vec::new(),
            zone_holds: false,
            lease_holds: false,
            shams_hold: false,
            beat_at: 0,
            booted_full,
            takes_for: None,
            max_ms: BTreeMap::new(),
            running_since: BTreeMap::new(),
            now,
        }
    }

    /// Runs until it is dropped: a power cut.
    pub async fn run(mut self) {
        loop {
            self.now = clock::boottime_ms();
            self.connect_when_due();
            let event = match &mut self.client {
                Some(client) => tokio::time::timeout(Duration::from_millis(10), client.events.next()).await.ok(),
                None => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    None
                }
            };
            self.now = clock::boottime_ms();
            match event {
                Some(Some(event)) => self.take(event),
                Some(None) => self.leave(),
                None => {}
            }
            self.step();
        }
    }

    fn connect_when_due(&mut self) {
        if self.client.is_some() || self.now < self.retry_at {
            return;
        }
        self.connections += 1;
        let will = self.session.next_will();
        let id = if self.flaw == Flaw::OtherClientId { "x".to_owned() } else { format!("{}.{DEVICE}", self.kitchen) };
        let mut options = mqtt::Options::new(self.broker.clone(), id);
        options.will = self.flaw.change_will(will).map(|will| self.publication(&will.into()));
        let filters = device_filters(&self.kitchen, &DEVICE.parse().unwrap());
        options.subscriptions = filters.into_iter().map(|filter| (filter, mqtt::Qos::AtLeastOnce)).collect();
        self.client = Some(Client::connect(options).unwrap());
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Connected { .. } => {}
            Event::Subscribed => {
                self.connected_at = self.now;
                let outputs = self.session.connected(self.now);
                self.apply(outputs);
            }
            Event::Message(message) => {
                let Ok((_, topic)) = Topic::parse(message.topic()) else { return };
                self.hear(topic.leaf(), message.is_retained(), message.payload());
            }
            Event::Ended(_) => self.leave(),
        }
    }

    fn leave(&mut self) {
        self.client = None;
        self.unanswered = 0;
        self.session.disconnected();
        self.retry_at = self.now + rand::random_range(50..500);
        if self.flaw == Flaw::StopsWhenAlone {
            self.stop_all();
        }
    }

    /// Its machine gives up what it does.
    pub fn stop(&mut self, attempt: &Attempt) {
        self.machine.stop(self.now, attempt);
    }

    fn stop_all(&mut self) {
        for line in self.session.state().tasks {
            self.machine.stop(self.now, &line.attempt);
        }
    }

    /// What comes in, as the flaw hears it.
    fn hear(&mut self, leaf: Leaf, is_retained: bool, bytes: &[u8]) {
        let is_retained = is_retained && self.flaw != Flaw::ObeysRetained;
        let heard = if is_retained { Some(bytes.to_vec()) } else { self.inbound(leaf, bytes) };
        let Some(bytes) = heard else { return };
        let mut outputs = self.session.receive_bytes(self.now, leaf, is_retained, &bytes);
        let is_hb = |output: &Output| matches!(output, Output::Publish(Message::Heartbeat(_)));
        match (self.flaw, leaf) {
            (Flaw::NoBeatForTasks, Leaf::Cmd) | (Flaw::NoBeatForEpochs, Leaf::Leader) => {
                outputs.retain(|output| !is_hb(output));
            }
            _ => {}
        }
        self.apply(outputs);
        self.after_hearing(leaf);
    }

    /// Says something to the session that nobody said.
    pub fn whisper(&mut self, message: impl Into<Message>) {
        let outputs = self.session.receive(self.now, message.into());
        self.apply(outputs);
    }

    fn step(&mut self) {
        self.look();
        let outputs = self.session.tick(self.now);
        self.apply(outputs);
        self.at_each_step();
        if self.flaw == Flaw::CountsBeatsAtOnce && self.unanswered > 3 {
            self.leave();
        }
    }

    /// The session learns how the machine is.
    pub fn look(&mut self) {
        let happenings = self.machine.poll(self.now);
        let mut status = self.machine.status(self.now);
        if let Some(pizza) = &self.takes_for {
            status.holds.iter_mut().for_each(|hold| hold.pizza = Some(pizza.clone()));
        }
        let outputs = self.session.observe(self.now, status, happenings);
        self.apply(outputs);
    }

    fn apply(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Publish(message) => self.publish(message),
                Output::Start(task) => self.machine.start(self.now, &task),
                Output::Stop(attempt) => self.machine.stop(self.now, &attempt),
                Output::Hold(is_held) => self.machine.hold(self.now, is_held),
                Output::Overdue(lane) => self.machine.on_overdue(self.now, lane),
                Output::NextBroker if self.flaw == Flaw::StaysInSilence => {}
                Output::NextBroker => self.leave(),
                Output::Selftest | Output::Brokers(_) | Output::Notice(_) => {}
            }
        }
    }

    fn publish(&mut self, message: Message) {
        if let Message::Heartbeat(beat) = &message {
            self.sent.insert(beat.seq, self.now);
            self.unanswered += 1;
        }
        if let Some(publication) = self.outbound(message)
            && let Some(client) = &self.client
        {
            let _ = client.publisher.publish(publication);
        }
    }

    /// A message as it should be published.
    pub fn publication(&self, message: &Message) -> Publication {
        let leaf = message.leaf();
        let topic = Topic::Device(DEVICE.parse().unwrap(), leaf).name(&self.kitchen);
        Publication::new(topic, message.encode(), leaf.qos().into()).retained(leaf.retain())
    }
}
