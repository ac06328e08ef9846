//! The server's outside: connections, and the limits that keep one caller from starving the others.
//!
//! hyper is driven by hand, because `axum::serve` sets no timer and then hyper's header timeout does not act. HTTP/1.1 only, with TLS or without:
//! HTTP/2 is ended by who stands before it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::tls::Acceptor;

/// How long a TLS handshake may take: until it is done, it holds a place for nothing.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// The largest head of a request, in bytes; also how much of a body is read at once.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// In a request's extensions: the address of its connection's other end.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// What one server bears.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a caller may take to send a request's head; also how long an idle connection stays.
    pub header_read: Duration,
    /// How many connections are open at once; more wait to be accepted.
    pub connections_max: usize,
    /// How long open requests may take once the server stops.
    pub stop: Duration,
}

impl Limits {
    /// For callers that keep few connections, and keep them: other replicas.
    pub fn for_peers() -> Self {
        Self { header_read: Duration::from_secs(120), stop: Duration::from_secs(1), ..Self::default() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { header_read: Duration::from_secs(15), connections_max: 1_024, stop: Duration::from_secs(5) }
    }
}

/// Serves the router until `stop`, then lets open requests end.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) -> io::Result<()> {
    serve_with(listener, router, limits, None, stop).await
}

/// The same, with TLS where there is an acceptor.
pub async fn serve_with(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    acceptor: Option<Acceptor>,
    stop: CancellationToken,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let (connections, abort) = (TaskTracker::new(), CancellationToken::new());
    loop {
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = places.clone().acquire_owned() => place.expect("the semaphore is never closed"),
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (router, stop, abort, acceptor) = (router.clone(), stop.clone(), abort.clone(), acceptor.clone());
                connections.spawn(async move {
                    tokio::select! {
                        () = abort.cancelled() => {}
                        () = open(stream, Peer(peer), acceptor, router, limits, stop) => {}
                    }
                    drop(place);
                });
            }
            // Out of file descriptors, or the caller is gone: the next one may be luckier.
            Err(error) => {
                tracing::warn!(%error, "A connection was not accepted: {error}");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if timeout(limits.stop, connections.wait()).await.is_err() {
        abort.cancel();
        connections.wait().await;
    }
    Ok(())
}

async fn open(
    stream: TcpStream,
    peer: Peer,
    acceptor: Option<Acceptor>,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    // Nagle's delay would cost every answer up to 40 ms.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY is not set: {error}");
    }
    let Some(acceptor) = acceptor else { return connection(stream, peer, router, limits, stop).await };
    match timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => connection(stream, peer, router, limits, stop).await,
        Ok(Err(error)) => tracing::debug!(%error, "A TLS handshake failed: {error}"),
        Err(_) => tracing::debug!("A TLS handshake took too long"),
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let service = TowerToHyperService::new(router);
    let service = service_fn(move |mut request| {
        request.extensions_mut().insert(peer);
        service.call(request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.header_read);
    // A head that grows without end is refused (431), so that a thousand of them take megabytes and not gigabytes.
    builder.max_headers(64).max_buf_size(HEAD_BYTES_MAX);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "A connection ended early: {error}");
    }
}
