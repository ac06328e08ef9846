//! One controller process: puts the parts together, and takes them apart in the right order.
//!
//! Nothing of the kitchen is decided here. Start: broker, replica, peers' server, API, leader. Stop: leader first (it hands
//! over while the replica still runs), then the servers, the replica, the broker.

pub mod backups;
mod chronicle;
pub mod traces;

use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::config::Config;
use crate::http;
use crate::leader::{self, Witness};
use crate::mqtt::broker::{Broker, Options as BrokerOptions};
use crate::raft::{self, RaftNode};
use crate::telemetry;
use crate::tls::{self, Acceptor};
use crate::web::{Limits, serve_with};

use chronicle::Chronicle;

/// How long the servers have to finish what they are answering.
const SERVERS_END: Duration = Duration::from_secs(2);

/// Runs one controller until `stop`, or until its storage can't be trusted any more.
pub async fn run(config: Config, stop: CancellationToken) -> Result<()> {
    let (peer_address, api_address) = config.listen_addresses()?;
    let access = config.access_options()?;
    let _own = claim(&config.data_dir)?;
    let tls = config.tls.as_ref().map(|tls| tls::Node::load(&tls.dir)).transpose()?;
    let broker = config.broker_options(tls.as_ref().map(|tls| tls.public.clone()));
    let broker = broker.map(|options| start_broker(options, "embedded_broker")).transpose()?;
    let peers = bind(peer_address, "other replicas", "peer or listen_peer").await?;
    let api = bind(api_address, "clients", "api or listen_api").await?;
    let chronicle = config.history.as_deref().map(|path| Chronicle::open(path, config.node)).transpose();
    let chronicle = chronicle.context("the file named by `history` can't be written")?;
    let observer = chronicle.clone().map(|chronicle| Arc::new(chronicle) as Arc<dyn raft::Observer>);
    let (peers_dialer, dialer) = tls.as_ref().map(|tls| (tls.peers.clone(), tls.dialer.clone())).unwrap_or_default();
    let node = RaftNode::start(raft::Options { observer, dialer: peers_dialer.clone(), ..config.raft_options() }).await;
    let node = node.with_context(|| format!("data_dir {}", config.data_dir.display()))?;
    let witness = Arc::new(Witness::default());
    let options = Arc::new(leader::Options {
        broker_dialer: dialer.clone(),
        peer_dialer: peers_dialer,
        ..config.leader_options()
    });
    let status = Arc::new(watch::Sender::new(leader::Status { node: config.node, ..leader::Status::default() }));
    let told = chronicle.map(|chronicle| tokio::spawn(chronicle.follow(status.subscribe())));
    let servers = CancellationToken::new();

    let (acceptor, peers_acceptor) = tls.as_ref().map(|tls| (tls.acceptor.clone(), tls.peers_acceptor.clone())).unzip();
    let peer_server = spawn_peer_server(peers, &node, &witness, peers_acceptor, servers.clone());
    if let Some(tls) = tls {
        tokio::spawn(tls::follow(vec![tls.public, tls.peer], servers.clone()));
    }
    node.bootstrap().await?;
    let (wish, wishes) = mpsc::channel(4);
    let sources = http::Sources {
        node: node.clone(),
        wish,
        leader: status.subscribe(),
        cluster: http::ClusterInfo {
            kitchen: config.kitchen.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        },
        dialer,
        access: access.clone(),
        backend_margin_ms: config.backend.as_ref().map_or(0, |b| b.lease_margin_ms),
        more_metrics: Some(Arc::new(telemetry::record())),
        stop: servers.clone(),
    };
    let limits = http::Limits { connections_max: http::CONNECTIONS_MAX, ..http::Limits::default() };
    let api_server = tokio::spawn(http::serve_with(api, http::Api::router(sources), limits, acceptor, servers.clone()));
    if let Some(traces) = config.traces.clone() {
        tokio::spawn(traces::follow(node.clone(), config.kitchen.to_string(), traces, servers.clone()));
    }
    if let Some(backup) = config.backup.clone() {
        tokio::spawn(backups::run(node.clone(), backup, servers.clone()));
    }
    let leading = tokio::spawn(leader::run(options, node.clone(), witness, status, wishes, stop.clone()));
    let first_token = tokio::spawn(http::access::found(node.clone(), access, servers.clone()));
    info!("Node {} of kitchen {} listens at {api_address}", config.node, config.kitchen);

    let fatal = wait_for_end(&node, &stop).await;
    if fatal.is_some() {
        leading.abort();
    }
    // The leader sees `stop` too: it hands over while this replica still runs.
    let _ = leading.await;
    if let Some(told) = told {
        // It ends by itself once nobody can change the status any more; nothing waits for it.
        told.abort();
    }
    servers.cancel();
    finish(peer_server).await;
    finish(first_token).await;
    let _ = tokio::time::timeout(SERVERS_END, api_server).await;
    node.shutdown().await;
    if let Some(broker) = broker {
        let _ = tokio::task::spawn_blocking(move || broker.stop()).await;
    }
    match fatal {
        Some(why) => Err(Stopped(why).into()),
        None => Ok(()),
    }
}

