//! `brigade ctl events`: polls, so that it goes on at the same place when the replica it listens to dies.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::{Failure, Out, Session, items, text};

/// Which events.
#[derive(Clone, Debug, Args)]
pub struct Events {
    /// Go on until interrupted.
    #[arg(long, short)]
    follow: bool,
    /// Only what is behind this log index; 0 for all that is still there. With --follow now, if it is missing.
    #[arg(long)]
    after: Option<u64>,
}

/// Entries per poll, and its longest wait in seconds.
const PAGE: usize = 500;
const WAIT_S: u64 = 20;
/// Between two tries while no replica answers; an election is shorter.
const AGAIN: Duration = Duration::from_millis(500);

pub async fn run(session: &Session, events: Events, out: Out<'_>) -> Result<(), Failure> {
    let mut after = match (events.after, events.follow) {
        (Some(after), _) => after,
        (None, false) => 0,
        (None, true) => now(session).await?,
    };
    loop {
        let wait = if events.follow { WAIT_S } else { 0 };
        let path = format!("/v1/events?after={after}&limit={PAGE}&wait={wait}");
        let page = match session.client.get(&path).await {
            Err(failure @ Failure::Unreachable { .. }) if events.follow => {
                eprintln!("brigade ctl: {failure}");
                tokio::time::sleep(AGAIN).await;
                continue;
            }
            // What is no longer there was not asked for by name: begin with what is.
            Err(Failure::Refused(refused)) if events.after.is_none() && refused.word == "events-gone" => {
                after = refused.problem["floor"].as_u64().unwrap_or(after + 1);
                continue;
            }
            page => page?,
        };
        for entry in items(&page) {
            print(session, out, entry)?;
        }
        out.flush()?;
        after = page["next"].as_u64().unwrap_or(after);
        if !events.follow && items(&page).len() < PAGE {
            return Ok(());
        }
    }
}

/// The index up to which everything has happened.
async fn now(session: &Session) -> Result<u64, Failure> {
    let page = session.client.get("/v1/events?wait=0").await?;
    Ok(page["next"].as_u64().unwrap_or(0))
}

/// One line for each fact; with --json one for each entry.
fn print(session: &Session, out: Out<'_>, entry: &Value) -> Result<(), Failure> {
    if session.json {
        return Ok(writeln!(out, "{entry}")?);
    }
    let events = entry["events"].as_array().map_or(&[][..], Vec::as_slice);
    for event in events {
        writeln!(out, "{:>8}  {}  {}", text(entry, "/index"), text(entry, "/at"), sentence(event))?;
    }
    Ok(())
}

fn sentence(event: &Value) -> String {
    let rest = event.as_object().into_iter().flatten().filter(|(name, _)| *name != "event");
    let rest = rest.map(|(name, value)| format!("{name}={}", text(value, "")));
    std::iter::once(text(event, "/event")).chain(rest).collect::<Vec<_>>().join(" ")
}
