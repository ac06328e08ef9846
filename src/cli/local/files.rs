//! Where a kitchen on this machine keeps its files, and which ports it uses: chosen by the system, on loopback.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::config::{AccessConfig, BackendConfig, Config, MenuConfig, NodeConfig, RaftConfig, StorageConfig};
use crate::device::line::Line;
use crate::http::access;
use crate::kitchen::Settings;
use crate::loopback::Claim;
use crate::secret;
use crate::telemetry;

use super::client::Client;

/// How many replicas a kitchen has.
const NODES: u64 = 3;

/// The kitchen's name, unless the plan has another.
const KITCHEN: &str = "demo";

/// What a kitchen on this machine is to be like.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// So many times as fast as life.
    pub speed: u64,
    /// Brokers to be used instead of one in each replica.
    pub brokers: Vec<String>,
    /// Another line of devices than the built-in one.
    pub line: Option<PathBuf>,
    /// A folder that stays; without it, one that is removed at the end.
    pub keep: Option<PathBuf>,
    /// The kitchen's name; `demo` if it is empty.
    pub name: String,
    /// The main backend, if there is one.
    pub backend: Option<BackendConfig>,
    /// What the kitchen starts with.
    pub settings: Settings,
    /// Closed as at a site: an admin's token is drawn, and a file holds it. Without it whoever reaches loopback may do everything.
    pub closed: bool,
}

/// A kitchen's files and addresses.
pub struct Site {
    dir: PathBuf,
    /// Removes the folder at the end, unless it is kept.
    temporary: Option<tempfile::TempDir>,
    _claim: Claim,
    nodes: Vec<NodeConfig>,
    brokers: Vec<String>,
    line: Option<PathBuf>,
    speed: u64,
    name: String,
    backend: Option<BackendConfig>,
    settings: Settings,
    /// The admin's, in a closed kitchen.
    token: Option<String>,
}

impl Site {
    /// Writes configurations for three nodes and a line of devices.
    pub fn lay_out(plan: &Plan) -> Result<Self> {
        // Before anything starts: a line that can't be read would end the devices alone.
        plan.line.as_deref().map(Line::load).transpose()?;
        let (dir, temporary) = match &plan.keep {
            Some(dir) => (dir.clone(), None),
            None => {
                let dir = tempfile::Builder::new().prefix("brigade-").tempdir()?;
                (dir.path().to_owned(), Some(dir))
            }
        };
        std::fs::create_dir_all(&dir).with_context(|| format!("folder {}", dir.display()))?;
        let claim = Claim::of(3 * NODES as usize)?;
        let at = |n: u64, of: usize| claim.addresses()[of * NODES as usize + n as usize - 1];
        let node = |n| NodeConfig { id: n, peer: at(n, 0).to_string(), api: at(n, 1).to_string(), witness: false };
        let nodes: Vec<NodeConfig> = (1..=NODES).map(node).collect();
        let embedded: Vec<SocketAddr> = (1..=NODES).map(|n| at(n, 2)).collect();
        let brokers = match plan.brokers.is_empty() {
            false => plan.brokers.clone(),
            true => embedded.iter().map(|address| format!("mqtt://{address}")).collect(),
        };
        let name = if plan.name.is_empty() { KITCHEN.to_owned() } else { plan.name.clone() };
        let (line, backend, token) = (plan.line.clone(), plan.backend.clone(), plan.closed.then(access::draw));
        let (speed, settings) = (plan.speed, plan.settings.clone());
        let site = Self { dir, temporary, _claim: claim, nodes, brokers, line, speed, name, backend, settings, token };
        if let Some(token) = &site.token {
            let path = site.admin_token();
            secret::write_file(&path, token, secret::PRIVATE).with_context(|| format!("file {}", path.display()))?;
        }
        for n in 1..=NODES {
            let embedded_broker = plan.brokers.is_empty().then(|| embedded[n as usize - 1]);
            let config = site.config(n, embedded_broker);
            write(&site.node_config(n), &toml::to_string(&config)?)?;
        }
        Ok(site)
    }

    fn config(&self, node: u64, embedded_broker: Option<SocketAddr>) -> Config {
        Config {
            kitchen: self.name.parse().expect("a demo's name is an id"),
            node,
            nodes: self.nodes.clone(),
            data_dir: self.dir.join(format!("node{node}")),
            brokers: self.brokers.clone(),
            listen_peer: None,
            listen_api: None,
            embedded_broker,
            embedded_broker_access: None,
            broker_user: None,
            tls: None,
            traces: None,
            access: match &self.token {
                Some(_) => AccessConfig::closed(self.admin_token()),
                None => AccessConfig::open(),
            },
            backend: self.backend.clone(),
            incarnation: 1,
            rules_max: None,
            backup: None,
            raft: RaftConfig::default(),
            storage: StorageConfig::default(),
            menu: MenuConfig { speed: self.speed, recipes: Vec::new() },
            settings: self.settings.clone(),
            log: telemetry::Options::default(),
            history: None,
        }
    }

    /// What the process of devices is told.
    pub fn device_args(&self) -> Vec<String> {
        let mut args = vec!["device".to_owned(), "--kitchen".to_owned(), self.name.clone()];
        args.extend(self.brokers.iter().flat_map(|url| ["--broker".to_owned(), url.clone()]));
        args.extend(["--speed-pct".to_owned(), (100 * self.speed).to_string()]);
        args.extend(["--record".to_owned(), self.record().to_string_lossy().into_owned()]);
        let line = self.line.iter().flat_map(|path| ["--line".to_owned(), path.to_string_lossy().into_owned()]);
        args.extend(line);
        args
    }

    /// The kitchen's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Configuration of a node.
    pub fn node_config(&self, node: u64) -> PathBuf {
        self.dir.join(format!("node{node}.toml"))
    }

    /// Where a closed kitchen's admin token is.
    pub fn admin_token(&self) -> PathBuf {
        self.dir.join("admin-token")
    }

    /// A client of the replicas that may do everything.
    pub fn client(&self) -> Client {
        Client::new(self.apis(), self.token.clone())
    }

    /// What the devices physically did.
    pub fn record(&self) -> PathBuf {
        self.dir.join("record.jsonl")
    }

    /// Where a process logs.
    pub fn log(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.log"))
    }

    /// Ids of the nodes.
    pub fn nodes(&self) -> impl Iterator<Item = u64> {
        self.nodes.iter().map(|n| n.id)
    }

    /// Addresses of the API, one for each node.
    pub fn apis(&self) -> Vec<String> {
        self.nodes.iter().map(|n| format!("http://{}", n.api)).collect()
    }

    /// Address of one node's API.
    pub fn api(&self, node: u64) -> Option<String> {
        self.nodes.iter().find(|n| n.id == node).map(|n| format!("http://{}", n.api))
    }

    /// How many devices the line has.
    pub fn devices(&self) -> Result<usize> {
        let line = match &self.line {
            Some(path) => Line::load(path)?,
            None => Line::built_in(self.name.parse().expect("a demo's name is an id"), Vec::new()),
        };
        Ok(line.devices.len())
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The folder; from here on it is kept, for whoever looks into what went wrong.
    pub fn keep(&mut self) -> &Path {
        if let Some(temporary) = &mut self.temporary {
            temporary.disable_cleanup(true);
        }
        &self.dir
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("file {}", path.display()))
}
