//! A cluster on loopback whose members can be stopped and started again on their disks and ports.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use brigade::kitchen::{Command, NodeId};
use brigade::raft::{Error, Options, Peer, Proposed, RaftNode, server};
use brigade::web::{Limits, serve};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A replica that runs.
pub struct Member {
    pub node: RaftNode,
    stop: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
}

/// Disks and ports of a cluster, and the replicas that run now.
pub struct Cluster {
    dir: TempDir,
    addresses: BTreeMap<NodeId, SocketAddr>,
    pub running: BTreeMap<NodeId, Member>,
    /// Members that can be killed run on a runtime of their own: it is to them what a process is.
    processes: BTreeMap<NodeId, Runtime>,
    pub tune: fn(&mut Options),
}

impl Cluster {
    /// Reserves ports; nothing runs yet.
    pub async fn reserve(size: u64, tune: fn(&mut Options)) -> Self {
        // RUST_LOG=openraft=info shows what Raft does; an error means that another test has set it up.
        let _ = tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).try_init();
        let mut addresses = BTreeMap::new();
        let mut held = vec![];
        for id in 1..=size {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            addresses.insert(id, listener.local_addr().unwrap());
            held.push(listener);
        }
        let (running, processes) = (BTreeMap::new(), BTreeMap::new());
        Self { dir: tempfile::tempdir().unwrap(), addresses, running, processes, tune }
    }

    /// All members run, and one leads.
    pub async fn start(size: u64, tune: fn(&mut Options)) -> Self {
        let mut cluster = Self::reserve(size, tune).await;
        for id in 1..=size {
            cluster.run(id).await.unwrap();
        }
        cluster.leader().await;
        cluster
    }

    /// These members alone found the cluster, and one leads.
    pub async fn found<const N: usize>(&mut self, ids: [NodeId; N]) {
        for id in ids {
            let mut options = self.options(id);
            options.peers.retain(|peer, _| ids.contains(peer));
            self.run_with(options).await.unwrap();
        }
        self.leader().await;
    }

    pub fn dir(&self, id: NodeId) -> PathBuf {
        self.dir.path().join(format!("node{id}"))
    }

    pub fn address(&self, id: NodeId) -> SocketAddr {
        self.addresses[&id]
    }

    pub fn options(&self, id: NodeId) -> Options {
        let peer = |(id, at): (&NodeId, &SocketAddr)| (*id, Peer { peer: at.to_string(), api: format!("api-of-{id}") });
        let mut options = Options::new("test", id, self.dir(id), self.addresses.iter().map(peer).collect());
        // Generous for a machine that runs many tests at once; tests of speed set their own.
        (options.heartbeat_ms, options.election_min_ms, options.election_max_ms) = (100, 400, 800);
        (self.tune)(&mut options);
        options
    }

    /// Starts a member on its disk and port.
    pub async fn run(&mut self, id: NodeId) -> Result<RaftNode, Error> {
        self.run_with(self.options(id)).await
    }

    async fn run_with(&mut self, options: Options) -> Result<RaftNode, Error> {
        let (id, address) = (options.node_id, self.addresses[&options.node_id]);
        let process = self.processes.get(&id).map_or_else(Handle::current, |process| process.handle().clone());
        let member = process.spawn(async move {
            let node = RaftNode::start(options).await?;
            let listener = TcpListener::bind(address).await.unwrap();
            let stop = CancellationToken::new();
            let router = server::router(node.clone(), stop.clone());
            let server = tokio::spawn(serve(listener, router, Limits::for_peers(), stop.clone()));
            node.bootstrap().await?;
            Ok::<_, Error>(Member { node, stop, server })
        });
        let member = member.await.unwrap()?;
        let node = member.node.clone();
        self.running.insert(id, member);
        Ok(node)
    }

    /// Starts members that can be killed, and waits until one leads.
    pub async fn start_mortal(size: u64, tune: fn(&mut Options)) -> Self {
        let mut cluster = Self::reserve(size, tune).await;
        for id in 1..=size {
            let process = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            cluster.processes.insert(id, process);
            cluster.run(id).await.unwrap();
        }
        cluster.leader().await;
        cluster
    }

    /// Ends a member in the middle of whatever it does: its connections break, and nobody accepts new ones.
    pub fn kill(&mut self, id: NodeId) {
        self.running.remove(&id).expect("it runs");
        self.processes.remove(&id).expect("it can be killed").shutdown_background();
    }

    /// Stops a member as a process does that is asked to end: database closed, port free.
    pub async fn stop(&mut self, id: NodeId) {
        let member = self.running.remove(&id).expect("it runs");
        member.node.shutdown().await;
        member.stop.cancel();
        member.server.abort();
        let _ = member.server.await;
    }

    pub async fn stop_all(&mut self) {
        for id in self.running.keys().copied().collect::<Vec<_>>() {
            self.stop(id).await;
        }
        std::mem::take(&mut self.processes).into_values().for_each(Runtime::shutdown_background);
    }

    pub fn node(&self, id: NodeId) -> &RaftNode {
        &self.running[&id].node
    }

    /// The member that leads, once it has its majority.
    pub async fn leader(&self) -> RaftNode {
        wait_for("a leader", || {
            let mut nodes = self.running.values().map(|member| &member.node);
            nodes.find(|node| node.is_leading() && node.quorum_age_ms().is_some_and(|age| age < 300)).cloned()
        })
        .await
    }

    /// A running member that does not lead but knows who does.
    pub async fn follower(&self) -> RaftNode {
        let leader = self.leader().await.node_id();
        wait_for("a follower", || {
            let mut nodes = self.running.values().map(|member| &member.node);
            let knows = |node: &RaftNode| node.leader().is_some_and(|known| known.node == leader);
            nodes.find(|node| node.node_id() != leader && knows(node)).cloned()
        })
        .await
    }

    /// Puts one entry into the log.
    pub async fn write(&self) -> Proposed {
        let leader = self.leader().await;
        leader.propose(command(), None).await.unwrap()
    }

    /// Waits until every running member has applied `index`.
    pub async fn applied(&self, index: u64) {
        for member in self.running.values() {
            wait_for("applied", || (member.node.applied_index() >= index).then_some(())).await;
        }
    }
}

/// Any command: what the kitchen says to it does not matter here.
pub fn command() -> Command {
    Command::TakeCharge { node: 1, incarnation: 1, gap_measured: false, kitchen: String::new() }
}

/// The first Some that `condition` gives; fails after half a minute.
pub async fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let given_up = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < given_up, "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
