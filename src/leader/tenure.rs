//! One node's uninterrupted time in charge: `take_charge` → `serve` → `hand_over`.
//!
//! It owns its epoch, quorum lease, connections, memory and tasks; ending it cancels and drops them all, so that nothing queued can
//! speak for a former leader. First start, restart and failover are this one path.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::clock::boottime_ms;
use crate::kitchen::{Command, Epoch, Kitchen, NodeId, Reply};
use crate::protocol::LeaderState;
use crate::raft::{ProposeError, RaftNode};

use super::lease::QuorumLease;
use super::link::{Connections, Links};
use super::memory::Memory;
use super::witness::Witness;
use super::{Options, Status, Wish, backend_sync, deadlines, rules, serve};

/// Why a tenure ended.
#[derive(Debug)]
pub enum EndOfTenure {
    /// The process was told to stop.
    Stopped,
    /// An operator wants another node in charge.
    Wished(Wish),
    /// Another node leads, or is in charge.
    Replaced,
    /// No broker can be reached, and another replica reaches one.
    NoBroker,
    /// Another replica hears more devices.
    Deaf,
    /// This node's disk is nearly full, and that replica's is not.
    StorageLow(NodeId),
    /// This node is in maintenance.
    Maintenance,
    /// A task of the tenure ended: its proposals no longer go through.
    Broken,
}

impl fmt::Display for EndOfTenure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped => "it was told to stop",
            Self::Wished(_) => "an operator wants another node in charge",
            Self::Replaced => "another node leads",
            Self::NoBroker => "it reaches no broker, and another replica does",
            Self::Deaf => "another replica hears more devices",
            Self::StorageLow(_) => "its disk is nearly full, and another replica's is not",
            Self::Maintenance => "it is in maintenance",
            Self::Broken => "its entries no longer go through",
        })
    }
}

/// What the tasks of a tenure share.
pub struct Shared {
    /// What this node was told.
    pub options: Arc<Options>,
    /// The replica.
    pub node: RaftNode,
    /// The tenure.
    pub epoch: Epoch,
    /// When it began, on CLOCK_BOOTTIME.
    pub since_ms: u64,
    /// Connections to the brokers.
    pub links: Arc<Links>,
    /// Whether a majority still answers.
    pub quorum: QuorumLease,
    /// This replica's ears.
    pub witness: Arc<Witness>,
    /// For the API.
    pub status: Arc<watch::Sender<Status>>,
    /// Instructions published.
    pub published: AtomicU64,
    /// Leases answered.
    pub leases: AtomicU64,
    /// Payloads refused.
    pub refused: AtomicU64,
    memory: Mutex<Memory>,
}

impl Shared {
    /// What the tenure remembers. Never held across an await.
    pub fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().expect("nothing panics while it holds this lock")
    }

    /// Proposes an entry of this tenure. False when it did not go through: the tenure is about to end, or the entry's outcome is
    /// unknown and its cause will come up again.
    pub async fn propose(&self, command: Command) -> Option<Reply> {
        match self.node.propose(command, Some(self.epoch)).await {
            Ok(proposed) => Some(proposed.reply),
            Err(error) => {
                debug!(%error, "An entry of this tenure did not go through");
                None
            }
        }
    }
}

/// One node's time in charge.
pub struct Tenure {
    shared: Arc<Shared>,
    connections: Connections,
}

impl Tenure {
    /// Puts this node in charge: its entry's index is the epoch, and it is applied here before this returns. The connections are its own
    /// from here on; they come back with an error.
    pub async fn take_charge(
        options: Arc<Options>,
        node: RaftNode,
        witness: Arc<Witness>,
        status: Arc<watch::Sender<Status>>,
        connections: Connections,
    ) -> Result<Self, (ProposeError, Connections)> {
        let epoch = match node.take_charge(options.incarnation).await {
            Ok((epoch, _)) => epoch,
            Err(error) => return Err((error, connections)),
        };
        let links = connections.links.clone();
        let memory = Memory { pulses: witness.pulses(), ..Memory::default() };
        let quorum = QuorumLease::new(node.clone(), options.quorum_lease_ms);
        let shared = Arc::new(Shared {
            options,
            node,
            epoch,
            since_ms: boottime_ms(),
            links,
            quorum,
            witness,
            status,
            published: AtomicU64::new(0),
            leases: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            memory: Mutex::new(memory),
        });
        shared.status.send_modify(|s| {
            s.in_charge = true;
            s.epoch = Some(epoch);
            s.tenures += 1;
        });
        Ok(Self { shared, connections })
    }

    /// Its epoch.
    pub fn epoch(&self) -> Epoch {
        self.shared.epoch
    }

