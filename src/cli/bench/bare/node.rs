//! `brigade bench-bare`: one replica of the bare log, for `brigade bench` alone.
//!
//! A `RaftNode` with the kitchen's usual settings over its RocksDB, and one route: what is PUT there goes into the log as an entry that
//! changes nothing, and is answered once it is applied. No kitchen is open, nobody takes charge, no broker, none of the API's layers.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::put;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

use crate::kitchen::Command;
use crate::raft::{Options, Peer, RaftNode, server};
use crate::shutdown;
use crate::web::{Limits, serve};

/// The route.
pub(in crate::cli) const PATH: &str = "/entry";

/// What the command is told.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Which node this is, counted from 1
    #[arg(long)]
    node: u64,
    /// Where the nodes listen for each other
    #[arg(long, value_delimiter = ',')]
    peers: Vec<SocketAddr>,
    /// Where this one listens for clients
    #[arg(long)]
    listen: SocketAddr,
    /// Where it keeps its log
    #[arg(long)]
    data_dir: PathBuf,
}

/// Runs the replica until SIGTERM.
pub async fn run(args: Args) -> Result<()> {
    let stop = shutdown::on_signals()?;
    let own = args.peers.get(args.node as usize - 1).context("a node is one of the peers")?;
    let peers = args.peers.iter().map(|peer| Peer { peer: peer.to_string(), api: String::new() });
    let options = Options::new("bare", args.node, args.data_dir, (1..).zip(peers).collect());
    let (peer_listener, listener) = (TcpListener::bind(own).await?, TcpListener::bind(args.listen).await?);
    let node = RaftNode::start(options).await?;
    let peer_server = tokio::spawn(serve(
        peer_listener,
        server::router(node.clone(), stop.clone()),
        Limits::for_peers(),
        stop.clone(),
    ));
    node.bootstrap().await?;
    let router = Router::new().route(PATH, put(write)).with_state(node.clone());
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let clients = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    clients.await?;
    peer_server.await??;
    node.shutdown().await;
    Ok(())
}

/// A zone that no device is in is held: the first time it is noted, and from then on the entry says what is so already.
async fn write(State(node): State<RaftNode>, body: String) -> StatusCode {
    let command = Command::HoldZone { zone: "bench".to_owned(), held: true, actor: body };
    match node.propose(command, None).await {
        Ok(_) => StatusCode::CREATED,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
