//! What contradicts itself in a configuration, and what deserves a second look. Nothing here opens a port or a directory.

use std::net::SocketAddr;

use tracing_subscriber::EnvFilter;

use crate::kitchen::{NodeId, Recipe, Refusal, Rules};

use super::{Config, Error, NodeConfig};

/// The largest incarnation: epochs stay below 2^53, which every JSON reader reads exactly.
pub const INCARNATION_MAX: u32 = 8_191;

/// Every fault, the gravest first.
pub(super) fn faults(config: &Config) -> Vec<Error> {
    let mut faults = Vec::new();
    nodes(config, &mut faults);
    brokers(config, &mut faults);
    timing(config, &mut faults);
    values(config, &mut faults);
    faults
}

fn nodes(config: &Config, faults: &mut Vec<Error>) {
    let mut ids: Vec<NodeId> = config.nodes.iter().map(|n| n.id).collect();
    ids.sort_unstable();
    faults.extend(ids.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| Error::SameId { id: pair[0] }));
    match config.own() {
        Ok(own) => {
            faults.extend(listen(config.node, &own.peer, config.listen_peer, "peer").err());
            faults.extend(listen(config.node, &own.api, config.listen_api, "api").err());
        }
        Err(error) => faults.push(error),
    }
    let others = config.nodes.iter().filter(|n| n.id != config.node);
    for (node, address, key) in others.flat_map(|n| [(n, &n.peer, "peer"), (n, &n.api, "api")]) {
        if !is_host_and_port(address) {
            let what = format!("{key} of node {}", node.id);
            faults.push(Error::Address { what, address: address.clone(), form: "host:port" });
        }
    }
    if !config.nodes.is_empty() && config.nodes.iter().all(|n| n.witness) {
        faults.push(Error::Value("nodes: every one is a witness, and none could be in charge".to_owned()));
    }
    faults.extend(shared_address(config));
}

/// Two names for one address: one of the two could never listen.
fn shared_address(config: &Config) -> Option<Error> {
    let of = |n: &NodeConfig| {
        [(format!("peer of node {}", n.id), n.peer.clone()), (format!("api of node {}", n.id), n.api.clone())]
    };
    let broker = config.embedded_broker.map(|a| ("embedded_broker".to_owned(), a.to_string()));
    let named: Vec<(String, String)> = config.nodes.iter().flat_map(of).chain(broker).collect();
    named.iter().enumerate().find_map(|(at, (second, address))| {
        let (first, _) = named[..at].iter().find(|(_, other)| other == address)?;
        Some(Error::SameAddress { address: address.clone(), first: first.clone(), second: second.clone() })
    })
}

fn brokers(config: &Config, faults: &mut Vec<Error>) {
    if config.brokers.is_empty() {
        faults.push(Error::Value("brokers is empty: name at least one, as mqtt://host:port".to_owned()));
    }
    let is_url = |url: &str| {
        let address = url.strip_prefix("mqtt://").or(url.strip_prefix("mqtts://")).map(|a| a.trim_end_matches('/'));
        address.is_some_and(|a| is_host_and_port(a) || (is_host(a) && !a.contains(':')))
    };
    for (n, url) in config.brokers.iter().enumerate() {
        if !is_url(url) {
            let what = format!("brokers, number {}", n + 1);
            faults.push(Error::Address { what, address: url.clone(), form: "mqtt://host:port or mqtts://host:port" });
        }
        if url.starts_with("mqtts://") && config.tls.is_none() {
            faults.push(Error::Value(format!("brokers: {url} needs [tls], which names whom this node trusts")));
        }
        if config.brokers[..n].contains(url) {
            faults.push(Error::Value(format!("brokers: {url} is named twice: leave one out")));
        }
    }
    let user = config.broker_user.as_ref().and_then(super::BrokerUser::fault);
    let embedded = super::embedded_access::fault(config.embedded_broker, config.embedded_broker_access.as_ref());
    faults.extend(user.into_iter().chain(embedded).map(Error::Value));
}

fn timing(config: &Config, faults: &mut Vec<Error>) {
    let raft = &config.raft;
    let twice = raft.heartbeat_ms.saturating_mul(2);
    if raft.heartbeat_ms == 0 || twice > raft.election_min_ms || raft.election_min_ms >= raft.election_max_ms {
        let rule = "raft: needs 0 < 2 × heartbeat_ms ≤ election_min_ms < election_max_ms; leave all three out for 50, 150, 300";
        faults.push(Error::Value(rule.to_owned()));
    }
    if raft.snapshot_every == 0 {
        faults.push(Error::Value("raft.snapshot_every is 0: use the default, 100000".to_owned()));
    }
}

