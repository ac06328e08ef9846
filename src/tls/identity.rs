//! A certificate and its key, shown to the other side of every new connection; read again when the files change.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime};

use rustls::client::ResolvesClientCert;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{SignatureScheme, crypto::ring::sign::any_supported_type};
use tokio_util::sync::CancellationToken;

use super::authority::Summary;
use super::{Error, certificates, read};

/// Between two looks at the files.
const LOOK: Duration = Duration::from_secs(2);

/// A certificate and its key.
pub struct Identity {
    cert: PathBuf,
    key: PathBuf,
    shown: RwLock<Shown>,
}

struct Shown {
    certified: Arc<CertifiedKey>,
    seen: Stamp,
}

/// When both files were written last: they are read again when this changes.
type Stamp = [Option<SystemTime>; 2];

/// Without the key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.cert.display())
    }
}

impl Identity {
    /// Reads both files.
    pub fn load(cert: &Path, key: &Path) -> Result<Arc<Self>, Error> {
        let seen = stamp(cert, key);
        let shown = RwLock::new(Shown { certified: certified(cert, key)?, seen });
        Ok(Arc::new(Self { cert: cert.to_owned(), key: key.to_owned(), shown }))
    }

    /// Takes up what is in the files, if they were written since. True if so. What does not fit together (they may be half written) is an error, and the
    /// old certificate stays; it is tried again at the next look.
    pub fn refresh(&self) -> Result<bool, Error> {
        let seen = stamp(&self.cert, &self.key);
        if seen == self.shown.read().expect("nothing panics while it holds this lock").seen {
            return Ok(false);
        }
        let certified = certified(&self.cert, &self.key)?;
        *self.shown.write().expect("nothing panics while it holds this lock") = Shown { certified, seen };
        Ok(true)
    }

    /// Until when it is valid, in seconds since 1970.
    pub fn expires_s(&self) -> Option<i64> {
        Summary::of(self.certified().cert.first()?).ok().map(|summary| summary.expires_s)
    }

    /// Where the certificate is.
    pub fn path(&self) -> &Path {
        &self.cert
    }

    fn certified(&self) -> Arc<CertifiedKey> {
        self.shown.read().expect("nothing panics while it holds this lock").certified.clone()
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.certified())
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.certified())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Looks at the files from time to time until `stop`, and tells monitoring until when the certificates are valid.
pub async fn follow(identities: Vec<Arc<Identity>>, stop: CancellationToken) {
    loop {
        for identity in &identities {
            look(identity);
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

fn look(identity: &Identity) {
    let path = identity.path().display().to_string();
    match identity.refresh() {
        Ok(true) => tracing::info!(path, "The certificate in {path} was renewed: new connections meet it"),
        Ok(false) => {}
        Err(error) => tracing::warn!(path, %error, "A renewed certificate is not taken up yet: {error}"),
    }
    if let Some(expires_s) = identity.expires_s() {
        metrics::gauge!("brigade_certificate_expiry_timestamp_seconds", "path" => path).set(expires_s as f64);
    }
}

fn stamp(cert: &Path, key: &Path) -> Stamp {
    [cert, key].map(|path| std::fs::metadata(path).and_then(|file| file.modified()).ok())
}

fn certified(cert: &Path, key: &Path) -> Result<Arc<CertifiedKey>, Error> {
    let chain = certificates(cert)?;
    let form = |why: String| Error::Form { path: key.to_owned(), what: "private key", why };
    let private = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|why| form(why.to_string()))?;
    let signing = any_supported_type(&private).map_err(|why| form(why.to_string()))?;
    let certified = CertifiedKey::new(chain, signing);
    let pair = |why: rustls::Error| Error::Pair { path: cert.to_owned(), why: why.to_string() };
    certified.keys_match().map_err(pair)?;
    Ok(Arc::new(certified))
}
