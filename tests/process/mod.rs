//! The program as processes, for tests: a kitchen of one node, its devices, and a client. Every process ends with its value.
#![allow(dead_code, reason = "each test program uses a part of it")]

#[path = "../patience/mod.rs"]
mod patience;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use brigade::loopback::Claim;
use brigade::tls::Dialer;
use serde_json::{Value, json};

pub use patience::{PATIENCE, wait_for};

/// The program, with an environment that asks for backtraces: none may show.
pub fn brigade(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brigade"));
    command
        .args(args)
        .env("RUST_BACKTRACE", "full")
        .env_remove("RUST_LOG")
        .env_remove("BRIGADE_API")
        .env_remove("BRIGADE_TOKEN");
    command.stdin(Stdio::null());
    command
}

/// An address of loopback that is this test program's alone.
pub fn free_address() -> String {
    Claim::for_good().expect("loopback has free ports").to_string()
}

/// What a process said before it ended, and how.
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }
}

/// Runs a command that must end by itself. One that does not is killed, and the test fails.
pub fn run(mut command: Command) -> Ended {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program was built");
    let until = Instant::now() + PATIENCE;
    while child.try_wait().expect("a child can be asked").is_none() {
        if Instant::now() > until {
            let _ = child.kill();
            panic!("the command did not end by itself: {command:?}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().expect("a child can be read");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ended { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A process that ends with its value.
pub struct Process(Child);

impl Process {
    pub fn start(mut command: Command, log: &Path) -> Self {
        let log =
            || std::fs::OpenOptions::new().create(true).append(true).open(log).expect("the folder can be written");
        Self(command.stdout(log()).stderr(log()).spawn().expect("the program was built"))
    }

    pub fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    pub fn is_running(&mut self) -> bool {
        self.0.try_wait().is_ok_and(|ended| ended.is_none())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A configuration of one node. Fields can be changed before it is written.
#[derive(Clone)]
pub struct Node {
    pub kitchen: String,
    pub id: u64,
    pub data_dir: PathBuf,
    pub peer: String,
    pub api: String,
    pub broker: String,
    pub embedded_broker: Option<String>,
    /// Who may use the API: fields of a table.
    pub access: String,
    /// Lines at the end, for keys that a test gets wrong.
    pub more: String,
}

impl Node {
    /// A node with an embedded broker and ports of its own.
    pub fn new(data_dir: PathBuf) -> Self {
        let broker = free_address();
        Self {
            kitchen: "k1".to_owned(),
            id: 1,
            data_dir,
            peer: free_address(),
            api: free_address(),
            broker: format!("mqtt://{broker}"),
            embedded_broker: Some(broker),
            access: "mode = \"open\"".to_owned(),
            more: "[menu]\nspeed = 60\n".to_owned(),
        }
    }

    pub fn text(&self) -> String {
        let (kitchen, id, peer, api, broker) = (&self.kitchen, self.id, &self.peer, &self.api, &self.broker);
        let embedded = self.embedded_broker.as_ref().map_or(String::new(), |a| format!("embedded_broker = {a:?}\n"));
        format!(
            "kitchen = {kitchen:?}\nnode = {id}\ndata_dir = {:?}\nbrokers = [{broker:?}]\n{embedded}\
             nodes = [{{ id = {id}, peer = {peer:?}, api = {api:?} }}]\naccess = {{ {} }}\n{}",
            self.data_dir, self.access, self.more
        )
    }

    /// The first token of a closed kitchen, once it is drawn; None for an open one.
    fn token(&self) -> Option<String> {
        let path = self.data_dir.join("admin-token");
        let is_closed = !self.access.contains("open");
        // One that a test left there is replaced by another.
        let before = std::fs::read_to_string(&path).ok();
        let drawn = || std::fs::read_to_string(&path).ok().filter(|now| Some(now) != before.as_ref());
        is_closed.then(|| wait_for("the first token", drawn).trim().to_owned())
    }

    /// Writes the configuration beside the data directory.
    pub fn write(&self, name: &str) -> PathBuf {
        let path = self.data_dir.with_file_name(name);
        std::fs::write(&path, self.text()).expect("the folder can be written");
        path
    }
}

/// The same without what changes by itself.
fn without_ages(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let stays = |name: &str| !["since_ms", "promised_in_ms", "last_entry_at"].contains(&name);
            members.into_iter().filter(|(name, _)| stays(name)).map(|(name, v)| (name, without_ages(v))).collect()
        }
        Value::Array(items) => items.into_iter().map(without_ages).collect(),
        other => other,
    }
}

/// A kitchen of one node that runs.
pub struct Kitchen {
    pub node: Node,
    pub dir: tempfile::TempDir,
    pub process: Process,
    pub log: PathBuf,
    others: Vec<Process>,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    /// What its requests carry, where access is by token.
    pub token: Option<String>,
}

/// An answer of the API.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Answer {
    /// The last part of the problem's type.
    pub fn problem(&self) -> &str {
        self.body["type"].as_str().and_then(|t| t.strip_prefix("urn:brigade:problem:")).unwrap_or("none")
    }
}

impl Kitchen {
    /// One with an embedded broker.
    pub fn open() -> Self {
        Self::open_at(None)
    }

    /// One with this broker, or with an embedded one.
    pub fn open_at(broker: Option<String>) -> Self {
        Self::open_with(|node| {
            if let Some(broker) = broker {
                (node.broker, node.embedded_broker) = (broker, None);
            }
        })
    }

    /// One whose configuration is changed before it starts.
    pub fn open_with(change: impl FnOnce(&mut Node)) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut node = Node::new(dir.path().join("data"));
        change(&mut node);
        let (config, log) = (node.write("node.toml"), dir.path().join("node.log"));
        let process = Process::start(brigade(&["controller", "--config", &config.to_string_lossy()]), &log);
        let http = Dialer::plain().http().timeout(Duration::from_secs(10)).build().expect("a client");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let token = node.token();
        let kitchen = Self { node, dir, process, log, others: Vec::new(), http, runtime, token };
        wait_for("a kitchen that is ready", || (kitchen.get("/readyz").status == 200).then_some(()));
        wait_for("a menu and a broker", || {
            let menu = kitchen.get("/v1/recipes").body["items"].as_array().is_some_and(|items| !items.is_empty());
            (menu && kitchen.get("/v1/cluster").body["tenure"]["brokers"][0]["connected"] == true).then_some(())
        });
        kitchen
    }

    /// The built-in line of simulated devices, until they are all there.
    pub fn with_devices(mut self) -> Self {
        let args = ["device", "--kitchen", &self.node.kitchen, "--broker", &self.node.broker, "--speed-pct", "6000"];
        self.others.push(Process::start(brigade(&args), &self.dir.path().join("devices.log")));
        wait_for("a kitchen that is NORMAL", || {
            (self.get("/v1/kitchen").body["state"] == "NORMAL" && self.devices().len() == 11).then_some(())
        });
        self
    }

    /// SIGKILL, and the same again.
    pub fn restart(&mut self) {
        let config = self.dir.path().join("node.toml");
        self.process.kill();
        self.process = Process::start(brigade(&["controller", "--config", &config.to_string_lossy()]), &self.log);
        wait_for("a kitchen that is ready", || (self.get("/readyz").status == 200).then_some(()));
    }

    /// Where the API is.
    pub fn api(&self) -> String {
        format!("http://{}", self.node.api)
    }

    /// Runs something asynchronous.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send(self.http.get(format!("{}{path}", self.api())))
    }

    pub fn put(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = self.http.put(format!("{}{path}", self.api())).header("content-type", "application/json");
        self.send(request.body(body))
    }

    pub fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = self.http.post(format!("{}{path}", self.api())).header("content-type", "application/json");
        self.send(request.body(body))
    }

    /// Sends; status 0 is no answer.
    fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        self.block_on(async {
            match request.send().await {
                Ok(answer) => {
                    let status = answer.status().as_u16();
                    let text = answer.text().await.unwrap_or_default();
                    Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
                }
                Err(error) => Answer { status: 0, body: Value::String(format!("{error:?}")) },
            }
        })
    }

    /// Orders one margherita, which must be accepted.
    pub fn order(&self, id: &str) {
        let answer = self.put(&format!("/v1/orders/{id}"), json!({ "items": ["margherita"] }).to_string());
        assert_eq!(answer.status, 201, "order {id}: {:?}; the log ends:\n{}", answer.body, self.log_end());
    }

    /// Waits until an order has ended, well.
    pub fn wait_until_ready(&self, id: &str) {
        wait_for(&format!("order {id}, READY"), || {
            let status = self.get(&format!("/v1/orders/{id}")).body["status"].clone();
            assert!(status != "FAILED" && status != "CANCELLED", "order {id} ended {status}");
            (status == "READY").then_some(())
        });
    }

    pub fn devices(&self) -> Vec<Value> {
        self.get("/v1/devices").body["items"].as_array().cloned().unwrap_or_default()
    }

    pub fn payloads_refused(&self) -> u64 {
        self.get("/v1/cluster").body["tenure"]["payloads_refused"].as_u64().expect("a controller counts")
    }

    /// All that a refused request must not change.
    pub fn state(&self) -> Value {
        let paths = ["/v1/kitchen", "/v1/orders?status=all", "/v1/recipes", "/v1/devices"];
        Value::from_iter(paths.map(|path| without_ages(self.get(path).body)))
    }

    pub fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn log_end(&self) -> String {
        let text = self.log_text();
        text.lines().rev().take(15).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// The process lives, leads as before, and did not panic.
    pub fn assert_well(&mut self) {
        assert!(self.process.is_running(), "the controller ended:\n{}", self.log_end());
        assert!(!self.log_text().contains("panicked"), "the controller panicked:\n{}", self.log_end());
        assert_eq!(self.get("/livez").status, 200);
        assert_eq!(self.get("/v1/cluster").body["tenure"]["tenures"], 1, "the tenure ended:\n{}", self.log_end());
    }
}
