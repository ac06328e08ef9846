//! An ear at every broker: when an instruction reaches a device, and when a device says something, to the microsecond.
//!
//! It is a second subscriber to the devices' topics with the same QoS, so a broker hands it each message in the same moment as the device.
//! The devices' own record has milliseconds only. It says nothing, and goes on when a broker dies and comes back.

use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout_at};

use crate::mqtt::{Client, Event, Message, Options, Qos};
use crate::protocol::{Cmd, DeviceId, Id, Leaf, State, Topic, decode};

/// Messages that may wait to be looked at: some seconds of a busy kitchen. Beyond it the connection is held back, and times would be late.
const ROOM: usize = 16_384;
/// Between two attempts to reach a broker that is away: short beside what is measured.
const AGAIN: Duration = Duration::from_millis(20);

/// Something that was heard.
#[derive(Debug)]
pub(super) struct Heard {
    /// When.
    pub(super) at: Instant,
    /// At which broker, counted from 0.
    pub(super) broker: usize,
    /// To or from which device.
    pub(super) device: DeviceId,
    /// What.
    pub(super) said: Said,
}

/// What was said.
#[derive(Debug)]
pub(super) enum Said {
    /// An instruction to the device.
    Instruction(Box<Cmd>),
    /// The device's state.
    State(Box<State>),
    /// The device lives.
    Heartbeat,
}

/// Listens at brokers until it is dropped.
pub(super) struct Ear {
    heard: mpsc::Receiver<Heard>,
    _tasks: JoinSet<()>,
}

impl Ear {
    /// Listens to a kitchen's devices at these brokers. Returns once every broker has granted that.
    pub(super) async fn at(brokers: &[String], kitchen: &str) -> Result<Self> {
        let kitchen: Id = kitchen.parse()?;
        let (sender, heard) = mpsc::channel(ROOM);
        let (granted, mut grants) = mpsc::channel(brokers.len().max(1));
        let mut tasks = JoinSet::new();
        for (broker, url) in brokers.iter().enumerate() {
            let (kitchen, url, sender, granted) = (kitchen.clone(), url.clone(), sender.clone(), granted.clone());
            tasks.spawn(async move {
                while !sender.is_closed() {
                    listen(broker, &url, &kitchen, &sender, &granted).await;
                    sleep(AGAIN).await;
                }
            });
        }
        for _ in brokers {
            grants.recv().await;
        }
        Ok(Self { heard, _tasks: tasks })
    }

    /// What is heard next, until a moment.
    pub(super) async fn next(&mut self, until: Instant) -> Option<Heard> {
        timeout_at(until.into(), self.heard.recv()).await.ok().flatten()
    }

    /// What was heard already.
    pub(super) fn try_next(&mut self) -> Option<Heard> {
        self.heard.try_recv().ok()
    }
}

/// One connection, until it ends.
async fn listen(broker: usize, url: &str, kitchen: &Id, sender: &mpsc::Sender<Heard>, granted: &mpsc::Sender<()>) {
    let mut options = Options::new(url, format!("bench-ear-{broker}"));
    let filter = |leaf| (format!("brigade/v1/{kitchen}/+/{leaf}"), Qos::AtLeastOnce);
    options.subscriptions = [Leaf::Cmd, Leaf::State, Leaf::Hb].map(filter).to_vec();
    let Ok(mut client) = Client::connect(options) else { return };
    while let Some(event) = client.events.next().await {
        match event {
            Event::Message(message) => {
                let Some(heard) = understood(broker, &message) else { continue };
                if sender.send(heard).await.is_err() {
                    return;
                }
            }
            // Only the first grant is waited for.
            Event::Subscribed => drop(granted.try_send(())),
            Event::Connected { .. } => {}
            Event::Ended(_) => return,
        }
    }
}

/// What a message says. What a broker had kept is of the past, and `all/cmd` is for nobody in particular.
fn understood(broker: usize, message: &Message) -> Option<Heard> {
    let at = Instant::now();
    if message.is_retained() {
        return None;
    }
    let (_, topic) = Topic::parse(message.topic()).ok()?;
    let Topic::Device(device, leaf) = topic else { return None };
    let said = match leaf {
        Leaf::Cmd => Said::Instruction(Box::new(decode(message.payload()).ok()?)),
        Leaf::State => Said::State(Box::new(decode(message.payload()).ok()?)),
        Leaf::Hb => Said::Heartbeat,
        Leaf::Conn | Leaf::Facts | Leaf::Obs | Leaf::Lease | Leaf::AllCmd | Leaf::Leader => return None,
    };
    Some(Heard { at, broker, device, said })
}
