//! `brigade ctl` beyond single questions, as a process: the live view, the menu, the bundle for whoever must find out what happened. And the
//! completions of shells.

mod process;

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
