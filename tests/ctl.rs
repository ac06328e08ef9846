//! `brigade ctl` beyond single questions, as a process: the live view, the menu, the bundle for whoever must find out what happened. And the
//! completions of shells.

mod process;

use std::io::Write as _;
use std::process::{Command, Stdio};

use process::{Ended, Kitchen, brigade, free_address, run};
use serde_json::Value;

fn ctl(api: &str, words: &[&str]) -> Ended {
    run(brigade(&[&["ctl", "--api", api], words].concat()))
}

#[test]
fn the_live_view_is_printed_once_where_there_is_no_terminal() {
    let mut kitchen = Kitchen::open().with_devices();
    let api = kitchen.api();
    ctl(&api, &["orders", "place", "--recipe", "margherita", "--id", "table-7"]);
    let dead = format!("http://{}", free_address());
    let shown = ctl(&format!("{dead},{api}"), &["top", "--once"]);
    assert_eq!((shown.code(), shown.stderr.as_str()), (0, ""), "the next replica is asked");
    for word in ["NORMAL", "node 1 in charge", "ovens 4/4", "oven4", "robot3", "camera2", "table-7", "q end"] {
        assert!(shown.stdout.contains(word), "{word}:\n{}", shown.stdout);
    }
    assert!(shown.stdout.lines().count() == 24 && shown.stdout.lines().all(|line| line.chars().count() <= 80));
    let json = ctl(&api, &["--json", "top", "--once"]).stdout;
    let json: Value = serde_json::from_str(&json).unwrap_or_default();
    assert_eq!((&json["replica"], &json["kitchen"]["kitchen"]), (&api.as_str().into(), &"k1".into()));
    let piped = ctl(&api, &["top"]);
    assert!(piped.code() == 1 && piped.stderr.contains("--once"), "{}", piped.stderr);
    assert_eq!(ctl(&dead, &["top"]).code(), 3);
    kitchen.assert_well();
}

#[test]
fn menu_and_settings_are_shown_changed_and_put_back() {
    let mut kitchen = Kitchen::open();
    let api = kitchen.api();
    let file = kitchen.dir.path().join("file.json").to_string_lossy().into_owned();
    let put = |text: &str| std::fs::write(&file, text).expect("the folder can be written");
    assert!(ctl(&api, &["recipes", "list"]).stdout.contains("margherita"));
    let recipe = ctl(&api, &["--json", "recipes", "show", "margherita"]).stdout;
    put(&recipe.replacen("\"title\": \"", "\"title\": \"Our ", 1));
    let changed = ctl(&api, &["recipes", "put", "margherita", &file]);
    let says = |ended: &Ended, words: &[&str]| {
        let mut lines = ended.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        assert!(lines.any(|line| line == words), "{words:?}: {}{}", ended.stdout, ended.stderr);
    };
    says(&changed, &["title", "Our", "Margherita"]);
    says(&changed, &["version", "2"]);
    assert_eq!(ctl(&api, &["recipes", "put", "calzone", &file]).code(), 0, "another one of the same kind");
    assert!(ctl(&api, &["recipes", "list"]).stdout.contains("calzone"));
    let settings = ctl(&api, &["--json", "settings", "show"]).stdout;
    put(&settings.replace("\"failures_max\": 3", "\"failures_max\": 5"));
    says(&ctl(&api, &["settings", "put", &file]), &["failures_max", "5"]);
    put("no json");
    assert!(ctl(&api, &["settings", "put", &file]).stderr.contains("file.json"));
    put("{}");
    assert_eq!(ctl(&api, &["settings", "put", &file]).code(), 1, "they are replaced whole");
    let none = ctl(&api, &["recipes", "show", "pasta"]);
    assert!(none.stderr.contains("Hint: brigade ctl recipes list"), "{}", none.stderr);
    kitchen.assert_well();
}

/// What an archive holds, by the names of its files.
fn unpacked(kitchen: &Kitchen, archive: &str) -> Vec<(String, String)> {
    let folder = kitchen.dir.path().join("unpacked");
    std::fs::create_dir_all(&folder).expect("the folder can be written");
    let done = Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&folder).status();
    assert!(done.is_ok_and(|status| status.success()), "tar reads {archive}");
    let mut folders = vec![folder];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("it was unpacked").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                let text = std::fs::read_to_string(entry.path()).expect("all of it is text");
                files.push((entry.file_name().to_string_lossy().into_owned(), text));
            }
        }
    }
    files
}

