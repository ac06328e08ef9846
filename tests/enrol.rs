//! `brigade ctl devices enrol` as a site uses it: a real mosquitto with the files that it writes, a kitchen and devices with the keys that it
//! draws, over TLS. Who has no key, or another's, is not heard.

mod process;

use std::path::{Path, PathBuf};
use std::process::Command;

use brigade::mqtt::{Client, Event, Options, Publication, Qos};
use brigade::tls::Dialer;
use process::{Ended, Process, brigade, free_address, run, wait_for};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// A site before anything runs: configuration, certificates, and the folder that enrolling fills.
struct Site {
    dir: tempfile::TempDir,
    api: String,
    broker: String,
    runtime: Runtime,
}

impl Site {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let (api, broker) = (free_address(), free_address());
        let site = Self { dir, api, broker, runtime: runtime.expect("a runtime") };
        let text = format!(
            "kitchen = \"k1\"\nnode = 1\ndata_dir = {:?}\nbrokers = [\"mqtts://{}\"]\n\
             nodes = [{{ id = 1, peer = {:?}, api = {:?} }}]\naccess = {{ admin_token_file = {:?} }}\n\
             broker_user = {{ name = \"controller\", password_file = {:?} }}\n[tls]\ndir = {:?}\n[menu]\nspeed = 60\n",
            site.path("data"),
            site.broker,
            free_address(),
            site.api,
            site.write("admin-token", "0123456789abcdef0123456789abcdef"),
            site.path("mosquitto/controller-password"),
            site.path("certs/node-1"),
        );
        let config = site.write("node.toml", &text);
        let certs = run(brigade(&["certs", "issue", "--config", &config, "--out", &site.path("certs")]));
        assert_eq!(certs.code(), 0, "{}", certs.stderr);
        site
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_string_lossy().into_owned()
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).expect("the folder can be written");
        self.path(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn ctl(&self, words: &[&str]) -> Ended {
        let (api, ca, token) = (format!("https://{}", self.api), self.path("certs/ca.pem"), self.path("admin-token"));
        run(brigade(&[&["ctl", "--api", &api, "--ca", &ca, "--token-file", &token], words].concat()))
    }

    /// What a reading command answers, once it does.
    fn ask(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.ctl(&[&["--json"], words].concat()).stdout).unwrap_or_default()
    }

    fn enrol(&self, words: &[&str]) -> Ended {
        let (config, dir) = (self.path("node.toml"), self.path("mosquitto"));
        let files = ["devices", "enrol", "--config", &config, "--dir", &dir, "--broker-dir", &dir];
        self.ctl(&[&files, words].concat())
    }

    fn enrolled(&self, words: &[&str]) -> String {
        let ended = self.enrol(words);
        assert_eq!(ended.code(), 0, "{words:?}: {}", ended.stderr);
        ended.stdout
    }

    fn unenrol(&self, id: &str) -> Ended {
        self.ctl(&["devices", "unenrol", id, "--dir", &self.path("mosquitto")])
    }

    fn device_file(&self, id: &str) -> String {
        self.path(&format!("mosquitto/devices/{id}/device.toml"))
    }

    fn key(&self, id: &str) -> String {
        let text = std::fs::read_to_string(self.device_file(id)).expect("an enrolled device has a file");
        let line = text.lines().find_map(|line| line.strip_prefix("key = ")).expect("its key is in it");
        line.trim_matches('"').to_owned()
    }

    fn mosquitto(&self) -> Process {
        let (host, port) = self.broker.split_once(':').expect("an address has a port");
        let text = self.read("mosquitto/brigade.conf");
        assert!(text.contains(&format!("\nlistener {port}\n")), "{text}");
        let text = text.replace(&format!("listener {port}"), &format!("listener {port} {host}"));
        // As root it would drop to a user who can't read a temporary folder.
        let config = self.write("mosquitto.conf", &format!("{text}user root\n"));
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("mosquitto");
        command.env("PATH", format!("{path}:/usr/sbin:/usr/local/sbin")).arg("-c").arg(config);
        let process = Process::start(command, Path::new(&self.path("mosquitto.log")));
        wait_for("the broker", || std::net::TcpStream::connect(&self.broker).ok());
        process
    }

    fn start(&self, words: &[&str], log: &str) -> Process {
        Process::start(brigade(words), Path::new(&self.path(log)))
    }

    /// Somebody who speaks MQTT, with these credentials.
    fn client(&self, id: &str, credentials: Option<(&str, &str)>) -> Client {
        let credentials = credentials.map(|(user, key)| (user.to_owned(), key.to_owned()));
        let dialer = Dialer::trusting(&PathBuf::from(self.path("certs/ca.pem"))).expect("certs issue made it");
        let options = Options::new(format!("mqtts://{}", self.broker), id);
        self.runtime
            .block_on(async { Client::connect(Options { credentials, dialer, ..options }).expect("an address") })
    }

    /// Whether the broker lets this client in.
    fn lets_in(&self, client: &mut Client) -> bool {
        self.runtime.block_on(async { matches!(client.events.next().await, Some(Event::Connected { .. })) })
    }

    /// Returns when the broker has ended a connection.
    fn wait_until_ended(&self, client: &mut Client) {
        let ended = async { while !matches!(client.events.next().await, Some(Event::Ended(_)) | None) {} };
        self.runtime.block_on(async { tokio::time::timeout(process::PATIENCE, ended).await }).expect("it ends");
    }

    fn say_facts(&self, from: &Client, device: &str) {
        let facts = json!({ "v": 1, "kind": "oven", "fw": "1", "proto": 1, "lanes": [0], "actions": [] }).to_string();
        let publication = Publication::new(format!("brigade/v1/k1/{device}/facts"), facts, Qos::AtLeastOnce);
        // MQTT 5 says that it is not allowed; what counts is what the kitchen heard.
        let _ = self.runtime.block_on(from.publisher.publish_acknowledged(publication));
    }

    fn device_ids(&self) -> Vec<String> {
        let answer = self.ask(&["devices", "list"]);
        let items = answer["items"].as_array().cloned().unwrap_or_default();
        items.iter().filter_map(|d| Some(d["id"].as_str()?.to_owned())).collect()
    }
}

