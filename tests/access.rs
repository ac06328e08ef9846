//! A closed kitchen as a process: its first token, `brigade ctl` at its door, restarts, and no secret where none belongs.

mod process;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use process::{Ended, Kitchen, Node, brigade, run};
use serde_json::Value;

/// A kitchen that asks for tokens, whose process logs all that it can.
fn closed() -> Kitchen {
    Kitchen::open_with(|node| {
        node.access = "mode = \"tokens\"".to_owned();
        node.more.push_str("[log]\nfilter = \"trace\"\n");
    })
}

/// `brigade ctl` with a token in its environment, or none.
fn ctl(kitchen: &Kitchen, token: Option<&str>, words: &[&str]) -> Ended {
    let api = kitchen.api();
    let args: Vec<&str> = ["ctl", "--api", &api].into_iter().chain(words.iter().copied()).collect();
    let mut command = brigade(&args);
    if let Some(token) = token {
        command.env("BRIGADE_TOKEN", token);
    }
    run(command)
}

/// Adds a token at the command line.
fn add(kitchen: &Kitchen, name: &str, role: &str) -> String {
    let words = ["tokens", "add", "--name", name, "--role", role, "--id", name, "--json"];
    let added = ctl(kitchen, kitchen.token.as_deref(), &words);
    assert_eq!(added.code(), 0, "{}", added.stderr);
    let added: Value = serde_json::from_str(&added.stdout).expect("it is JSON");
    added["token"].as_str().expect("it is shown once").to_owned()
}

#[test]
fn the_first_token_is_in_a_file_of_its_users_alone_and_lets_in() {
    let mut kitchen = closed();
    let path = kitchen.node.data_dir.join("admin-token");
    let token = fs::read_to_string(&path).expect("it is there");
    assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
    let shown = format!("first admin is in {}", path.display());
    process::wait_for("the log says where it is", || kitchen.log_text().contains(&shown).then_some(()));
    let kept_out = ctl(&kitchen, None, &["status"]);
    assert_eq!(kept_out.code(), 1);
    for word in ["BRIGADE_TOKEN", "--token-file", "admin-token"] {
        assert!(kept_out.stderr.contains(word), "{}", kept_out.stderr);
    }
    let file = path.to_string_lossy().into_owned();
    assert_eq!(ctl(&kitchen, None, &["status", "--token-file", &file]).code(), 0);
    assert_eq!(ctl(&kitchen, Some(token.trim()), &["status"]).code(), 0);
    let wrong = ctl(&kitchen, Some("brigade_nobodys"), &["status"]);
    assert!(wrong.code() == 1 && wrong.stderr.contains("Hint:"), "{}", wrong.stderr);
    let unreadable = ctl(&kitchen, None, &["status", "--token-file", "/no/such/file"]);
    assert!(unreadable.code() == 1 && unreadable.stderr.contains("/no/such/file"), "{}", unreadable.stderr);
    kitchen.assert_well();
}

#[test]
fn tokens_are_added_listed_used_and_revoked_at_the_command_line() {
    let kitchen = closed();
    let admin = kitchen.token.clone();
    let words = ["tokens", "add", "--name", "ann", "--role", "operator", "--expires-in", "90d", "--id", "ann"];
    let added = ctl(&kitchen, admin.as_deref(), &words);
    let token = added.stdout.lines().find_map(|line| line.strip_prefix("token  ")).expect("it is printed").to_owned();
    assert!(added.stdout.contains("this once"), "{}", added.stdout);
    let again = ctl(&kitchen, admin.as_deref(), &words);
    assert!(again.code() == 0 && !again.stdout.contains(&token) && again.stdout.contains("before"), "{}", again.stdout);
    assert_eq!(ctl(&kitchen, Some(&token), &["orders", "place", "--recipe", "margherita", "--id", "t7"]).code(), 0);
    let forbidden = ctl(&kitchen, Some(&token), &["tokens", "list"]);
    assert!(forbidden.code() == 1 && forbidden.stderr.contains("operator"), "{}", forbidden.stderr);
    let listed = ctl(&kitchen, admin.as_deref(), &["tokens", "list"]).stdout;
    assert!(listed.contains("ann") && listed.contains("operator") && !listed.contains(&token), "{listed}");
    // The record says who: the token's name, then what the command claims to be.
    let cancelled = ctl(&kitchen, Some(&token), &["orders", "cancel", "t7"]);
    assert!(cancelled.stdout.contains("cancelled by ann: ctl"), "{}", cancelled.stdout);
    let events = ctl(&kitchen, Some(&token), &["events"]).stdout;
    assert!(events.contains("token_added") && events.contains("by admin"), "{events}");
    assert_eq!(ctl(&kitchen, admin.as_deref(), &["tokens", "revoke", "ann"]).code(), 0);
    assert_eq!(ctl(&kitchen, Some(&token), &["status"]).code(), 1);
    let last = kitchen.get("/v1/tokens").body["items"][0]["id"].as_str().expect("the first").to_owned();
    let refused = ctl(&kitchen, admin.as_deref(), &["tokens", "revoke", &last]);
    assert!(refused.code() == 1 && refused.stderr.contains("add another one first"), "{}", refused.stderr);
}

