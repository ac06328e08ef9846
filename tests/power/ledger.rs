//! Clients that order without pause and keep the id of every order that was acknowledged; and what must be true of those afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::site::{Kitchen, wait_for};

/// The orders that some replica acknowledged.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<BTreeSet<String>>>);

impl Ledger {
    pub fn len(&self) -> usize {
        self.ids().len()
    }

    fn ids(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }

    /// Orders that were acknowledged and that this list does not hold.
    pub fn missing_in(&self, orders: &BTreeMap<String, Value>) -> Vec<String> {
        self.ids().iter().filter(|id| !orders.contains_key(*id)).cloned().collect()
    }
}

/// Clients that order until they are stopped.
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

/// No two orders of this process share a name.
static NUMBER: AtomicU64 = AtomicU64::new(0);

impl Load {
    /// Starts so many clients; each asks the nodes in turn.
    pub fn start(kitchen: &Kitchen, ledger: &Ledger, clients: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let urls: Vec<String> = kitchen.nodes.keys().map(|id| kitchen.url(*id, "/v1/orders")).collect();
        let client = |n: usize| {
            let (stop, ledger, http, mut urls) = (stop.clone(), ledger.clone(), kitchen.http.clone(), urls.clone());
            let nodes = urls.len();
            urls.rotate_left(n % nodes);
            kitchen.runtime.spawn(async move {
                for url in urls.iter().cycle() {
                    if stop.load(Relaxed) {
                        return;
                    }
                    let id = format!("order-{}", NUMBER.fetch_add(1, Relaxed));
                    let order = http.put(format!("{url}/{id}")).json(&json!({ "items": ["margherita"] }));
                    match order.send().await {
                        Ok(answer) if answer.status().is_success() => drop(ledger.ids().insert(id)),
                        // Nobody knows: nothing was promised.
                        _ => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
                    }
                }
            })
        };
        Self { clients: (0..clients).map(client).collect(), stop }
    }

    /// Stops the clients and waits for them.
    pub fn end(self, kitchen: &Kitchen) {
        self.stop.store(true, Relaxed);
        for client in self.clients {
            kitchen.runtime.block_on(client).expect("a client does not panic");
        }
    }
}

/// Waits until so many orders were acknowledged.
pub fn wait_for_orders(ledger: &Ledger, count: usize) {
    wait_for(&format!("{count} orders"), || (ledger.len() >= count).then_some(()));
}

/// Every order as one node has it, without what time changes.
pub fn orders_at(kitchen: &Kitchen, id: u64) -> Option<BTreeMap<String, Value>> {
    let (mut orders, mut cursor) = (BTreeMap::new(), String::new());
    loop {
        let page = kitchen.get(id, &format!("/v1/orders?status=all&limit=500&consistency=stale{cursor}"));
        if page.status != 200 {
            return None;
        }
        for order in page.body["items"].as_array()? {
            let kept = json!({ "number": order["number"], "status": order["status"], "items": order["items"] });
            orders.insert(order["id"].as_str()?.to_owned(), kept);
        }
        match page.body["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Some(orders),
        }
    }
}

/// All these nodes have applied the same, have the same orders, and every acknowledged one is among them.
pub fn assert_nothing_lost(kitchen: &Kitchen, ids: &[u64], ledger: &Ledger) {
    let lost = lost_orders(kitchen, ids, ledger);
    let logs: Vec<String> = ids.iter().map(|id| kitchen.nodes[id].log_end()).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}\n{}", logs.join("\n--\n"));
}

/// The acknowledged orders that the replicas, once they agree, do not have.
pub fn lost_orders(kitchen: &Kitchen, ids: &[u64], ledger: &Ledger) -> Vec<String> {
    let orders = wait_for("replicas that agree", || {
        let all: Vec<_> = ids.iter().map(|id| orders_at(kitchen, *id)).collect::<Option<_>>()?;
        let applied = |id: &u64| kitchen.get(*id, "/v1/cluster").body["log"]["applied"].as_u64();
        let applied: Vec<_> = ids.iter().map(applied).collect::<Option<_>>()?;
        let agree = applied.windows(2).all(|pair| pair[0] == pair[1]) && all.windows(2).all(|pair| pair[0] == pair[1]);
        agree.then(|| all.into_iter().next()).flatten()
    });
    ledger.missing_in(&orders)
}