fn reload(mosquitto: &Process) {
    let told = Command::new("kill").arg("-HUP").arg(mosquitto.id().to_string()).status();
    assert!(told.is_ok_and(|status| status.success()), "the broker takes a signal");
}

#[test]
fn an_enrolled_line_cooks_over_tls_and_whoever_has_no_key_is_not_heard() {
    let site = Site::new();
    site.enrolled(&["robot1", "--kind", "robot.before_oven"]);
    site.enrolled(&["oven1", "--kind", "oven", "--lane", "0,1", "--zone", "line-a"]);
    site.enrolled(&["robot3", "--kind", "robot.after_oven"]);
    site.enrolled(&["camera1", "--kind", "camera", "--stage", "prep"]);
    let mosquitto = site.mosquitto();
    let _node = site.start(&["controller", "--config", &site.path("node.toml")], "node.log");
    // What is carried is in the world of one process: three files in one, speeded up. The camera runs with its file as it is.
    let line =
        ["robot1", "oven1", "robot3"].map(|id| std::fs::read_to_string(site.device_file(id)).unwrap_or_default());
    let devices: String = line.iter().map(|text| &text[text.find("[[device]]").expect("a device")..]).collect();
    let head = &line[0][..line[0].find("[[device]]").expect("a device")];
    let line = site.write("mosquitto/devices/robot1/line.toml", &format!("{head}speed_pct = 6000\n{devices}"));
    let _line = site.start(&["device", "--line", &line], "line.log");
    let _camera = site.start(&["device", "--line", &site.device_file("camera1")], "camera.log");
    wait_for("four devices", || (site.device_ids().len() == 4).then_some(()));

    let key = site.key("robot1");
    let robot1 = site.client("another", Some(("robot1", &key)));
    site.say_facts(&robot1, "oven9");
    let placed = wait_for("an order that is taken", || {
        let placed = site.ctl(&["orders", "place", "--recipe", "margherita", "--id", "a"]);
        (placed.code() == 0).then_some(placed)
    });
    assert_eq!(placed.stderr, "");
    wait_for("an order that is READY", || (site.ask(&["orders", "show", "a"])["status"] == "READY").then_some(()));
    assert_eq!(site.device_ids(), ["camera1", "oven1", "robot1", "robot3"], "nobody spoke for another");

    assert!(!site.lets_in(&mut site.client("nobody", None)), "without a key");
    assert!(!site.lets_in(&mut site.client("robot3", Some(("robot3", &key)))), "with another's key");
    let mut before = site.client("camera", Some(("camera1", &site.key("camera1"))));
    assert!(site.lets_in(&mut before));
    let old = site.key("camera1");
    site.enrolled(&["camera1", "--kind", "camera", "--stage", "prep", "--rotate"]);
    reload(&mosquitto);
    site.wait_until_ended(&mut before);
    assert!(!site.lets_in(&mut site.client("camera", Some(("camera1", &old)))), "the key of before");
    let mut now = site.client("camera", Some(("camera1", &site.key("camera1"))));
    assert!(site.lets_in(&mut now), "the new one");
    assert_eq!(site.unenrol("camera1").code(), 0);
    reload(&mosquitto);
    site.wait_until_ended(&mut now);
}

