//! `brigade ctl incidents`.

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::table::table;
use super::{Failure, Out, Session, items, span, text};

/// What is done with incidents.
#[derive(Clone, Debug, Subcommand)]
pub enum Incidents {
    /// Questions that wait for an answer.
    List {
        /// Those that have one too.
        #[arg(long)]
        all: bool,
    },
    /// Answers a question.
    Decide {
        /// The incident's number.
        id: u64,
        /// pizza-gone, on-device, lane-clear, good, bad, retry, give-up or resolved.
        decision: String,
        /// For on-device: where, as robot1/0.
        #[arg(long, value_parser = place, value_name = "DEVICE/LANE")]
        place: Option<Value>,
    },
}

fn place(text: &str) -> Result<Value, String> {
    let parts = text.rsplit_once('/').and_then(|(device, lane)| Some((device, lane.parse::<u8>().ok()?)));
    let (device, lane) = parts.ok_or_else(|| "name a lane of a device, as robot1/0".to_owned())?;
    Ok(json!({ "device": device, "lane": lane }))
}

pub async fn run(session: &Session, incidents: Incidents, out: Out<'_>) -> Result<(), Failure> {
    match incidents {
        Incidents::List { all } => {
            let answer = session.client.get(if all { "/v1/incidents" } else { "/v1/incidents?open=true" }).await?;
            session.print(out, &answer, |answer| list(items(answer)))
        }
        Incidents::Decide { id, decision, place } => {
            let (actor, reason) = (session.said.actor(), &session.said.reason);
            if reason.trim().is_empty() {
                return Err(Failure::NoReason);
            }
            let mut body = json!({ "decision": decision.replace('-', "_"), "reason": reason, "actor": actor });
            if let Some(place) = place {
                body["place"] = place;
            }
            let answer = session.client.send(Method::POST, &format!("/v1/incidents/{id}/decision"), body).await?;
            session.print(out, &answer, |answer| list(std::slice::from_ref(answer)))
        }
    }
}

fn list(incidents: &[Value]) -> String {
    let row = |i: &Value| {
        let answer = match i["answer"].is_object() {
            true => format!("{} ({})", text(i, "/answer/decision"), text(i, "/answer/actor")),
            false => "open".to_owned(),
        };
        [text(i, "/id"), span(i, "/raised_ago_ms"), answer, span(i, "/decides_itself_in_ms"), text(i, "/question")]
    };
    table(["NO", "AGE", "ANSWER", "BY ITSELF IN", "QUESTION"], incidents.iter().map(row))
}
