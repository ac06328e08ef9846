//! TLS for the API, the page, MQTT and the line between replicas: which authority is trusted, and which certificate is shown.
//!
//! A kitchen has two authorities of its own. One signs what people, devices and the backend meet (`ca.pem`); the other one signs replicas alone
//! (`peers-ca.pem`), so that whatever shows a certificate of it is a replica. `brigade certs` makes all of them (`authority`). A certificate that
//! was renewed is taken up while the process runs (`identity`); another authority by a restart, one node after the other.

mod acceptor;
pub mod authority;
mod dialer;
mod identity;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

pub use acceptor::Acceptor;
pub use dialer::Dialer;
pub use identity::{Identity, follow};

/// The files of one node, in its folder.
pub const CA: &str = "ca.pem";
/// What its API and its broker show.
pub const NODE: &str = "node.pem";
/// The key to it.
pub const NODE_KEY: &str = "node.key";
/// Who signs replicas.
pub const PEERS_CA: &str = "peers-ca.pem";
/// What it shows to other replicas.
pub const PEER: &str = "peer.pem";
/// The key to it.
pub const PEER_KEY: &str = "peer.key";

/// Why a certificate can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file can't be read.
    #[error("{} can't be read: {source}; `brigade certs issue` makes it", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file has something else in it.
    #[error("{} is no {what} in PEM form: {why}", path.display())]
    Form {
        /// Which one.
        path: PathBuf,
        /// What it should have been.
        what: &'static str,
        /// What is wrong.
        why: String,
    },
    /// Certificate and key do not belong together, or are of a kind that is not used.
    #[error("{} and its key can't be used together: {why}", path.display())]
    Pair {
        /// The certificate.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A certificate can't be made.
    #[error("a certificate can't be made: {0}")]
    Make(String),
    /// A file can't be written.
    #[error("{} can't be written: {source}", path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// All that one node shows and trusts.
#[derive(Clone, Debug)]
pub struct Node {
    /// What clients and devices meet.
    pub public: Arc<Identity>,
    /// What other replicas meet.
    pub peer: Arc<Identity>,
    /// How the API of another replica, or a broker, is reached.
    pub dialer: Dialer,
    /// How another replica is reached: both sides show who they are.
    pub peers: Dialer,
    /// For the API and the page.
    pub acceptor: Acceptor,
    /// For other replicas: who shows nothing of their authority gets no connection.
    pub peers_acceptor: Acceptor,
}

impl Node {
    /// Reads a node's folder, as `brigade certs issue` writes it.
    pub fn load(dir: &Path) -> Result<Self, Error> {
        let public = Identity::load(&dir.join(NODE), &dir.join(NODE_KEY))?;
        let peer = Identity::load(&dir.join(PEER), &dir.join(PEER_KEY))?;
        Ok(Self {
            dialer: Dialer::trusting(&dir.join(CA))?,
            peers: Dialer::between_peers(&dir.join(PEERS_CA), peer.clone())?,
            acceptor: Acceptor::open(public.clone()),
            peers_acceptor: Acceptor::for_peers(&dir.join(PEERS_CA), peer.clone())?,
            public,
            peer,
        })
    }
}

/// The cryptography that is used everywhere: ring's.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::File { path: path.to_owned(), source })
}

/// The certificates of a file, at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let form = |why: String| Error::Form { path: path.to_owned(), what: "certificate", why };
    let text = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|why| form(why.to_string()))?;
    if found.is_empty() { Err(form("it holds none".to_owned())) } else { Ok(found) }
}

/// The authorities of a file.
fn roots(path: &Path) -> Result<Arc<rustls::RootCertStore>, Error> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in certificates(path)? {
        let form = |why: rustls::Error| Error::Form { path: path.to_owned(), what: "authority", why: why.to_string() };
        roots.add(certificate).map_err(form)?;
    }
    Ok(Arc::new(roots))
}
