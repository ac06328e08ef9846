//! `brigade ctl cluster`.

use std::time::{Duration, Instant};

use clap::{Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};

use super::table::{pairs, table};
use super::{Failure, Out, Session, text};

/// How long a newcomer may take; beyond that the command may be run again.
const JOIN_LIMIT: Duration = Duration::from_secs(300);

/// What is done with the replicas.
#[derive(Clone, Debug, Subcommand)]
pub enum Cluster {
    /// Members, leader, log, brokers, as the first replica that answers sees them.
    #[command(visible_alias = "members")]
    Status,
    /// Lets a new replica join: it learns, and votes when it has caught up. Waits for that.
    #[command(visible_alias = "add")]
    Join {
        /// Its number: never one that was used before.
        #[arg(long)]
        node: u64,
        /// host:port where other replicas reach it.
        #[arg(long)]
        peer: String,
        /// host:port where clients reach it.
        #[arg(long)]
        node_api: String,
    },
    /// Takes a replica out of the cluster, for good: its number is not used again.
    #[command(visible_alias = "remove")]
    Leave {
        /// Its number.
        #[arg(long)]
        node: u64,
    },
    /// Puts a new replica in the place of a dead, wiped or tired one: it learns, and when it has caught up, one change takes the old one's
    /// vote and gives it to the new one. Waits for that; safe to run again.
    Replace {
        /// The number of the one that goes.
        #[arg(long)]
        node: u64,
        /// The number of the one that comes: never one that was used before.
        #[arg(long)]
        with: u64,
        /// host:port where other replicas reach the new one.
        #[arg(long)]
        peer: String,
        /// host:port where clients reach the new one.
        #[arg(long)]
        node_api: String,
    },
    /// Begins or ends a replica's maintenance: it hands leadership over and is not in charge meanwhile. It goes on voting, and its
    /// maintenance outlives restarts.
    Maintenance {
        /// Its number.
        #[arg(long)]
        node: u64,
        /// Whether it begins or ends.
        switch: Switch,
    },
    /// Hands leadership over.
    Transfer {
        /// To this node; to the one that has stored most, if it is missing.
        #[arg(long)]
        to: Option<u64>,
    },
}

/// Begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// It begins.
    On,
    /// It ends.
    Off,
}

pub async fn run(session: &Session, cluster: Cluster, out: Out<'_>) -> Result<(), Failure> {
    match cluster {
        Cluster::Status => {
            let answer = session.client.get("/v1/cluster").await?;
            session.print(out, &answer, show)
        }
        Cluster::Join { node, peer, node_api } => {
            let body = json!({ "node": node, "peer": peer, "api": node_api });
            let answer = until_caught_up(session, "/v1/cluster/join", body, node).await?;
            session.print(out, &answer, show)
        }
        Cluster::Replace { node, with, peer, node_api } => {
            let body = json!({ "node": node, "with": with, "peer": peer, "api": node_api });
            let answer = until_caught_up(session, "/v1/cluster/replace", body, with).await?;
            session.print(out, &answer, show)
        }
        Cluster::Leave { node } => {
            let answer = session.client.send(Method::POST, "/v1/cluster/leave", json!({ "node": node })).await?;
            session.print(out, &answer, show)
        }
        Cluster::Maintenance { node, switch } => {
            let body = json!({ "node": node, "on": switch == Switch::On });
            let answer = session.client.send(Method::POST, "/v1/cluster/maintenance", body).await?;
            session.print(out, &answer, show)
        }
        Cluster::Transfer { to } => {
            let body = to.map_or(json!({}), |to| json!({ "to": to }));
            let answer = session.client.send(Method::POST, "/v1/cluster/transfer", body).await?;
            session.print(out, &answer, |a| format!("node {} leads\n", text(a, "/leader")))
        }
    }
}

/// Asks again while the newcomer catches up, while nobody leads, and when the one that was asked died over it: that is safe.
async fn until_caught_up(session: &Session, path: &str, body: Value, newcomer: u64) -> Result<Value, Failure> {
    let limit = Instant::now() + JOIN_LIMIT;
    let mut said = String::new();
    loop {
        let waits = match session.client.send(Method::POST, path, body.clone()).await {
            Err(Failure::Refused(no)) if !MAY_PASS.contains(&&*no.word) => return Err(Failure::Refused(no)),
            Err(waits @ (Failure::Refused(_) | Failure::Unknown { .. } | Failure::Unreachable { .. })) => waits,
            done => return done,
        };
        if Instant::now() > limit {
            return Err(waits);
        }
        if let Some(now) = progress(session, newcomer).await.filter(|now| *now != said) {
            eprintln!("brigade ctl: {now}");
            said = now;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Refusals that a repetition may find gone.
const MAY_PASS: [&str; 4] = ["catching-up", "no-leader", "no-quorum", "outcome-unknown"];

/// How far a newcomer has come, as the leader sees it.
async fn progress(session: &Session, newcomer: u64) -> Option<String> {
    let cluster = session.client.get("/v1/cluster").await.ok()?;
    let member = cluster["members"].as_array()?.iter().find(|m| m["node"] == newcomer)?;
    let (role, last) = (text(member, "/role"), text(&cluster, "/log/last"));
    Some(match member["stored"].as_u64() {
        Some(stored) => format!("node {newcomer} is a {role}; it has stored entry {stored} of {last}"),
        None => format!("node {newcomer} is a {role}; it has stored nothing yet, or a snapshot is on its way"),
    })
}

fn show(c: &Value) -> String {
    let quorum = c["quorum_age_ms"].as_u64().map_or("-".to_owned(), |ms| format!("{ms} ms ago"));
    let log = ["last", "committed", "applied", "snapshot"].map(|n| format!("{n} {}", text(c, &format!("/log/{n}"))));
    let head = pairs(&[
        (
            "cluster",
            format!("{} (kitchen {}, version {})", text(c, "/cluster"), text(c, "/kitchen"), text(c, "/version")),
        ),
        ("seen by", format!("node {}", text(c, "/seen_by"))),
        ("leader", text(c, "/leader")),
        ("term", text(c, "/term")),
        ("rules", text(c, "/rules")),
        ("log", log.join(", ")),
        ("majority", quorum),
        ("in charge", text(c, "/tenure/in_charge")),
        ("may lose", format!("{} more of the voters", text(c, "/tolerates"))),
    ]);
    let members = c["members"].as_array().map_or(&[][..], Vec::as_slice);
    let role = |m: &Value| match m["sideline"].as_str() {
        Some(sideline) => format!("{} ({sideline})", text(m, "/role")),
        None => text(m, "/role"),
    };
    let row = |m: &Value| {
        let [api, stored, lag, rules] = ["/api", "/stored", "/lag", "/rules"].map(|at| text(m, at));
        [text(m, "/node"), role(m), api, stored, lag, rules]
    };
    let members = table(["NODE", "ROLE", "API", "STORED", "LAG", "RULES"], members.iter().map(row));
    let brokers = c["tenure"]["brokers"].as_array().map_or(&[][..], Vec::as_slice);
    let row = |b: &Value| [text(b, "/url"), text(b, "/connected")];
    format!("{head}\n{members}\n{}", table(["BROKER", "CONNECTED"], brokers.iter().map(row)))
}
