//! Kitchens of several real controllers whose members die, are replaced, witness, and are worked on, with devices that cook meanwhile.

mod process;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use process::{Ended, Process, brigade, free_address, run, wait_for};
use serde_json::{Value, json};

/// Where a node is reached.
#[derive(Clone)]
struct Place {
    peer: String,
    api: String,
}

/// A kitchen: a broker and devices apart, and controllers that can be killed and started again.
struct Site {
    dir: tempfile::TempDir,
    broker: String,
    places: BTreeMap<u64, Place>,
    witness: Option<u64>,
    controllers: BTreeMap<u64, Process>,
    others: Vec<Process>,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Site {
    /// These nodes found it; the devices are there when this returns.
    fn open(nodes: u64, witness: Option<u64>) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let place = |n| (n, Place { peer: free_address(), api: free_address() });
        let address = free_address();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let mut site = Self {
            broker: format!("mqtt://{address}"),
            places: (1..=nodes).map(place).collect(),
            witness,
            controllers: BTreeMap::new(),
            others: Vec::new(),
            http: brigade::tls::Dialer::plain().http().timeout(Duration::from_secs(10)).build().expect("a client"),
            runtime: runtime.expect("a runtime"),
            dir,
        };
        site.other(&["broker", "--listen", &address], "broker.log");
        let members: Vec<u64> = site.places.keys().copied().collect();
        members.iter().for_each(|n| site.start(*n, &members));
        let broker = site.broker.clone();
        site.other(&["device", "--kitchen", "k1", "--broker", &broker, "--speed-pct", "6000"], "devices.log");
        wait_for("a kitchen that is NORMAL", || {
            let at = site.in_charge()?;
            (site.get(at, "/v1/kitchen")["state"] == "NORMAL").then_some(())
        });
        site
    }

    fn other(&mut self, args: &[&str], log: &str) {
        self.others.push(Process::start(brigade(args), &self.dir.path().join(log)));
    }

    fn data_dir(&self, node: u64) -> PathBuf {
        self.dir.path().join(format!("data{node}"))
    }

    /// Starts a node whose file names these.
    fn start(&mut self, node: u64, named: &[u64]) {
        let entry = |n: &u64| {
            let (Place { peer, api }, witness) = (&self.places[n], self.witness == Some(*n));
            format!("{{ id = {n}, peer = {peer:?}, api = {api:?}, witness = {witness} }}")
        };
        let nodes = named.iter().map(entry).collect::<Vec<_>>().join(", ");
        let text = format!(
            "kitchen = \"k1\"\nnode = {node}\ndata_dir = {:?}\nbrokers = [{:?}]\nnodes = [{nodes}]\n\
             access = {{ mode = \"open\" }}\n[menu]\nspeed = 60\n",
            self.data_dir(node),
            self.broker,
        );
        let config = self.dir.path().join(format!("node{node}.toml"));
        std::fs::write(&config, text).expect("the folder can be written");
        let log = self.dir.path().join(format!("node{node}.log"));
        let process = Process::start(brigade(&["controller", "--config", &config.to_string_lossy()]), &log);
        self.controllers.insert(node, process);
    }

    /// SIGKILL.
    fn kill(&mut self, node: u64) {
        self.controllers.remove(&node).expect("it runs").kill();
    }

    /// What a node answers; null if it does not.
    fn get(&self, node: u64, path: &str) -> Value {
        self.runtime
            .block_on(async {
                let answer = self.http.get(format!("http://{}{path}", self.places[&node].api)).send().await.ok()?;
                answer.json().await.ok()
            })
            .unwrap_or_default()
    }

    /// The node that is in charge, by its own word.
    fn in_charge(&self) -> Option<u64> {
        let says = |node: &u64| {
            let cluster = self.get(*node, "/v1/cluster");
            cluster["tenure"]["in_charge"] == true && cluster["quorum_age_ms"].as_u64().is_some_and(|age| age < 500)
        };
        self.controllers.keys().copied().find(|node| says(node))
    }

    fn apis(&self) -> String {
        let runs = self.controllers.keys().map(|node| format!("http://{}", self.places[node].api));
        runs.collect::<Vec<_>>().join(",")
    }

    fn ctl(&self, args: &[&str]) -> Ended {
        run(brigade(&[&["ctl", "--api", &self.apis()], args].concat()))
    }

