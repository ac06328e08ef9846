//! The configuration of a controller: a TOML file, then environment variables (`BRIGADE_NODE=2`, `BRIGADE_LOG__FORMAT=json`).
//!
//! An unknown key is an error that names the key: a misspelt setting must not be a silent default. Nothing here opens a port or a
//! data directory; `Config::faults` says what contradicts itself. docs/CONFIGURATION.md explains every key.

mod access;
pub mod backend;
mod backend_link;
mod broker_user;
mod check;
mod embedded_access;
mod error;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use figment::Figment;
use figment::providers::{Env, Format, Toml};
use serde::{Deserialize, Serialize};

use crate::kitchen::recipe::built_in_menu;
use crate::kitchen::{NodeId, Recipe, Rules, Settings};
use crate::mqtt::broker;
use crate::node::{backups, traces};
use crate::tls::{Dialer, Identity};
use crate::{http, leader, protocol, raft, telemetry};

pub use access::AccessConfig;
pub use backend_link::BackendConfig;
pub use broker_user::BrokerUser;
pub use check::INCARNATION_MAX;
pub use embedded_access::EmbeddedAccess;
pub use error::Error;

/// Environment variables with our prefix that are no keys: for `brigade ctl`, and for tests.
const NO_KEYS: [&str; 9] = [
    "api",
    "ca",
    "golden",
    "needs_mosquitto",
    "needs_postgres",
    "needs_promtool",
    "needs_python",
    "needs_root",
    "token",
];

/// A controller's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The kitchen's name: part of every MQTT topic, and the name of the cluster.
    pub kitchen: protocol::Id,
    /// This node's number.
    pub node: NodeId,
    /// All nodes of the kitchen, this one included.
    pub nodes: Vec<NodeConfig>,
    /// Where the node keeps its state.
    pub data_dir: PathBuf,
    /// `mqtt://host:port` of every broker that devices may use.
    pub brokers: Vec<String>,
    /// Where this node listens for replicas, if not at its own `peer` address.
    #[serde(default)]
    pub listen_peer: Option<SocketAddr>,
    /// Where this node listens for clients, if not at its own `api` address.
    #[serde(default)]
    pub listen_api: Option<SocketAddr>,
    /// Runs a broker inside this process at this address. Without `embedded_broker_access` it is open: for loopback alone.
    #[serde(default)]
    pub embedded_broker: Option<SocketAddr>,
    /// Closes the embedded broker; where there is `tls` it then speaks TLS.
    #[serde(default)]
    pub embedded_broker_access: Option<EmbeddedAccess>,
    /// User and password at the brokers.
    #[serde(default)]
    pub broker_user: Option<BrokerUser>,
    /// Raised when devices obey another controller (after a restore, or a new cluster over old devices).
    #[serde(default = "one")]
    pub incarnation: u32,
    /// The newest rules that this node goes by, to hold an upgrade back from what can't be undone; None: all that this program knows.
    #[serde(default)]
    pub rules_max: Option<u32>,
    /// Where this node adds what it did to a history that is judged later, for tests; None: nowhere, at no cost.
    #[serde(default)]
    pub history: Option<PathBuf>,
    /// The main backend; None: the kitchen takes local orders only.
    #[serde(default)]
    pub backend: Option<BackendConfig>,
    /// Who may use the API.
    #[serde(default)]
    pub access: AccessConfig,
    /// Timing of the replicas.
    #[serde(default)]
    pub raft: RaftConfig,
    /// The disk under `data_dir`.
    #[serde(default)]
    pub storage: StorageConfig,
    /// Copies of the kitchen on a schedule; None: none.
    #[serde(default)]
    pub backup: Option<backups::Options>,
    /// Certificates; None: everything is plain, for loopback and for networks that others guard.
    #[serde(default)]
    pub tls: Option<TlsConfig>,
    /// What a new kitchen starts with; later changes go through the API.
    #[serde(default)]
    pub menu: MenuConfig,
    /// What a new kitchen starts with; later changes go through the API.
    #[serde(default)]
    pub settings: Settings,
    /// Where each order's trace goes; None: nowhere, at no cost.
    #[serde(default)]
    pub traces: Option<traces::Options>,
    /// Logs.
    #[serde(default)]
    pub log: telemetry::Options,
}

/// One node of the kitchen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// Its number: never given to another disk.
    pub id: NodeId,
    /// `host:port` where other replicas reach it.
    pub peer: String,
    /// `host:port` where clients reach it.
    pub api: String,
    /// It votes and keeps the log, and is never in charge: for a third machine outside the kitchen.
    #[serde(default)]
    pub witness: bool,
}

