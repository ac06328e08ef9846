//! Robots of other makes in the same kitchen: what they do to the world comes over MQTT, on `brigade-sim/v1/{kitchen}/world`.
//!
//! This is the physics of the simulation and no part of the device protocol: a real robot moves real pizzas.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::world::{Place, World};
use crate::history::DeviceFact;
use crate::mqtt::{Client, Event, Options, Qos};
use crate::protocol::{Id, Lane};
use crate::tls::Dialer;

/// Wait before the next attempt to connect.
const BACK_OFF: Duration = Duration::from_millis(500);

/// What a foreign robot did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Deed {
    /// It began a task; a `prep` puts the dough into its gripper.
    Started,
    /// It ended a task well.
    Finished,
    /// It ended a task badly.
    Failed,
    /// It put the pizza into a slot.
    Placed,
    /// It took the pizza out of a slot.
    Picked,
    /// It packed the pizza.
    Packed,
    /// It threw the pizza away, from its gripper or, where it names one, from a slot.
    Discarded,
}

/// One message on the world's topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignFact {
    /// What happened.
    pub ev: Deed,
    /// Which robot did it.
    pub device: Id,
    /// Its lane.
    #[serde(default)]
    pub lane: Lane,
    /// Which oven.
    #[serde(default)]
    pub oven: Option<Id>,
    /// Which slot.
    #[serde(default)]
    pub slot: Option<Lane>,
    /// Which pizza.
    #[serde(default)]
    pub pizza: Option<Id>,
    /// Which task.
    #[serde(default)]
    pub task: Option<Id>,
    /// Which attempt.
    #[serde(default)]
    pub att: Option<u32>,
    /// Which action, for `started`.
    #[serde(default)]
    pub act: Option<Id>,
    /// Under which epoch it was instructed, for the record.
    #[serde(default)]
    pub epoch: Option<u64>,
}

impl ForeignFact {
    /// Does it to the world, and writes it down; a mishap is written down as `failed`.
    pub fn happen(&self, world: &World) {
        let gripper = Place::new(self.device.clone(), self.lane);
        let slot = self.oven.clone().map(|oven| Place::new(oven, self.slot.unwrap_or(0)));
        let mut gone = None;
        let event = match (self.ev, slot) {
            (Deed::Started, _) => {
                if let Some(pizza) = self.pizza.clone().filter(|_| self.is_prep()) {
                    let _ = world.make(gripper, pizza);
                }
                "started"
            }
            (Deed::Finished, _) => "finished",
            (Deed::Placed, Some(slot)) => self.place(world, &gripper, slot),
            (Deed::Picked, Some(slot)) => world.carry(&slot, gripper).map_or("failed", |_| "picked"),
            (Deed::Packed, _) => world.take_away(&gripper).map_or("failed", |_| "packed"),
            (Deed::Discarded, slot) => {
                gone = world.take_away(&slot.unwrap_or(gripper)).map(|pizza| pizza.to_string());
                "discarded"
            }
            (Deed::Failed, _) | (Deed::Placed | Deed::Picked, None) => "failed",
        };
        let fact = self.fact(event);
        // Whoever clears a place need not know what lay there.
        let pizza = gone.or_else(|| fact.pizza.clone());
        world.record().write(DeviceFact { pizza, ..fact });
    }

    fn is_prep(&self) -> bool {
        self.act.as_ref().is_some_and(|act| act.as_str() == "prep")
    }

    fn place(&self, world: &World, gripper: &Place, slot: Place) -> &'static str {
        let carried = match (world.pizza_at(gripper), self.pizza.clone()) {
            (Some(_), _) => world.carry(gripper, slot).map(drop),
            (None, Some(pizza)) => world.put(slot, pizza),
            (None, None) => return "failed",
        };
        carried.map_or("failed", |()| "placed")
    }

    fn fact(&self, event: &str) -> DeviceFact {
        let text = |id: &Option<Id>| id.as_ref().map(Id::to_string);
        DeviceFact {
            pizza: text(&self.pizza),
            task: text(&self.task),
            op: text(&self.act),
            att: self.att,
            epoch: self.epoch,
            oven: text(&self.oven),
            slot: self.slot,
            ..DeviceFact::new(&self.device, event)
        }
    }
}

/// Follows the world's topic on one broker until told to stop, over as many connections as it takes.
pub async fn follow(world: Arc<World>, kitchen: Id, broker: String, dialer: Dialer, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let mut options = Options::new(broker.clone(), format!("{kitchen}.world.{:08x}", rand::random::<u32>()));
        options.dialer = dialer.clone();
        options.subscriptions = vec![(format!("brigade-sim/v1/{kitchen}/world"), Qos::AtLeastOnce)];
        if let Ok(client) = Client::connect(options) {
            tokio::select! {
                () = stop.cancelled() => return,
                () = listen(&world, client) => {}
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(BACK_OFF) => {}
        }
    }
}

async fn listen(world: &World, mut client: Client) {
    while let Some(event) = client.events.next().await {
        let Event::Message(message) = event else { continue };
        match serde_json::from_slice::<ForeignFact>(message.payload()) {
            Ok(fact) => fact.happen(world),
            Err(error) => tracing::warn!(%error, "A fact of a foreign robot can't be read"),
        }
    }
}
