//! The tables of the panes, as rows of text.

use serde_json::{Value, json};

use super::super::{items, span, text};
use super::line;
use super::paint::Tone;
use super::screen::Screen;
use crate::web::parse_rfc3339;

/// A row: its cells, and how it looks.
pub type Row = (Vec<String>, Tone);

/// A table: its head, the width of each column (0: what is left), its rows.
pub struct Table {
    /// Names of the columns.
    pub head: Vec<&'static str>,
    /// Widths in characters.
    pub widths: Vec<u16>,
    /// Rows.
    pub rows: Vec<Row>,
}

/// A span that counts down, at this moment: what was read runs on.
pub fn left(screen: &Screen, value: &Value, pointer: &str) -> String {
    shifted(value, pointer, -screen.age_ms)
}

/// A span that grows.
fn grown(screen: &Screen, value: &Value, pointer: &str) -> String {
    shifted(value, pointer, screen.age_ms)
}

fn shifted(value: &Value, pointer: &str, by_ms: i64) -> String {
    let ms = value.pointer(pointer).and_then(Value::as_i64).map(|ms| ms.saturating_add(by_ms));
    ms.map_or_else(|| "-".to_owned(), |ms| span(&json!({ "ms": ms }), "/ms"))
}

/// Open orders, what is due first in front.
pub fn orders(screen: &Screen) -> Table {
    let row = |order: &Value| {
        let pizzas = order["pizzas"].as_array().map_or(&[][..], Vec::as_slice);
        let packed = pizzas.iter().filter(|pizza| pizza["state"] == "PACKED").count();
        let is_late = order["promised_in_ms"].as_i64().is_some_and(|ms| ms < screen.age_ms);
        let cells = [
            text(order, "/id"),
            text(order, "/status"),
            format!("{packed}/{}", pizzas.len()),
            grown(screen, &json!({ "ms": age_ms(order) }), "/ms"),
            left(screen, order, "/promised_in_ms"),
            states(pizzas),
        ];
        (cells.to_vec(), if is_late { Tone::Bad } else { Tone::Plain })
    };
    Table {
        head: vec!["ORDER", "STATUS", "DONE", "AGE", "DUE IN", "PIZZAS"],
        widths: vec![14, 11, 4, 8, 8, 0],
        rows: items(&screen.seen.orders).iter().map(row).collect(),
    }
}

/// How old an order is, by the clock that placed it: it tells when the order is due, and in how long that is.
fn age_ms(order: &Value) -> Option<i64> {
    let at = |name: &str| i64::try_from(parse_rfc3339(order[name].as_str()?)?).ok();
    Some(at("promised_at")? - order["promised_in_ms"].as_i64()? - at("placed_at")?)
}

/// `2 QUEUED 1 BAKING`.
fn states(pizzas: &[Value]) -> String {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for state in pizzas.iter().map(|pizza| text(pizza, "/state")) {
        match counts.iter_mut().find(|(known, _)| *known == state) {
            Some((_, count)) => *count += 1,
            None => counts.push((state, 1)),
        }
    }
    counts.iter().map(|(state, count)| format!("{count} {state}")).collect::<Vec<_>>().join(" ")
}

/// All devices.
pub fn devices(screen: &Screen) -> Table {
    let row = |device: &Value| {
        let lanes = device["lanes"].as_array().map_or(&[][..], Vec::as_slice);
        let work = lanes.iter().map(line::work).filter(|work| !work.is_empty()).collect::<Vec<_>>().join(", ");
        let done = format!("{}/{}", device["successes_total"], device["failures_total"]);
        let cells = [
            text(device, "/id"),
            text(device, "/kind").replace("robot.", ""),
            text(device, "/state"),
            work,
            done,
            text(device, "/errors"),
        ];
        (cells.to_vec(), line::tone(device))
    };
    Table {
        head: vec!["DEVICE", "KIND", "STATE", "WORK", "DONE/BAD", "ERRORS"],
        widths: vec![10, 11, 11, 0, 8, 10],
        rows: items(&screen.seen.devices).iter().map(row).collect(),
    }
}

/// Replicas and brokers, as the replica sees them that was read.
pub fn cluster(screen: &Screen) -> Table {
    let cluster = &screen.seen.cluster;
    let member = |member: &Value| {
        let lag = member["lag"].as_u64();
        let tone = match (member["role"].as_str(), lag) {
            (Some("leader"), _) => Tone::Good,
            (_, Some(lag)) if lag > 1_000 => Tone::Warning,
            _ => Tone::Plain,
        };
        let name = format!("node {}", member["node"]);
        (vec![name, text(member, "/role"), text(member, "/lag"), text(member, "/api")], tone)
    };
    let broker = |(n, broker): (usize, &Value)| {
        let is_up = broker["connected"] == true;
        let (word, tone) = if is_up { ("connected", Tone::Plain) } else { ("no connection", Tone::Bad) };
        (vec![format!("broker {}", n + 1), word.to_owned(), "-".to_owned(), text(broker, "/url")], tone)
    };
    let members = cluster["members"].as_array().into_iter().flatten().map(member);
    let brokers = cluster["tenure"]["brokers"].as_array().into_iter().flatten().enumerate().map(broker);
    Table {
        head: vec!["WHO", "ROLE", "LAG", "WHERE"],
        widths: vec![9, 13, 6, 0],
        rows: members.chain(brokers).collect(),
    }
}

/// Questions that wait for a person; with the answers that there are, and when the kitchen decides by itself, where there is room for it.
pub fn questions(screen: &Screen, is_whole: bool) -> Vec<String> {
    let one = |incident: &Value| {
        let question = format!("{:>3} {}", text(incident, "/id"), text(incident, "/question"));
        let more = format!(
            "    {} old; by itself in {}; answers: {}",
            grown(screen, incident, "/raised_ago_ms"),
            left(screen, incident, "/decides_itself_in_ms"),
            text(incident, "/decisions")
        );
        if is_whole { vec![question, more] } else { vec![question] }
    };
    items(&screen.seen.incidents).iter().flat_map(one).collect()
}
