//! `brigade ctl certs`: until when the certificates of each replica are good, as the replicas themselves see them. Making and renewing them is
//! `brigade certs`, on the machine that has the authorities.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::join_all;
use serde_json::{Value, json};

use super::bundle::members;
use super::table::table;
use super::{Failure, Out, Session, items, text};
use crate::web::rfc3339;

/// How long one answer may take.
const LIMIT: Duration = Duration::from_secs(10);
/// The metric that has the end, in seconds since 1970, and the file in its label.
const METRIC: &str = "brigade_certificate_expiry_timestamp_seconds{path=\"";

pub async fn run(session: &Session, out: Out<'_>) -> Result<(), Failure> {
    let cluster = session.client.get("/v1/cluster").await?;
    let urls = members(session.client.urls(), &cluster);
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let answers = join_all(urls.iter().map(|url| session.client.read(url, "/metrics", LIMIT))).await;
    let rows: Vec<Value> = urls.iter().zip(answers).flat_map(|(url, answer)| rows(url, answer, now_s)).collect();
    session.print(out, &json!({ "items": rows }), list)
}

/// A row for each certificate of a replica; one that says why, where there is none.
fn rows(url: &str, answer: Result<String, String>, now_s: u64) -> Vec<Value> {
    let none = |why: String| vec![json!({ "replica": url, "why": why })];
    let metrics = match answer {
        Ok(metrics) => metrics,
        Err(why) => return none(why),
    };
    let certificates: Vec<Value> = metrics.lines().filter_map(certificate).map(|(path, end_s)| {
        let days = (i128::from(end_s) - i128::from(now_s)).div_euclid(86_400);
        json!({ "replica": url, "path": path, "until": rfc3339(end_s.saturating_mul(1_000)), "days_left": i64::try_from(days).unwrap_or(i64::MAX) })
    }).collect();
    if certificates.is_empty() { none("it speaks plain HTTP".to_owned()) } else { certificates }
}

/// The file and the end of its certificate, in seconds since 1970.
fn certificate(line: &str) -> Option<(&str, u64)> {
    let (path, end) = line.strip_prefix(METRIC)?.split_once("\"} ")?;
    let end: f64 = end.trim().parse().ok()?;
    // A certificate's end is a whole number of seconds.
    (end >= 0.0).then_some((path, end as u64))
}

fn list(answer: &Value) -> String {
    let row = |c: &Value| {
        let until = if c["why"].is_string() { text(c, "/why") } else { text(c, "/until") };
        [text(c, "/replica"), text(c, "/days_left"), until, text(c, "/path")]
    };
    table(["REPLICA", "DAYS LEFT", "UNTIL", "CERTIFICATE"], items(answer).iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_read_from_the_metrics_and_what_is_over_has_negative_days() {
        let metrics =
            "# HELP x\nbrigade_certificate_expiry_timestamp_seconds{path=\"/etc/node.pem\"} 1900000000\nother 1\n";
        let of = |now_s| rows("http://a", Ok(metrics.to_owned()), now_s);
        assert_eq!((&of(1_899_900_000)[0]["days_left"], &of(1_900_000_001)[0]["days_left"]), (&1.into(), &(-1).into()));
        assert_eq!(of(0)[0]["path"], "/etc/node.pem");
        assert_eq!(rows("http://a", Ok(String::new()), 0)[0]["why"], "it speaks plain HTTP");
        assert!(list(&json!({ "items": rows("http://a", Err("refused".into()), 0) })).contains("refused"));
    }
}
