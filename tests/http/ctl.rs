//! The operator's command line against a live API.

use brigade::cli::ctl::{Command, Failure, execute};
use clap::Parser;
use serde_json::Value;

use crate::support::Kitchen;

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    ctl: Command,
}

/// What the command prints.
pub async fn ctl(api: &str, words: &[&str]) -> Result<String, Failure> {
    let line = ["ctl", "--api", api].into_iter().chain(words.iter().copied());
    let mut out = vec![];
    execute(Program::try_parse_from(line).unwrap().ctl, &mut out).await?;
    Ok(String::from_utf8(out).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_placed_listed_shown_and_cancelled_at_the_command_line() {
    let kitchen = Kitchen::open(1).await;
    let api = kitchen.members[&1].api.clone();
    let placed = ctl(&api, &["orders", "place", "--recipe", "margherita", "funghi", "--id", "t7"]).await.unwrap();
    assert!(placed.contains("ACCEPTED (new)"), "{placed}");
    let listed = ctl(&api, &["orders", "list"]).await.unwrap();
    assert!(listed.starts_with("ORDER  NUMBER  STATUS"), "{listed}");
    assert!(listed.lines().nth(1).unwrap().starts_with("t7"), "{listed}");
    let shown = ctl(&api, &["orders", "show", "t7"]).await.unwrap();
    assert!(shown.contains("QUEUED"), "{shown}");
    let cancelled = ctl(&api, &["--json", "orders", "cancel", "t7", "--reason", "guest left"]).await.unwrap();
    let cancelled: Value = serde_json::from_str(&cancelled).unwrap();
    assert_eq!((&cancelled["status"], &cancelled["reason"]), (&"CANCELLED".into(), &"guest left".into()));
    // Without --id one is drawn: two orders.
    for _ in 0..2 {
        ctl(&api, &["orders", "place", "--recipe", "diavola"]).await.unwrap();
    }
    let listed: Value = serde_json::from_str(&ctl(&api, &["orders", "list", "--json"]).await.unwrap()).unwrap();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_log_names_who_asked_and_why_at_the_command_line() {
    let kitchen = Kitchen::open(1).await;
    let api = kitchen.members[&1].api.clone();
    let menu = ctl(&api, &["audit", "--limit", "0"]).await.unwrap().lines().count() - 1;
    assert!(menu >= 3, "the menu was put on record");
    for id in ["a", "b"] {
        let words = ["orders", "place", "--recipe", "diavola", "--id", id, "--actor", "ann", "--reason", "by phone"];
        ctl(&api, &words).await.unwrap();
    }
    ctl(&api, &["orders", "cancel", "a"]).await.unwrap();
    let shown = ctl(&api, &["audit", "--limit", "3"]).await.unwrap();
    let rows: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().skip(1).collect()).collect();
    assert_eq!(rows[0][..2], ["ACTOR", "ROLE"], "{shown}");
    assert_eq!(rows[1][..5], ["ann", "nobody's", "place_order", "orders/a", "done"], "the latest last: {shown}");
    assert_eq!(rows[1][5..].join(" "), "diavola; by phone");
    assert_eq!(rows[3][..5], ["ctl", "nobody's", "cancel_order", "orders/a", "done"], "{shown}");
    let of_ann = ctl(&api, &["--json", "audit", "--by", "ann", "--object", "orders/b"]).await.unwrap();
    let of_ann: Value = serde_json::from_str(&of_ann).unwrap();
    assert_eq!(of_ann["items"].as_array().unwrap().len(), 1, "{of_ann}");
    let undecided = ctl(&api, &["incidents", "decide", "7", "good"]).await.unwrap_err();
    assert_eq!((undecided.exit_code(), undecided.to_string().contains("--reason")), (2, true), "{undecided}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_view_of_the_command_line_can_be_shown() {
    let kitchen = Kitchen::open(1).await;
    kitchen.order("a").await;
    let api = kitchen.members[&1].api.clone();
    let status = ctl(&api, &["status"]).await.unwrap();
    assert!(status.contains("OUT_OF_ORDER(prep, bake, finish)"), "{status}");
    assert!(ctl(&api, &["devices", "list"]).await.unwrap().starts_with("DEVICE"));
    assert!(ctl(&api, &["incidents", "list"]).await.unwrap().starts_with("NO"));
    let cluster = ctl(&api, &["cluster", "status"]).await.unwrap();
    assert!(cluster.contains("leader") && cluster.contains("NODE"), "{cluster}");
    let events = ctl(&api, &["events", "--after", "0"]).await.unwrap();
    assert!(events.contains("order_accepted") && events.contains("order=a"), "{events}");
    let events = ctl(&api, &["--json", "events"]).await.unwrap();
    assert!(events.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{events}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_exits_with_1_and_a_dead_cluster_with_3() {
    let kitchen = Kitchen::open(1).await;
    let api = kitchen.members[&1].api.clone();
    let refused = ctl(&api, &["orders", "show", "nobody"]).await.unwrap_err();
    assert_eq!(refused.exit_code(), 1);
    assert!(refused.to_string().contains("brigade ctl orders list"), "{refused}");
    let refused = ctl(&api, &["devices", "hold", "../../etc"]).await.unwrap_err();
    assert!(matches!(&refused, Failure::Refused(r) if r.word == "bad-id"), "{refused}");
    let words = ["incidents", "decide", "7", "on-device", "--place", "robot1/0", "--reason", "I see it"];
    let refused = ctl(&api, &words).await.unwrap_err();
    assert!(matches!(&refused, Failure::Refused(r) if r.word == "unknown-incident"), "{refused}");
    // Nobody listens there; the next one is asked.
    let dead = dead_url();
    let unreachable = ctl(&dead, &["status"]).await.unwrap_err();
    assert_eq!(unreachable.exit_code(), 3);
    assert!(unreachable.to_string().contains("BRIGADE_API"), "{unreachable}");
    assert!(ctl(&format!("{dead},{api}"), &["status"]).await.is_ok());
    assert!(ctl(&format!("{dead},{api}"), &["orders", "place", "--recipe", "margherita"]).await.is_ok());
}

/// A port that was free a moment ago.
fn dead_url() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}
