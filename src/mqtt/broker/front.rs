//! TLS before the embedded broker: what comes in here goes on, in plain, to its port on loopback, which asks for the same keys.
//!
//! The library could do it itself, and would not do it well: it shakes hands with one caller after the other, so that one who says nothing keeps
//! everybody out, and it takes up no renewed certificate.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, copy, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::tls::Acceptor;

/// How long a caller may take to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// How long one side may go on once the other one has ended: what was said last is still carried.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How many connections there are at once, also those that shake hands: each has its memory.
const CONNECTIONS_MAX: usize = 2_048;

/// Carries connections until it is dropped.
pub(super) async fn serve(listener: TcpListener, acceptor: Acceptor, inside: SocketAddr) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
        match listener.accept().await {
            Ok((stream, _)) => {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    if let Err(error) = carry(stream, acceptor, inside).await {
                        tracing::debug!(%error, "A connection to the embedded broker ended: {error}");
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
}

async fn carry(stream: TcpStream, acceptor: Acceptor, inside: SocketAddr) -> io::Result<()> {
    // Nagle's delay would cost every message up to 40 ms.
    stream.set_nodelay(true)?;
    let outside = timeout(HANDSHAKE, acceptor.accept(stream)).await??;
    let inside = TcpStream::connect(inside).await?;
    inside.set_nodelay(true)?;
    let (mut from_outside, mut to_outside) = split(outside);
    let (mut from_inside, mut to_inside) = inside.into_split();
    let inwards = async {
        let carried = copy(&mut from_outside, &mut to_inside).await;
        to_inside.shutdown().await.and(carried.map(drop))
    };
    let outwards = async {
        let carried = copy(&mut from_inside, &mut to_outside).await;
        to_outside.shutdown().await.and(carried.map(drop))
    };
    tokio::pin!(inwards, outwards);
    // A caller whose network is gone never ends by himself, so that nobody waits long for both; ending with the first would lose a goodbye.
    tokio::select! {
        ended = &mut inwards => timeout(LAST_WORDS, outwards).await.map_or(ended, |also| also),
        ended = &mut outwards => timeout(LAST_WORDS, inwards).await.map_or(ended, |also| also),
    }
}
