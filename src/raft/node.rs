//! One replica: the only thing of `raft/` that the layers above see. Starts, reads, and stops; writes are in `propose`,
//! leadership in `lead`.
//!
//! Nothing of openraft or RocksDB shows in its signatures. It never decides what the kitchen does.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, RwLockReadGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use tokio::sync::{Notify, broadcast, watch};

use crate::kitchen::{Kitchen, Millis, NodeId, Rules};

use super::archive::{self, ArchiveRow};
use super::clock::{Anchor, SleepGuard};
use super::crash;
use super::disks::Disks;
use super::error::{Error, EventsError};
use super::events;
use super::fatal::Fatal;
use super::group::Group;
use super::last_resort;
use super::network::Network;
use super::open::{self, Opened};
use super::options::Options;
use super::peer_rules::PeerRules;
use super::replica::Replica;
use super::scrub;
use super::shelf::Shelf;
use super::sideline::Sidelines;
use super::space;
use super::state_machine::StateMachine;
use super::status::{self, LeaderInfo, Status};
use super::store::{ARCHIVE, Store};
use super::types::{Observed, Peer, RaftMetrics, Types};

pub(crate) type Raft = openraft::Raft<Types, StateMachine>;

/// A running replica. Clones share it.
#[derive(Clone)]
pub struct RaftNode(Arc<Inner>);

pub(super) struct Inner {
    options: Options,
    raft: Raft,
    network: Network,
    replica: Arc<Replica>,
    shelf: Arc<Shelf>,
    disks: Arc<Disks>,
    rules: Arc<PeerRules>,
    sidelines: Arc<Sidelines>,
    /// Emptied by `shutdown`, so that the database is closed before the process ends.
    store: Mutex<Option<Arc<Store>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    status: Arc<watch::Sender<Status>>,
    /// Woken when a candidate was refused because this node has more of the log.
    has_more: Notify,
    sleep: SleepGuard,
    group: Arc<Group>,
    space: space::LastTold,
    fatal: Fatal,
}

/// How long `shutdown` waits for the last user of the database (a snapshot being built).
const CLOSE_LIMIT: Duration = Duration::from_secs(20);

