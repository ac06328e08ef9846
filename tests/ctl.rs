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
