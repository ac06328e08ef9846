//! The command line: every `--help` as a golden file, and `brigade ctl` as a process against a running controller.
//!
//! `UPDATE_GOLDEN=1 cargo test --test cli` writes the files anew.

mod process;

use std::path::{Path, PathBuf};

use process::{Ended, Kitchen, Node, Process, brigade, free_address, run, wait_for};
use serde_json::Value;

/// Every command and subcommand.
const COMMANDS: [&str; 78] = [
    "",
    "controller",
    "backend",
    "backend token",
    "backend register",
    "device",
    "human",
    "broker",
    "demo",
    "simulate",
    "bench",
    "check-history",
    "certs",
    "certs issue",
    "certs show",
    "conform",
    "completions",
    "health",
    "ctl",
    "ctl status",
    "ctl orders",
    "ctl orders list",
    "ctl orders show",
    "ctl orders place",
    "ctl orders cancel",
    "ctl orders collect",
    "ctl orders remake",
    "ctl quote",
    "ctl explain",
    "ctl devices",
    "ctl devices list",
    "ctl devices show",
    "ctl devices adopt",
    "ctl devices drain",
    "ctl devices hold",
    "ctl devices resume",
    "ctl devices maintenance",
    "ctl devices release",
    "ctl devices retire",
    "ctl devices enrol",
    "ctl devices unenrol",
    "ctl recipes",
    "ctl recipes list",
    "ctl recipes show",
    "ctl recipes put",
    "ctl settings",
    "ctl settings show",
    "ctl settings put",
    "ctl incidents",
    "ctl incidents list",
    "ctl incidents decide",
    "ctl food-safety",
    "ctl food-safety export",
    "ctl food-safety verify",
    "ctl events",
    "ctl drain",
    "ctl undrain",
    "ctl cluster",
    "ctl cluster status",
    "ctl cluster join",
    "ctl cluster leave",
    "ctl cluster replace",
    "ctl cluster maintenance",
    "ctl cluster transfer",
    "ctl audit",
    "ctl certs",
    "ctl tokens",
    "ctl tokens list",
    "ctl tokens add",
    "ctl tokens revoke",
    "ctl backup",
    "ctl verify",
    "ctl restore",
    "ctl debug-bundle",
    "ctl top",
    "help",
    "ctl help",
    "nonsense",
];

fn golden(name: &str) -> PathBuf {
    let name = if name.is_empty() { "brigade".to_owned() } else { name.replace(' ', "-") };
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/cli").join(format!("{name}.txt"))
}

/// What the command's `--help` prints, on whichever stream.
fn help(command: &str) -> String {
    let words: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
    let words = if command.ends_with("help") || command == "nonsense" { &words[..words.len() - 1] } else { &words[..] };
    let ended = run(brigade(words));
    let lines = ended.stdout.lines().chain(ended.stderr.lines()).map(str::trim_end);
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn every_help_is_as_on_file() {
    let is_update = std::env::var_os("UPDATE_GOLDEN").is_some();
    for command in COMMANDS {
        let (path, text) = (golden(command), help(command));
        if is_update {
            std::fs::write(&path, &text).expect("tests/golden/cli can be written");
        }
        let on_file = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(on_file, text, "brigade {command} --help changed: look at it, then bless it with UPDATE_GOLDEN=1");
    }
}

/// The words behind `brigade ctl` or `ctl` that name a verb and its parts, as far as they are words.
fn verbs_in(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for quoted in text.split('`').skip(1).step_by(2).chain(text.lines().filter(|line| line.starts_with("    brigade")))
    {
        let mut words = quoted.split_whitespace().skip_while(|word| *word == "brigade");
        if words.next() == Some("ctl") {
            let is_word =
                |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-');
            found.push(words.take_while(is_word).take(2).collect::<Vec<_>>().join(" "));
        }
    }
    found
}

#[test]
fn what_the_books_tell_to_type_is_there() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for entry in std::fs::read_dir(docs).expect("docs/ is there") {
        let path = entry.expect("docs/ can be read").path();
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for verb in verbs_in(&text) {
            let first = verb.split(' ').next().unwrap_or_default();
            let is_leaf = |name: &str| {
                COMMANDS.contains(&format!("ctl {name}").as_str())
                    && !COMMANDS.iter().any(|c| c.starts_with(&format!("ctl {name} ")))
            };
            let is_there = verb.is_empty() || is_leaf(first) || COMMANDS.contains(&format!("ctl {verb}").as_str());
            assert!(is_there, "{} tells to type `ctl {verb}`", path.display());
        }
    }
}

