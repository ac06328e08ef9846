//! The client's side: whom we trust, and what we show.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};

use super::{Error, Identity, provider, roots};

/// How long a TCP connection may take, unless a caller says otherwise.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// How connections to others are opened. Clones share its session memory.
#[derive(Clone, Debug)]
pub struct Dialer {
    config: Arc<ClientConfig>,
    scheme: &'static str,
}

/// Plain connections.
impl Default for Dialer {
    fn default() -> Self {
        Self::plain()
    }
}

impl Dialer {
    /// Plain HTTP and MQTT. Nobody is trusted: an address with TLS is refused.
    pub fn plain() -> Self {
        static NOBODY: OnceLock<Arc<ClientConfig>> = OnceLock::new();
        let config = NOBODY.get_or_init(|| client(Arc::new(RootCertStore::empty())));
        Self { config: config.clone(), scheme: "http" }
    }

    /// Trusts who is signed by an authority of this file.
    pub fn trusting(authority: &Path) -> Result<Self, Error> {
        Ok(Self { config: client(roots(authority)?), scheme: "https" })
    }

    /// Trusts whom this machine trusts.
    pub fn public() -> Self {
        let mut roots = RootCertStore::empty();
        // A machine without a store trusts nobody, and says so when it connects.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self { config: client(Arc::new(roots)), scheme: "https" }
    }

    /// The authority of this file if one is named, else whom this machine trusts.
    pub fn trusting_or_public(authority: Option<&Path>) -> Result<Self, Error> {
        authority.map_or_else(|| Ok(Self::public()), Self::trusting)
    }

    /// For these addresses: plain unless one of them has TLS, and then the authority that is named.
    pub fn towards<'a>(urls: impl IntoIterator<Item = &'a str>, authority: Option<&Path>) -> Result<Self, Error> {
        match urls.into_iter().any(|url| url.starts_with("https://") || url.starts_with("mqtts://")) {
            true => Self::trusting_or_public(authority),
            false => Ok(Self::plain()),
        }
    }

    /// Trusts replicas alone, and shows that this is one.
    pub fn between_peers(authority: &Path, identity: Arc<Identity>) -> Result<Self, Error> {
        let builder = ClientConfig::builder_with_provider(provider());
        let builder = builder.with_protocol_versions(&[&rustls::version::TLS13]).expect("ring speaks TLS 1.3");
        let config = builder.with_root_certificates(roots(authority)?).with_client_cert_resolver(identity);
        Ok(Self { config: Arc::new(config), scheme: "https" })
    }

    /// `http` or `https`: for addresses that are kept without a scheme.
    pub fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// `host:port` as a URL; what has a scheme already stays.
    pub fn url(&self, address: &str) -> String {
        let address = address.trim_end_matches('/');
        if address.contains("://") { address.to_owned() } else { format!("{}://{address}", self.scheme) }
    }

    /// An HTTP/1.1 client, without a proxy: nobody stands between machines of a kitchen.
    pub fn http(&self) -> reqwest::ClientBuilder {
        let builder = reqwest::Client::builder().tls_backend_preconfigured((*self.config).clone());
        builder.no_proxy().http1_only().tcp_nodelay(true).connect_timeout(CONNECT_LIMIT)
    }

    /// For MQTT over TLS.
    pub fn config(&self) -> Arc<ClientConfig> {
        self.config.clone()
    }
}

fn client(roots: Arc<RootCertStore>) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_safe_default_protocol_versions().expect("ring speaks TLS 1.2 and 1.3");
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}