/// The exit code that tells an operator, and systemd, what kind of failure it was: 70 when the storage can't be trusted or is another
/// node's, so that nobody starts it again and again; 1 for what may pass, such as a port in use or a full disk.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    if error.chain().any(|cause| raft::says_disk_full(&cause.to_string()) || is_full(cause)) {
        return 1;
    }
    let is_of_storage = error.chain().any(|cause| cause.is::<raft::Error>() || cause.is::<Stopped>());
    if is_of_storage { raft::EXIT_CODE as u8 } else { 1 }
}

fn is_full(cause: &(dyn std::error::Error + 'static)) -> bool {
    matches!(cause.downcast_ref(), Some(raft::Error::DiskFull { .. }))
}

/// The replica stopped itself.
#[derive(Debug, thiserror::Error)]
#[error("this replica stopped, so that nothing false is kept: {0}")]
struct Stopped(Arc<str>);

/// Holds the data directory for this process: two of them would write one log. The system lets go when the process ends, however it ends.
pub fn claim(data_dir: &Path) -> Result<File> {
    let unusable =
        || format!("data_dir {} can't be used: choose another, or give this user the right", data_dir.display());
    std::fs::create_dir_all(data_dir).with_context(unusable)?;
    let own = File::open(data_dir).with_context(unusable)?;
    if let Err(TryLockError::WouldBlock) = own.try_lock() {
        bail!(
            "another process uses data_dir {}: stop it, or give this node a directory of its own",
            data_dir.display()
        );
    }
    // Where a file system knows no such lock, RocksDB's own remains.
    Ok(own)
}

/// Starts an embedded broker; `key` is where its address was named. The broker's own error is many lines long: whether the port is free is
/// asked first.
pub fn start_broker(options: BrokerOptions, key: &str) -> Result<Broker> {
    let address = options.address;
    drop(std::net::TcpListener::bind(address).map_err(|error| unbound(address, "devices", key, &error))?);
    Ok(Broker::start(options)?)
}

async fn bind(address: SocketAddr, whom: &str, key: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| unbound(address, whom, key, &error))
}

fn unbound(address: SocketAddr, whom: &str, key: &str, error: &std::io::Error) -> anyhow::Error {
    let hint = match error.kind() {
        std::io::ErrorKind::AddrInUse => format!("stop the process that listens there, or change {key}"),
        std::io::ErrorKind::AddrNotAvailable => format!("{key} must be an address of this machine"),
        std::io::ErrorKind::PermissionDenied => format!("use a port above 1023 in {key}"),
        _ => format!("correct {key}"),
    };
    anyhow!("can't listen for {whom} at {address}: {error}; {hint}")
}

fn spawn_peer_server(
    listener: TcpListener,
    node: &RaftNode,
    witness: &Arc<Witness>,
    acceptor: Option<Acceptor>,
    stop: CancellationToken,
) -> JoinHandle<()> {
    let (witness, replica) = (witness.clone(), node.clone());
    let testimony = get(move || std::future::ready(Json(witness.testimony().signed(&replica))));
    let router = raft::server::router(node.clone(), stop.clone()).merge(Router::new().route("/witness", testimony));
    tokio::spawn(async move {
        if let Err(error) = serve_with(listener, router, Limits::for_peers(), acceptor, stop).await {
            error!(%error, "The server for other replicas ended");
        }
    })
}

/// Returns at `stop` (None), or with the reason when the replica must not go on.
async fn wait_for_end(node: &RaftNode, stop: &CancellationToken) -> Option<Arc<str>> {
    let mut fatal = node.watch_fatal();
    tokio::select! {
        () = stop.cancelled() => None,
        raised = fatal.wait_for(Option::is_some) => raised.ok().and_then(|why| why.clone()),
    }
}

async fn finish(task: JoinHandle<()>) {
    let abort = task.abort_handle();
    if tokio::time::timeout(SERVERS_END, task).await.is_err() {
        abort.abort();
    }
}