#[test]
fn every_subcommand_is_among_the_golden_files() {
    for command in COMMANDS.into_iter().filter(|c| !c.ends_with("help")) {
        let text = help(command);
        let Some((_, list)) = text.split_once("Commands:\n") else { continue };
        for line in list.lines().take_while(|line| line.starts_with("  ")) {
            let Some(name) = line.split_whitespace().next().filter(|_| !line.starts_with("   ")) else { continue };
            let full = format!("{command} {name}");
            assert!(name == "help" || COMMANDS.contains(&full.trim()), "{full:?} has no golden file");
        }
    }
}

fn ctl(api: &str, words: &[&str]) -> Ended {
    let args: Vec<&str> = ["ctl", "--api", api].into_iter().chain(words.iter().copied()).collect();
    run(brigade(&args))
}

#[test]
fn every_view_is_a_table_and_json() {
    let mut kitchen = Kitchen::open().with_devices();
    let api = kitchen.api();
    for id in ["a", "b"] {
        let placed = ctl(&api, &["orders", "place", "--recipe", "margherita", "funghi", "--id", id]);
        assert_eq!(placed.code(), 0, "{}", placed.stderr);
    }
    kitchen.wait_until_ready("a");
    let views: [(&[&str], &[&str]); 11] = [
        (&["status"], &["NORMAL", "node 1", "prep 2/2"]),
        (&["orders", "list", "--status", "all"], &["ORDER", "STATUS", "READY"]),
        (&["orders", "show", "a"], &["margherita", "PACKED", "OUTCOME", "robot"]),
        (&["quote", "--recipe", "margherita"], &["half of such orders", "ready in", "pizzas ahead"]),
        (&["explain"], &["REASON", "oven4", "robot"]),
        (&["explain", "oven1"], &["oven1", "nothing-waits"]),
        (&["devices", "list"], &["DEVICE", "oven4", "IDLE"]),
        (&["devices", "show", "oven1"], &["LANE", "firmware"]),
        (&["incidents", "list"], &["QUESTION"]),
        (&["events"], &["order_accepted", "order=a"]),
        (&["cluster", "status"], &["leader", "BROKER", "true"]),
    ];
    for (words, expected) in views {
        let shown = ctl(&api, words);
        assert_eq!((shown.code(), shown.stderr.as_str()), (0, ""), "{words:?}");
        for word in expected {
            assert!(shown.stdout.contains(word), "{word:?} in {words:?}:\n{}", shown.stdout);
        }
        let json = ctl(&api, &[&["--json"], words].concat());
        let is_json = |text: &str| serde_json::from_str::<Value>(text).is_ok();
        let by_line = !json.stdout.is_empty() && json.stdout.lines().all(is_json);
        assert!(is_json(&json.stdout) || by_line, "{words:?}:\n{}", json.stdout);
    }
    kitchen.assert_well();
}

#[test]
fn exit_codes_tell_refused_wrong_usage_and_nobody_there_apart() {
    let kitchen = Kitchen::open();
    let refused = ctl(&kitchen.api(), &["orders", "show", "none"]);
    assert_eq!(refused.code(), 1);
    assert!(refused.stderr.contains("Hint: brigade ctl orders list"), "{}", refused.stderr);
    assert_eq!(ctl(&kitchen.api(), &["orders", "frobnicate"]).code(), 2);
    for words in [&["status"][..], &["orders", "place", "--recipe", "margherita"], &["events"]] {
        let nobody = ctl(&free_address(), words);
        assert_eq!(nobody.code(), 3, "{words:?}: {}", nobody.stderr);
        assert!(nobody.stderr.contains("--api URL"), "{}", nobody.stderr);
        assert!(!nobody.stderr.contains("Error"), "{}", nobody.stderr);
    }
    let both = format!("{},{}", free_address(), kitchen.api());
    assert_eq!(ctl(&both, &["status"]).code(), 0, "the next replica is asked");
}