    fn ctl_done(&self, args: &[&str]) -> String {
        let ended = self.ctl(args);
        assert_eq!(ended.code(), 0, "{args:?}: {}{}", ended.stdout, ended.stderr);
        ended.stdout
    }

    /// Asks any node to take an order, until one has.
    fn order(&self, id: &str) {
        let body = json!({ "items": ["margherita"] }).to_string();
        wait_for(&format!("order {id}, accepted"), || {
            let node = self.controllers.keys().next_back()?;
            let request = self.http.put(format!("http://{}/v1/orders/{id}", self.places[node].api));
            let request = request.header("content-type", "application/json").body(body.clone());
            let answer = self.runtime.block_on(async { request.send().await }).ok()?;
            answer.status().is_success().then_some(())
        });
    }

    fn ready(&self, ids: &[String]) {
        for id in ids {
            wait_for(&format!("order {id}, READY"), || {
                let status = self.get(*self.controllers.keys().next()?, &format!("/v1/orders/{id}"))["status"].clone();
                assert!(status != "FAILED" && status != "CANCELLED", "order {id} ended {status}");
                (status == "READY").then_some(())
            });
        }
    }

    /// Places orders and waits until they are ready.
    fn cook(&self, name: &str) {
        let ids: Vec<String> = (1..=3).map(|n| format!("{name}-{n}")).collect();
        ids.iter().for_each(|id| self.order(id));
        self.ready(&ids);
    }
}

#[test]
fn two_kitchen_nodes_and_a_witness_survive_the_loss_of_any_one() {
    let mut site = Site::open(3, Some(3));
    let first = site.in_charge().expect("a kitchen that is NORMAL has one");
    assert!(first < 3, "a witness is in charge");
    let ids: Vec<String> = (1..=6).map(|n| format!("load-{n}")).collect();
    ids.iter().for_each(|id| site.order(id));
    site.kill(first);
    let killed = Instant::now();
    let second = wait_for("another one in charge", || site.in_charge());
    println!("the one in charge was killed; another was in charge {} ms later", killed.elapsed().as_millis());
    assert_eq!(second, 3 - first);
    site.ready(&ids);
    let witness = site.get(3, "/v1/cluster");
    assert_eq!(witness["tenure"]["tenures"], 0, "{witness}");
    assert_eq!(witness["tenure"]["brokers"], json!([]), "a witness speaks to no broker");
    site.start(first, &[1, 2, 3]);
    wait_for("three that answer", || (site.get(second, "/v1/cluster")["tolerates"] == 1).then_some(()));
    let shown = site.ctl_done(&["cluster", "status"]);
    assert!(shown.contains("(witness)"), "{shown}");
    site.kill(3);
    site.cook("without-witness");
    site.start(3, &[1, 2, 3]);
    wait_for("three that answer", || (site.get(second, "/v1/cluster")["tolerates"] == 1).then_some(()));
    site.kill(second);
    assert_eq!(wait_for("the first one in charge again", || site.in_charge()), first);
    site.cook("last");
}

#[test]
fn a_wiped_node_is_replaced_by_one_command_that_may_be_killed() {
    let mut site = Site::open(3, None);
    site.cook("before");
    let leader = site.in_charge().expect("a kitchen that is NORMAL has one");
    let lost = if leader == 3 { 2 } else { 3 };
    site.kill(lost);
    std::fs::remove_dir_all(site.data_dir(lost)).expect("it can be removed");
    // The same machine, under a new number.
    let place = Place { peer: free_address(), api: site.places[&lost].api.clone() };
    site.places.insert(4, place.clone());
    let (old, apis) = (lost.to_string(), site.apis());
    let args = ["cluster", "replace", "--node", &old, "--with", "4", "--peer", &place.peer, "--node-api", &place.api];
    let mut killed =
        Process::start(brigade(&[&["ctl", "--api", &apis], &args[..]].concat()), &site.dir.path().join("ctl.log"));
    let learns = |site: &Site| site.get(leader, "/v1/cluster")["members"].as_array().is_some_and(|m| m.len() == 4);
    wait_for("a newcomer that learns", || learns(&site).then_some(()));
    killed.kill();
    let named: Vec<u64> = (1..=4).filter(|n| *n != lost).collect();
    site.start(4, &named);
    let began = Instant::now();
    let shown = site.ctl_done(&args);
    println!("replaced in {} ms", began.elapsed().as_millis());
    assert!(!shown.contains("learner"), "{shown}");
    site.ctl_done(&args);
    let members: Vec<u64> = site.get(leader, "/v1/cluster")["members"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|m| m["node"].as_u64())
        .collect();
    assert_eq!(members, named);
    site.cook("after");
    // It votes: without it one of three would be left.
    let other = named.into_iter().find(|n| ![leader, 4].contains(n)).expect("a third");
    site.kill(other);
    site.cook("with-the-new-one");
    wait_for("a refusal that names who is missing", || {
        // Who leads may change on a machine with other work; the other one of the two that are left is to leave.
        let goes = if site.in_charge()? == 4 { leader } else { 4 };
        let refused = site.ctl(&["cluster", "leave", "--node", &goes.to_string()]);
        assert_ne!(refused.code(), 0, "{}", refused.stdout);
        refused.stderr.contains(&format!("[{other}] can't be reached")).then_some(())
    });
}

