//! A kitchen's files: a folder of its own with configurations, data, logs and the history, and the addresses of its servers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use brigade::config::{AccessConfig, BackendConfig, Config, MenuConfig, NodeConfig, RaftConfig, StorageConfig};
use brigade::kitchen::Settings;
use brigade::telemetry;

use super::net::{Address, Net, Party, Wiring};

/// The kitchen's name.
pub const KITCHEN: &str = "demo";

/// The admin's token: a kitchen in network namespaces of its own does not listen on loopback, and open access is for that alone.
pub const TOKEN: &str = "chaos-0123456789abcdef0123456789abcdef";

/// Which brokers a kitchen has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brokers {
    /// One in each controller.
    Embedded,
    /// So many mosquittos.
    Mosquitto(u64),
}

/// What a kitchen is to be like.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its brokers.
    pub brokers: Brokers,
    /// How it is wired.
    pub wiring: Wiring,
    /// Its devices (TOML).
    pub line: String,
    /// True when the devices live in this process, so that each of them can be broken by itself.
    pub devices_here: bool,
    /// Log entries between two snapshots.
    pub snapshot_every: u64,
    /// True for a kitchen of a main backend's, in this process.
    pub has_backend: bool,
    /// Rules that its controllers are held at, until they are upgraded.
    pub rules_max: Option<u32>,
}

impl Default for Plan {
    fn default() -> Self {
        let line = super::line_with(&[]);
        Self {
            brokers: Brokers::Embedded,
            wiring: Wiring::Plain,
            line,
            devices_here: false,
            snapshot_every: 20_000,
            has_backend: false,
            rules_max: None,
        }
    }
}

/// Files and addresses.
pub struct Site {
    dir: Option<tempfile::TempDir>,
    peers: BTreeMap<u64, Address>,
    apis: BTreeMap<u64, Address>,
    /// By the broker's number: that of its node, or of the mosquitto.
    pub brokers: BTreeMap<u64, Address>,
}

impl Site {
    /// Lays everything out.
    pub fn lay_out(plan: &Plan, net: &Net) -> Self {
        let dir = tempfile::Builder::new().prefix("brigade-chaos-").tempdir().expect("a temporary folder");
        let of = |port: u16| (1..=3).map(|n| (n, net.address(Party::Node(n), port))).collect();
        let brokers = match plan.brokers {
            Brokers::Embedded => of(1883),
            Brokers::Mosquitto(count) => (1..=count).map(|n| (n, net.address(Party::Broker(n), 1883))).collect(),
        };
        let site = Self { dir: Some(dir), peers: of(7001), apis: of(7401), brokers };
        std::fs::write(site.admin_token(), TOKEN).expect("the folder can be written");
        std::fs::write(site.line(), &plan.line).expect("the folder can be written");
        site
    }

    /// Writes the configuration of each node, with the main backend if there is one.
    pub fn configure(&self, plan: &Plan, backend: Option<String>) {
        let backend = backend.map(|url| BackendConfig::pull(vec![url], TOKEN.to_owned()));
        for node in 1..=3 {
            let config = Config { backend: backend.clone(), ..self.config(node, plan) };
            let config = toml::to_string(&config).expect("a configuration is TOML");
            std::fs::write(self.node_config(node), config).expect("the folder can be written");
        }
    }

    fn config(&self, node: u64, plan: &Plan) -> Config {
        let entry = |n: u64| NodeConfig {
            id: n,
            peer: self.peers[&n].seen.to_string(),
            api: self.apis[&n].seen.to_string(),
            witness: false,
        };
        let embedded_broker = (plan.brokers == Brokers::Embedded).then(|| self.brokers[&node].own);
        Config {
            kitchen: KITCHEN.parse().expect("a word is an id"),
            node,
            nodes: (1..=3).map(entry).collect(),
            data_dir: self.dir().join(format!("node{node}")),
            brokers: self.broker_urls(),
            listen_peer: Some(self.peers[&node].own),
            listen_api: Some(self.apis[&node].own),
            embedded_broker,
            embedded_broker_access: None,
            broker_user: None,
            tls: None,
            traces: None,
            access: AccessConfig::closed(self.admin_token()),
            backend: None,
            incarnation: 1,
            rules_max: plan.rules_max,
            backup: None,
            history: Some(self.history()),
            raft: RaftConfig {
                snapshot_every: plan.snapshot_every,
                log_keep: plan.snapshot_every / 4,
                ..RaftConfig::default()
            },
            storage: StorageConfig::default(),
            menu: MenuConfig { speed: 40, recipes: Vec::new() },
            settings: Settings::default(),
            log: telemetry::Options::default(),
        }
    }

    /// Holds a node at these rules, or at none.
    pub fn hold_rules(&self, node: u64, rules_max: Option<u32>) {
        let text = std::fs::read_to_string(self.node_config(node)).expect("it was written");
        let mut config: Config = toml::from_str(&text).expect("a configuration is TOML");
        config.rules_max = rules_max;
        let text = toml::to_string(&config).expect("a configuration is TOML");
        std::fs::write(self.node_config(node), text).expect("the folder can be written");
    }

    /// The brokers as nodes and devices find them.
    pub fn broker_urls(&self) -> Vec<String> {
        self.brokers.values().map(|address| format!("mqtt://{}", address.seen)).collect()
    }

    /// The brokers as this process finds them.
    pub fn own_broker_urls(&self) -> Vec<String> {
        self.brokers.values().map(|address| format!("mqtt://{}", address.own)).collect()
    }

    /// The API of each node, as this process finds it.
    pub fn apis(&self) -> BTreeMap<u64, String> {
        self.apis.iter().map(|(n, address)| (*n, format!("http://{}", address.own))).collect()
    }

    /// The folder; it is kept for whoever looks into it.
    pub fn keep(&mut self) -> &Path {
        self.dir.as_mut().expect("it is there until the end").disable_cleanup(true);
        self.dir()
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        self.dir.as_ref().expect("it is there until the end").path()
    }

    /// Configuration of a node.
    pub fn node_config(&self, node: u64) -> PathBuf {
        self.dir().join(format!("node{node}.toml"))
    }

    /// Who may use the API: whoever has what is in this file.
    fn admin_token(&self) -> PathBuf {
        self.dir().join("admin-token")
    }

    /// The devices' file.
    pub fn line(&self) -> PathBuf {
        self.dir().join("line.toml")
    }

    /// What everybody writes down.
    pub fn history(&self) -> PathBuf {
        self.dir().join("history.jsonl")
    }

    /// Where a process logs.
    pub fn log(&self, name: &str) -> PathBuf {
        self.dir().join(format!("{name}.log"))
    }
}

impl Drop for Site {
    /// What a failed test leaves is kept for whoever looks into it.
    fn drop(&mut self) {
        let is_wanted = std::thread::panicking() || std::env::var_os("CHAOS_KEEP").is_some();
        if is_wanted && let Some(dir) = self.dir.take() {
            eprintln!("kept: {}", dir.keep().display());
        }
    }
}