#[test]
fn health_tells_who_is_ready_who_only_lives_and_who_is_not_there() {
    let kitchen = Kitchen::open();
    let health = |words: &[&str]| run(brigade(&[&["health"], words].concat()));
    let url = kitchen.api();
    let well = health(&[&url]);
    assert_eq!((well.code(), well.stdout.as_str(), well.stderr.as_str()), (0, "", ""));
    let nobody = health(&[&format!("http://{}", free_address())]);
    assert!(nobody.code() == 1 && nobody.stderr.contains("readyz"), "{}", nobody.stderr);
    // The majority of three nodes is away for ever: this one lives, and is to get no requests.
    let dir = tempfile::tempdir().expect("a temporary folder");
    let node = Node::new(dir.path().join("data"));
    let others = [2, 3].map(|id| format!("{{ id = {id}, peer = {:?}, api = {:?} }}, ", free_address(), free_address()));
    let config = dir.path().join("node.toml");
    let text = node.text().replace("nodes = [", &format!("nodes = [{}", others.concat()));
    std::fs::write(&config, text).expect("the folder can be written");
    let start = brigade(&["controller", "--config", &config.to_string_lossy()]);
    let _alone = Process::start(start, &dir.path().join("log"));
    let url = format!("http://{}", node.api);
    wait_for("it lives", || (health(&[&url, "--live"]).code() == 0).then_some(()));
    let not_ready = health(&[&url]);
    assert!(not_ready.code() == 1 && not_ready.stderr.contains("503"), "{}", not_ready.stderr);
}

#[test]
fn a_kitchen_is_registered_with_a_token_that_was_drawn_before() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let database = format!("sqlite://{}", path("b.db"));
    let register = |token: &str| {
        std::fs::write(path("token"), token).expect("the folder can be written");
        run(brigade(&["backend", "register", "k1", "--database", &database, "--token-file", &path("token")]))
    };
    for _ in 0..2 {
        let done = register("0123456789abcdef0123456789abcdef\n");
        assert_eq!((done.code(), done.stdout.as_str()), (0, ""), "{}", done.stderr);
    }
    for bad in ["", "short", "two words of more than thirty-two characters"] {
        let refused = register(bad);
        assert!(refused.code() == 1 && refused.stderr.contains("32 characters"), "{bad:?}: {}", refused.stderr);
    }
}

#[test]
fn a_history_that_is_good_broken_or_proves_nothing_has_its_own_exit_code() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("history.jsonl");
    let judge = |lines: &[&str], more: &[&str]| {
        std::fs::write(&file, lines.join("\n") + "\n").expect("the folder can be written");
        run(brigade(&[&["check-history", &file.to_string_lossy()], more].concat()))
    };
    let start = r#"{"t_ms":1,"device":"robot1","event":"started","pizza":"5.0.0","task":"5.0.0-prep","att":1}"#;
    let kill = r#"{"t_ms":2,"fault":"kill","nodes":[1],"in_charge":true}"#;
    let good = judge(&[start, kill], &[]);
    assert_eq!((good.code(), good.stdout.contains("OK      2-executed-once")), (0, true), "{}", good.stdout);
    let broken = judge(&[start, kill, start], &["--needs", "kill"]);
    assert_eq!(broken.code(), 1, "{}", broken.stdout);
    assert!(broken.stdout.contains(&format!("        3: {start}")), "the line is shown: {}", broken.stdout);
    let nothing = judge(&[start, kill], &["--needs", "kill,stale-command"]);
    assert_eq!(nothing.code(), 3, "{}", nothing.stdout);
    assert!(nothing.stdout.contains("did not exercise kill, stale-command"), "{}", nothing.stdout);
    let json = judge(&[start], &["--json"]);
    assert!(serde_json::from_str::<Value>(&json.stdout).is_ok_and(|v| v["facts"] == 1), "{}", json.stdout);
    assert_eq!(judge(&["no history"], &[]).code(), 1);
}

