//! How a kitchen is tied to the main backend.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::kitchen::Millis;
use crate::leader::backend_sync;
use crate::tls::{self, Dialer};

/// Who opens the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The kitchen: it needs no address that the backend can reach.
    #[default]
    Pull,
    /// The backend, at the API of any replica.
    Poll,
}

/// How a kitchen is tied to the main backend.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackendConfig {
    /// Who opens the connection.
    #[serde(default)]
    pub mode: Mode,
    /// `http://host:port` of the backend's instances, tried in turn. In pull mode at least one.
    #[serde(default)]
    pub urls: Vec<String>,
    /// The kitchen's token at the backend.
    #[serde(default)]
    pub token: Option<String>,
    /// A file that holds it, instead.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// Who signs the backend's certificate (PEM), for `https://`; None: whom this machine trusts.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// How long the backend keeps a question for orders waiting, in milliseconds: 100 to 30,000.
    #[serde(default = "wait_ms")]
    pub wait_ms: Millis,
    /// So long before the end of its lease an order of the backend is not begun any more, in milliseconds.
    #[serde(default = "lease_margin_ms")]
    pub lease_margin_ms: Millis,
}

/// Without the token.
impl std::fmt::Debug for BackendConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BackendConfig({:?} {:?})", self.mode, self.urls)
    }
}

fn wait_ms() -> Millis {
    10_000
}

fn lease_margin_ms() -> Millis {
    10_000
}

impl BackendConfig {
    /// A kitchen that pulls from these instances, with the usual timing.
    pub fn pull(urls: Vec<String>, token: String) -> Self {
        Self { mode: Mode::Pull, urls, token: Some(token), ..Self::poll() }
    }

    /// A kitchen that the backend comes to, with the usual timing.
    pub fn poll() -> Self {
        let (wait_ms, lease_margin_ms) = (wait_ms(), lease_margin_ms());
        Self { mode: Mode::Poll, urls: Vec::new(), token: None, token_file: None, ca: None, wait_ms, lease_margin_ms }
    }

    /// The sync worker's options.
    pub fn options(&self) -> backend_sync::Options {
        backend_sync::Options {
            urls: if self.mode == Mode::Pull { self.urls.clone() } else { Vec::new() },
            token: self.read_token().unwrap_or_default(),
            dialer: self.dialer().unwrap_or_default(),
            wait_ms: self.wait_ms,
            lease_margin_ms: self.lease_margin_ms,
        }
    }

    fn dialer(&self) -> Result<Dialer, tls::Error> {
        Dialer::towards(self.urls.iter().map(String::as_str), self.ca.as_deref())
    }

    fn read_token(&self) -> Result<String, String> {
        match (&self.token, &self.token_file) {
            (Some(token), None) => Ok(token.trim().to_owned()),
            (None, Some(path)) => std::fs::read_to_string(path)
                .map(|token| token.trim().to_owned())
                .map_err(|error| format!("backend.token_file {} can't be read: {error}", path.display())),
            (Some(_), Some(_)) => Err("backend: use token or token_file, not both".to_owned()),
            (None, None) if self.mode == Mode::Pull => {
                Err("backend.token is missing: `brigade backend register` prints it".to_owned())
            }
            (None, None) => Ok(String::new()),
        }
    }

    /// What contradicts itself.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.mode == Mode::Pull && self.urls.is_empty() {
            faults.push("backend.urls is empty: name at least one, as http://host:port".to_owned());
        }
        let wrong = self.urls.iter().filter(|url| reqwest::Url::parse(url).is_err());
        faults.extend(wrong.map(|url| format!("backend.urls: {url:?} is no URL: use http://host:port")));
        if !(100..=30_000).contains(&self.wait_ms) {
            faults.push(format!("backend.wait_ms is {}: use 100 to 30000", self.wait_ms));
        }
        if self.lease_margin_ms > 600_000 {
            faults.push(format!("backend.lease_margin_ms is {}: use at most 600000", self.lease_margin_ms));
        }
        faults.extend(self.read_token().err());
        faults.extend(self.dialer().err().map(|error| format!("backend.ca: {error}")));
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> BackendConfig {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_url_and_a_token_are_enough() {
        let config = config("urls = [\"http://127.0.0.1:8080\"]\ntoken = \"t\"");
        assert_eq!(config.faults(), Vec::<String>::new());
        assert_eq!((config.options().wait_ms, config.options().token.as_str()), (10_000, "t"));
    }

    #[test]
    fn what_is_missing_or_double_is_named() {
        assert_eq!(config("").faults().len(), 2);
        assert!(config("mode = \"poll\"").faults().is_empty());
        let both = config("urls = [\"http://x\"]\ntoken = \"t\"\ntoken_file = \"/no/such\"");
        assert!(both.faults()[0].contains("not both"));
        let unreadable = config("urls = [\"nothing\"]\ntoken_file = \"/no/such\"\nwait_ms = 5");
        assert_eq!(unreadable.faults().len(), 3);
    }

    #[test]
    fn a_token_is_not_shown() {
        let config = config("urls = [\"http://x\"]\ntoken = \"secret\"");
        assert!(!format!("{config:?} {:?}", config.options()).contains("secret"));
    }
}
