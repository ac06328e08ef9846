//! etcd: three members with the settings that it comes with, asked through its own HTTP gateway (`/v3/kv/put`).
//!
//! A put is answered when a majority has it on disk (fdatasync) and the member has applied it. The gateway turns JSON into gRPC within the
//! member's process, as its HTTP clients use it; a client of gRPC would spare that. Puts go to the leader, as orders do.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tokio::process::Child;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::super::Spread;
use super::super::http1::Connection;
use super::super::load::{self, Asks, CLIENTS};
use super::super::process;
use super::{Rival, VALUE, version};
use crate::loopback::Claim;

const PUT: &str = "/v3/kv/put";
/// How long the members may take to elect.
const PATIENCE: Duration = Duration::from_secs(30);
/// After the leader's death a new put is sent to each survivor so often, and none waits for another: what the first ones wait for in vain holds nobody up.
const AGAIN: Duration = Duration::from_millis(10);
/// Time for a member that came back to catch up.
const REST: Duration = Duration::from_secs(2);

/// Measures it, or says why not.
pub(super) async fn measure(span: Duration, trials: u32) -> Result<Rival> {
    let Some(program) = process::installed("etcd") else {
        return Ok(Rival::left_out("not installed: Debian has it in etcd-server"));
    };
    let mut members = Members::start(program).await?;
    let mut steps = Vec::new();
    for count in CLIENTS {
        let leader = members.clients(members.leader().await?);
        let mut clients = Vec::new();
        for n in 0..count {
            clients.push(Putter { connection: Connection::open(leader).await?, name: n, puts: 0 });
        }
        steps.push(load::run(clients, span).await?);
    }
    let mut killed = Vec::new();
    for _ in 0..trials {
        killed.push(members.failover().await?);
    }
    let version = version(&members.program, "--version").await?;
    process::end(std::mem::take(&mut members.children)).await?;
    Ok(Rival {
        left_out: None,
        version,
        durability: "fdatasync on a majority".to_owned(),
        steps,
        killed_ms: Some(Spread::of_spans(&killed)),
    })
}

/// Three members. Dropping them kills them.
struct Members {
    program: PathBuf,
    dir: tempfile::TempDir,
    claim: Claim,
    children: Vec<Child>,
}

impl Members {
    async fn start(program: PathBuf) -> Result<Self> {
        let (dir, claim) = (tempfile::tempdir()?, Claim::of(6)?);
        let mut members = Self { program, dir, claim, children: Vec::new() };
        for n in 0..3 {
            let child = members.run(n)?;
            members.children.push(child);
        }
        members.leader().await?;
        Ok(members)
    }

    fn clients(&self, member: usize) -> SocketAddr {
        self.claim.addresses()[member]
    }

    fn run(&self, member: usize) -> Result<Child> {
        let peer = |n: usize| format!("http://{}", self.claim.addresses()[3 + n]);
        let clients = format!("http://{}", self.clients(member));
        let cluster = (0..3).map(|n| format!("m{n}={}", peer(n))).collect::<Vec<_>>().join(",");
        let (name, data) = (format!("m{member}"), self.dir.path().join(format!("m{member}")));
        let own = peer(member);
        let data = data.to_string_lossy();
        let args = [
            ["--name", &name],
            ["--data-dir", &data],
            ["--listen-client-urls", &clients],
            ["--advertise-client-urls", &clients],
            ["--listen-peer-urls", &own],
            ["--initial-advertise-peer-urls", &own],
            ["--initial-cluster", &cluster],
        ];
        process::start(&self.program, args.as_flattened(), &[], &log(self.dir.path(), member))
    }

    /// Which member leads, once one does.
    async fn leader(&self) -> Result<usize> {
        let limit = Instant::now() + PATIENCE;
        while Instant::now() < limit {
            for member in 0..3 {
                let asked = timeout(Duration::from_millis(500), status(self.clients(member))).await;
                if let Ok(Ok(status)) = asked
                    && leads(&status)
                {
                    return Ok(member);
                }
            }
            sleep(Duration::from_millis(20)).await;
        }
        bail!("etcd elected nobody within {} s", PATIENCE.as_secs())
    }

    /// kill -9 of the leader until another member answers a put; then it comes back.
    async fn failover(&mut self) -> Result<Duration> {
        let leader = self.leader().await?;
        let survivors: Vec<_> = (0..3).filter(|n| *n != leader).map(|n| self.clients(n)).collect();
        let killed = Instant::now();
        self.children[leader].start_kill()?;
        let mut puts = JoinSet::new();
        let took = loop {
            if killed.elapsed() > PATIENCE {
                bail!("etcd took no put within {} s", PATIENCE.as_secs());
            }
            for survivor in &survivors {
                puts.spawn(put(*survivor));
            }
            sleep(AGAIN).await;
            let mut ended = std::iter::from_fn(|| puts.try_join_next());
            if let Some(answered) = ended.find_map(|put| put.ok()?.ok()) {
                break answered - killed;
            }
        };
        drop(puts);
        self.children[leader].wait().await?;
        self.children[leader] = self.run(leader)?;
        self.leader().await?;
        sleep(REST).await;
        Ok(took)
    }
}

fn log(dir: &Path, member: usize) -> PathBuf {
    dir.join(format!("m{member}.log"))
}

async fn status(member: SocketAddr) -> Result<Value> {
    let answer = Connection::open(member).await?.ask("POST", "/v3/maintenance/status", "{}").await?;
    Ok(serde_json::from_slice(&answer.body)?)
}

/// True if the member that says this leads.
fn leads(status: &Value) -> bool {
    let leader = status["leader"].as_str().filter(|id| *id != "0");
    leader.is_some() && leader == status.pointer("/header/member_id").and_then(Value::as_str)
}

/// One put on a connection of its own; when it was answered.
async fn put(member: SocketAddr) -> Result<Instant> {
    let answer = Connection::open(member).await?.ask("POST", PUT, &body("failover")).await?;
    answer.is_success().then(Instant::now).context("the put was refused")
}

fn body(key: &str) -> String {
    json!({ "key": BASE64_STANDARD.encode(key), "value": BASE64_STANDARD.encode(VALUE) }).to_string()
}

/// A client that puts one key after the other.
struct Putter {
    connection: Connection,
    name: usize,
    puts: u64,
}

impl Asks for Putter {
    async fn ask(&mut self) -> Result<bool> {
        self.puts += 1;
        let body = body(&format!("bench-{}-{}", self.name, self.puts));
        Ok(self.connection.ask("POST", PUT, &body).await?.is_success())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_leads_if_it_names_itself() {
        let status = |leader: &str| json!({ "header": { "member_id": "17" }, "leader": leader });
        assert!(leads(&status("17")));
        assert!(!leads(&status("18")));
        assert!(!leads(&json!({ "header": { "member_id": "0" }, "leader": "0" })), "0 is nobody");
        assert!(!leads(&json!({ "header": {} })), "a member without a leader names none");
    }
}
