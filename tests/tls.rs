//! A kitchen of three over TLS: API, brokers, and between replicas; what has no certificate, or another's, gets no word.

mod process;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use brigade::tls::{Dialer, Identity};
use process::{Process, brigade, free_address, run, wait_for};
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// The admin's, as the configuration names it: a site has certificates and tokens.
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A kitchen of three processes, a broker and a line of devices, all with certificates.
struct Kitchen {
    dir: tempfile::TempDir,
    apis: Vec<String>,
    peers: Vec<String>,
    nodes: BTreeMap<usize, Process>,
    _others: Vec<Process>,
    runtime: Runtime,
    http: reqwest::Client,
}

fn issue(dir: &Path, more: &[&str]) -> String {
    let (config, out) = (dir.join("node1.toml"), dir.join("certs"));
    let (config, out) = (config.to_string_lossy(), out.to_string_lossy());
    let ended = run(brigade(&[&["certs", "issue", "--config", &config, "--out", &out][..], more].concat()));
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    ended.stdout
}

fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("the folder can be written");
    path
}

fn mosquitto(dir: &Path, address: &str) -> Process {
    let (host, port) = address.split_once(':').expect("an address has a port");
    let certs = dir.join("certs/node-1");
    let text = format!(
        "listener {port} {host}\nallow_anonymous true\nuser root\ncertfile {0}/node.pem\nkeyfile {0}/node.key\n",
        certs.display()
    );
    let mut command = Command::new("mosquitto");
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/usr/local/sbin")).arg("-c");
    command.arg(write(dir, "mosquitto.conf", &text));
    Process::start(command, &dir.join("mosquitto.log"))
}

fn client(dialer: &Dialer) -> reqwest::Client {
    let token = format!("Bearer {TOKEN}").parse().expect("a header");
    let http = dialer.http().timeout(Duration::from_secs(10)).tls_info(true);
    http.default_headers([(AUTHORIZATION, token)].into_iter().collect()).build().expect("a client")
}

impl Kitchen {
    fn open() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (apis, peers): (Vec<_>, Vec<_>) = (0..3).map(|_| (free_address(), free_address())).unzip();
        let broker = free_address();
        let node = |n: usize| format!("{{ id = {}, peer = {:?}, api = {:?} }}", n + 1, peers[n], apis[n]);
        let nodes = format!("[{}, {}, {}]", node(0), node(1), node(2));
        let config = |n: usize| {
            let text = format!(
                "kitchen = \"k1\"\nnode = {}\ndata_dir = {:?}\nbrokers = [\"mqtts://{broker}\"]\nnodes = {nodes}\n\
                 access = {{ admin_token_file = {:?} }}\n[tls]\ndir = {:?}\n[menu]\nspeed = 60\n",
                n + 1,
                dir.path().join(format!("data{}", n + 1)),
                write(dir.path(), "admin-token", TOKEN),
                dir.path().join(format!("certs/node-{}", n + 1)),
            );
            write(dir.path(), &format!("node{}.toml", n + 1), &text)
        };
        let configs = [0, 1, 2].map(config);
        issue(dir.path(), &[]);
        let ca = dir.path().join("certs/ca.pem");
        let built_in = "[[device]]\nid = \"robot1\"\nkind = \"robot.before_oven\"\n[[device]]\nid = \"oven1\"\nkind = \"oven\"\n\
                        [[device]]\nid = \"robot3\"\nkind = \"robot.after_oven\"\n";
        let line =
            format!("kitchen = \"k1\"\nbrokers = [\"mqtts://{broker}\"]\nca = {ca:?}\nspeed_pct = 6000\n{built_in}");
        let line = write(dir.path(), "line.toml", &line);
        let mosquitto = mosquitto(dir.path(), &broker);
        let devices = brigade(&["device", "--line", &line.to_string_lossy()]);
        let others = vec![mosquitto, Process::start(devices, &dir.path().join("devices.log"))];
        let start = |n: usize| {
            let command = brigade(&["controller", "--config", &configs[n].to_string_lossy()]);
            (n, Process::start(command, &dir.path().join(format!("node{}.log", n + 1))))
        };
        let nodes = (0..3).map(start).collect();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let http = client(&Dialer::trusting(&ca).expect("certs issue made it"));
        Self { dir, apis, peers, nodes, _others: others, runtime: runtime.expect("a runtime"), http }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("certs").join(name)
    }

    /// Sends; None is no answer.
    fn send(&self, request: reqwest::RequestBuilder) -> Option<reqwest::Response> {
        self.runtime.block_on(async { request.send().await.ok() })
    }

    /// What any replica answers.
    fn get(&self, path: &str) -> Option<Value> {
        let ask = |api: &String| {
            let answer = self.send(self.http.get(format!("https://{api}{path}")))?;
            answer.status().is_success().then(|| self.runtime.block_on(answer.json()).ok()).flatten()
        };
        self.apis.iter().find_map(ask)
    }

    fn wait_until_normal(&self) {
        wait_for("a kitchen whose devices are there", || {
            let open = self.get("/v1/kitchen")?["capacity"]["finish"]["up"] == 1;
            (open && self.get("/v1/devices")?["items"].as_array()?.len() == 3).then_some(())
        });
    }

    fn cook(&self, id: &str) {
        wait_for("an order that is taken", || {
            let ask = |api: &String| {
                let request = self.http.put(format!("https://{api}/v1/orders/{id}"));
                self.send(request.json(&json!({ "items": ["margherita"] })))
            };
            self.apis.iter().filter_map(ask).any(|answer| answer.status().is_success()).then_some(())
        });
        wait_for("an order that is READY", || {
            (self.get(&format!("/v1/orders/{id}"))?["status"] == "READY").then_some(())
        });
    }

    /// True if somebody answers this client at all.
    fn answers(&self, dialer: &Dialer, url: &str) -> bool {
        self.send(client(dialer).get(url)).is_some()
    }

    fn leader(&self) -> usize {
        let leader = || Some(self.get("/v1/cluster?consistency=stale")?["leader"].as_u64()? as usize - 1);
        wait_for("a leader", leader)
    }

    fn shown_certificate(&self, api: &str) -> Vec<u8> {
        // A connection of its own: one that stands shows what it met.
        let http = client(&Dialer::trusting(&self.path("ca.pem")).expect("certs issue made it"));
        let answer = self.send(http.get(format!("https://{api}/livez"))).expect("it answers");
        let info = answer.extensions().get::<reqwest::tls::TlsInfo>().expect("the connection has TLS");
        info.peer_certificate().expect("a server shows its certificate").to_vec()
    }
}