#[test]
fn a_bundle_has_what_every_replica_says_and_no_secret() {
    let kitchen = Kitchen::open_with(|node| {
        node.access = "mode = \"tokens\"".to_owned();
        node.more.push_str("[broker_user]\nname = \"controller\"\npassword = \"hunter2-secret\"\n");
    });
    let path = |name: &str| kitchen.dir.path().join(name).to_string_lossy().into_owned();
    let token = kitchen.token.clone().expect("a closed kitchen");
    std::fs::write(path("token"), &token).expect("the folder can be written");
    let ask = |api: &str, words: &[&str]| ctl(api, &[&["--token-file", &path("token")], words].concat());
    // A token that somebody pasted where it does not belong.
    ask(&kitchen.api(), &["orders", "place", "--recipe", "margherita", "--id", "table-7"]);
    ask(&kitchen.api(), &["orders", "cancel", "table-7", "--reason", &format!("oops {token}")]);
    let dead = format!("http://{}", free_address());
    let (archive, config) = (path("bundle.tar.gz"), path("node.toml"));
    let made = ask(&format!("{},{dead}", kitchen.api()), &["debug-bundle", "--out", &archive, "--config", &config]);
    assert_eq!(made.code(), 0, "{}", made.stderr);
    assert!(made.stdout.contains(&archive) && made.stdout.contains("KiB"), "{}", made.stdout);
    let files = unpacked(&kitchen, &archive);
    let text = |name: &str| files.iter().find(|(file, _)| file == name).map_or("", |(_, text)| text);
    let expected = [
        ("cluster.json", "\"version\""),
        ("kitchen.json", "\"kitchen\""),
        ("devices.json", "items"),
        ("settings.json", "failures_max"),
        ("metrics.txt", "brigade_"),
        ("logs.json", "table-7"),
        ("events.json", "order_accepted"),
        ("orders-ended.json", "table-7"),
        ("1-node.toml", "data_dir"),
    ];
    for (name, word) in expected {
        assert!(text(name).contains(word), "{word} in {name}: {}", text(name));
    }
    let about: Value = serde_json::from_str(text("about.json")).expect("it is JSON");
    assert_eq!(
        (&about["replicas"][0]["missing"], &about["replicas"][1]["url"]),
        (&Value::Array(vec![]), &dead.as_str().into())
    );
    assert!(about["replicas"][1]["missing"][0]["why"].to_string().contains("refused"), "{about:#}");
    for (name, text) in &files {
        for secret in [token.as_str(), &token[8..], "hunter2-secret"] {
            assert!(!text.contains(secret), "{secret} in {name}");
        }
    }
    assert!(files.iter().any(|(_, text)| text.contains("oops (blanked)")), "the pasted one was there to be found");

    let again = ask(&kitchen.api(), &["debug-bundle", "--out", &archive]);
    assert!(again.code() == 1 && again.stderr.contains("exists"), "nothing is overwritten: {}", again.stderr);
    let nobody = ask(&dead, &["debug-bundle", "--out", &path("nobody.tar.gz"), "--config", &config]);
    assert!(nobody.code() == 3 && nobody.stdout.contains("0 files"), "{}{}", nobody.stdout, nobody.stderr);
    let stranger = ctl(&kitchen.api(), &["debug-bundle", "--out", &path("stranger.tar.gz")]);
    assert!(stranger.code() == 1 && stranger.stderr.contains("Hint: name a token"), "{}", stranger.stderr);
}

/// What a shell says to a script on its standard input; None where it is not installed.
fn shell(program: &str, arguments: &[&str], script: &str) -> Option<Ended> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    child.stdin.take()?.write_all(script.as_bytes()).ok()?;
    let output = child.wait_with_output().expect("a child can be read");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Some(Ended { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) })
}

#[test]
fn a_shell_completes_the_words_of_the_program() {
    // It is longer than what a pipe holds while nobody reads.
    let script = |name: &str| {
        let output = brigade(&["completions", name]).output().expect("the program was built");
        String::from_utf8(output.stdout).expect("a script is text")
    };
    let bash = script("bash");
    let complete = |words: &[&str]| {
        let last = words.len() - 1;
        let asks = format!(
            "{bash}\nCOMP_WORDS=({}); COMP_CWORD={last}; _brigade brigade {:?} {:?}; echo \"${{COMPREPLY[@]}}\"\n",
            words.join(" "),
            words[last],
            words[last - 1]
        );
        let said = shell("bash", &["--norc"], &asks).expect("bash is everywhere");
        assert_eq!(said.stderr, "");
        said.stdout.trim().to_owned()
    };
    assert_eq!(complete(&["brigade", "ct"]), "ctl");
    assert_eq!(complete(&["brigade", "ctl", "dev"]), "devices");
    assert_eq!(complete(&["brigade", "ctl", "devices", "un"]), "unenrol");
    assert!(complete(&["brigade", "ctl", "devices", "enrol", "--k"]).contains("--kind"));
    for (name, word, check) in [("zsh", "#compdef brigade", "-n"), ("fish", "complete -c brigade", "--no-execute")] {
        let text = script(name);
        assert!(text.contains(word), "{name}");
        if let Some(read) = shell(name, &[check], &text) {
            assert!(read.status.success(), "{name}: {}", read.stderr);
        }
    }
    assert_eq!(run(brigade(&["completions", "tcsh"])).code(), 2);
}
