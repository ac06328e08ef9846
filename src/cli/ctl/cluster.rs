//! `brigade ctl cluster`.

use std::time::{Duration, Instant};

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::table::{pairs, table};
use super::{Failure, Out, Session, text};

/// How long a newcomer may take.
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
    /// Hands leadership over.
    Transfer {
        /// To this node; to the one that has stored most, if it is missing.
        #[arg(long)]
        to: Option<u64>,
    },
}

pub async fn run(session: &Session, cluster: Cluster, out: Out<'_>) -> Result<(), Failure> {
    match cluster {
        Cluster::Status => {
            let answer = session.client.get("/v1/cluster").await?;
            session.print(out, &answer, show)
        }
        Cluster::Join { node, peer, node_api } => {
            let answer = join(session, json!({ "node": node, "peer": peer, "api": node_api })).await?;
            session.print(out, &answer, show)
        }
        Cluster::Leave { node } => {
            let answer = session.client.send(Method::POST, "/v1/cluster/leave", json!({ "node": node })).await?;
            session.print(out, &answer, show)
        }
        Cluster::Transfer { to } => {
            let body = to.map_or(json!({}), |to| json!({ "to": to }));
            let answer = session.client.send(Method::POST, "/v1/cluster/transfer", body).await?;
            session.print(out, &answer, |a| format!("node {} leads\n", text(a, "/leader")))
        }
    }
}

/// Asks again while the newcomer catches up, and while nobody leads: that is safe.
async fn join(session: &Session, body: Value) -> Result<Value, Failure> {
    let limit = Instant::now() + JOIN_LIMIT;
    loop {
        let waits = match session.client.send(Method::POST, "/v1/cluster/join", body.clone()).await {
            Err(Failure::Refused(no)) if ["catching-up", "no-leader", "outcome-unknown"].contains(&&*no.word) => no,
            done => return done,
        };
        if Instant::now() > limit {
            return Err(Failure::Refused(waits));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
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
    ]);
    let members = c["members"].as_array().map_or(&[][..], Vec::as_slice);
    let row = |m: &Value| ["/node", "/role", "/api", "/stored", "/lag", "/rules"].map(|at| text(m, at));
    let members = table(["NODE", "ROLE", "API", "STORED", "LAG", "RULES"], members.iter().map(row));
    let brokers = c["tenure"]["brokers"].as_array().map_or(&[][..], Vec::as_slice);
    let row = |b: &Value| [text(b, "/url"), text(b, "/connected")];
    format!("{head}\n{members}\n{}", table(["BROKER", "CONNECTED"], brokers.iter().map(row)))
}