impl RaftNode {
    /// Opens the data directory, checks it against its identity, and joins the others. Answers no peer before `server` runs, and
    /// founds no cluster before `bootstrap`.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let config = Arc::new(options.config()?);
        let fatal = Fatal::default();
        let (opening, raised) = (options.clone(), fatal.clone());
        let opened = tokio::task::spawn_blocking(move || open::open(&opening, &raised)).await;
        let opened = opened.map_err(|e| Error::Raft(e.to_string()))??;
        let failed = |e: &dyn std::fmt::Display| Error::Raft(e.to_string());
        let Opened { store, replica, shelf, log, state_machine, writer, disks } = opened;
        let rules = Arc::new(PeerRules::new(options.node_id, options.rules_max));
        let sidelines = Arc::new(Sidelines::load(options.node_id, options.witness, options.data_dir.clone()));
        let network =
            || Network::new(&options, disks.clone(), rules.clone(), sidelines.clone()).map_err(|e| failed(&e));
        let (network, for_raft) = (network()?, network()?);
        let raft = Raft::new(options.node_id, config, for_raft, log, state_machine).await.map_err(|e| failed(&e))?;
        raft.runtime_config().elect(sidelines.own().is_none());
        let status = Arc::new(watch::Sender::new(Status::default()));
        tokio::spawn(status::follow(raft.metrics(), status.clone(), fatal.clone()));
        let (store, writer) = (Mutex::new(Some(store)), Mutex::new(Some(writer)));
        let sleep = SleepGuard::default();
        let inner = Inner {
            options,
            raft,
            network,
            replica,
            shelf,
            disks,
            rules,
            sidelines,
            store,
            writer,
            status,
            has_more: Notify::new(),
            sleep,
            group: Arc::default(),
            space: space::LastTold::default(),
            fatal,
        };
        let inner = Arc::new(inner);
        space::watch(&inner);
        last_resort::watch(&inner);
        crash::watch(&inner);
        scrub::watch(&inner);
        Ok(Self(inner))
    }

    pub(super) fn of(inner: Arc<Inner>) -> Self {
        Self(inner)
    }

    /// The settings it was started with.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// Its number.
    pub fn node_id(&self) -> NodeId {
        self.0.options.node_id
    }

    /// True if this node was elected, as far as it knows. It may be cut off: who acts on it checks `quorum_age_ms` too.
    pub fn is_leading(&self) -> bool {
        self.0.raft.is_leader()
    }

    /// Who leads, as far as this replica knows.
    pub fn leader(&self) -> Option<LeaderInfo> {
        self.with_metrics(status::leader)
    }

    /// The standing now.
    pub fn status(&self) -> Status {
        self.with_metrics(Status::of)
    }

    /// The standing, with a wake-up whenever something but the age of the last acknowledgement changes.
    pub fn watch_status(&self) -> watch::Receiver<Status> {
        self.0.status.subscribe()
    }

    /// Milliseconds since a majority last acknowledged this leader; None if this node does not lead, or no majority has answered
    /// yet, or the machine slept in between.
    ///
    /// Counts from the moment the acknowledged request was **sent**, on the monotonic clock, read at this call: it may be too
    /// large (by what openraft's core has not processed yet, usually under 1 ms) but never too small, so it serves as a quorum
    /// lease. On a healthy cluster it stays below two heartbeat intervals.
    pub fn quorum_age_ms(&self) -> Option<u64> {
        self.with_metrics(|now| status::quorum_age(now, &self.0.sleep)).map(|age| age.as_millis() as u64)
    }

    /// The kitchen at the applied index, for reading. Apply waits while the guard lives: never hold it across an await.
    pub fn kitchen(&self) -> RwLockReadGuard<'_, Kitchen> {
        self.0.replica.kitchen()
    }

    /// Reads from the kitchen.
    pub fn with_kitchen<T>(&self, read: impl FnOnce(&Kitchen) -> T) -> T {
        read(&self.kitchen())
    }

    /// The kitchen's replicated time now, in milliseconds, as this node reckons it.
    pub fn now(&self) -> Millis {
        self.anchor().now()
    }

    /// What `now` is reckoned from.
    pub fn anchor(&self) -> Anchor {
        self.0.replica.anchor()
    }

    /// False until this process has applied an entry that proves that time was measured without a break (a TakeCharge or another
    /// entry of a tenure, made after this process started). A cold start of all replicas leaves it false.
    pub fn gap_measured(&self) -> bool {
        self.anchor().measured
    }

    /// The applied index, with a wake-up whenever it grows.
    pub fn applied_watch(&self) -> watch::Receiver<u64> {
        self.0.replica.applied()
    }

    /// The applied index.
    pub fn applied_index(&self) -> u64 {
        *self.0.replica.applied().borrow()
    }

    /// Every kitchen entry that is applied from now on. Who is more than some thousands behind gets `Lagged`, and goes on with
    /// `events_after`.
    pub fn subscribe_events(&self) -> broadcast::Receiver<Arc<Observed>> {
        self.0.replica.observe()
    }

    /// At most `limit` entries with events behind `index`, from the ring in the database.
    pub fn events_after(&self, index: u64, limit: usize) -> Result<Vec<Observed>, EventsError> {
        events::after(&*self.store()?, index, limit)
    }

    /// One row of the archive.
    pub fn archive_get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        self.store()?.get(ARCHIVE, key)
    }

    /// At most `limit` rows of the archive behind `after`, in key order.
    pub fn archive_page(&self, after: Option<&[u8]>, limit: usize) -> io::Result<Vec<ArchiveRow>> {
        archive::page(&*self.store()?, after, limit)
    }

    /// At most `limit` rows of the archive before `before`, the last key first.
    pub fn archive_page_back(&self, before: Option<&[u8]>, limit: usize) -> io::Result<Vec<ArchiveRow>> {
        archive::page_back(&*self.store()?, before, limit)
    }

    /// Asks for a snapshot; it is built beside everything else. `status().snapshot` tells when it is there.
    pub async fn trigger_snapshot(&self) -> Result<(), super::ReadError> {
        self.0.raft.trigger().snapshot().await.map_err(|_| super::ReadError::Stopped)
    }

    /// Becomes Some, with the reason, when this replica must stop: the process ends with `raft::EXIT_CODE`.
    pub fn watch_fatal(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.0.fatal.watch()
    }

    /// Stops Raft, joins the sync thread, and closes the database. RocksDB must be closed before the process ends.
    pub async fn shutdown(&self) {
        if let Err(error) = self.0.raft.shutdown().await {
            self.0.fatal.raise(format!("raft did not stop: {error}"));
        }
        let store = self.0.store.lock().expect("nothing panics while it holds this lock").take();
        let writer = self.0.writer.lock().expect("nothing panics while it holds this lock").take();
        let (Some(store), Some(writer)) = (store, writer) else { return };
        if tokio::task::spawn_blocking(move || close(store, writer)).await.is_err() {
            self.0.fatal.raise("the database was not closed");
        }
    }

    pub(crate) fn raft(&self) -> &Raft {
        &self.0.raft
    }

    pub(crate) fn network(&self) -> &Network {
        &self.0.network
    }

    pub(crate) fn shelf(&self) -> Arc<Shelf> {
        self.0.shelf.clone()
    }

    pub(crate) fn disks(&self) -> &Disks {
        &self.0.disks
    }

    pub(crate) fn peer_rules(&self) -> &PeerRules {
        &self.0.rules
    }

    /// The newest rules that each replica goes by, as far as this one has heard from the program that runs there now, with a wake-up
    /// whenever that changes.
    pub fn watch_rules(&self) -> watch::Receiver<BTreeMap<NodeId, Rules>> {
        self.0.rules.watch()
    }

    pub(crate) fn sidelines(&self) -> &Sidelines {
        &self.0.sidelines
    }

    pub(super) fn has_more(&self) -> &Notify {
        &self.0.has_more
    }

    pub(super) fn group(&self) -> &Arc<Group> {
        &self.0.group
    }

    pub(super) fn space_told(&self) -> &space::LastTold {
        &self.0.space
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.with_metrics(|now| now.running_state.is_err())
    }

    pub(crate) fn fatal_reason(&self) -> Option<Arc<str>> {
        self.0.fatal.reason()
    }

    /// Looks at openraft's metrics, and at nothing else meanwhile: a held borrow stalls openraft's core. A copy costs more than a look, and every
    /// request of the API has one.
    fn with_metrics<T>(&self, look: impl FnOnce(&RaftMetrics) -> T) -> T {
        look(&self.0.raft.metrics().borrow_watched())
    }

    /// A copy, for more than a look.
    pub(crate) fn metrics(&self) -> RaftMetrics {
        self.with_metrics(RaftMetrics::clone)
    }

    /// The members of the cluster, as this node knows them; before it knows any, those of its options.
    pub fn peers(&self) -> BTreeMap<NodeId, Peer> {
        let members = self.metrics().membership_config;
        let members: BTreeMap<_, _> = members.nodes().map(|(id, peer)| (*id, peer.clone())).collect();
        if members.is_empty() { self.0.options.peers.clone() } else { members }
    }

    pub(super) fn store(&self) -> io::Result<Arc<Store>> {
        let store = self.0.store.lock().expect("nothing panics while it holds this lock").clone();
        store.ok_or_else(|| io::Error::other("this replica has stopped"))
    }
}

/// The writer ends when openraft has let go of the log; the database closes when its last user is done.
fn close(store: Arc<Store>, writer: JoinHandle<()>) {
    let given_up = std::time::Instant::now() + CLOSE_LIMIT;
    while !writer.is_finished() || Arc::strong_count(&store) > 1 {
        if std::time::Instant::now() > given_up {
            return tracing::warn!("The database is still in use and was not closed");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
