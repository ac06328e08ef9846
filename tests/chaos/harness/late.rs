//! A bus that delivers late and twice: hears every instruction on every broker, keeps it, and says it again, the latest as well as those
//! whose tenure is long over.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use brigade::mqtt::{Client, Event, Options, Publication, Qos};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::site::KITCHEN;

/// How long a broker may take to acknowledge.
const LIMIT: Duration = Duration::from_secs(1);
/// Instructions that are kept: the latest.
const KEPT_MAX: usize = 400;

/// Topic, payload and epoch.
type Kept = (String, Vec<u8>, u64);

/// Who hears everything.
pub struct Late {
    brokers: Vec<String>,
    kept: Arc<Mutex<Vec<Kept>>>,
    ears: Vec<JoinHandle<()>>,
}

impl Late {
    /// Listens on these brokers.
    pub fn listen(runtime: &Runtime, brokers: Vec<String>) -> Self {
        let kept: Arc<Mutex<Vec<Kept>>> = Arc::default();
        let ears = brokers.iter().map(|broker| runtime.spawn(hear(broker.clone(), kept.clone()))).collect();
        Self { brokers, kept, ears }
    }

    /// True once an instruction to start something is kept that is older than the latest tenure.
    pub fn has_former(&self) -> bool {
        let kept = self.kept.lock().expect("nothing panics while it holds this lock");
        let latest = kept.iter().map(|(_, _, epoch)| *epoch).max().unwrap_or(0);
        kept.iter().any(|(_, _, epoch)| *epoch < latest)
    }

    /// Says everything again, on every broker. Returns how much.
    pub async fn say_again(&self) -> usize {
        let kept = self.kept.lock().expect("nothing panics while it holds this lock").clone();
        for broker in &self.brokers {
            let _ = tokio::time::timeout(LIMIT, say(broker, &kept)).await;
        }
        kept.len()
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        self.ears.iter().for_each(JoinHandle::abort);
    }
}

async fn say(broker: &str, kept: &[Kept]) {
    let Ok(mut client) = Client::connect(options(broker, "late-mouth")) else { return };
    while let Some(event) = client.events.next().await {
        if matches!(event, Event::Connected { .. } | Event::Subscribed) {
            break;
        }
    }
    for (topic, payload, _) in kept {
        let publication = Publication::new(topic.clone(), payload.clone(), Qos::AtLeastOnce);
        let _ = client.publisher.publish(publication);
    }
    client.close(LIMIT).await;
}

fn options(broker: &str, name: &str) -> Options {
    let mut options = Options::new(broker, format!("{name}-{:x}", std::process::id()));
    options.connect_timeout = LIMIT;
    options
}

async fn hear(broker: String, kept: Arc<Mutex<Vec<Kept>>>) {
    loop {
        let mut options = options(&broker, "late-ear");
        options.subscriptions = vec![(format!("brigade/v1/{KITCHEN}/+/cmd"), Qos::AtLeastOnce)];
        if let Ok(mut client) = Client::connect(options) {
            while let Some(event) = client.events.next().await {
                if let Event::Message(message) = event {
                    keep(&kept, message.topic(), message.payload());
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn keep(kept: &Mutex<Vec<Kept>>, topic: &str, payload: &[u8]) {
    let Ok(cmd) = serde_json::from_slice::<Value>(payload) else { return };
    let mut kept = kept.lock().expect("nothing panics while it holds this lock");
    let is_new = kept.iter().all(|(_, known, _)| known != payload);
    if cmd["op"] == "task.start" && is_new {
        kept.push((topic.to_owned(), payload.to_vec(), cmd["epoch"].as_u64().unwrap_or(0)));
        if kept.len() > KEPT_MAX {
            kept.remove(0);
        }
    }
}