    /// Serves until told to stop, replaced, deaf or broken. On return nothing of the tenure runs any more.
    pub async fn serve(&mut self, stop: &CancellationToken, wishes: &mut mpsc::Receiver<Wish>) -> EndOfTenure {
        let Self { shared, connections } = self;
        shared.links.announce(shared.epoch, LeaderState::Up);
        let mut tasks = JoinSet::new();
        furnish(shared).await;
        tasks.spawn(serve::dispatch(shared.clone()));
        tasks.spawn(deadlines::run(shared.node.clone(), shared.epoch));
        tasks.spawn(backend_sync::run(shared.clone()));
        tasks.spawn(rules::run(shared.clone()));
        let mut wish = tokio::spawn(serve::monitor(shared.clone()));
        let end = tokio::select! {
            () = serve::intake(shared, &mut connections.inbox) => EndOfTenure::Broken,
            () = stop.cancelled() => EndOfTenure::Stopped,
            Some(wish) = wishes.recv() => EndOfTenure::Wished(wish),
            () = replaced(shared) => EndOfTenure::Replaced,
            end = &mut wish => end.unwrap_or(EndOfTenure::Broken),
            _ = tasks.join_next() => EndOfTenure::Broken,
        };
        wish.abort();
        tasks.shutdown().await;
        end
    }

    /// Lets go: nothing was published since `serve` returned, so another node may be elected at once.
    pub async fn hand_over(self, end: EndOfTenure) {
        let shared = &self.shared;
        shared.status.send_modify(|s| {
            s.in_charge = false;
            s.instructions_published += shared.published.swap(0, Relaxed);
            s.leases_answered += shared.leases.swap(0, Relaxed);
            s.payloads_refused += shared.refused.swap(0, Relaxed);
            s.storage_low.clear();
            s.brokers.iter_mut().for_each(|b| b.connected = false);
        });
        shared.links.announce(shared.epoch, LeaderState::Down);
        let (to, answer) = match end {
            EndOfTenure::Wished(wish) => (wish.to, Some(wish.answer)),
            EndOfTenure::Stopped | EndOfTenure::NoBroker | EndOfTenure::Deaf | EndOfTenure::Maintenance => (None, None),
            EndOfTenure::StorageLow(to) => (Some(to), None),
            EndOfTenure::Replaced | EndOfTenure::Broken => return,
        };
        let alone = shared.node.options().peers.len() < 2;
        if answer.is_none() && (alone || !shared.node.is_leading()) {
            return;
        }
        let handed_over = shared.node.transfer_leadership(to).await;
        match &handed_over {
            Ok(node) => info!("Node {node} leads now"),
            Err(error) => warn!(%error, "Leadership was not taken over; a replica is elected when the lease ends"),
        }
        if let Some(answer) = answer {
            // Who asked may have gone.
            let _ = answer.send(handed_over);
        }
    }
}

/// Returns when another node leads, or is in charge by the log.
async fn replaced(shared: &Shared) {
    let mut applied = shared.node.applied_watch();
    let mut leading = shared.node.watch_status();
    loop {
        if !shared.node.is_leading() || shared.node.with_kitchen(|k| k.epoch() != shared.epoch) {
            return;
        }
        let changed = tokio::select! {
            changed = applied.changed() => changed,
            changed = leading.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}

/// A kitchen that never took an order is new: it gets the site's settings and menu, or what is missing of the menu when the node that
/// began with it died.
async fn furnish(shared: &Shared) {
    let (is_new, is_bare, missing) = shared.node.with_kitchen(|k| {
        let is_new = k.meta().ended.iter().sum::<u64>() == 0 && k.orders().next().is_none();
        let missing: Vec<_> = shared.options.menu.iter().filter(|r| k.recipe(&r.id).is_none()).cloned().collect();
        (is_new, k.recipes().next().is_none(), missing)
    });
    if !is_new {
        return;
    }
    // What newer rules allow is set by a person, once they hold.
    let settings = shared.options.settings.under(shared.node.with_kitchen(Kitchen::rules));
    if is_bare && settings != shared.options.settings {
        warn!("Settings that need newer rules are left out: set them when every replica runs this release");
    }
    let settings = is_bare.then_some(Command::Configure { settings });
    let recipes = missing.into_iter().map(|recipe| Command::PutRecipe { recipe });
    for command in settings.into_iter().chain(recipes) {
        match shared.propose(command).await {
            Some(Reply::Refused(refusal)) => warn!(%refusal, "The configured menu or settings were refused"),
            Some(_) => {}
            None => return,
        }
    }
}
