//! For trying it out in front of simulated devices: what a person says that he did is done to their world, on `brigade-sim/v1/{kitchen}/world`.
//!
//! This is the physics of the simulation and no part of the protocol: in a real kitchen his hands do it, and nothing here runs.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::device::runtime::Options;
use crate::device::sim::{Deed, ForeignFact};
use crate::mqtt::{self, Client, Publication, Qos};
use crate::protocol::{Action, Id, TaskStart};
use crate::tls::Dialer;

/// More deeds wait than a person can do while a connection is made.
const WAITING_MAX: usize = 64;
const GOODBYE: Duration = Duration::from_millis(500);

/// Does to the simulated world what a person did.
pub struct Hands {
    device: Id,
    deeds: mpsc::Sender<ForeignFact>,
}

impl Hands {
    /// Hands in the world of this device's kitchen, until told to stop.
    pub fn of(device: &Options, stop: CancellationToken) -> Self {
        let (deeds, done) = mpsc::channel(WAITING_MAX);
        let kitchen = device.kitchen.clone();
        tokio::spawn(tell(done, kitchen, device.brokers.clone(), device.dialer.clone(), stop));
        Self { device: Id::from(device.device.clone()), deeds }
    }

    /// He began it.
    pub fn begin(&self, order: &TaskStart) {
        self.say(Deed::Started, order);
    }

    /// He did it.
    pub fn did(&self, order: &TaskStart) {
        let deed = match order.act.known() {
            Some(Action::Load) => Deed::Placed,
            Some(Action::Unload) => Deed::Picked,
            Some(Action::Finish) => Deed::Packed,
            Some(Action::Discard) => Deed::Discarded,
            Some(Action::Prep | Action::Shelve | Action::Inspect | Action::Bake) | None => Deed::Finished,
        };
        self.say(deed, order);
    }

    fn say(&self, ev: Deed, order: &TaskStart) {
        let fact = ForeignFact {
            ev,
            device: self.device.clone(),
            lane: order.lane,
            oven: order.params.oven.clone().map(Id::from),
            slot: order.params.slot,
            pizza: Some(order.pizza.clone()),
            task: Some(order.attempt.id.clone()),
            att: Some(order.attempt.att),
            act: order.act.as_str().parse().ok(),
            epoch: None,
        };
        if self.deeds.try_send(fact).is_err() {
            tracing::warn!("The simulated world is not told of what the person did: no broker takes it");
        }
    }
}

async fn tell(
    mut done: mpsc::Receiver<ForeignFact>,
    kitchen: Id,
    brokers: Vec<String>,
    dialer: Dialer,
    stop: CancellationToken,
) {
    let topic = format!("brigade-sim/v1/{kitchen}/world");
    loop {
        let fact = tokio::select! {
            () = stop.cancelled() => return,
            fact = done.recv() => fact,
        };
        let Some(fact) = fact else { return };
        let text = serde_json::to_string(&fact).expect("a fact is plain data");
        for broker in &brokers {
            let mut options =
                mqtt::Options::new(broker.clone(), format!("{kitchen}.hands.{:08x}", rand::random::<u32>()));
            options.dialer = dialer.clone();
            let Ok(client) = Client::connect(options) else { continue };
            let publication = Publication::new(topic.clone(), text.clone(), Qos::AtLeastOnce);
            let is_told = client.publisher.publish_acknowledged(publication).await.is_ok();
            client.close(GOODBYE).await;
            if is_told {
                break;
            }
        }
    }
}