/// Timing of the replicas, in milliseconds, and the length of their log, in entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RaftConfig {
    /// Between two heartbeats of the leader.
    pub heartbeat_ms: u64,
    /// The shortest silence before an election.
    pub election_min_ms: u64,
    /// The longest.
    pub election_max_ms: u64,
    /// Log entries between two snapshots.
    pub snapshot_every: u64,
    /// Log entries kept behind a snapshot.
    pub log_keep: u64,
}

impl Default for RaftConfig {
    fn default() -> Self {
        let (snapshot_every, log_keep) = (100_000, 5_000);
        Self { heartbeat_ms: 50, election_min_ms: 150, election_max_ms: 300, snapshot_every, log_keep }
    }
}

/// The disk under the data directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageConfig {
    /// With less room than this, in MB (2^20 bytes), no new order is taken here.
    pub free_min_mb: u64,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self { free_min_mb: 256 }
    }
}

/// TLS for API, page, brokers and between replicas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// This node's certificates, as `brigade certs issue` writes them.
    pub dir: PathBuf,
}

/// What a new kitchen's menu is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MenuConfig {
    /// So many times as fast as the recipes say: for demos and tests. Scales device work and food deadlines, nothing else.
    pub speed: u64,
    /// Recipes; without any, the built-in menu.
    pub recipes: Vec<Recipe>,
}

impl Default for MenuConfig {
    fn default() -> Self {
        Self { speed: 1, recipes: Vec::new() }
    }
}

fn one() -> u32 {
    1
}

