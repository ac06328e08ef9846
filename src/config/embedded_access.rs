//! Who is let in at the embedded broker.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::mqtt::broker::Access;

/// The files that say who is let in at the embedded broker, and what he may do there: those that mosquitto reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddedAccess {
    /// `brigade.passwd` of `brigade ctl devices enrol`.
    pub password_file: PathBuf,
    /// `brigade.acl` of the same.
    pub acl_file: PathBuf,
}

impl EmbeddedAccess {
    /// The broker's option.
    pub fn access(&self) -> Access {
        Access { password_file: self.password_file.clone(), acl_file: self.acl_file.clone() }
    }
}

/// What contradicts itself.
pub(super) fn fault(broker: Option<SocketAddr>, access: Option<&EmbeddedAccess>) -> Option<String> {
    match (broker, access) {
        (Some(address), None) if !address.ip().is_loopback() => Some(format!(
            "embedded_broker is open and listens at {address}: whoever reaches that could speak for the kitchen. Close it with \
             [embedded_broker_access], or listen on loopback"
        )),
        (None, Some(_)) => Some(
            "embedded_broker_access closes a broker that this node does not run: name its embedded_broker".to_owned(),
        ),
        (_, Some(access)) => access.access().check().err().map(|why| format!("embedded_broker_access: {why}")),
        (_, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> Option<SocketAddr> {
        Some(address.parse().unwrap())
    }

    #[test]
    fn an_open_broker_is_for_loopback_alone() {
        for address in ["127.0.0.1:1883", "[::1]:1883"] {
            assert_eq!(fault(at(address), None), None, "{address}");
        }
        for address in ["0.0.0.0:1883", "10.0.0.11:1883", "[::]:1883"] {
            assert!(fault(at(address), None).is_some_and(|why| why.contains("loopback")), "{address}");
        }
        assert_eq!(fault(None, None), None);
    }

    #[test]
    fn a_closed_broker_needs_both_files_and_an_address() {
        let dir = tempfile::tempdir().unwrap();
        let (password_file, acl_file) = (dir.path().join("passwd"), dir.path().join("acl"));
        let access = EmbeddedAccess { password_file: password_file.clone(), acl_file: acl_file.clone() };
        assert!(fault(None, Some(&access)).is_some_and(|why| why.contains("embedded_broker")));
        let why = || fault(at("0.0.0.0:8883"), Some(&access)).unwrap_or_default();
        assert!(why().contains("passwd can't be read"), "{}", why());
        std::fs::write(&password_file, "robot1:secret\n").unwrap();
        assert!(why().contains("line 1: name:$7$"), "{}", why());
        std::fs::write(&password_file, "# nobody yet\n").unwrap();
        assert!(why().contains("acl can't be read"), "{}", why());
        std::fs::write(&acl_file, "pattern read a/%u\n").unwrap();
        assert_eq!(why(), "");
    }
}
