//! `brigade ctl devices`.

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::enrol;
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
    Adopt {
        /// The device.
        id: String,
    },
    /// It finishes what it has and gets nothing more.
    Drain {
        /// The device.
        id: String,
    },
    /// It stops where it is.
    Hold {
        /// The device.
        id: String,
    },
    /// It goes on, after a hold, a drain or maintenance.
    Resume {
        /// The device.
        id: String,
    },
    /// A technician has it.
    Maintenance {
        /// The device.
        id: String,
    },
    /// Out of quarantine: it works again after a self-test and one trial task.
    Release {
        /// The device.
        id: String,
    },
    /// It is gone for good.
    Retire {
        /// The device.
        id: String,
    },
    /// Who may speak at the brokers: draws a device's key, writes its configuration and mosquitto's files. Asks no replica.
    Enrol(enrol::Enrol),
    /// A device's key is good no longer. Asks no replica.
    Unenrol(enrol::Unenrol),
}

pub async fn run(session: &Session, devices: Devices, out: Out<'_>) -> Result<(), Failure> {
    let (id, word) = match devices {
        Devices::List => {
            let answer = session.client.get("/v1/devices").await?;
            return session.print(out, &answer, list);
        }
        Devices::Show { id } => {
            let answer = session.client.get(&format!("/v1/devices/{}", segment(&id))).await?;
            return session.print(out, &answer, one);
        }
        Devices::Adopt { id } => (id, "adopt"),
        Devices::Drain { id } => (id, "drain"),
        Devices::Hold { id } => (id, "hold"),
        Devices::Resume { id } => (id, "resume"),
        Devices::Maintenance { id } => (id, "maintenance"),
        Devices::Release { id } => (id, "release"),
        Devices::Retire { id } => (id, "retire"),
        Devices::Enrol(what) => return enrol::enrol(session, &what, out),
        Devices::Unenrol(what) => return enrol::unenrol(session, &what, out),
    };
    let path = format!("/v1/devices/{}/{word}", segment(&id));
    let answer = session.client.send(Method::POST, &path, json!({})).await?;
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
