//! Connections to the brokers, one each, with a queue each. Every replica has them, so that a new tenure can speak at once; one that is
//! not in charge listens and publishes nothing. They belong to a tenure from when it begins, and end with it: a lost connection drops its
//! client and queue, and a fresh one is filled from the outbox, so nothing queued can speak for a former leader.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use crate::clock::boottime_ms;
use crate::kitchen::Epoch;
use crate::mqtt::{Acks, Client, Event, Message, Options as MqttOptions, Publication, Publisher, Qos};
use crate::protocol::{Leader, LeaderState, Payload, Topic, controller_filters, encode};

use super::Options;

/// A message, the link that it came by, and the publisher that acknowledges it.
pub struct Inbound {
    /// Which broker, by its place in the configuration.
    pub link: usize,
    /// What came.
    pub message: Message,
    /// Acknowledges it, on the connection that it came by.
    pub publisher: Publisher,
}

impl Inbound {
    /// Tells the broker that what the message says is safe.
    pub fn acknowledge(&self) {
        if self.message.wants_ack()
            && let Err(error) = self.publisher.ack(&self.message)
        {
            debug!(%error, "A message could not be acknowledged; the broker delivers it again");
        }
    }
}

/// One broker.
pub struct Link {
    /// Its address.
    pub url: String,
    publisher: Mutex<Option<Publisher>>,
    /// CLOCK_BOOTTIME of the SUBACK; 0 while there is no connection.
    subscribed_at: AtomicU64,
}

impl Link {
    fn new(url: &str) -> Self {
        Self { url: url.to_owned(), publisher: Mutex::new(None), subscribed_at: AtomicU64::new(0) }
    }

    /// When the broker granted the subscriptions of the present connection; None without one.
    pub fn subscribed_at(&self) -> Option<u64> {
        Some(self.subscribed_at.load(Ordering::Acquire)).filter(|at| *at > 0)
    }

    fn publisher(&self) -> Option<Publisher> {
        self.publisher.lock().expect("nothing panics while it holds this lock").clone()
    }

    fn up(&self, publisher: Publisher) {
        *self.publisher.lock().expect("nothing panics while it holds this lock") = Some(publisher);
        self.subscribed_at.store(boottime_ms().max(1), Ordering::Release);
    }

    fn down(&self) {
        self.subscribed_at.store(0, Ordering::Release);
        self.publisher.lock().expect("nothing panics while it holds this lock").take();
    }
}

/// All brokers.
pub struct Links {
    links: Vec<Link>,
    options: Arc<Options>,
    /// Who is in charge, once we are: said on every connection, those to come included.
    announcement: Mutex<Option<Publication>>,
}

impl Links {
    fn new(options: Arc<Options>) -> Self {
        let links = options.brokers.iter().map(|url| Link::new(url)).collect();
        Self { links, options, announcement: Mutex::new(None) }
    }

    /// Each broker.
    pub fn iter(&self) -> impl Iterator<Item = &Link> {
        self.links.iter()
    }

    /// When the latest connection was granted its subscriptions; None on no broker.
    pub fn subscribed_at(&self) -> Option<u64> {
        self.links.iter().filter_map(Link::subscribed_at).max()
    }

    /// Publishes to the broker where the device was heard, or to all. False if no broker took it.
    pub fn publish(&self, link: Option<usize>, publication: &Publication) -> bool {
        let preferred = link.and_then(|n| self.links.get(n)).and_then(Link::publisher);
        let publishers = match preferred {
            Some(publisher) => vec![publisher],
            None => self.links.iter().filter_map(Link::publisher).collect(),
        };
        let mut taken = false;
        for publisher in publishers {
            match publisher.publish(publication.clone()) {
                Ok(()) => taken = true,
                Err(error) => debug!(%error, "A broker did not take a message; it is sent again"),
            }
        }
        taken
    }

    /// Says on every broker who is in charge, or no longer is.
    pub fn announce(&self, epoch: Epoch, st: LeaderState) {
        let brokers = self.options.brokers.clone();
        let leader = Leader { epoch, node: self.options.node, st, brokers };
        let topic = Topic::Leader.name(&self.options.kitchen);
        let publication = Publication::new(topic, encode(&leader), Qos::from(Leader::LEAF.qos())).retained(true);
        *self.announcement.lock().expect("nothing panics while it holds this lock") = Some(publication.clone());
        self.publish(None, &publication);
    }

    fn announcement(&self) -> Option<Publication> {
        self.announcement.lock().expect("nothing panics while it holds this lock").clone()
    }

    fn mqtt_options(&self, link: usize) -> MqttOptions {
        let client_id = format!("brigade-{}-{}", self.options.kitchen, self.options.node);
        let subscriptions = controller_filters(&self.options.kitchen).into_iter();
        MqttOptions {
            credentials: self.options.credentials.clone(),
            dialer: self.options.broker_dialer.clone(),
            subscriptions: subscriptions.map(|filter| (filter, Qos::AtLeastOnce)).collect(),
            keep_alive: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(1),
            acks: Acks::Manual,
            ..MqttOptions::new(self.links[link].url.clone(), client_id)
        }
    }
}

/// Messages that may wait between the connections and their reader; beyond it the brokers are held back.
const INBOX: usize = 1_024;

/// Running connections. Dropping them closes them, with everything that they had not sent.
pub struct Connections {
    /// The links.
    pub links: Arc<Links>,
    /// What comes in.
    pub inbox: mpsc::Receiver<Inbound>,
    /// Keeps the links connected.
    _tasks: JoinSet<()>,
}

impl Connections {
    /// Connects to every broker, and again whenever a connection is lost.
    pub fn open(options: &Arc<Options>) -> Self {
        let links = Arc::new(Links::new(options.clone()));
        let (sender, inbox) = mpsc::channel(INBOX);
        let mut tasks = JoinSet::new();
        for number in 0..options.brokers.len() {
            tasks.spawn(run(links.clone(), number, sender.clone()));
        }
        Self { links, inbox, _tasks: tasks }
    }
}

/// Keeps one link connected until it is dropped. What comes in goes to `inbox`, which is bounded: a slow reader is felt by the broker.
async fn run(links: Arc<Links>, link: usize, inbox: mpsc::Sender<Inbound>) {
    let mut pause = Duration::from_millis(20);
    loop {
        match Client::connect(links.mqtt_options(link)) {
            Ok(client) => {
                if attend(&links, link, client, &inbox).await {
                    pause = Duration::from_millis(20);
                }
            }
            Err(error) => warn!(%error, "Broker {} can't be used", links.links[link].url),
        }
        links.links[link].down();
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(Duration::from_millis(500));
    }
}

/// Serves one connection until it ends. True if it ever stood.
async fn attend(links: &Links, number: usize, mut client: Client, inbox: &mpsc::Sender<Inbound>) -> bool {
    let link = &links.links[number];
    let mut stood = false;
    while let Some(event) = client.events.next().await {
        match event {
            Event::Connected { .. } => {}
            Event::Subscribed => {
                stood = true;
                link.up(client.publisher.clone());
                info!(broker = %link.url, "Connected to broker {}", link.url);
                if let Some(announcement) = links.announcement() {
                    let _ = client.publisher.publish(announcement);
                }
            }
            Event::Message(message) => {
                let inbound = Inbound { link: number, message, publisher: client.publisher.clone() };
                if inbox.send(inbound).await.is_err() {
                    return stood;
                }
            }
            Event::Ended(error) => {
                if stood {
                    warn!(broker = %link.url, %error, "The connection to broker {} ended", link.url);
                }
            }
        }
    }
    stood
}
