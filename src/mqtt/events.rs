//! What comes in on one connection, and the task that drives it. The first error ends the task: it never reconnects.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use rumqttc::{
    AsyncClient, ConnectionError, EventLoop, Incoming, Publish, SubAck, SubscribeFilter, SubscribeReasonCode,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Error;
use super::client::qos;
use super::options::Qos;

/// Something that happened on a connection.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every event is a message")]
pub enum Event {
    /// The broker accepted the connection.
    Connected {
        /// True if it kept a session for us.
        session_present: bool,
    },
    /// The broker granted every subscription of the options: from here on silence means something.
    Subscribed,
    /// A message came in.
    Message(Message),
    /// The connection is over, and so is the client. The last event.
    Ended(Error),
}

/// A message that came in.
#[derive(Clone, Debug)]
pub struct Message {
    pub(super) packet: Publish,
    topic: String,
}

impl Message {
    /// Where it was published. A topic that is no UTF-8 is empty.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// What it says.
    pub fn payload(&self) -> &Bytes {
        &self.packet.payload
    }

    /// True if the broker had kept it: it may be of any age and proves nothing.
    pub fn is_retained(&self) -> bool {
        self.packet.retain
    }

    /// True if it may have been delivered before.
    pub fn is_repeated(&self) -> bool {
        self.packet.dup
    }

    /// True if it wants an acknowledgement.
    pub fn wants_ack(&self) -> bool {
        self.packet.pkid != 0
    }
}

impl From<Publish> for Message {
    fn from(packet: Publish) -> Self {
        let topic = String::from_utf8(packet.topic.to_vec()).unwrap_or_default();
        Self { packet, topic }
    }
}

/// What comes in on one connection, in order. Dropping it closes the connection.
#[derive(Debug)]
pub struct Events {
    receiver: mpsc::Receiver<Event>,
    task: JoinHandle<()>,
}

impl Events {
    pub(super) fn new(receiver: mpsc::Receiver<Event>, task: JoinHandle<()>) -> Self {
        Self { receiver, task }
    }

    /// The next event; None after `Event::Ended`. Cancelling the wait loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        self.receiver.recv().await
    }

    /// An event that is there already.
    pub fn try_next(&mut self) -> Option<Event> {
        self.receiver.try_recv().ok()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Drives the connection until it ends. The event loop, and with it all that is queued, is dropped here.
pub(super) async fn run(
    mut eventloop: EventLoop,
    client: AsyncClient,
    subscriptions: Vec<(String, Qos)>,
    connected: Arc<AtomicBool>,
    events: mpsc::Sender<Event>,
) {
    let why = loop {
        let event = match eventloop.poll().await {
            Ok(rumqttc::Event::Incoming(incoming)) => incoming,
            Ok(_) => continue,
            Err(ConnectionError::ConnectionRefused(code)) => break Error::Refused { why: format!("{code:?}") },
            Err(error) => break Error::Ended { why: error.to_string() },
        };
        let step = match event {
            Incoming::ConnAck(connack) => {
                connected.store(true, Ordering::Release);
                let event = Event::Connected { session_present: connack.session_present };
                subscribe(&client, &subscriptions).map(|()| Some(event))
            }
            Incoming::SubAck(suback) => granted(&suback, &subscriptions).map(|()| Some(Event::Subscribed)),
            Incoming::Publish(publish) => Ok(Some(Event::Message(publish.into()))),
            Incoming::Disconnect(disconnect) => {
                Err(Error::Ended { why: format!("the broker said {:?}", disconnect.reason_code) })
            }
            _ => Ok(None),
        };
        match step {
            Ok(Some(event)) => match events.send(event).await {
                Ok(()) => {}
                Err(_) => return,
            },
            Ok(None) => {}
            Err(error) => break error,
        }
    };
    connected.store(false, Ordering::Release);
    drop(eventloop);
    let _ = events.send(Event::Ended(why)).await;
}

fn subscribe(client: &AsyncClient, subscriptions: &[(String, Qos)]) -> Result<(), Error> {
    if subscriptions.is_empty() {
        return Ok(());
    }
    let filters = subscriptions.iter().map(|(filter, quality)| SubscribeFilter::new(filter.clone(), qos(*quality)));
    client.try_subscribe_many(filters.collect::<Vec<_>>()).map_err(|error| Error::Ended { why: error.to_string() })
}

fn granted(suback: &SubAck, subscriptions: &[(String, Qos)]) -> Result<(), Error> {
    let mut answers = suback.return_codes.iter().zip(subscriptions);
    match answers.find(|(code, _)| !matches!(code, SubscribeReasonCode::Success(_))) {
        Some((_, (filter, _))) => Err(Error::SubscriptionRefused { filter: filter.clone() }),
        None => Ok(()),
    }
}
