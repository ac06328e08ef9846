//! The example of cluster/ is true: its node files are good, and its broker lets everybody say what they may and nothing else.

mod process;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use brigade::mqtt::{Client, Options, Publication, Qos};
use process::{Kitchen, Process, brigade, free_address, run, wait_for};
use serde_json::json;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cluster").join(name)
}

#[test]
fn each_node_file_is_good_and_differs_in_its_number_alone() {
    let text = |n: u32| std::fs::read_to_string(file(&format!("node{n}.toml"))).expect("the file is there");
    for n in 1..=3 {
        let path = file(&format!("node{n}.toml"));
        let ended = run(brigade(&["controller", "--check", "--config", &path.to_string_lossy()]));
        assert_eq!(ended.code(), 0, "{}", ended.stderr);
        assert!(!ended.stdout.contains("Note:"), "{}", ended.stdout);
        let as_first =
            text(n).replace(&format!("node = {n}\n"), "node = 1\n").replace(&format!("# Node {n} "), "# Node 1 ");
        assert_eq!(as_first, text(1));
    }
}

#[test]
fn the_kitchen_of_the_compose_file_is_good_for_each_of_its_nodes() {
    for n in 1..=3 {
        let path = file("compose/kitchen.toml");
        let mut command = brigade(&["certs", "issue", "--config", &path.to_string_lossy(), "--service", "mosquitto1"]);
        let dir = tempfile::tempdir().expect("a temporary folder");
        command.env("BRIGADE_NODE", n.to_string()).arg("--out").arg(dir.path());
        let ended = run(command);
        assert_eq!(ended.code(), 0, "{}", ended.stderr);
        let secret = |name: &str| dir.path().join(name);
        for name in ["admin-token", "controller-password", "kitchen-token"] {
            std::fs::write(secret(name), "0123456789abcdef0123456789abcdef").expect("the folder can be written");
        }
        // As `first-start` hands them out, in a folder of the test.
        let text = std::fs::read_to_string(&path).expect("the file is there");
        let certs = secret(&format!("node-{n}"));
        let text = text.replace("/run/brigade/certs", &certs.to_string_lossy());
        std::fs::write(secret("kitchen.toml"), text.replace("/run/brigade", &dir.path().to_string_lossy()))
            .expect("the same");
        let config = secret("kitchen.toml");
        let mut command = brigade(&["controller", "--check", "--config", &config.to_string_lossy()]);
        command.env("BRIGADE_NODE", n.to_string());
        let ended = run(command);
        assert_eq!(ended.code(), 0, "{}{}", ended.stdout, ended.stderr);
        assert!(secret("mosquitto1/node.key").exists() && !secret("mosquitto1/peer.key").exists());
    }
}

#[test]
fn what_the_compose_file_and_the_units_name_is_there() {
    let read = |name: &str| std::fs::read_to_string(file(name)).expect("the file is there");
    let compose = read("../docker-compose.yml");
    let mounted = compose.split_whitespace().filter_map(|word| word.trim_matches(['"', '[', ',']).strip_prefix("./"));
    let mounted: Vec<&str> = mounted.filter_map(|word| word.split(':').next()).collect();
    assert!(mounted.len() >= 6, "{mounted:?}");
    for name in mounted {
        assert!(file("..").join(name).exists(), "docker-compose.yml mounts {name}");
    }
    for (unit, command) in [("brigade.service", "controller"), ("brigade-backend.service", "backend")] {
        let text = read(unit);
        for line in ["NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=", "StartLimitIntervalSec=0"]
        {
            assert!(text.lines().any(|l| l == line), "{unit} lacks {line}");
        }
        assert!(text.contains(&format!("ExecStart=/usr/bin/brigade {command} --config /etc/brigade/")), "{unit}");
    }
}

/// Which broker.
#[derive(Clone, Copy)]
enum Make {
    Mosquitto,
    Embedded,
}

