//! `brigade ctl audit`: who asked for what, when and why, and what came of it.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::orders::segment;
use super::table::table;
use super::{Failure, Out, Session, items, text};

/// Records per request.
const PAGE: u64 = 500;
/// Between two looks while following.
const AGAIN: Duration = Duration::from_secs(1);

/// Which records.
#[derive(Clone, Debug, Args)]
pub struct Audit {
    /// Only of this actor: the name of a token, or that with what was claimed behind its colon.
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
    /// Only this action: place_order, hold_device, …
    #[arg(long)]
    action: Option<String>,
    /// Only about this: orders/table-7, devices/oven1, kitchen, …
    #[arg(long)]
    object: Option<String>,
    /// Only with this outcome.
    #[arg(long, value_enum)]
    outcome: Option<Outcome>,
    /// Only on this day or later (2026-07-28), or at this time in UTC (2026-07-28T12:34:56Z).
    #[arg(long)]
    from: Option<String>,
    /// Only before this day or time.
    #[arg(long)]
    to: Option<String>,
    /// How many, the latest; 0 for all.
    #[arg(long, default_value_t = 50)]
    limit: u64,
    /// Go on until interrupted.
    #[arg(long, short)]
    follow: bool,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Outcome {
    /// It was done
    Done,
    /// It was so already
    Unchanged,
    /// It was about to be tried by the cluster
    Begun,
    /// The answer was no
    Refused,
}

impl Audit {
    /// The query of all that is asked for but how many.
    fn query(&self) -> String {
        let outcome = self.outcome.and_then(|o| o.to_possible_value()).map(|o| o.get_name().to_owned());
        let named = [
            ("actor", &self.by),
            ("action", &self.action),
            ("object", &self.object),
            ("outcome", &outcome),
            ("from", &self.from),
            ("to", &self.to),
        ];
        let said = named.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        said.map(|(name, value)| format!("&{name}={}", segment(value))).collect()
    }
}

pub async fn run(session: &Session, audit: Audit, out: Out<'_>) -> Result<(), Failure> {
    let query = audit.query();
    let mut records = latest(session, &query, if audit.limit == 0 { u64::MAX } else { audit.limit }, 0).await?;
    records.reverse();
    if !audit.follow {
        let answer = serde_json::json!({ "items": records });
        return session.print(out, &answer, |_| list(&records));
    }
    let mut known = 0;
    loop {
        for record in &records {
            print(session, out, record)?;
            known = record["number"].as_u64().unwrap_or(known);
        }
        out.flush()?;
        tokio::time::sleep(AGAIN).await;
        records = match latest(session, &query, u64::MAX, known).await {
            Err(failure @ Failure::Unreachable { .. }) => {
                eprintln!("brigade ctl: {failure}");
                Vec::new()
            }
            records => records?,
        };
        records.reverse();
    }
}

/// At most so many records behind number `known`, the latest first.
async fn latest(session: &Session, query: &str, limit: u64, known: u64) -> Result<Vec<Value>, Failure> {
    let (mut records, mut cursor) = (Vec::new(), String::new());
    loop {
        let left = limit.saturating_sub(records.len() as u64);
        let path = format!("/v1/audit?limit={}{cursor}{query}", left.clamp(1, PAGE));
        let page = session.client.get(&path).await?;
        let is_new = |record: &&Value| record["number"].as_u64() > Some(known);
        let new: Vec<Value> = items(&page).iter().take_while(is_new).cloned().collect();
        let reached = new.len() < items(&page).len();
        records.extend(new);
        match page["next"].as_u64() {
            Some(next) if !reached && next > known + 1 && (records.len() as u64) < limit => {
                cursor = format!("&cursor={next}");
            }
            _ => return Ok(records),
        }
    }
}

/// One line for each record, as it comes.
fn print(session: &Session, out: Out<'_>, record: &Value) -> Result<(), Failure> {
    if session.json {
        return Ok(writeln!(out, "{record}")?);
    }
    Ok(writeln!(out, "{}", row(record).join("  ").trim_end())?)
}

fn list(records: &[Value]) -> String {
    table(["AT", "ACTOR", "ROLE", "ACTION", "OBJECT", "OUTCOME", "WHAT AND WHY"], records.iter().map(row))
}

fn row(record: &Value) -> [String; 7] {
    let said = ["/detail", "/reason", "/refusal"].map(|part| text(record, part));
    let said: Vec<String> = said.into_iter().filter(|part| part != "-" && !part.is_empty()).collect();
    let role = record["role"].as_str().unwrap_or("nobody's");
    let of = |name: &str| text(record, name);
    [of("/at"), of("/actor"), role.to_owned(), of("/action"), of("/object"), of("/outcome"), said.join("; ")]
}
