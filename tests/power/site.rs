//! A kitchen of real controller processes on this machine, each with a data directory of its own, and clients that keep what was
//! acknowledged. Every process ends with its value, also when a test fails. Nothing here breaks anything: the tests do.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use brigade::loopback::Claim;
use brigade::tls::Dialer;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub use super::patience::wait_for;

/// One controller: its files and addresses, and its process while it runs.
pub struct Node {
    pub id: u64,
    pub data_dir: PathBuf,
    pub peer: String,
    pub api: String,
    pub log: PathBuf,
    /// Set for its next process.
    pub environment: Vec<(String, PathBuf)>,
    broker: String,
    config: PathBuf,
    process: Option<Child>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Node {
    fn new(dir: &Path, id: u64, [peer, api, broker]: [String; 3]) -> Self {
        let file = |suffix: &str| dir.join(format!("node{id}{suffix}"));
        let (data_dir, log, config) = (file(""), file(".log"), file(".toml"));
        Self { id, data_dir, peer, api, log, environment: Vec::new(), broker, config, process: None }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_brigade"));
        command.arg("controller").arg("--config").arg(&self.config).env_remove("RUST_LOG");
        command.envs(self.environment.iter().cloned()).stdin(Stdio::null());
        command
    }

    /// Starts it; what it says is appended to its log.
    pub fn start(&mut self) {
        let log = File::options().create(true).append(true).open(&self.log).expect("the folder can be written");
        let mut command = self.command();
        command.stdout(log.try_clone().expect("a handle")).stderr(log);
        self.process = Some(command.spawn().expect("the program was built with the tests"));
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    pub fn signal(&self, signal: Signal) {
        let process = self.process.as_ref().expect("it runs");
        kill_process(Pid::from_raw(process.id() as i32).expect("a process has a number"), signal).expect("it is ours");
    }

    /// The exit code, if it ended by itself.
    pub fn ended(&mut self) -> Option<i32> {
        let status = self.process.as_mut()?.try_wait().expect("it is ours")?;
        Some(status.code().unwrap_or(-1))
    }

    /// Waits until it has ended by itself, and returns how, with its last sentence.
    pub fn end(&mut self) -> (i32, String) {
        let code = wait_for(&format!("node {} ends by itself", self.id), || self.ended());
        self.process = None;
        let said = self.log_text();
        let last = said.lines().rev().find(|line| line.starts_with("brigade: ")).unwrap_or_default();
        (code, last.to_owned())
    }

    /// Starts it and returns its refusal: code 70 and one clear sentence.
    #[track_caller]
    pub fn refusal(&mut self) -> String {
        self.start();
        let (code, said) = self.end();
        assert_eq!(code, 70, "{said}\n{}", self.log_end());
        for word in ["panicked", "backtrace", "Error {", "Os {", "src/"] {
            assert!(!said.contains(word), "{word:?} in: {said}");
        }
        said
    }

    pub fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn log_end(&self) -> String {
        let text = self.log_text();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}

/// Addresses of loopback for so many nodes, which are this test program's alone.
fn free_addresses<const N: usize>() -> [[String; 3]; N] {
    [[(); 3]; N].map(|node| node.map(|()| Claim::for_good().expect("loopback has free ports").to_string()))
}

/// An answer of the API; status 0 is none.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

/// The kitchen.
pub struct Kitchen {
    pub nodes: BTreeMap<u64, Node>,
    pub runtime: Runtime,
    pub http: reqwest::Client,
    dir: TempDir,
    more: String,
}

impl Kitchen {
    /// Files and addresses of three nodes. `more` ends each configuration.
    pub fn lay_out(more: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let runtime = Runtime::new().expect("a runtime");
        let http = Dialer::plain().http().timeout(Duration::from_secs(10)).build().expect("a client");
        let addresses: [_; 3] = free_addresses();
        let nodes = (1..).zip(addresses).map(|(id, own)| (id, Node::new(dir.path(), id, own))).collect();
        Self { nodes, runtime, http, dir, more: more.to_owned() }
    }

    /// A kitchen of three that runs.
    pub fn open(more: &str) -> Self {
        let mut kitchen = Self::lay_out(more);
        kitchen.start(&[1, 2, 3]);
        kitchen.wait_until_ready(&[1, 2, 3]);
        kitchen
    }

    /// Another node, known to itself alone.
    pub fn add(&mut self, id: u64) {
        let [own] = free_addresses();
        let node = Node::new(self.dir.path(), id, own);
        self.nodes.insert(id, node);
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn node(&mut self, id: u64) -> &mut Node {
        self.nodes.get_mut(&id).expect("it was laid out")
    }

    /// Starts these controllers.
    pub fn start(&mut self, ids: &[u64]) {
        for id in ids {
            let text = self.config(*id);
            std::fs::write(&self.nodes[id].config, text).expect("the folder can be written");
            self.node(*id).start();
        }
    }

    fn config(&self, id: u64) -> String {
        let node = &self.nodes[&id];
        let entry = |n: &Node| format!("{{ id = {}, peer = {:?}, api = {:?} }}", n.id, n.peer, n.api);
        let nodes: Vec<String> = self.nodes.values().map(entry).collect();
        let brokers: Vec<String> = self.nodes.values().map(|n| format!("\"mqtt://{}\"", n.broker)).collect();
        let (nodes, brokers, more) = (nodes.join(", "), brokers.join(", "), &self.more);
        format!(
            "kitchen = \"power\"\nnode = {id}\ndata_dir = {:?}\nembedded_broker = {:?}\nbrokers = [{brokers}]\nnodes = [{nodes}]\naccess = {{ mode = \"open\" }}\n{more}",
            node.data_dir, node.broker
        )
    }

    /// Where devices connect.
    pub fn brokers(&self) -> Vec<String> {
        self.nodes.values().map(|n| format!("mqtt://{}", n.broker)).collect()
    }

    /// Waits until these nodes are ready, know one leader, and have a menu.
    pub fn wait_until_ready(&mut self, ids: &[u64]) {
        for id in ids {
            wait_for(&format!("node {id} is ready"), || {
                let ended = self.node(*id).ended();
                assert!(ended.is_none(), "node {id} ended with {ended:?}:\n{}", self.nodes[id].log_end());
                (self.get(*id, "/readyz").status == 200).then_some(())
            });
            wait_for("a menu", || self.get(*id, "/v1/recipes").body["items"].get(0).map(|_| ()));
        }
    }

    /// Asks one node.
    pub fn get(&self, id: u64, path: &str) -> Answer {
        self.send(self.http.get(self.url(id, path)))
    }

    pub fn put(&self, id: u64, path: &str, body: Value) -> Answer {
        self.send(self.http.put(self.url(id, path)).json(&body))
    }

    pub fn post(&self, id: u64, path: &str, body: Value) -> Answer {
        self.send(self.http.post(self.url(id, path)).json(&body))
    }

    pub fn url(&self, id: u64, path: &str) -> String {
        format!("http://{}{path}", self.nodes[&id].api)
    }

    fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        self.runtime.block_on(async {
            let Ok(answer) = request.send().await else { return Answer { status: 0, body: Value::Null } };
            let status = answer.status().as_u16();
            let text = answer.text().await.unwrap_or_default();
            Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
        })
    }

    /// Who leads, by the word of the leader itself.
    pub fn leader(&self) -> u64 {
        wait_for("somebody is in charge", || {
            let in_charge = |id: &&u64| self.get(**id, "/v1/cluster").body["tenure"]["in_charge"] == true;
            self.nodes.keys().find(in_charge).copied()
        })
    }

    /// One that does not lead, and runs.
    pub fn follower(&self) -> u64 {
        let leader = self.leader();
        let runs = |n: &&Node| n.id != leader && n.process.is_some();
        self.nodes.values().find(runs).expect("three of three run").id
    }

    /// Orders one margherita until it is accepted.
    pub fn order(&self, at: u64, id: &str) {
        wait_for(&format!("order {id} is accepted"), || {
            let answer = self.put(at, &format!("/v1/orders/{id}"), json!({ "items": ["margherita"] }));
            matches!(answer.status, 200 | 201).then_some(())
        });
    }
}
