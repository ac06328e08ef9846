//! A second pair of ears: every replica hears heartbeats on all brokers, in charge or not, and tells the others how long ago it heard each
//! device. A new tenure begins with what this replica has heard. It publishes nothing and decides nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::clock::boottime_ms;
use crate::kitchen::{DeviceId, Millis, NodeId};
use crate::protocol::{Heartbeat, Leaf, Topic, decode};
use crate::raft::RaftNode;

use super::link::{Connections, Inbound, Links};
use super::memory::{DEVICES_MAX, Pulse};

/// What one replica has heard, as it tells the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Testimony {
    /// True when it is connected to at least one broker.
    pub listening: bool,
    /// How long ago it heard each device, in milliseconds.
    pub ages_ms: BTreeMap<DeviceId, Millis>,
    /// Which node it is.
    #[serde(default)]
    pub node: NodeId,
    /// True when its disk is nearly full.
    #[serde(default)]
    pub storage_low: bool,
}

impl Testimony {
    /// The same, with what the replica says of itself.
    pub fn signed(self, replica: &RaftNode) -> Self {
        Self { node: replica.node_id(), storage_low: replica.space().is_low(), ..self }
    }
}

/// This replica's ears.
#[derive(Default)]
pub struct Witness {
    heard: Mutex<BTreeMap<DeviceId, Pulse>>,
    links: Mutex<Option<Arc<Links>>>,
}

impl Witness {
    /// What this replica has heard.
    pub fn testimony(&self) -> Testimony {
        let now = boottime_ms();
        let ages_ms = self.heard().iter().map(|(id, pulse)| (id.clone(), now.saturating_sub(pulse.heard_ms))).collect();
        let links = self.links.lock().expect("nothing panics while it holds this lock").clone();
        let listening = links.is_some_and(|l| l.subscribed_at().is_some());
        Testimony { listening, ages_ms, ..Testimony::default() }
    }

    /// The pulses that this replica has heard.
    pub fn pulses(&self) -> BTreeMap<DeviceId, Pulse> {
        self.heard().clone()
    }

    /// From here on these are the ears.
    pub fn use_links(&self, links: Arc<Links>) {
        *self.links.lock().expect("nothing panics while it holds this lock") = Some(links);
    }

    /// Listens until it is dropped; returns if the connections are gone. Whoever is not in charge acknowledges at once: the one in charge
    /// has its own subscription, and a new tenure asks every device for its state.
    pub async fn listen(&self, connections: &mut Connections) {
        while let Some(inbound) = connections.inbox.recv().await {
            self.hear(&inbound);
            inbound.acknowledge();
        }
    }

    fn hear(&self, inbound: &Inbound) {
        let message = &inbound.message;
        if message.is_retained() {
            return;
        }
        let Ok((_, Topic::Device(device, Leaf::Hb))) = Topic::parse(message.topic()) else { return };
        let Ok(beat) = decode::<Heartbeat>(message.payload()) else { return };
        self.note(&device, Pulse::of(&beat, inbound.link, boottime_ms()));
    }

    /// Remembers a heartbeat.
    pub fn note(&self, device: &DeviceId, pulse: Pulse) {
        let mut heard = self.heard();
        if heard.len() < DEVICES_MAX || heard.contains_key(device) {
            heard.insert(device.clone(), pulse);
        }
    }

    fn heard(&self) -> MutexGuard<'_, BTreeMap<DeviceId, Pulse>> {
        self.heard.lock().expect("nothing panics while it holds this lock")
    }
}

/// What the other replicas have heard, asked of all at once. Who does not answer in time has heard nothing.
pub async fn ask_others(http: &reqwest::Client, urls: &[String]) -> Vec<Testimony> {
    let mut asked = JoinSet::new();
    for url in urls {
        let request = http.get(url).timeout(Duration::from_millis(400)).send();
        asked.spawn(async move { request.await.ok()?.json::<Testimony>().await.ok() });
    }
    asked.join_all().await.into_iter().flatten().collect()
}

/// When each device was last heard by any witness, by what they said at `asked_at`.
pub fn merged(testimonies: &[Testimony], asked_at: Millis) -> BTreeMap<DeviceId, Millis> {
    let mut heard: BTreeMap<DeviceId, Millis> = BTreeMap::new();
    for (device, age) in testimonies.iter().flat_map(|t| &t.ages_ms) {
        let at = asked_at.saturating_sub(*age);
        heard.entry(device.clone()).and_modify(|known| *known = at.max(*known)).or_insert(at);
    }
    heard
}
