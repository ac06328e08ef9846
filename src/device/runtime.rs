//! Drives a session over MQTT: connects, moves on to the next broker, publishes, and hands the machine its work.
//!
//! It decides nothing about tasks. One task runs one device; whoever spawned it owns it, and dropping it is a power cut.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::firmware::Device;
use super::session::{Output, Session};
use crate::clock;
use crate::mqtt::{self, Client, Event, Publication, Qos};
use crate::protocol::{Conn, DeviceId, Id, Leaf, Message, Millis, Topic, device_filters};
use crate::tls::Dialer;

/// How often a machine is polled that does not say when.
const POLL_MS: Millis = 20;
/// Wait before the next attempt to connect is random up to this, so that a kitchen does not come back as one.
const BACK_OFF_MS_MAX: Millis = 1_000;
/// Brokers that are remembered: those of the configuration, and what the controller in charge adds.
const BROKERS_MAX: usize = 16;
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(500);

/// What a device needs to run.
pub struct Options {
    /// The kitchen's name.
    pub kitchen: Id,
    /// The device's name: also its user name and client id.
    pub device: DeviceId,
    /// Brokers, the preferred one first.
    pub brokers: Vec<String>,
    /// Key, where the brokers ask for one.
    pub password: Option<String>,
    /// Whom it trusts, where the brokers speak TLS.
    pub dialer: Dialer,
    /// Drawn at power-up.
    pub boot: u64,
    /// Bad wires, for simulations; None: messages are sent once and heard.
    pub wire: Option<Box<dyn Wire>>,
}

impl Options {
    /// Options with a fresh boot and good wires.
    pub fn new(kitchen: Id, device: DeviceId, brokers: Vec<String>) -> Self {
        Self { kitchen, device, brokers, password: None, dialer: Dialer::plain(), boot: rand::random(), wire: None }
    }
}

/// What can be wrong between a session and its broker, for simulations.
pub trait Wire: Send {
    /// How often this message is sent: 0 loses it, 2 doubles it.
    fn copies(&mut self, message: &Message) -> u8;

    /// False while nothing that comes in is heard.
    fn hears(&self) -> bool;

    /// False while the firmware's watchdog is broken.
    fn has_watchdog(&self) -> bool;
}

/// A device with its session and its connection.
pub struct Runtime<D> {
    device: D,
    session: Session,
    options: Options,
    link: Link,
    /// Index of the broker in use.
    broker: usize,
}

enum Link {
    Up(Client),
    Down { retry_at: Millis },
}

impl<D: Device> Runtime<D> {
    /// Power-up.
    pub fn new(mut device: D, options: Options) -> Self {
        let now = clock::boottime_ms();
        let session = Session::new(now, options.boot, device.facts(), device.status(now));
        Self { device, session, options, link: Link::Down { retry_at: now }, broker: 0 }
    }

    /// Runs until told to stop, then says goodbye. Returns the device.
    pub async fn run(mut self, stop: CancellationToken) -> D {
        loop {
            self.connect_when_due();
            self.step();
            let until = Duration::from_millis(self.next_at().saturating_sub(clock::boottime_ms()));
            tokio::select! {
                () = stop.cancelled() => break,
                event = self.link.next() => self.take(event),
                () = tokio::time::sleep(until) => {}
            }
        }
        self.say_goodbye().await;
        self.device
    }

    fn connect_when_due(&mut self) {
        let now = clock::boottime_ms();
        let Link::Down { retry_at } = &self.link else { return };
        if now < *retry_at {
            return;
        }
        let will = self.session.next_will();
        match Client::connect(self.client_options(&will)) {
            Ok(client) => self.link = Link::Up(client),
            Err(error) => {
                warn!(device.id = %self.options.device, %error, "Device {} can't use its broker", self.options.device);
                self.go_on(now);
            }
        }
    }

    fn client_options(&self, will: &Conn) -> mqtt::Options {
        let Options { kitchen, device, brokers, password, dialer, .. } = &self.options;
        let broker = brokers.get(self.broker).cloned().unwrap_or_default();
        let mut options = mqtt::Options::new(broker, format!("{kitchen}.{device}"));
        options.credentials = password.as_ref().map(|password| (device.to_string(), password.clone()));
        options.dialer = dialer.clone();
        options.will = Some(self.publication(&will.clone().into()));
        let quality = |filter: String| {
            let is_lease = filter.ends_with(Leaf::Lease.as_str());
            (filter, if is_lease { Qos::AtMostOnce } else { Qos::AtLeastOnce })
        };
        options.subscriptions = device_filters(kitchen, device).into_iter().map(quality).collect();
        options
    }

