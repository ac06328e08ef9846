//! `brigade ctl devices enrol` as a site uses it: a real mosquitto, or the embedded broker, with the files that it writes, a kitchen and devices with the keys that it
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

    /// A broker with what enrolling wrote.
    fn broker(&self, make: Make) -> Process {
        let command = match make {
            Make::Mosquitto => self.mosquitto(),
            Make::Embedded => brigade(&[
                "broker",
                "--listen",
                &self.broker,
                "--password-file",
                &self.path("mosquitto/brigade.passwd"),
                "--acl-file",
                &self.path("mosquitto/brigade.acl"),
                "--tls-dir",
                &self.path("certs/node-1"),
            ]),
        };
        let process = Process::start(command, Path::new(&self.path("broker.log")));
        wait_for("the broker", || std::net::TcpStream::connect(&self.broker).ok());
        process
    }

    fn mosquitto(&self) -> Command {
        let (host, port) = self.broker.split_once(':').expect("an address has a port");
        let text = self.read("mosquitto/brigade.conf");
        assert!(text.contains(&format!("\nlistener {port}\n")), "{text}");
        let text = text.replace(&format!("listener {port}"), &format!("listener {port} {host}"));
        // As root it would drop to a user who can't read a temporary folder.
        let config = self.write("mosquitto.conf", &format!("{text}user root\n"));
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("mosquitto");
        command.env("PATH", format!("{path}:/usr/sbin:/usr/local/sbin")).arg("-c").arg(config);
        command
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

    /// The same, let in and subscribed. A broker that refuses a subscription ends it.
    fn listener(&self, id: &str, credentials: Option<(&str, &str)>, leaves: &[&str]) -> Client {
        let credentials = credentials.map(|(user, key)| (user.to_owned(), key.to_owned()));
        let dialer = Dialer::trusting(&PathBuf::from(self.path("certs/ca.pem"))).expect("certs issue made it");
        let subscriptions = leaves.iter().map(|leaf| (format!("brigade/v1/k1/{leaf}"), Qos::AtLeastOnce)).collect();
        let options = Options::new(format!("mqtts://{}", self.broker), id);
        let options = Options { credentials, dialer, subscriptions, ..options };
        let mut client = self.runtime.block_on(async { Client::connect(options).expect("an address") });
        assert!(self.lets_in(&mut client), "{id}");
        if !leaves.is_empty() {
            let next = self.runtime.block_on(client.events.next());
            assert!(matches!(next, Some(Event::Subscribed | Event::Ended(_))), "{id}: {next:?}");
        }
        client
    }

    fn say(&self, from: &Client, leaf: &str) {
        let publication = Publication::new(format!("brigade/v1/k1/{leaf}"), "{}", Qos::AtLeastOnce);
        // MQTT 5 says that it is not allowed; what counts is what others heard.
        let _ = self.runtime.block_on(from.publisher.publish_acknowledged(publication));
    }

    /// What a client hears next: so many messages, or fewer if its connection ends.
    fn heard(&self, client: &mut Client, count: usize) -> Vec<String> {
        let hear = async {
            let mut heard = Vec::new();
            while heard.len() < count {
                match client.events.next().await {
                    Some(Event::Message(message)) => heard.push(message.topic().replace("brigade/v1/k1/", "")),
                    Some(Event::Ended(_)) | None => break,
                    Some(_) => {}
                }
            }
            heard
        };
        self.runtime.block_on(async { tokio::time::timeout(process::PATIENCE, hear).await }).expect("they are heard")
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

/// Which broker. Both get the same files.
#[derive(Clone, Copy)]
enum Make {
    Mosquitto,
    Embedded,
}

/// Tells a broker that its files have changed. The embedded one looks by itself.
fn reload(make: Make, broker: &Process) {
    match make {
        Make::Mosquitto => hang_up(broker),
        Make::Embedded => {}
    }
}

fn hang_up(mosquitto: &Process) {
    let told = Command::new("kill").arg("-HUP").arg(mosquitto.id().to_string()).status();
    assert!(told.is_ok_and(|status| status.success()), "the broker takes a signal");
}

#[test]
fn an_enrolled_line_cooks_over_tls_and_whoever_has_no_key_is_not_heard() {
    an_enrolled_line_cooks(Make::Mosquitto);
}

#[test]
fn an_enrolled_line_cooks_at_a_closed_embedded_broker_just_as_well() {
    an_enrolled_line_cooks(Make::Embedded);
}

fn an_enrolled_line_cooks(make: Make) {
    let site = Site::new();
    site.enrolled(&["robot1", "--kind", "robot.before_oven"]);
    site.enrolled(&["oven1", "--kind", "oven", "--lane", "0,1", "--zone", "line-a"]);
    site.enrolled(&["robot3", "--kind", "robot.after_oven"]);
    site.enrolled(&["camera1", "--kind", "camera", "--stage", "prep"]);
    let broker = site.broker(make);
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
    reload(make, &broker);
    site.wait_until_ended(&mut before);
    assert!(!site.lets_in(&mut site.client("camera", Some(("camera1", &old)))), "the key of before");
    let mut now = site.client("camera", Some(("camera1", &site.key("camera1"))));
    assert!(site.lets_in(&mut now), "the new one");
    assert_eq!(site.unenrol("camera1").code(), 0);
    reload(make, &broker);
    site.wait_until_ended(&mut now);
}

#[test]
fn at_a_closed_broker_everybody_says_and_hears_what_is_his_alone() {
    for make in [Make::Mosquitto, Make::Embedded] {
        everybody_says_and_hears_what_is_his_alone(make);
    }
}

fn everybody_says_and_hears_what_is_his_alone(make: Make) {
    let site = Site::new();
    for id in ["robot1", "robot2"] {
        site.enrolled(&[id, "--kind", "robot.before_oven"]);
    }
    let _broker = site.broker(make);
    // Somebody without a key, who connects and then says nothing, keeps nobody out.
    let _silent = std::net::TcpStream::connect(&site.broker).expect("the broker's port is open");
    let health = |scheme: &str| {
        run(brigade(&["health", &format!("{scheme}://{}", site.broker), "--ca", &site.path("certs/ca.pem")]))
    };
    assert_eq!(health("mqtts").code(), 0, "being told no shows that it is well: {}", health("mqtts").stderr);
    assert_eq!(health("mqtt").code(), 1, "nobody is answered in plain");
    let key = site.key("robot2");
    assert!(!site.lets_in(&mut site.client("x", None)), "nobody in particular");
    assert!(!site.lets_in(&mut site.client("x", Some(("robot2", "")))), "no key");
    assert!(!site.lets_in(&mut site.client("x", Some(("robot2", &key[1..])))), "a wrong key");
    assert!(!site.lets_in(&mut site.client("x", Some(("robot1", &key)))), "another's key");
    assert!(!site.lets_in(&mut site.client("x", Some(("robot9", &key)))), "a name that is not enrolled");

    let password = site.read("mosquitto/controller-password");
    let controller = Some(("controller", password.trim()));
    let mut kitchen = site.listener("kitchen", controller, &["+/conn", "+/facts", "+/state", "+/hb", "+/obs"]);
    let mut robot1 =
        site.listener("one", Some(("robot1", &site.key("robot1"))), &["robot1/cmd", "all/cmd", "ctl/leader"]);
    let robot2 = site.listener("two", Some(("robot2", &key)), &["robot2/cmd"]);
    for foreign in ["robot1/facts", "robot1/cmd", "robot2/cmd", "robot1/lease", "all/cmd", "ctl/leader", "robot9/obs"] {
        site.say(&robot2, foreign);
    }
    for own in ["conn", "facts", "state", "hb", "obs"] {
        site.say(&robot2, &format!("robot2/{own}"));
    }
    assert_eq!(site.heard(&mut kitchen, 5), ["robot2/conn", "robot2/facts", "robot2/state", "robot2/hb", "robot2/obs"]);

    // ctl/leader and commands are the controllers'. Whoever listens at another's door hears nothing, whether the broker says so or not.
    let mut nosy = site.listener("nosy", Some(("robot2", &key)), &["robot1/cmd", "+/cmd", "all/cmd"]);
    let speaker = site.listener("speaker", controller, &[]);
    for of_controllers in ["robot1/cmd", "ctl/leader", "all/cmd"] {
        site.say(&speaker, of_controllers);
    }
    assert_eq!(site.heard(&mut robot1, 3), ["robot1/cmd", "ctl/leader", "all/cmd"]);
    let heard = site.heard(&mut nosy, 1);
    assert!(heard.is_empty() || heard == ["all/cmd"], "{heard:?}");
}

#[test]
fn a_device_is_judged_over_tls_at_the_brokers_of_a_site() {
    let site = Site::new();
    site.enrolled(&["camera1", "--kind", "camera", "--stage", "prep"]);
    let _broker = site.broker(Make::Mosquitto);
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