#[test]
fn the_food_safety_record_is_exported_verified_and_every_change_of_it_is_found() {
    let mut kitchen = Kitchen::open().with_devices();
    let api = kitchen.api();
    for id in ["a", "b"] {
        ctl(&api, &["orders", "place", "--recipe", "margherita", "funghi", "--id", id]);
    }
    kitchen.wait_until_ready("a");
    kitchen.wait_until_ready("b");
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("all.csv").to_string_lossy().into_owned();
    let exported = ctl(&api, &["food-safety", "export", "--from", "2020-01-01", "--out", &file]);
    assert_eq!((exported.code(), exported.stdout.as_str()), (0, format!("4 records are in {file}\n").as_str()));
    let text = std::fs::read_to_string(&file).expect("the file is there");
    let on_screen = ctl(&api, &["food-safety", "export"]).stdout;
    assert_eq!(on_screen, text, "on the screen as in the file");
    assert!(text.lines().nth(1).is_some_and(|l| l.contains(",PACKED,") && l.contains("C; ")), "{text}");
    let file_of = |query: &str| kitchen.get(&format!("/v1/food-safety?{query}")).body;
    assert_eq!(file_of("format=csv"), Value::from(text.as_str()), "as the API has it");
    assert_eq!(file_of("format=csv&to=2020-01-01"), Value::from(text.lines().next().map(|l| format!("{l}\r\n"))));
    let page = file_of("limit=1&cursor=1&from=2020-01-01T00:00:00Z");
    assert_eq!(
        (&page["items"][0]["seq"], &page["next"], &page["chain"]["records"]),
        (&"2".into(), &"2".into(), &4.into())
    );
    assert_eq!(page["items"][0]["line"], text.lines().nth(2).unwrap_or_default());
    assert_eq!(file_of("cursor=3")["next"], Value::Null, "the last page has no next one");
    for query in ["from=yesterday", "to=2026-02-30", "limit=0", "limit=many", "format=xml", "colour=red"] {
        assert_eq!(kitchen.get(&format!("/v1/food-safety?{query}")).problem(), "bad-query", "{query}");
    }
    let verify = |more: &[&str]| ctl(&api, &[&["food-safety", "verify", &file], more].concat());
    assert!(verify(&[]).stdout.starts_with("4 records, 1 to 4: the chain is whole."), "{}", verify(&[]).stderr);
    assert!(verify(&["--live"]).stdout.contains("the same, and no more"), "{}", verify(&["--live"]).stderr);
    let nobody = ctl(&free_address(), &["food-safety", "verify", &file]);
    assert_eq!(nobody.code(), 0, "no kitchen is needed: {}", nobody.stderr);
    let lines: Vec<&str> = text.split_inclusive("\r\n").collect();
    let put = |lines: &[&str]| std::fs::write(&file, lines.concat()).expect("the folder can be written");
    put(&[&lines[..2], &lines[3..]].concat());
    assert!(verify(&[]).stderr.contains("line 3: record 3 follows record 1"), "{}", verify(&[]).stderr);
    let changed = lines[2].replacen("PACKED", "BURNT!", 1);
    put(&[lines[0], lines[1], &changed, lines[3], lines[4]]);
    assert_eq!(verify(&[]).code(), 1);
    assert!(verify(&[]).stderr.contains("line 3: record 2 was changed"), "{}", verify(&[]).stderr);
    put(&lines[..4]);
    assert!(verify(&["--live"]).stdout.contains("the same, and 1 more"), "{}", verify(&["--live"]).stderr);
    kitchen.assert_well();
}
