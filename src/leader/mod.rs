//! In charge: what the one node does that may instruct devices. Waits until this replica leads, takes charge through the log, serves
//! until that ends, hands over, and waits again.
//!
//! Nothing here trusts that it leads: the log says who is in charge (`take_charge`), the quorum lease is checked before each
//! publish and each lease answer, and every entry of a tenure carries its epoch. What decides is in plain functions that a
//! simulation drives too: `dispatch::due`, `lease::answer`, `monitor::judge`, `intake::read`.

pub mod backend_sync;
pub mod deadlines;
pub mod dispatch;
pub mod intake;
pub mod lease;
pub mod link;
pub mod memory;
pub mod monitor;
mod room;
pub mod rules;
mod serve;
mod status;
pub mod tenure;
#[cfg(test)]
mod tests;
pub mod witness;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::kitchen::{NodeId, Recipe, Settings};
use crate::protocol;
use crate::raft::{RaftNode, Sideline, TransferError};
use crate::tls::Dialer;

use link::Connections;

pub use status::{BackendStatus, BrokerStatus, Status};
pub use tenure::{EndOfTenure, Tenure};
pub use witness::Witness;

/// What a node needs to know to be in charge.
#[derive(Clone, Debug)]
pub struct Options {
    /// The kitchen's name: part of every topic.
    pub kitchen: protocol::Id,
    /// This node.
    pub node: NodeId,
    /// Bootstrap or restore of the cluster; raised when devices obey another controller.
    pub incarnation: u32,
    /// `mqtt://host:port` of every broker that devices may use.
    pub brokers: Vec<String>,
    /// User name and password at the brokers.
    pub credentials: Option<(String, String)>,
    /// How brokers are reached.
    pub broker_dialer: Dialer,
    /// How other replicas are reached, to ask what they hear.
    pub peer_dialer: Dialer,
    /// How old the last acknowledgement of a majority may be, in milliseconds: the smallest election timeout.
    pub quorum_lease_ms: u64,
    /// The main backend, if the kitchen has one.
    pub backend: Option<backend_sync::Options>,
    /// What a new kitchen starts with.
    pub menu: Vec<Recipe>,
    /// What a new kitchen starts with.
    pub settings: Settings,
}

/// An operator's wish that this node hands over.
#[derive(Debug)]
pub struct Wish {
    /// To this node; None to whoever has stored most.
    pub to: Option<NodeId>,
    /// Who leads now, or why leadership stayed.
    pub answer: oneshot::Sender<Result<NodeId, TransferError>>,
}

/// How long a node that leads and could not take charge waits before it tries again.
const RETRY: Duration = Duration::from_millis(50);

/// Runs until `stop`: takes charge whenever this replica leads, and hands over when it ends.
pub async fn run(
    options: Arc<Options>,
    node: RaftNode,
    witness: Arc<Witness>,
    status: Arc<watch::Sender<Status>>,
    mut wishes: mpsc::Receiver<Wish>,
    stop: CancellationToken,
) {
    if node.sideline() == Some(Sideline::Witness) {
        return stand_by(&node, &mut wishes, &stop).await;
    }
    let mut leading = node.watch_status();
    let mut connections = Connections::open(&options);
    while !stop.is_cancelled() {
        witness.use_links(connections.links.clone());
        tokio::select! {
            () = stop.cancelled() => break,
            () = witness.listen(&mut connections) => break,
            Some(wish) = wishes.recv(), if !node.is_leading() || node.sideline().is_some() => {
                let _ = wish.answer.send(Err(TransferError::NotLeader));
                continue;
            }
            () = sideline(&node) => continue,
            led = leading.wait_for(|_| node.is_leading() && node.sideline().is_none()) => if led.is_err() { break },
        }
        let (taker, ears, shown) = (node.clone(), witness.clone(), status.clone());
        let mut tenure = match Tenure::take_charge(options.clone(), taker, ears, shown, connections).await {
            Ok(tenure) => tenure,
            Err((error, kept)) => {
                warn!(%error, "This node leads and could not take charge; it tries again");
                connections = kept;
                tokio::time::sleep(RETRY).await;
                continue;
            }
        };
        let epoch = tenure.epoch();
        info!(%epoch, "Node {} is in charge", options.node);
        let end = tenure.serve(&stop, &mut wishes).await;
        info!(%epoch, "The tenure of node {} ends: {end}", options.node);
        tenure.hand_over(end).await;
        connections = Connections::open(&options);
    }
}

/// How often a node on the sideline looks whether it leads.
const SIDELINE_LOOK: Duration = Duration::from_millis(50);

/// Returns when this node stands otherwise towards being in charge than before, or has tried to hand leadership back.
async fn sideline(node: &RaftNode) {
    let mut own = node.watch_sideline();
    let before = node.sideline();
    if before.is_none() {
        // An error means that the replica has stopped: so will whoever waits for this.
        let _ = own.changed().await;
        return;
    }
    while node.sideline() == before && !node.is_leading() {
        tokio::time::sleep(SIDELINE_LOOK).await;
    }
    if node.is_leading() {
        node.hand_back().await;
        tokio::time::sleep(SIDELINE_LOOK).await;
    }
}

/// A witness: no connections, no tenure. If it leads, as a last resort, it hands leadership back.
async fn stand_by(node: &RaftNode, wishes: &mut mpsc::Receiver<Wish>, stop: &CancellationToken) {
    info!("Node {} is a witness: it votes and keeps the log, and is never in charge", node.node_id());
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Some(wish) = wishes.recv() => drop(wish.answer.send(Err(TransferError::NotLeader))),
            () = sideline(node) => {}
        }
    }
}
