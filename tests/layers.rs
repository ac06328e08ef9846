//! Holds the layers of docs/ARCHITECTURE.md: imports point down only, and each outside library is named in one place.

use std::fs;
use std::path::{Path, PathBuf};

/// Module, and what of this crate it may import.
const LAYERS: &[(&str, &[&str])] = &[
    ("kitchen", &["defect"]),
    ("protocol", &["kitchen"]),
    ("raft", &["kitchen", "defect", "mutation", "clock", "telemetry", "shutdown", "tls"]),
    ("mqtt", &["protocol", "clock", "loopback", "telemetry", "shutdown", "tls", "secret"]),
    ("leader", &["kitchen", "protocol", "raft", "mqtt", "defect", "clock", "telemetry", "shutdown", "tls"]),
    (
        "http",
        &[
            "kitchen",
            "mutation",
            "protocol",
            "raft",
            "leader",
            "defect",
            "clock",
            "telemetry",
            "shutdown",
            "web",
            "tls",
            "secret",
        ],
    ),
    ("backend", &["protocol", "defect", "clock", "telemetry", "shutdown", "web", "tls", "secret"]),
    ("device", &["protocol", "mqtt", "history", "defect", "clock", "telemetry", "shutdown", "web", "tls", "secret"]),
    ("conform", &["protocol", "mqtt", "clock", "tls"]),
    ("history", &[]),
    ("simulate", &["kitchen"]),
    ("clock", &[]),
    ("loopback", &[]),
    ("defect", &[]),
    ("secret", &[]),
    ("shutdown", &[]),
    ("telemetry", &[]),
    ("web", &["tls"]),
    ("tls", &["secret"]),
];

/// Library, and the only folders that may name it.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("openraft", &["raft"]),
    ("rocksdb", &["raft"]),
    ("rumqttc", &["mqtt"]),
    ("mqtt5", &["mqtt"]),
    ("sqlx", &["backend"]),
    ("rustls", &["tls"]),
    ("rcgen", &["tls"]),
    ("ratatui", &["cli/ctl/top"]),
    ("pbkdf2", &["mqtt/password.rs"]),
    ("flate2", &["cli/ctl/bundle"]),
    ("anyhow", &["cli", "node.rs"]),
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("src/ can be read") {
        let path = entry.expect("src/ can be read").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Every source file, as its path below src/ and its code without comments.
fn code() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a source file can be read");
        let code: Vec<&str> = text.lines().filter(|l| !l.trim_start().starts_with("//")).collect();
        let name = path.strip_prefix(&root).expect("it is below src/").to_string_lossy().into_owned();
        (name, code.join("\n"))
    };
    paths.into_iter().map(read).collect()
}

/// The modules of this crate that a text names, as `crate::name` or in `crate::{name, …}`.
fn imports(code: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => found.push(word(rest)),
            Some(list) => {
                let mut depth = 0;
                let mut start = true;
                for (i, c) in list.char_indices() {
                    match c {
                        '}' if depth == 0 => break,
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if start && !c.is_whitespace() => {
                            found.push(word(&list[i..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

#[test]
fn imports_point_down_only() {
    for (file, code) in code() {
        let module = file.split(['/', '.']).next().unwrap_or_default();
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == module) else { continue };
        for import in imports(&code) {
            let fine = import == module || allowed.contains(&import.as_str());
            assert!(fine, "src/{file} imports {import}; {module} may import {allowed:?}");
        }
    }
}

#[test]
fn each_outside_library_is_named_in_one_place() {
    for (file, code) in code() {
        for (library, places) in LIBRARIES {
            let named = code.contains(&format!("{library}::")) || code.contains(&format!("use {library}"));
            let allowed = places.iter().any(|place| file.starts_with(place));
            assert!(!named || allowed, "src/{file} names {library}; only {places:?} may");
        }
    }
}

/// A client of another make would trust nobody that it should, or panic for want of cryptography.
#[test]
fn every_http_client_is_made_by_the_dialer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    ["src", "tests", "benches"].iter().for_each(|dir| sources(&root.join(dir), &mut paths));
    for path in paths.iter().filter(|path| !path.ends_with("src/tls/dialer.rs") && !path.ends_with("tests/layers.rs")) {
        let text = fs::read_to_string(path).expect("a source file can be read");
        for made in ["reqwest::Client::new(", "reqwest::Client::builder(", "reqwest::get("] {
            assert!(!text.contains(made), "{} has {made}…): use tls::Dialer", path.display());
        }
    }
}

#[test]
fn the_kitchen_knows_no_clock_no_chance_and_no_float() {
    let banned = [
        "SystemTime",
        "Instant",
        "rand::",
        "HashMap",
        "HashSet",
        "f32",
        "f64",
        "tokio",
        "tracing",
        "async fn",
        "std::fs",
        "std::net",
    ];
    for (file, code) in code() {
        if file.starts_with("kitchen/") {
            let found = banned.iter().find(|word| code.contains(*word));
            assert_eq!(found, None, "src/{file} must stay deterministic");
        }
    }
}

#[test]
fn the_readme_and_lib_rs_point_to_what_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let signposts = [
        ("src/kitchen/pizza.rs", "pub fn advance"),
        ("src/leader/dispatch.rs", "pub fn due"),
        ("src/leader/tenure.rs", "pub async fn take_charge"),
    ];
    for page in ["README.md", "src/lib.rs"] {
        let text = fs::read_to_string(root.join(page)).expect("the page is there");
        for (file, _) in signposts {
            assert!(text.contains(file), "{page} does not name {file}");
        }
    }
    for (file, item) in signposts {
        let text = fs::read_to_string(root.join(file)).unwrap_or_default();
        assert!(text.contains(item), "{file} lacks {item}");
    }
}
