//! What a controller refuses to start with: a non-zero exit code and one clear sentence on standard error, never a backtrace.

mod process;

use std::path::Path;

use process::{Ended, Kitchen, Node, brigade, free_address, run};

/// What `brigade controller` says of this configuration.
fn controller(config: &Path) -> Ended {
    run(brigade(&["controller", "--config", &config.to_string_lossy()]))
}

/// One line, with these words, and nothing that only a programmer reads.
#[track_caller]
fn assert_one_sentence(ended: &Ended, code: i32, words: &[&str]) {
    let said = &ended.stderr;
    assert_eq!((ended.code(), said.lines().count()), (code, 1), "{said}");
    assert!(said.starts_with("brigade: ") && said.len() < 600, "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} in: {said}");
    }
    for word in ["panicked", "backtrace", "RUST_", "Error {", "Os {", "src/"] {
        assert!(!said.contains(word), "{word:?} in: {said}");
    }
}

#[test]
fn a_wrong_configuration_is_refused_by_the_name_of_its_key() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let good = Node::new(dir.path().join("data"));
    let more = |more: &str| Node { more: more.to_owned(), ..good.clone() }.text();
    let twin = format!("nodes = [{{ id = 1, peer = {:?}, api = {:?} }}, ", free_address(), free_address());
    let cases = [
        (more("heartbeat = 5"), vec!["\"heartbeat\" is unknown", "Known here", "node"]),
        (more("[raft]\nheart_ms = 5"), vec!["\"raft.heart_ms\" is unknown", "heartbeat_ms"]),
        (more("[settings]\nlease_ms = -1"), vec!["settings.lease_ms"]),
        (more("[raft]\nheartbeat_ms = 9223372036854775807"), vec!["heartbeat_ms"]),
        (more("not toml ["), vec!["line 8, column"]),
        (good.text().replace("nodes = [", &twin), vec!["two nodes have the id 1"]),
        (good.text().replace("node = 1\n", "node = 4\n"), vec!["node = 4 is not among the nodes"]),
        (good.text().replace("node = 1\n", ""), vec!["\"node\" is missing"]),
        (good.text().replace("mqtt://", "http://"), vec!["mqtt://host:port"]),
        (good.text().replace("\"k1\"", "\"k 1\""), vec!["kitchen", "1 to 48 characters"]),
    ];
    for (text, words) in cases {
        let path = dir.path().join("bad.toml");
        std::fs::write(&path, text).expect("the folder can be written");
        assert_one_sentence(&controller(&path), 2, &words);
    }
    assert_one_sentence(&controller(&dir.path().join("none.toml")), 2, &["none.toml", "--config"]);
    assert!(!good.data_dir.exists(), "a wrong configuration changes nothing");
}

#[test]
fn an_environment_variable_that_is_no_key_is_named() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = Node::new(dir.path().join("data")).write("node.toml");
    let with = |name: &str, value: &str| {
        let mut command = brigade(&["controller", "--check", "--config", &path.to_string_lossy()]);
        command.env(name, value);
        run(command)
    };
    assert_one_sentence(&with("BRIGADE_NODDE", "1"), 2, &["environment variable BRIGADE_NODDE", "unknown"]);
    assert_one_sentence(&with("BRIGADE_NODE", "one"), 2, &["environment variable BRIGADE_NODE"]);
    assert_one_sentence(&with("BRIGADE_RAFT__HEART", "1"), 2, &["BRIGADE_RAFT__HEART"]);
    let secret = with("BRIGADE_BROKER_USER__PASSWORD", "8151");
    assert_one_sentence(&secret, 2, &["BRIGADE_BROKER_USER__PASSWORD", "double quotes"]);
    assert!(!secret.stderr.contains("8151"), "a secret was printed: {}", secret.stderr);
    assert_eq!(with("BRIGADE_API", "http://127.0.0.1:1").code(), 0);
}

#[test]
fn check_says_everything_that_is_wrong_or_what_the_node_would_be() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let good = Node::new(dir.path().join("data"));
    let check = |path: &Path| run(brigade(&["controller", "--check", "--config", &path.to_string_lossy()]));
    let ended = check(&good.write("good.toml"));
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    for word in ["is good", "k1, node 1 of 1", &good.api, "Note: "] {
        assert!(ended.stdout.contains(word), "{word:?} in: {}", ended.stdout);
    }
    let bad =
        Node { broker: "nothing".to_owned(), more: "incarnation = 0\n[menu]\nspeed = 0".to_owned(), ..good.clone() };
    let ended = check(&bad.write("bad.toml"));
    assert_eq!((ended.code(), ended.stderr.lines().count()), (2, 3), "{}", ended.stderr);
    assert!(!good.data_dir.exists(), "--check changes nothing");
}

#[test]
fn a_data_directory_of_another_node_or_kitchen_is_refused_and_left_alone() {
    let kitchen = Kitchen::open();
    kitchen.order("t1");
    let Kitchen { node, dir, process, .. } = kitchen;
    drop(process);
    let identity = || std::fs::read(node.data_dir.join("identity.json")).expect("a node has an identity");
    let before = identity();
    let fresh = Node::new(node.data_dir.clone());
    let other_node = Node { id: 2, ..fresh.clone() }.write("other_node.toml");
    assert_one_sentence(&controller(&other_node), 70, &["node 1", "\"k1\"", "data_dir", "own directory"]);
    let other_kitchen = Node { kitchen: "k2".to_owned(), ..fresh }.write("other_kitchen.toml");
    assert_one_sentence(&controller(&other_kitchen), 70, &["node 1", "\"k1\"", "data_dir"]);
    assert_eq!(identity(), before);
    drop(dir);
}

#[test]
fn a_second_process_on_a_data_directory_is_refused_and_the_first_goes_on() {
    let mut kitchen = Kitchen::open();
    let data_dir = kitchen.node.data_dir.clone();
    let words = ["another process uses data_dir", &*data_dir.to_string_lossy()];
    assert_one_sentence(&controller(&Node::new(data_dir.clone()).write("second.toml")), 1, &words);
    assert_one_sentence(&controller(&kitchen.node.write("same.toml")), 1, &words);
    kitchen.order("t1");
    kitchen.assert_well();
}

#[test]
fn a_port_in_use_is_named_with_its_key() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let good = Node::new(dir.path().join("data"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let address = taken.local_addr().expect("a bound listener has an address").to_string();
    let cases = [
        (Node { peer: address.clone(), ..good.clone() }, "listen_peer"),
        (Node { api: address.clone(), ..good.clone() }, "listen_api"),
        (Node { embedded_broker: Some(address.clone()), ..good.clone() }, "embedded_broker"),
    ];
    for (node, key) in cases {
        assert_one_sentence(&controller(&node.write("taken.toml")), 1, &[&address, key, "stop the process"]);
    }
}

#[test]
fn other_commands_say_in_one_sentence_why_they_do_not_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let address = taken.local_addr().expect("a bound listener has an address").to_string();
    assert_one_sentence(&run(brigade(&["broker", "--listen", &address])), 1, &[&address, "use"]);
    assert_one_sentence(&run(brigade(&["device", "--line", "/no/line.toml"])), 1, &["/no/line.toml"]);
    assert_one_sentence(&run(brigade(&["demo", "--line", "/no/line.toml", "--exit"])), 1, &["/no/line.toml"]);
}
