//! A link that can be cut: while it is, nothing passes in either direction, and what was said arrives when it is mended.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A link to one server.
pub struct Link {
    /// Where the near end connects.
    pub url: String,
    is_open: watch::Sender<bool>,
}

impl Link {
    /// A link to the server at this URL.
    pub async fn to(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
        let near = format!("http://{}", listener.local_addr().expect("a bound listener has an address"));
        let (is_open, watched) = watch::channel(true);
        let server = url.trim_start_matches("http://").to_owned();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(join(client, server.clone(), watched.clone()));
            }
        });
        Self { url: near, is_open }
    }

    /// Nothing passes from now on.
    pub fn cut(&self) {
        self.is_open.send_replace(false);
    }

    /// Everything passes again.
    pub fn mend(&self) {
        self.is_open.send_replace(true);
    }
}

async fn join(client: TcpStream, server: String, is_open: watch::Receiver<bool>) {
    if is_open.clone().wait_for(|open| *open).await.is_err() {
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else { return };
    let ((client_in, client_out), (server_in, server_out)) = (client.into_split(), server.into_split());
    tokio::select! {
        () = pass(client_in, server_out, is_open.clone()) => {}
        () = pass(server_in, client_out, is_open) => {}
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut is_open: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if is_open.wait_for(|open| *open).await.is_err() || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
