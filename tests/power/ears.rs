//! An ear at every broker: which heartbeats devices sent, and which leases answered them under which epoch.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use brigade::mqtt::{Client, Event, Message, Options, Qos};
use brigade::protocol::{DeviceId, Epoch, Heartbeat, Leaf, Lease, Topic, decode};
use tokio::runtime::Runtime;

/// Between two attempts to reach a broker that is away.
const AGAIN: Duration = Duration::from_millis(50);

/// One heartbeat: device, boot, and its number.
type Beat = (DeviceId, u64, u64);

/// What was heard.
#[derive(Default)]
pub struct Heard {
    beats: BTreeMap<Beat, Instant>,
    leases: Vec<(Beat, Epoch)>,
}

impl Heard {
    /// How many leases this tenure gave.
    pub fn leases_under(&self, epoch: Epoch) -> usize {
        self.leases.iter().filter(|(_, under)| *under == epoch).count()
    }

    /// Those of them that answer a heartbeat which was heard after this moment.
    pub fn late_leases_under(&self, epoch: Epoch, moment: Instant) -> Vec<&Beat> {
        let is_late = |beat: &Beat| self.beats.get(beat).is_some_and(|at| *at > moment);
        self.leases.iter().filter(|(beat, under)| *under == epoch && is_late(beat)).map(|(beat, _)| beat).collect()
    }

    /// How many heartbeats were heard after this moment.
    pub fn beats_after(&self, moment: Instant) -> usize {
        self.beats.values().filter(|at| **at > moment).count()
    }
}

/// Listens until it is dropped.
pub struct Ears {
    heard: Arc<Mutex<Heard>>,
    _runtime: Runtime,
}

impl Ears {
    pub fn at(brokers: &[String], kitchen: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let (runtime, heard) = (runtime.expect("a runtime"), Arc::default());
        for url in brokers {
            runtime.spawn(listen(url.clone(), kitchen.to_owned(), Arc::clone(&heard)));
        }
        Self { heard, _runtime: runtime }
    }

    pub fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().expect("nothing panics while it holds this lock")
    }
}

async fn listen(url: String, kitchen: String, heard: Arc<Mutex<Heard>>) {
    loop {
        let mut options = Options::new(&url, "ear");
        let filter = |leaf: &str| (format!("brigade/v1/{kitchen}/+/{leaf}"), Qos::AtMostOnce);
        options.subscriptions = ["hb", "lease"].map(filter).to_vec();
        let mut client = Client::connect(options).expect("the address is well-formed");
        while let Some(event) = client.events.next().await {
            if let Event::Message(message) = event {
                note(&message, &heard);
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

fn note(message: &Message, heard: &Mutex<Heard>) {
    let Ok((_, Topic::Device(device, leaf))) = Topic::parse(message.topic()) else { return };
    let mut heard = heard.lock().expect("nothing panics while it holds this lock");
    if leaf == Leaf::Hb
        && let Ok(beat) = decode::<Heartbeat>(message.payload())
    {
        heard.beats.entry((device, beat.boot, beat.seq)).or_insert_with(Instant::now);
    } else if leaf == Leaf::Lease
        && let Ok(lease) = decode::<Lease>(message.payload())
    {
        heard.leases.push(((device, lease.boot, lease.seq), lease.epoch));
    }
}
