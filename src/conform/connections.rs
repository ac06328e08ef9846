//! Connections to the broker: the bench's own, a newcomer's, and one under the device's own client id.

use super::bench::Bench;
use super::{Error, Options, Stop};
use crate::mqtt::{self, Client, Event, Qos};
use crate::protocol::{DeviceId, Id, Leaf, Topic};

impl Bench {
    /// Another client of the same broker.
    pub(super) async fn another(&self, filters: &[(String, Qos)]) -> Result<Client, Stop> {
        Ok(another_client(&self.options, filters).await?)
    }
}

/// What the bench subscribes to. Quality of service 1 everywhere, so that what a device publishes can be told.
pub(super) fn filters(options: &Options) -> Vec<(String, Qos)> {
    let own = |leaf: Leaf| Topic::Device(options.device.clone(), leaf).name(&options.kitchen);
    let leaves = Leaf::FROM_DEVICE.into_iter().chain([Leaf::Lease]).map(own);
    leaves.chain([Topic::Leader.name(&options.kitchen)]).map(|filter| (filter, Qos::AtLeastOnce)).collect()
}

/// Connects under a name that nobody has.
pub(super) async fn another_client(options: &Options, filters: &[(String, Qos)]) -> Result<Client, Error> {
    let client_id = format!("{}.conform.{:08x}", options.kitchen, rand::random::<u32>());
    connect_as(options, client_id, filters).await
}

/// Connects under this client id, and waits until that stands.
pub(super) async fn connect_as(options: &Options, id: String, filters: &[(String, Qos)]) -> Result<Client, Error> {
    let mut mqtt = mqtt::Options::new(options.broker.clone(), id);
    mqtt.credentials = options.credentials.clone();
    mqtt.dialer = options.dialer.clone();
    mqtt.subscriptions = filters.to_vec();
    let mut client = Client::connect(mqtt).map_err(Error::Broker)?;
    loop {
        match client.events.next().await {
            Some(Event::Connected { .. }) if filters.is_empty() => return Ok(client),
            Some(Event::Subscribed) => return Ok(client),
            Some(Event::Ended(error)) => return Err(Error::Broker(error)),
            None => return Err(Error::Broker(mqtt::Error::Ended { why: "closed".to_owned() })),
            Some(Event::Connected { .. } | Event::Message(_)) => {}
        }
    }
}

/// The id under which a device must connect.
pub(super) fn client_id(kitchen: &Id, device: &DeviceId) -> String {
    format!("{kitchen}.{device}")
}
