//! The server's outside: connections, and the limits that keep one caller from starving the others.
//!
//! hyper is driven by hand, because `axum::serve` sets no timer and then hyper's header timeout does not act. HTTP/1.1 only: TLS and
//! HTTP/2 are ended by who stands before it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

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

impl Default for Limits {
    fn default() -> Self {
        Self { header_read: Duration::from_secs(15), connections_max: 1_024, stop: Duration::from_secs(5) }
    }
}

/// Serves the router until `stop`, then lets open requests end.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) -> io::Result<()> {
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
            Ok((stream, _)) => {
                let (router, stop, abort) = (router.clone(), stop.clone(), abort.clone());
                connections.spawn(async move {
                    tokio::select! {
                        () = abort.cancelled() => {}
                        () = connection(stream, router, limits, stop) => {}
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

async fn connection(stream: TcpStream, router: Router, limits: Limits, stop: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY is not set: {error}");
    }
    let service = TowerToHyperService::new(router);
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.header_read).max_headers(64);
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
