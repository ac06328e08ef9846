//! Who may use the API of this node.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::http::access::{self, FAILURES_PER_MIN, Mode, Options, REQUESTS_PER_S};
use crate::kitchen::TokenHash;

/// A token of the configuration has at least so many characters: 128 bits in hexadecimal digits.
const TOKEN_LENGTH_MIN: usize = 32;

/// Who may use the API of this node. The same on each node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccessConfig {
    /// Whether tokens are asked for. `open` is for loopback alone.
    pub mode: Mode,
    /// A file that holds an admin's token, good beside those of the kitchen; without it the first one is drawn by a node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_token_file: Option<PathBuf>,
    /// How many requests a second one token is good for.
    pub requests_per_s: u64,
    /// How many requests a minute without a good token are answered as such, for each address.
    pub failures_per_min: u64,
}

impl Default for AccessConfig {
    fn default() -> Self {
        let (requests_per_s, failures_per_min) = (REQUESTS_PER_S, FAILURES_PER_MIN);
        Self { mode: Mode::Tokens, admin_token_file: None, requests_per_s, failures_per_min }
    }
}

impl AccessConfig {
    /// Everybody who reaches the API may do everything.
    pub fn open() -> Self {
        Self { mode: Mode::Open, ..Self::default() }
    }

    /// Closed, with the admin's token in this file.
    pub fn closed(admin_token_file: PathBuf) -> Self {
        Self { admin_token_file: Some(admin_token_file), ..Self::default() }
    }

    /// The API's options; Err when the file can't be used.
    pub fn options(&self, data_dir: &Path) -> Result<Options, String> {
        Ok(Options {
            mode: self.mode,
            admin: self.admin_token_file.as_deref().map(read).transpose()?,
            first_token_dir: Some(data_dir.to_owned()),
            requests_per_s: self.requests_per_s,
            failures_per_min: self.failures_per_min,
        })
    }

    /// What contradicts itself.
    pub(super) fn faults(&self, listens: Option<SocketAddr>) -> Vec<String> {
        let mut faults = Vec::new();
        if let Some(address) = listens.filter(|address| self.mode == Mode::Open && !address.ip().is_loopback()) {
            let why = "whoever reaches that could do everything";
            faults.push(format!(
                "access.mode is open and the API listens at {address}: {why}. Use tokens, or listen on loopback"
            ));
        }
        for (name, value) in [("requests_per_s", self.requests_per_s), ("failures_per_min", self.failures_per_min)] {
            if !(1..=1_000_000).contains(&value) {
                faults.push(format!("access.{name} is {value}: use 1 to 1000000"));
            }
        }
        faults.extend(self.admin_token_file.as_deref().and_then(|path| read(path).err()));
        faults
    }
}

/// What is kept of the token in a file.
fn read(path: &Path) -> Result<TokenHash, String> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| format!("access.admin_token_file {} can't be read: {error}", path.display()))?;
    let (token, length) = (text.trim(), text.trim().chars().count());
    if length < TOKEN_LENGTH_MIN || token.contains(char::is_whitespace) {
        return Err(format!(
            "access.admin_token_file {} holds no token: one word of at least {TOKEN_LENGTH_MIN} characters is wanted, as `openssl rand -hex 32` prints it",
            path.display()
        ));
    }
    Ok(access::hash(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> Option<SocketAddr> {
        Some(address.parse().unwrap())
    }

    #[test]
    fn access_is_closed_unless_said_otherwise() {
        let config: AccessConfig = toml::from_str("").unwrap();
        assert_eq!((config.mode, config.faults(at("0.0.0.0:7400"))), (Mode::Tokens, vec![]));
        assert!(toml::from_str::<AccessConfig>("mode = \"closed\"").is_err());
    }

    #[test]
    fn open_access_is_for_loopback_alone() {
        let config: AccessConfig = toml::from_str("mode = \"open\"").unwrap();
        assert_eq!(config, AccessConfig::open());
        for address in ["127.0.0.1:7400", "[::1]:7400"] {
            assert_eq!(config.faults(at(address)), Vec::<String>::new());
        }
        for address in ["0.0.0.0:7400", "10.0.0.11:7400", "[::]:7400"] {
            assert!(config.faults(at(address))[0].contains(address), "{address}");
        }
    }

    #[test]
    fn a_token_file_holds_one_long_word_which_is_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let config = AccessConfig::closed(path.clone());
        assert!(config.faults(None)[0].contains("can't be read"));
        for wrong in ["", "short", &"two words ".repeat(9)] {
            std::fs::write(&path, wrong).unwrap();
            assert!(config.faults(None)[0].contains("openssl"), "{wrong}");
        }
        std::fs::write(&path, format!("{}\n", "ab".repeat(32))).unwrap();
        let options = config.options(dir.path()).unwrap();
        assert_eq!(options.admin, Some(access::hash(&"ab".repeat(32))));
        assert!(!format!("{config:?} {options:?}").contains(options.admin.as_ref().unwrap().as_str()));
    }

    #[test]
    fn a_limit_of_nothing_is_refused() {
        let config = AccessConfig { requests_per_s: 0, failures_per_min: 2_000_000, ..AccessConfig::default() };
        assert_eq!(config.faults(None).len(), 2);
    }
}