#[test]
fn two_nodes_stop_with_the_first_that_is_lost_and_go_on_when_it_is_back() {
    let mut site = Site::open(2, None);
    let config = site.dir.path().join("node1.toml");
    let checked = run(brigade(&["controller", "--check", "--config", &config.to_string_lossy()]));
    assert!(checked.stdout.contains("the kitchen stops with the first that is lost"), "{}", checked.stdout);
    site.order("open");
    let leader = site.in_charge().expect("a kitchen that is NORMAL has one");
    assert_eq!(site.get(leader, "/v1/cluster")["tolerates"], 0);
    site.kill(leader);
    let left = 3 - leader;
    wait_for("a node that says so", || (site.get(left, "/readyz")["ready"] == false).then_some(()));
    let refused = site.ctl(&["orders", "place", "--recipe", "margherita"]);
    assert_ne!(refused.code(), 0, "{}", refused.stdout);
    assert_eq!(site.in_charge(), None);
    site.start(leader, &[1, 2]);
    site.ready(&["open".to_owned()]);
    site.cook("after");
}

#[test]
fn a_kitchen_that_drains_takes_no_more_and_tells_when_it_is_done() {
    let site = Site::open(1, None);
    let ids: Vec<String> = (1..=3).map(|n| format!("open-{n}")).collect();
    ids.iter().for_each(|id| site.order(id));
    let shown = site.ctl_done(&["drain", "--wait", "--reason", "closing time"]);
    assert!(shown.contains("nothing is open"), "{shown}");
    for id in &ids {
        assert_eq!(site.get(1, &format!("/v1/orders/{id}"))["status"], "READY");
    }
    let refused = site.ctl(&["orders", "place", "--recipe", "margherita"]);
    assert_eq!(refused.code(), 1, "{}", refused.stdout);
    assert!(refused.stderr.contains("takes no new orders"), "{}", refused.stderr);
    assert!(site.ctl_done(&["status"]).contains("DRAINING"));
    assert!(site.ctl_done(&["undrain"]).contains("it takes orders"));
    site.cook("after");
}

#[test]
fn a_node_in_maintenance_is_not_in_charge_until_it_is_over() {
    let mut site = Site::open(3, None);
    let first = site.in_charge().expect("a kitchen that is NORMAL has one");
    let (node, nodes) = (first.to_string(), [1, 2, 3]);
    site.ctl_done(&["cluster", "maintenance", "--node", &node, "on"]);
    let second = wait_for("another one in charge", || site.in_charge().filter(|now| *now != first));
    site.kill(first);
    site.start(first, &nodes);
    site.cook("meanwhile");
    wait_for("the word of it", || {
        let shown = site.ctl_done(&["cluster", "status"]);
        shown.contains("(maintenance)").then_some(())
    });
    let third = 6 - first - second;
    site.ctl_done(&["cluster", "transfer", "--to", &third.to_string()]);
    let refused = site.ctl(&["cluster", "transfer", "--to", &node]);
    assert_eq!(refused.code(), 1, "{}", refused.stdout);
    assert!(refused.stderr.contains("maintenance"), "{}", refused.stderr);
    site.ctl_done(&["cluster", "maintenance", "--node", &node, "off"]);
    wait_for("the end of it", || {
        let moved = site.ctl(&["cluster", "transfer", "--to", &node]);
        (moved.code() == 0 && site.in_charge() == Some(first)).then_some(())
    });
    site.cook("after");
}