#[test]
fn a_device_is_judged_over_tls_at_the_brokers_of_a_site() {
    let site = Site::new();
    site.enrolled(&["camera1", "--kind", "camera", "--stage", "prep"]);
    let _mosquitto = site.mosquitto();
    let _camera = site.start(&["device", "--line", &site.device_file("camera1")], "camera.log");
    let (broker, ca) = (format!("mqtts://{}", site.broker), site.path("certs/ca.pem"));
    let conform = |ca: &[&str]| {
        let words =
            ["conform", "camera1", "--kitchen", "k1", "--broker", &broker, "--user", "controller", "--only", "M5"];
        let mut command = brigade(&[&words, ca].concat());
        command.env("BROKER_PASSWORD", site.read("mosquitto/controller-password").trim());
        run(command)
    };
    let judged = conform(&["--ca", &ca]);
    assert_eq!(judged.code(), 0, "{}{}", judged.stdout, judged.stderr);
    assert!(judged.stdout.contains("M5     passed"), "{}", judged.stdout);
    let untold = conform(&[]);
    assert!(untold.code() == 3 && untold.stderr.contains("UnknownIssuer"), "{}", untold.stderr);
}

#[test]
fn enrolling_again_keeps_every_key_and_what_an_operator_changed() {
    let site = Site::new();
    let first = site.enrolled(&["robot1", "--kind", "robot.before_oven"]);
    for word in ["its key is new", "broker_user.password_file", "start it anew", "devices/robot1"] {
        assert!(first.contains(word), "{word}: {first}");
    }
    let files = ["brigade.passwd", "brigade.acl", "brigade.conf", "controller-password", "devices/robot1/device.toml"];
    let all = || files.map(|name| site.read(&format!("mosquitto/{name}")));
    let before = all();
    let again = site.enrolled(&["robot1", "--kind", "robot.before_oven"]);
    assert!(again.contains("no reload is needed") && again.contains("its key stays"), "{again}");
    assert_eq!(all(), before);
    let second = site.enrolled(&["oven1", "--kind", "oven"]);
    assert!(second.contains("SIGHUP"), "{second}");
    let [passwords, ..] = all();
    assert!(passwords.starts_with(&before[0]) && passwords.lines().count() == 3, "{passwords}");

    site.write("mosquitto/brigade.acl", "# ours\n");
    let stays = site.enrolled(&["robot1", "--kind", "robot.before_oven", "--rotate"]);
    assert!(
        stays.contains("brigade.acl is not as this command would write it") && stays.contains("its key is new"),
        "{stays}"
    );
    assert_eq!(site.read("mosquitto/brigade.acl"), "# ours\n");
    assert!(!site.read("mosquitto/brigade.passwd").contains(before[0].lines().last().unwrap_or_default()));
    let controllers = site.read("mosquitto/controller-password");
    assert!(site.enrolled(&["--controller"]).contains("its key stays"));
    site.enrolled(&["--controller", "--rotate"]);
    assert_ne!(site.read("mosquitto/controller-password"), controllers);

    std::fs::remove_dir_all(site.path("mosquitto/devices/oven1")).expect("it is there");
    let refused: [(&[&str], &str); 5] = [
        (&["oven1", "--kind", "oven"], "--rotate draws another"),
        (&["a:b", "--kind", "oven"], "no colon"),
        (&["ctl", "--kind", "oven"], "word of the protocol"),
        (&["controller", "--kind", "oven"], "the controllers' user"),
        (&["robot9"], "--kind"),
    ];
    for (words, why) in refused {
        let ended = site.enrol(words);
        assert!(ended.code() != 0 && ended.stderr.contains(why), "{words:?}: {}", ended.stderr);
    }
    assert_eq!(site.unenrol("oven1").code(), 0);
    assert!(site.unenrol("oven1").stderr.contains("nothing was changed"));
    assert_eq!(site.read("mosquitto/brigade.passwd").lines().count(), 2);
    let (config, dir) = (site.path("node.toml"), site.path("mosquitto"));
    let without =
        run(brigade(&["ctl", "devices", "enrol", "robot1", "--kind", "oven", "--config", &config, "--dir", &dir]));
    assert!(without.stderr.contains("--ca certs/ca.pem"), "{}", without.stderr);
}