    fn take(&mut self, event: Option<Event>) {
        let now = clock::boottime_ms();
        match event {
            Some(Event::Connected { .. }) => {}
            Some(Event::Subscribed) => {
                debug!(device.id = %self.options.device, "Device {} is connected", self.options.device);
                let outputs = self.session.connected(now);
                self.apply(now, outputs);
            }
            Some(Event::Message(message)) if self.hears() => {
                if let Ok((_, topic)) = Topic::parse(message.topic()) {
                    let (leaf, is_retained) = (topic.leaf(), message.is_retained());
                    let outputs = self.session.receive_bytes(now, leaf, is_retained, message.payload());
                    self.apply(now, outputs);
                }
            }
            Some(Event::Message(_)) => {}
            Some(Event::Ended(error)) => {
                info!(device.id = %self.options.device, %error, "Device {} lost its broker", self.options.device);
                self.go_on(now);
            }
            None => self.go_on(now),
        }
    }

    /// Looks at the machine and lets time pass for the session.
    fn step(&mut self) {
        let now = clock::boottime_ms();
        self.session.set_watchdog(self.options.wire.as_ref().is_none_or(|wire| wire.has_watchdog()));
        let happenings = self.device.poll(now);
        let status = self.device.status(now);
        let outputs = self.session.observe(now, status, happenings);
        self.apply(now, outputs);
        let outputs = self.session.tick(now);
        self.apply(now, outputs);
        self.device.look(now, &self.session);
    }

    fn apply(&mut self, now: Millis, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Publish(message) => self.publish(now, &message),
                Output::Start(task) => self.device.start(now, &task),
                Output::Stop(attempt) => self.device.stop(now, &attempt),
                Output::Hold(is_held) => self.device.hold(now, is_held),
                Output::Overdue(lane) => self.device.on_overdue(now, lane),
                Output::Selftest => self.device.selftest(now),
                Output::Brokers(brokers) => self.learn(brokers),
                Output::NextBroker => self.go_on(now),
                Output::Notice(notice) => self.device.notice(now, &notice),
            }
        }
    }

    fn publish(&mut self, now: Millis, message: &Message) {
        let copies = self.options.wire.as_mut().map_or(1, |wire| wire.copies(message));
        let publication = self.publication(message);
        let Link::Up(client) = &self.link else { return };
        let sent = (0..copies).try_for_each(|_| client.publisher.publish(publication.clone()));
        // A queue that is full for so little talk belongs to a broker that takes nothing any more.
        if sent.is_err() {
            self.go_on(now);
        }
    }

    fn publication(&self, message: &Message) -> Publication {
        let leaf = message.leaf();
        let topic = Topic::Device(self.options.device.clone(), leaf).name(&self.options.kitchen);
        let publication = Publication::new(topic, message.encode(), leaf.qos().into()).retained(leaf.retain());
        if leaf == Leaf::Obs { publication.expiring(Duration::from_secs(30)) } else { publication }
    }

    /// Drops the connection; the next broker is tried after a random wait.
    fn go_on(&mut self, now: Millis) {
        self.session.disconnected();
        self.broker = (self.broker + 1) % self.options.brokers.len().max(1);
        self.link = Link::Down { retry_at: now + rand::random_range(0..=BACK_OFF_MS_MAX) };
    }

    fn learn(&mut self, brokers: Vec<String>) {
        for broker in brokers {
            if !self.options.brokers.contains(&broker) && self.options.brokers.len() < BROKERS_MAX {
                self.options.brokers.push(broker);
            }
        }
    }

    fn hears(&self) -> bool {
        self.options.wire.as_ref().is_none_or(|wire| wire.hears())
    }

    fn next_at(&self) -> Millis {
        let now = clock::boottime_ms();
        let retry_at = match &self.link {
            Link::Up(_) => None,
            Link::Down { retry_at } => Some(*retry_at),
        };
        let poll_at = self.device.next_poll(now).unwrap_or(now + POLL_MS).min(now + POLL_MS);
        [self.session.next_deadline(now), retry_at, Some(poll_at)]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(now)
            .max(now + 1)
    }

    async fn say_goodbye(&mut self) {
        let goodbye = self.publication(&self.session.goodbye().into());
        let link = std::mem::replace(&mut self.link, Link::Down { retry_at: Millis::MAX });
        if let (Link::Up(client), true) = (link, self.hears()) {
            let _ = client.publisher.publish(goodbye);
            client.close(GOODBYE).await;
        }
    }
}

impl Link {
    /// The next event of the connection; never, without one.
    async fn next(&mut self) -> Option<Event> {
        match self {
            Self::Up(client) => client.events.next().await,
            Self::Down { .. } => std::future::pending().await,
        }
    }
}
