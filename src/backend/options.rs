//! What an operator may set: a TOML file, then environment variables (`BRIGADE_BACKEND_LEASE_MS=60000`), then the command line.
//!
//! docs/BACKEND.md explains every key.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::protocol::Millis;
use crate::telemetry;

/// A backend's configuration. Spans are in milliseconds unless a name says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Where it listens.
    pub listen: SocketAddr,
    /// A certificate and its key (PEM): it then listens with TLS. Both or none.
    pub tls_cert: Option<PathBuf>,
    /// The key to it.
    pub tls_key: Option<PathBuf>,
    /// Who signs the kitchens that are polled (PEM); None: whom this machine trusts.
    pub ca: Option<PathBuf>,
    /// `sqlite://file` or `postgres://user:password@host/name`.
    pub database: String,
    /// The first operator's token, for a start without a person; kept as its hash.
    pub operator_token: Option<String>,
    /// How long a kitchen may begin what it holds, from when it asked: 5 s to 1 h.
    pub lease_ms: Millis,
    /// How long a lease is waited for beyond its end: 1 s to 10 min.
    pub margin_ms: Millis,
    /// A kitchen without contact for so long gets no new orders: 2 s to 10 min.
    pub unreachable_ms: Millis,
    /// How much later than promised an order is still taken.
    pub late_ms_max: Millis,
    /// The way to a client, per kilometre as the crow flies.
    pub travel_ms_per_km: Millis,
    /// What becomes of an order that is begun in a kitchen out of reach.
    pub started_policy: StartedPolicy,
    /// With `fail`: after so long without contact.
    pub started_fail_ms: Millis,
    /// Log lines are kept for so many hours.
    pub logs_keep_hours: u64,
    /// Connections to PostgreSQL, 2 to 200; SQLite has one writer and four readers.
    pub connections: u32,
    /// Logs of this program.
    pub log: telemetry::Options,
}

/// What becomes of an order that is begun in a kitchen out of reach. It never goes to a second kitchen by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StartedPolicy {
    /// A person decides.
    #[default]
    Wait,
    /// It fails after `started_fail_ms`.
    Fail,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            tls_cert: None,
            tls_key: None,
            ca: None,
            database: "sqlite://brigade.db".to_owned(),
            operator_token: None,
            lease_ms: 300_000,
            margin_ms: 10_000,
            unreachable_ms: 25_000,
            late_ms_max: 900_000,
            travel_ms_per_km: 120_000,
            started_policy: StartedPolicy::Wait,
            started_fail_ms: 3_600_000,
            logs_keep_hours: 168,
            connections: 16,
            log: telemetry::Options::default(),
        }
    }
}

impl Options {
    /// All that is out of its range, each as one sentence that names the key.
    pub fn faults(&self) -> Vec<String> {
        let ranges = [
            ("lease_ms", self.lease_ms, 5_000, 3_600_000),
            ("margin_ms", self.margin_ms, 1_000, 600_000),
            ("unreachable_ms", self.unreachable_ms, 2_000, 600_000),
            ("late_ms_max", self.late_ms_max, 0, 86_400_000),
            ("travel_ms_per_km", self.travel_ms_per_km, 0, 3_600_000),
            ("started_fail_ms", self.started_fail_ms, 60_000, 604_800_000),
            ("logs_keep_hours", self.logs_keep_hours, 1, 87_600),
            ("connections", self.connections.into(), 2, 200),
        ];
        let out = ranges.into_iter().filter(|(_, value, min, max)| !(min..=max).contains(&value));
        let mut faults: Vec<String> =
            out.map(|(key, value, min, max)| format!("{key} is {value}: use {min} to {max}")).collect();
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            faults.push("tls_cert and tls_key belong together: name both, or none".to_owned());
        }
        if !self.database.starts_with("sqlite:") && !self.is_postgres() {
            faults.push("database must begin with sqlite:// or postgres://".to_owned());
        }
        faults
    }

    /// True if the database is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        self.database.starts_with("postgres:") || self.database.starts_with("postgresql:")
    }

    /// The longest that an exchange may wait for something to tell: the kitchen must be heard often enough not to count as unreachable,
    /// and must renew its lease in time.
    pub fn wait_ms_max(&self) -> Millis {
        30_000.min(self.unreachable_ms / 2).min(self.lease_ms / 3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_their_ranges() {
        assert_eq!(Options::default().faults(), Vec::<String>::new());
    }

    #[test]
    fn a_value_out_of_range_is_named() {
        let options = Options { lease_ms: 1, database: "mysql://x".to_owned(), ..Options::default() };
        let faults = options.faults();
        assert!(faults[0].contains("lease_ms is 1") && faults[1].contains("database"), "{faults:?}");
    }
}