impl Config {
    /// Reads a file and the environment, and checks the whole.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let config = Self::read(path)?;
        config.check()?;
        Ok(config)
    }

    /// Reads a file and the environment. The parts are understood, and not checked against each other.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    /// Understands the text of a file, and the environment. The path is named in errors only.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        toml::from_str::<toml::Table>(text).map_err(|why| error::syntax(path, text, &why))?;
        // BRIGADE_BACKEND_LEASE_MS is a key of the main backend; BRIGADE_BACKEND__URL would be one of ours.
        let environment = Env::prefixed("BRIGADE_").split("__").ignore(&NO_KEYS);
        let environment = environment.filter(|key| !key.as_str().to_ascii_lowercase().starts_with("backend_"));
        let figment = Figment::from(Toml::string(text)).merge(environment);
        figment.extract().map_err(|why: figment::Error| error::form(path, &why))
    }

    /// The first thing that contradicts itself.
    pub fn check(&self) -> Result<(), Error> {
        self.faults().into_iter().next().map_or(Ok(()), Err)
    }

    /// All that contradicts itself.
    pub fn faults(&self) -> Vec<Error> {
        check::faults(self)
    }

    /// What is no fault, and worth a second look before a site goes live.
    pub fn notes(&self) -> Vec<String> {
        check::notes(self)
    }

    fn own(&self) -> Result<&NodeConfig, Error> {
        self.nodes.iter().find(|n| n.id == self.node).ok_or(Error::UnknownNode { node: self.node })
    }

    /// Where this node listens: for replicas, and for clients.
    pub fn listen_addresses(&self) -> Result<(SocketAddr, SocketAddr), Error> {
        let own = self.own()?;
        let peer = check::listen(self.node, &own.peer, self.listen_peer, "peer")?;
        Ok((peer, check::listen(self.node, &own.api, self.listen_api, "api")?))
    }

    /// Who may use the API, and how often.
    pub fn access_options(&self) -> Result<http::access::Options, Error> {
        self.access.options(&self.data_dir).map_err(Error::Value)
    }

    /// The replica's options.
    pub fn raft_options(&self) -> raft::Options {
        let peer = |n: &NodeConfig| (n.id, raft::Peer { peer: n.peer.clone(), api: n.api.clone() });
        let peers: BTreeMap<NodeId, raft::Peer> = self.nodes.iter().map(peer).collect();
        raft::Options {
            witness: self.own().is_ok_and(|own| own.witness),
            heartbeat_ms: self.raft.heartbeat_ms,
            election_min_ms: self.raft.election_min_ms,
            election_max_ms: self.raft.election_max_ms,
            snapshot_every: self.raft.snapshot_every,
            log_keep: self.raft.log_keep,
            free_min_bytes: self.storage.free_min_mb.saturating_mul(1 << 20),
            rules_max: self.rules_max.map_or(Rules::NEWEST, |rules| Rules(rules).min(Rules::NEWEST)),
            ..raft::Options::new(self.kitchen.as_str(), self.node, &self.data_dir, peers)
        }
    }

    /// The embedded broker's options, if there is one. `identity` is what this node shows; an open broker is for loopback, and shows nothing.
    pub fn broker_options(&self, identity: Option<Arc<Identity>>) -> Option<broker::Options> {
        let access = self.embedded_broker_access.as_ref().map(EmbeddedAccess::access);
        let identity = identity.filter(|_| access.is_some());
        self.embedded_broker.map(|address| broker::Options { access, identity, ..broker::Options::new(address) })
    }

    /// The tenure's options.
    pub fn leader_options(&self) -> leader::Options {
        let menu = if self.menu.recipes.is_empty() { built_in_menu() } else { self.menu.recipes.clone() };
        leader::Options {
            kitchen: self.kitchen.clone(),
            node: self.node,
            incarnation: self.incarnation,
            brokers: self.brokers.clone(),
            credentials: self.broker_user.as_ref().map(BrokerUser::credentials),
            broker_dialer: Dialer::plain(),
            peer_dialer: Dialer::plain(),
            quorum_lease_ms: self.raft.election_min_ms,
            menu: menu.iter().map(|recipe| recipe.sped_up(self.menu.speed)).collect(),
            backend: self.backend.as_ref().map(BackendConfig::options),
            settings: Settings { election_max_ms: self.raft.election_max_ms, ..self.settings.clone() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        kitchen = "k1"
        node = 1
        data_dir = "/tmp/x"
        brokers = ["mqtt://127.0.0.1:1883"]
        nodes = [{ id = 1, peer = "127.0.0.1:7001", api = "127.0.0.1:7401" }]
    "#;

    fn write_and<T>(text: &str, then: impl FnOnce(&Path) -> T) -> T {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.toml");
        std::fs::write(&path, text).unwrap();
        then(&path)
    }

    fn read(text: &str) -> Result<Config, Error> {
        write_and(text, Config::load)
    }

    #[test]
    fn a_small_file_is_enough() {
        let config = read(GOOD).unwrap();
        assert_eq!(config.raft, RaftConfig::default());
        assert_eq!(config.leader_options().menu.len(), built_in_menu().len());
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = read(&format!("{GOOD}\nheartbeat = 5")).unwrap_err().to_string();
        assert!(error.contains("heartbeat"), "{error}");
        let error = read(&format!("{GOOD}\n[raft]\nheart_ms = 5")).unwrap_err().to_string();
        assert!(error.contains("heart_ms"), "{error}");
    }

    #[test]
    fn two_nodes_of_one_id_are_refused() {
        let twice =
            GOOD.replace("nodes = [", r#"nodes = [{ id = 1, peer = "127.0.0.1:7002", api = "127.0.0.1:7402" }, "#);
        assert!(matches!(read(&twice), Err(Error::SameId { id: 1 })));
    }

    #[test]
    fn a_node_outside_the_list_is_refused() {
        assert!(matches!(read(&GOOD.replace("node = 1", "node = 4")), Err(Error::UnknownNode { node: 4 })));
    }

    #[test]
    fn every_fault_is_one_sentence_that_names_the_key() {
        let text = GOOD.replace("mqtt://127.0.0.1:1883", "mqtt://x:yz").replace("7401", "7001");
        let text = format!("{text}\nincarnation = 9000\n[log]\nfilter = \"=,=\"\n[settings]\nlease_ms = 0");
        let config = write_and(&text, |path| Config::read(path).unwrap());
        let faults: Vec<String> = config.faults().iter().map(ToString::to_string).collect();
        for word in ["brokers, number 1", "named twice", "incarnation", "log.filter", "lease_ms"] {
            assert!(faults.iter().any(|fault| fault.contains(word)), "{word} in {faults:#?}");
        }
        assert!(faults.iter().all(|fault| !fault.contains('\n')), "{faults:#?}");
    }

    #[test]
    fn text_that_is_no_toml_is_shown_with_its_place() {
        let error = read(&format!("{GOOD}\nnot toml [")).unwrap_err().to_string();
        assert!(error.contains("line 8, column") && !error.contains('\n'), "{error}");
    }

    #[test]
    fn a_key_of_another_type_and_a_missing_one_are_named() {
        let error = read(&GOOD.replace("node = 1", "node = \"one\"")).unwrap_err().to_string();
        assert!(error.contains("\"node\" is string \"one\""), "{error}");
        let error = read(&GOOD.replace("node = 1", "")).unwrap_err().to_string();
        assert!(error.contains("\"node\" is missing"), "{error}");
        let error = read(&format!("{GOOD}\n[raft]\nheart_ms = 5")).unwrap_err().to_string();
        assert!(error.contains("\"raft.heart_ms\" is unknown"), "{error}");
    }

    #[test]
    fn timing_that_can_not_elect_is_refused() {
        let error = read(&format!("{GOOD}\n[raft]\nheartbeat_ms = 200")).unwrap_err().to_string();
        assert!(error.contains("election_min_ms"), "{error}");
    }
}
