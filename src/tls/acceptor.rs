//! The server's side: what is shown to those who connect, and what they must show.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Error, Identity, provider, roots};

/// What the API and replicas speak inside.
const HTTP: &[&[u8]] = &[b"http/1.1"];

/// Makes a TLS connection of a TCP one. Clones share its session memory.
#[derive(Clone)]
pub struct Acceptor(TlsAcceptor);

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Acceptor")
    }
}

impl Acceptor {
    /// For everybody: who they are is told by their token.
    pub fn open(identity: Arc<Identity>) -> Self {
        let builder = ServerConfig::builder_with_provider(provider());
        let builder = builder.with_safe_default_protocol_versions().expect("ring speaks TLS 1.2 and 1.3");
        Self::of(builder.with_no_client_auth().with_cert_resolver(identity), HTTP)
    }

    /// For devices and controllers at a broker: who they are is told by their key. No protocol is agreed on, as mosquitto agrees on none:
    /// a device that names one must not be turned away.
    pub fn for_mqtt(identity: Arc<Identity>) -> Self {
        let builder = ServerConfig::builder_with_provider(provider());
        let builder = builder.with_safe_default_protocol_versions().expect("ring speaks TLS 1.2 and 1.3");
        Self::of(builder.with_no_client_auth().with_cert_resolver(identity), &[])
    }

    /// For replicas alone: who shows no certificate of this authority gets no connection.
    pub fn for_peers(authority: &Path, identity: Arc<Identity>) -> Result<Self, Error> {
        let verifier = WebPkiClientVerifier::builder_with_provider(roots(authority)?, provider()).build();
        let form = |why: String| Error::Form { path: authority.to_owned(), what: "authority", why };
        let verifier = verifier.map_err(|why| form(why.to_string()))?;
        let builder = ServerConfig::builder_with_provider(provider());
        let builder = builder.with_protocol_versions(&[&rustls::version::TLS13]).expect("ring speaks TLS 1.3");
        Ok(Self::of(builder.with_client_cert_verifier(verifier).with_cert_resolver(identity), HTTP))
    }

    fn of(mut config: ServerConfig, protocols: &[&[u8]]) -> Self {
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Self(TlsAcceptor::from(Arc::new(config)))
    }

    /// Shakes hands.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.0.accept(stream).await
    }
}
