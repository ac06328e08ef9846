//! One connection: connect, publish, acknowledge, close. The connection's own task lives as long as its `Events`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rumqttc::{
    AckMode, AsyncClient, BrokerSessionResumePolicy, ClientError, LastWill, LastWillProperties, MqttOptions,
    PublishOptions, PublishProperties, QoS, SessionMode, TlsConfiguration, Transport,
};
use tokio::sync::mpsc;

use super::Error;
use super::events::{Events, Message, run};
use super::options::{Acks, Options, Publication, Qos, Session};

/// The largest packet that is read, in bytes: `state` may have 16 KiB, with room for its topic.
const PACKET_BYTES_MAX: u32 = 64 * 1024;

/// Messages that may be on their way without an acknowledgement.
const INFLIGHT_MAX: u16 = 256;

/// One connection to one broker. Dropping it (or its `events`) closes it and drops what is queued.
#[derive(Debug)]
pub struct Client {
    /// Says things.
    pub publisher: Publisher,
    /// What comes in, in order; ends with `Event::Ended`.
    pub events: Events,
}

impl Client {
    /// Starts to connect. Success and failure come as events; what is published before the connection stands waits in the
    /// bounded queue. Must be called within a tokio runtime.
    pub fn connect(options: Options) -> Result<Self, Error> {
        let mqtt = mqtt_options(&options)?;
        let client = AsyncClient::builder(mqtt).capacity(options.capacity).try_build();
        let (client, eventloop) = client.map_err(|error| Error::Ended { why: error.to_string() })?;
        let connected = Arc::new(AtomicBool::new(false));
        let (sender, receiver) = mpsc::channel(options.capacity);
        let subscriptions = options.subscriptions;
        let task = tokio::spawn(run(eventloop, client.clone(), subscriptions, connected.clone(), sender));
        Ok(Self { publisher: Publisher { client, connected }, events: Events::new(receiver, task) })
    }

    /// Says goodbye after what is queued, so that the broker does not publish the will; waits at most this long.
    pub async fn close(mut self, timeout: Duration) {
        if self.publisher.client.disconnect_with_timeout(timeout).await.is_ok() {
            let _ = tokio::time::timeout(timeout, async { while self.events.next().await.is_some() {} }).await;
        }
    }
}

/// Says things on one connection. Clones share its queue; all of them end with the connection.
#[derive(Clone, Debug)]
pub struct Publisher {
    client: AsyncClient,
    connected: Arc<AtomicBool>,
}

impl Publisher {
    /// Queues a message without waiting. Ok says that it is queued, not that it arrived.
    pub fn publish(&self, publication: Publication) -> Result<(), Error> {
        let options = publish_options(&publication);
        self.client.try_publish(publication.topic, publication.payload, options).map_err(refused)
    }

    /// Queues a message, waiting for room.
    pub async fn publish_when_room(&self, publication: Publication) -> Result<(), Error> {
        let options = publish_options(&publication);
        self.client.publish(publication.topic, publication.payload, options).await.map_err(refused)
    }

    /// Publishes and waits until the broker has acknowledged it (QoS 1) or it is written out (QoS 0).
    pub async fn publish_acknowledged(&self, publication: Publication) -> Result<(), Error> {
        let options = publish_options(&publication);
        let tracked = self.client.publish_tracked(publication.topic, publication.payload, options).await;
        let notice = tracked.map_err(refused)?;
        notice.wait_completion_async().await.map_err(|error| Error::PublishRefused { why: error.to_string() })
    }

    /// Acknowledges a message that came in under `Acks::Manual`. Nothing to do for QoS 0.
    pub fn ack(&self, message: &Message) -> Result<(), Error> {
        self.client.try_ack(&message.packet).map_err(refused)
    }

    /// Acknowledges a message, waiting for room in the queue.
    pub async fn ack_when_room(&self, message: &Message) -> Result<(), Error> {
        self.client.ack(&message.packet).await.map_err(refused)
    }

    /// True from the broker's CONNACK to the connection's end.
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }
}

fn refused(error: ClientError) -> Error {
    match error {
        ClientError::RequestChannelFull(_) => Error::QueueFull,
        other => Error::Ended { why: other.to_string() },
    }
}

pub(super) fn qos(qos: Qos) -> QoS {
    match qos {
        Qos::AtMostOnce => QoS::AtMostOnce,
        Qos::AtLeastOnce => QoS::AtLeastOnce,
    }
}

fn publish_options(publication: &Publication) -> PublishOptions {
    let options = PublishOptions::new(qos(publication.qos)).retain(publication.retain);
    match publication.expiry_s() {
        Some(expiry_s) => options
            .properties(PublishProperties { message_expiry_interval: Some(expiry_s), ..PublishProperties::default() }),
        None => options,
    }
}

fn mqtt_options(options: &Options) -> Result<MqttOptions, Error> {
    let mut mqtt = MqttOptions::new(options.client_id.clone(), options.address()?);
    mqtt.set_keep_alive(u16::try_from(options.keep_alive.as_secs()).unwrap_or(u16::MAX).max(1));
    mqtt.set_connect_timeout(options.connect_timeout);
    mqtt.set_max_packet_size(Some(PACKET_BYTES_MAX));
    // The library keeps a slot for each and walks them all with every flush; by default there are 65,535.
    mqtt.set_outgoing_inflight_upper_limit(INFLIGHT_MAX);
    let mut network = mqtt.network_options();
    network.set_tcp_nodelay(true);
    mqtt.set_network_options(network);
    if options.is_secure() {
        mqtt.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(options.dialer.config())));
    }
    if let Some((user, password)) = &options.credentials {
        mqtt.set_credentials(user.clone(), password.clone());
    }
    if let Some(will) = &options.will {
        mqtt.set_last_will(last_will(will));
    }
    if options.acks == Acks::Manual {
        mqtt.set_ack_mode(AckMode::Manual);
    }
    if let Session::Resume { expiry } = options.session {
        mqtt.set_session_mode(SessionMode::Persistent);
        mqtt.set_session_expiry_interval(Some(u32::try_from(expiry.as_secs()).unwrap_or(u32::MAX)));
        mqtt.set_broker_session_resume_policy(BrokerSessionResumePolicy::AllowBrokerOnly);
    }
    Ok(mqtt)
}

fn last_will(will: &Publication) -> LastWill {
    let properties = will.expiry_s().map(|expiry_s| LastWillProperties {
        delay_interval: None,
        payload_format_indicator: None,
        message_expiry_interval: Some(expiry_s),
        content_type: None,
        response_topic: None,
        correlation_data: None,
        user_properties: Vec::new(),
    });
    LastWill::new(will.topic.clone(), will.payload.to_vec(), qos(will.qos), will.retain, properties)
}