fn values(config: &Config, faults: &mut Vec<Error>) {
    let mut wrong = |is_wrong: bool, what: &str| {
        if is_wrong {
            faults.push(Error::Value(what.to_owned()));
        }
    };
    wrong(config.data_dir.as_os_str().is_empty(), "data_dir is empty: name a directory of this node alone");
    wrong(config.menu.speed == 0, "menu.speed is 0: use 1 for real time");
    let incarnation = config.incarnation;
    wrong(
        incarnation == 0 || incarnation > INCARNATION_MAX,
        &format!("incarnation is {incarnation}: use 1 to {INCARNATION_MAX}"),
    );
    let newest = Rules::NEWEST;
    wrong(
        config.rules_max.is_some_and(|rules| !(1..=newest.0).contains(&rules)),
        &format!("rules_max: use 1 to {newest}, or leave it out for all that this program knows"),
    );
    if let Err(error) = EnvFilter::try_new(&config.log.filter) {
        wrong(true, &format!("log.filter is {:?}: {error}. Use for example \"info,openraft=warn\"", config.log.filter));
    }
    let recipes = &config.menu.recipes;
    for (n, recipe) in recipes.iter().enumerate() {
        wrong(
            recipes[..n].iter().any(|r| r.id == recipe.id),
            &format!("menu.recipes: {} stands there twice", recipe.id),
        );
    }
    let tls = config.tls.as_ref().and_then(|tls| crate::tls::Node::load(&tls.dir).err());
    faults.extend(tls.map(|error| Error::Value(format!("tls.dir: {error}"))));
    faults.extend(config.traces.as_ref().and_then(|traces| traces.fault()).map(Error::Value));
    let listens = config.listen_addresses().ok().map(|(_, api)| api);
    faults.extend(config.access.faults(listens).into_iter().map(Error::Value));
    let backend = config.backend.as_ref().map(super::BackendConfig::faults).unwrap_or_default();
    faults.extend(backend.into_iter().map(Error::Value));
    faults.extend(config.backup.iter().flat_map(crate::node::backups::Options::faults).map(Error::Value));
    let refused = |refusal: Refusal| Error::Value(refusal.to_string());
    faults.extend(config.menu.recipes.iter().filter_map(|recipe| Recipe::check(recipe).err()).map(refused));
    faults.extend(config.leader_options().settings.check().err().map(refused));
}

/// Where a node listens: at an address of its own, or at the one that others reach it by.
pub(super) fn listen(
    node: NodeId,
    advertised: &str,
    chosen: Option<SocketAddr>,
    what: &str,
) -> Result<SocketAddr, Error> {
    let wrong = || Error::Address {
        what: format!("{what} of node {node}"),
        address: advertised.to_owned(),
        form: "IP:port, as this node listens there (or host:port, with listen_peer and listen_api beside it)",
    };
    match chosen {
        Some(address) if is_host_and_port(advertised) => Ok(address),
        Some(_) => Err(wrong()),
        None => advertised.parse().ok().filter(|a: &SocketAddr| a.port() != 0).ok_or_else(wrong),
    }
}

fn is_host_and_port(address: &str) -> bool {
    let parts = address.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>()));
    matches!(parts, Some((host, Ok(port))) if port != 0 && is_host(host))
}

fn is_host(host: &str) -> bool {
    !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || "-._:[]%".contains(c))
}

/// What is no fault, and worth a second look before a site goes live.
pub(super) fn notes(config: &Config) -> Vec<String> {
    let mut notes = Vec::new();
    let mut note = |applies: bool, text: String| {
        if applies {
            notes.push(text);
        }
    };
    let nodes = config.nodes.len();
    note(nodes == 1, "1 node: the kitchen stops with it; three survive the loss of one".to_owned());
    let two = "2 nodes: each needs the other to decide anything, so the kitchen stops with the first that is lost, and goes on when it is back. What \
               was accepted is on both disks. A third that is a witness survives the loss of one";
    note(nodes == 2, two.to_owned());
    let able = config.nodes.iter().filter(|n| !n.witness).count();
    note(able == 1 && nodes > 1, "1 node that is no witness: nobody takes over from it".to_owned());
    note(nodes > 3 && nodes.is_multiple_of(2), format!("{nodes} nodes survive no more losses than {}", nodes - 1));
    let broker = config.embedded_broker.filter(|a| !a.ip().is_loopback() && config.tls.is_none());
    note(broker.is_some(), "embedded_broker is told keys in plain: with [tls] it speaks TLS".to_owned());
    let local = config.brokers.iter().find(|url| url.contains("//127.") || url.contains("//localhost"));
    let remote = config.nodes.iter().any(|n| !n.peer.starts_with("127."));
    if let Some(url) = local.filter(|_| remote) {
        note(true, format!("broker {url} is told to devices too: name it as they reach it"));
    }
    note(!config.data_dir.is_absolute(), "data_dir is relative: it depends on where the program is started".to_owned());
    if let Some(rules) = config.rules_max {
        note(
            true,
            format!("rules_max holds all replicas at rules {rules}: take it out when the upgrade has proved itself"),
        );
    }
    let speed = config.menu.speed;
    note(speed != 1, format!("menu.speed is {speed}: for demos and tests, never with real food"));
    notes
}