/// A broker with the example's rules, at a port of its own: a mosquitto with the example's configuration as well, or ours with the same files.
fn broker(make: Make, dir: &Path) -> (Process, String) {
    let address = free_address();
    let passwords = dir.join("passwd");
    for (n, user) in ["controller", "robot1", "robot2"].iter().enumerate() {
        let mut command = Command::new("mosquitto_passwd");
        command.args(if n == 0 { &["-c", "-b"][..] } else { &["-b"] }).arg(&passwords).args([user, "secret"]);
        assert!(
            command.stderr(Stdio::null()).status().is_ok_and(|s| s.success()),
            "mosquitto_passwd comes with mosquitto"
        );
    }
    let command = match make {
        Make::Mosquitto => mosquitto(dir, &address, &passwords),
        Make::Embedded => {
            let (passwords, rules) = (passwords.to_string_lossy(), file("mosquitto.acl"));
            let rules = rules.to_string_lossy();
            brigade(&["broker", "--listen", &address, "--password-file", &passwords, "--acl-file", &rules])
        }
    };
    let process = Process::start(command, &dir.join("broker.log"));
    wait_for("the broker", || std::net::TcpStream::connect(&address).ok());
    (process, format!("mqtt://{address}"))
}

fn mosquitto(dir: &Path, address: &str, passwords: &Path) -> Command {
    let (host, port) = address.split_once(':').expect("an address has a port");
    let text = std::fs::read_to_string(file("mosquitto.conf")).expect("the file is there");
    let text = text.replace("listener 1883", &format!("listener {port} {host}"));
    let text = text.replace("/etc/mosquitto/brigade.passwd", &passwords.to_string_lossy());
    let text = text.replace("/etc/mosquitto/brigade.acl", &file("mosquitto.acl").to_string_lossy());
    let config = dir.join("mosquitto.conf");
    // As root it would drop to a user who can't read a temporary folder.
    std::fs::write(&config, format!("{text}user root\n")).expect("the folder can be written");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("mosquitto");
    command.env("PATH", format!("{path}:/usr/sbin:/usr/local/sbin")).arg("-c").arg(config);
    command
}

/// A device as the broker knows it.
fn device(kitchen: &Kitchen, user: &str) -> Client {
    let credentials = Some((user.to_owned(), "secret".to_owned()));
    kitchen.block_on(async {
        Client::connect(Options { credentials, ..Options::new(&kitchen.node.broker, user) }).expect("an address")
    })
}

fn say_facts(kitchen: &Kitchen, from: &Client, device: &str) {
    let facts = json!({ "v": 1, "kind": "oven", "fw": "1", "proto": 1, "lanes": [0], "actions": [] }).to_string();
    let publication = Publication::new(format!("brigade/v1/main-street/{device}/facts"), facts, Qos::AtLeastOnce);
    // MQTT 5 says that it is not allowed; what counts is what the kitchen heard.
    let _ = kitchen.block_on(from.publisher.publish_acknowledged(publication));
}

#[test]
fn a_device_speaks_for_itself_alone_at_the_example_broker() {
    a_device_speaks_for_itself_alone(Make::Mosquitto);
}

#[test]
fn a_device_speaks_for_itself_alone_at_an_embedded_broker_with_the_same_files() {
    a_device_speaks_for_itself_alone(Make::Embedded);
}

fn a_device_speaks_for_itself_alone(make: Make) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (_broker, url) = broker(make, dir.path());
    let mut kitchen = Kitchen::open_with(|node| {
        (node.kitchen, node.broker, node.embedded_broker) = ("main-street".to_owned(), url, None);
        node.more = "broker_user = { name = \"controller\", password = \"secret\" }\n".to_owned();
    });
    let (robot1, robot2) = (device(&kitchen, "robot1"), device(&kitchen, "robot2"));
    say_facts(&kitchen, &robot2, "robot1");
    say_facts(&kitchen, &robot2, "oven9");
    say_facts(&kitchen, &robot2, "robot2");
    wait_for("robot2", || (!kitchen.devices().is_empty()).then_some(()));
    let ids: Vec<String> = kitchen.devices().iter().filter_map(|d| Some(d["id"].as_str()?.to_owned())).collect();
    assert_eq!(ids, ["robot2"], "only its own word counts");
    say_facts(&kitchen, &robot1, "robot1");
    wait_for("robot1", || (kitchen.devices().len() == 2).then_some(()));
    kitchen.assert_well();
}
