//! `brigade ctl devices`.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::orders::segment;
use super::table::{pairs, table};
use super::{Failure, Out, Session, items, span, text};

/// What is done with devices.
#[derive(Clone, Debug, Subcommand)]
pub enum Devices {
    /// All devices.
    List,
    /// One device with its lanes.
    Show {
        /// The device.
        id: String,
    },
    /// It belongs to this kitchen.
    Adopt(Said),
    /// It finishes what it has and gets nothing more.
    Drain(Said),
    /// It stops where it is.
    Hold(Said),
    /// It goes on, after a hold, a drain or maintenance.
    Resume(Said),
    /// A technician has it.
    Maintenance(Said),
    /// Out of quarantine: it works again after a self-test and one trial task.
    Release(Said),
    /// It is gone for good.
    Retire(Said),
}

/// A word about a device.
#[derive(Clone, Debug, Args)]
pub struct Said {
    /// The device.
    id: String,
    /// Why, for the record.
    #[arg(long, default_value = "")]
    reason: String,
    /// Who says so.
    #[arg(long, default_value = "ctl")]
    actor: String,
}

pub async fn run(session: &Session, devices: Devices, out: Out<'_>) -> Result<(), Failure> {
    let (said, word) = match devices {
        Devices::List => {
            let answer = session.client.get("/v1/devices").await?;
            return session.print(out, &answer, list);
        }
        Devices::Show { id } => {
            let answer = session.client.get(&format!("/v1/devices/{}", segment(&id))).await?;
            return session.print(out, &answer, one);
        }
        Devices::Adopt(said) => (said, "adopt"),
        Devices::Drain(said) => (said, "drain"),
        Devices::Hold(said) => (said, "hold"),
        Devices::Resume(said) => (said, "resume"),
        Devices::Maintenance(said) => (said, "maintenance"),
        Devices::Release(said) => (said, "release"),
        Devices::Retire(said) => (said, "retire"),
    };
    let path = format!("/v1/devices/{}/{word}", segment(&said.id));
    let answer =
        session.client.send(Method::POST, &path, json!({ "actor": said.actor, "reason": said.reason })).await?;
    session.print(out, &answer, one)
}

fn list(answer: &Value) -> String {
    let row = |d: &Value| {
        let lanes = d["lanes"].as_array().map_or(&[][..], Vec::as_slice);
        let holds: Vec<String> = lanes.iter().map(|l| text(l, "/content")).collect();
        let done = format!("{}/{}", d["successes_total"], d["failures_total"]);
        [
            text(d, "/id"),
            text(d, "/kind"),
            text(d, "/state"),
            text(d, "/zone"),
            holds.join(" "),
            done,
            text(d, "/errors"),
        ]
    };
    table(["DEVICE", "KIND", "STATE", "ZONE", "HOLDS", "DONE/FAILED", "ERRORS"], items(answer).iter().map(row))
}

fn one(d: &Value) -> String {
    let head = pairs(&[
        ("device", text(d, "/id")),
        ("kind", format!("{} ({}, firmware {})", text(d, "/kind"), text(d, "/model"), text(d, "/firmware"))),
        ("state", text(d, "/state")),
        ("standing", text(d, "/standing")),
        ("life", text(d, "/life")),
        ("mode", format!("{}, {}", text(d, "/mode"), text(d, "/condition"))),
        ("held", text(d, "/held")),
        ("zone", text(d, "/zone")),
        ("actions", text(d, "/actions")),
        ("errors", text(d, "/errors")),
        ("failures", format!("{} lately, {} ever", d["failures_recent"], d["failures_total"])),
        ("quarantine", quarantine(d)),
    ]);
    let lanes = d["lanes"].as_array().map_or(&[][..], Vec::as_slice);
    let row = |l: &Value| [text(l, "/lane"), text(l, "/content"), text(l, "/attempts"), text(l, "/incident")];
    format!("{head}\n{}", table(["LANE", "HOLDS", "ATTEMPTS", "INCIDENT"], lanes.iter().map(row)))
}

fn quarantine(d: &Value) -> String {
    match &d["quarantine"] {
        Value::Null => "-".to_owned(),
        q if q["ends_in_ms"].is_null() => "until it is released".to_owned(),
        q => format!("ends in {}", span(q, "/ends_in_ms")),
    }
}