#[test]
fn tokens_survive_a_crash_and_the_first_is_not_drawn_again() {
    let mut kitchen = closed();
    let token = add(&kitchen, "ann", "viewer");
    let path = kitchen.node.data_dir.join("admin-token");
    let before = fs::read_to_string(&path).expect("it is there");
    kitchen.restart();
    assert_eq!(kitchen.get("/v1/kitchen").status, 200, "the admin's");
    assert_eq!(ctl(&kitchen, Some(&token), &["status"]).code(), 0);
    assert_eq!(fs::read_to_string(&path).expect("it is there"), before);
    assert_eq!(kitchen.get("/v1/tokens").body["items"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_crash_between_the_file_and_its_entry_is_harmless() {
    let left = "brigade_left-by-a-crash-before-it-was-proposed";
    let mut kitchen = Kitchen::open_with(|node| {
        node.access = "mode = \"tokens\"".to_owned();
        fs::create_dir(&node.data_dir).expect("a folder");
        fs::write(node.data_dir.join("admin-token"), left).expect("the folder can be written");
    });
    assert_ne!(kitchen.token.as_deref(), Some(left));
    assert_eq!(kitchen.get("/v1/tokens").body["items"].as_array().map(Vec::len), Some(1));
    kitchen.token = Some(left.to_owned());
    assert_eq!(kitchen.get("/v1/kitchen").problem(), "unauthenticated");
}

/// Every file below a folder whose bytes contain a text.
fn files_with(dir: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if fs::read(&path).is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes())) {
            found.push(path.file_name().expect("a file").to_string_lossy().into_owned());
        }
    }
    found
}

#[test]
fn no_token_is_in_a_log_or_in_the_data() {
    let mut kitchen = closed();
    let admin = kitchen.token.clone().expect("it is closed");
    let token = add(&kitchen, "ann", "viewer");
    let wrong = "brigade_a-token-that-was-mistyped";
    for shown in [&token, wrong] {
        kitchen.token = Some(shown.to_owned());
        kitchen.get("/v1/kitchen");
        kitchen.get("/v1/tokens");
        kitchen.post("/v1/kitchen/drain", "{}");
        kitchen.get("/v1/nothing");
    }
    kitchen.token = Some(admin.clone());
    // Held by the log, the rows and a snapshot's worth of files.
    kitchen.restart();
    let log = kitchen.log_text();
    assert!(log.contains("TRACE") && log.contains("which the role does not allow"), "is this test blind?");
    for (secret, files) in [(&*admin, vec!["admin-token"]), (&*token, vec![]), (wrong, vec![])] {
        assert!(!log.contains(secret), "a token is in the log");
        assert_eq!(files_with(&kitchen.node.data_dir, secret), files);
    }
}

#[test]
fn a_configured_admins_token_lets_in_and_none_is_drawn() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("token");
    let token = "0123456789abcdef0123456789abcdef";
    fs::write(&path, format!("{token}\n")).expect("the folder can be written");
    let mut node = Node::new(dir.path().join("data"));
    node.access = format!("admin_token_file = {path:?}");
    let config = node.write("node.toml");
    let checked = run(brigade(&["controller", "--check", "--config", &config.to_string_lossy()]));
    assert!(checked.code() == 0 && checked.stdout.contains("an admin's is configured"), "{}", checked.stdout);
    assert!(!checked.stdout.contains(token));
    let command = brigade(&["controller", "--config", &config.to_string_lossy()]);
    let _process = process::Process::start(command, &dir.path().join("log"));
    let api = format!("http://{}", node.api);
    process::wait_for("the API lets the admin in", || {
        let mut command = brigade(&["ctl", "--api", &api, "status"]);
        (run({
            command.env("BRIGADE_TOKEN", token);
            command
        })
        .code()
            == 0)
            .then_some(())
    });
    assert!(!node.data_dir.join("admin-token").exists());
}

#[test]
fn open_access_is_refused_off_loopback() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut node = Node::new(dir.path().join("data"));
    for access in ["mode = \"open\"", "mode = \"tokens\""] {
        node.access = access.to_owned();
        node.more = String::new();
        let port = node.api.rsplit_once(':').expect("it has a port").1;
        let text = format!("listen_api = \"0.0.0.0:{port}\"\n{}", node.text());
        let path = dir.path().join("node.toml");
        fs::write(&path, text).expect("the folder can be written");
        let ended = run(brigade(&["controller", "--check", "--config", &path.to_string_lossy()]));
        let is_open = access.contains("open");
        assert_eq!(ended.code(), if is_open { 2 } else { 0 }, "{}", ended.stderr);
        assert_eq!(ended.stderr.contains("access.mode is open"), is_open, "{}", ended.stderr);
    }
}