#[test]
fn three_replicas_cook_over_tls_and_whoever_has_no_right_certificate_gets_no_word() {
    let mut kitchen = Kitchen::open();
    kitchen.wait_until_normal();
    kitchen.cook("first");

    let (api, peer) = (kitchen.apis[1].clone(), kitchen.peers[1].clone());
    assert!(!kitchen.answers(&Dialer::plain(), &format!("http://{api}/livez")), "plain HTTP is not served");
    assert!(!kitchen.answers(&Dialer::plain(), &format!("https://{api}/livez")), "a stranger is not trusted");
    let peers_ca = kitchen.path("peers-ca.pem");
    let identity = |cert: &str, key: &str| Identity::load(&kitchen.path(cert), &kitchen.path(key)).unwrap();
    let witness = format!("https://{peer}/witness");
    let replica = identity("node-1/peer.pem", "node-1/peer.key");
    assert!(kitchen.answers(&Dialer::between_peers(&peers_ca, replica).unwrap(), &witness));
    let nobody = Dialer::trusting(&peers_ca).unwrap();
    assert!(!kitchen.answers(&nobody, &witness), "who shows nothing gets no word of a replica");
    let client = identity("node-1/node.pem", "node-1/node.key");
    let client = Dialer::between_peers(&peers_ca, client).unwrap();
    assert!(!kitchen.answers(&client, &witness), "the certificate of an API makes no replica");

    let leader = kitchen.leader();
    drop(kitchen.nodes.remove(&leader));
    kitchen.cook("second");
}

#[test]
fn a_renewed_certificate_is_shown_without_a_restart_and_ctl_trusts_whom_it_is_told() {
    let kitchen = Kitchen::open();
    kitchen.wait_until_normal();
    let before = kitchen.shown_certificate(&kitchen.apis[2]);
    assert!(issue(kitchen.dir.path(), &[]).contains("node-3/node.pem stays"));
    assert_eq!(kitchen.shown_certificate(&kitchen.apis[2]), before);
    issue(kitchen.dir.path(), &["--renew"]);
    wait_for("the new certificate", || (kitchen.shown_certificate(&kitchen.apis[2]) != before).then_some(()));
    // Between replicas too: connections that stood go on, new ones meet the new one.
    kitchen.cook("first");

    let (api, ca) = (format!("https://{}", kitchen.apis[0]), kitchen.path("ca.pem"));
    let token = kitchen.dir.path().join("admin-token");
    let (ca, token) = (ca.to_string_lossy(), token.to_string_lossy());
    let told = run(brigade(&["ctl", "--api", &api, "--ca", &ca, "--token-file", &token, "status"]));
    assert_eq!(told.code(), 0, "{}", told.stderr);
    let ends = run(brigade(&["ctl", "--api", &api, "--ca", &ca, "--token-file", &token, "certs"])).stdout;
    assert!(ends.matches("  824 ").count() + ends.matches("  825 ").count() >= 6, "two of each replica: {ends}");
    let untold = run(brigade(&["ctl", "--api", &api, "status"]));
    assert_eq!(untold.code(), 3, "{}", untold.stderr);
    assert!(untold.stderr.contains("UnknownIssuer"), "{}", untold.stderr);
    let shown = run(brigade(&["certs", "show", &kitchen.path("node-1/node.pem").to_string_lossy()]));
    assert!(shown.stdout.contains("node 1 of k1") && shown.stdout.contains("localhost"), "{}", shown.stdout);
}
