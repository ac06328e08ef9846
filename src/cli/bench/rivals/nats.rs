//! NATS JetStream: a stream with three replicas in files, spoken to in NATS' own text protocol.
//!
//! A message is published with a subject for the answer, and counts when the stream's acknowledgement is there: a majority has it. Releases
//! before 2.10, as Debian 12 has one, can't sync each message to disk (`sync_interval: always`); there it has it in memory of the system only,
//! and the figure says so.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::super::load::{self, Asks, CLIENTS};
use super::super::process;
use super::{Rival, VALUE, version};
use crate::loopback::Claim;

/// How long the servers may take to find each other and place the stream.
const PATIENCE: Duration = Duration::from_secs(30);
const STREAM: &str = r#"{"name":"bench","subjects":["bench"],"num_replicas":3,"storage":"file","retention":"limits"}"#;

/// Measures it, or says why not.
pub(super) async fn measure(span: Duration) -> Result<Rival> {
    let Some(program) = process::installed("nats-server") else {
        return Ok(Rival::left_out("not installed: Debian has it in nats-server"));
    };
    let (dir, claim) = (tempfile::tempdir()?, Claim::of(6)?);
    let syncs = can_sync(&program, dir.path()).await?;
    let run = |n: usize| start(&program, dir.path(), claim.addresses(), n, syncs);
    let children: Vec<Child> = (0..3).map(run).collect::<Result<_>>()?;
    let leader = place_stream(&claim.addresses()[..3]).await?;
    let mut steps = Vec::new();
    for count in CLIENTS {
        let mut clients = Vec::new();
        for n in 0..count {
            clients.push(Publisher::open(leader, n).await?);
        }
        steps.push(load::run(clients, span).await?);
    }
    process::end(children).await?;
    let durability = match syncs {
        true => "synced on a majority (sync_interval: always)",
        false => "in the system's memory on a majority: this release can't sync each message",
    };
    let version = version(&program, "--version").await?;
    Ok(Rival { left_out: None, version, durability: durability.to_owned(), steps, killed_ms: None })
}

fn settings(dir: &Path, addresses: &[SocketAddr], n: usize, syncs: bool) -> String {
    let routes = (0..3).map(|n| format!("\"nats://{}\"", addresses[3 + n])).collect::<Vec<_>>().join(", ");
    let (clients, own, store) = (addresses[n], addresses[3 + n], dir.join(format!("store{n}")));
    let sync = if syncs { "\n  sync_interval: always" } else { "" };
    format!(
        "server_name: n{n}\nlisten: \"{clients}\"\njetstream {{\n  store_dir: {store:?}{sync}\n}}\n\
         cluster {{\n  name: bench\n  listen: \"{own}\"\n  routes: [{routes}]\n}}\n"
    )
}

/// True if this release takes the setting that syncs each message.
async fn can_sync(program: &Path, dir: &Path) -> Result<bool> {
    let file = dir.join("try.conf");
    let addresses = vec!["127.0.0.1:1".parse()?; 6];
    std::fs::write(&file, settings(dir, &addresses, 0, true))?;
    let tried = Command::new(program).arg("-t").arg("-c").arg(&file).kill_on_drop(true).output().await?;
    Ok(tried.status.success())
}

fn start(program: &Path, dir: &Path, addresses: &[SocketAddr], n: usize, syncs: bool) -> Result<Child> {
    let file: PathBuf = dir.join(format!("n{n}.conf"));
    std::fs::write(&file, settings(dir, addresses, n, syncs))?;
    process::start(program, ["-c".as_ref(), file.as_os_str()], &[], &dir.join(format!("n{n}.log")))
}

/// Makes the stream, once the servers have found each other; where its leader's clients are.
async fn place_stream(addresses: &[SocketAddr]) -> Result<SocketAddr> {
    let limit = Instant::now() + PATIENCE;
    let mut said = String::new();
    while Instant::now() < limit {
        match timeout(Duration::from_secs(5), created(addresses)).await {
            Ok(Ok(address)) => return Ok(address),
            Ok(Err(error)) => said = format!("{error:#}"),
            Err(_) => said = "no answer".to_owned(),
        }
        sleep(Duration::from_millis(200)).await;
    }
    bail!("NATS made no stream within {} s: {said}", PATIENCE.as_secs())
}

async fn created(addresses: &[SocketAddr]) -> Result<SocketAddr> {
    let mut asks = Publisher::open(addresses[0], 0).await?;
    let answer: Value = serde_json::from_slice(&asks.request("$JS.API.STREAM.CREATE.bench", STREAM.as_bytes()).await?)?;
    let leader = answer.pointer("/cluster/leader").and_then(Value::as_str);
    let leader = leader.with_context(|| format!("the stream has no leader: {answer}"))?;
    let number: usize = leader.trim_start_matches('n').parse().context("servers are named n0, n1, n2")?;
    addresses.get(number).copied().context("the leader is none of ours")
}

/// A client that publishes one message after the other.
struct Publisher {
    stream: BufReader<TcpStream>,
    inbox: String,
}

impl Publisher {
    async fn open(address: SocketAddr, name: usize) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut publisher = Self { stream: BufReader::new(stream), inbox: format!("_INBOX.bench{name}") };
        let connect = json!({ "verbose": false, "pedantic": false, "protocol": 1 });
        let hello = format!("CONNECT {connect}\r\nSUB {} 1\r\nPING\r\n", publisher.inbox);
        publisher.stream.get_mut().write_all(hello.as_bytes()).await?;
        while publisher.line().await? != "PONG" {}
        Ok(publisher)
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            bail!("NATS closed the connection");
        }
        line.truncate(line.trim_end().len());
        Ok(line)
    }

    /// Publishes, and waits for what is published to our own subject in answer.
    async fn request(&mut self, subject: &str, payload: &[u8]) -> Result<Vec<u8>> {
        let mut message = format!("PUB {subject} {} {}\r\n", self.inbox, payload.len()).into_bytes();
        message.extend_from_slice(payload);
        message.extend_from_slice(b"\r\n");
        self.stream.get_mut().write_all(&message).await?;
        loop {
            let line = self.line().await?;
            if let Some(length) = length_of(&line) {
                let mut answer = vec![0; length + 2];
                self.stream.read_exact(&mut answer).await?;
                answer.truncate(length);
                return Ok(answer);
            }
            match line.as_str() {
                "PING" => self.stream.get_mut().write_all(b"PONG\r\n").await?,
                line if line.starts_with("-ERR") => bail!("NATS said {line}"),
                _ => {}
            }
        }
    }
}

/// The payload's length, where a line announces a message: `MSG <subject> <sid> [reply] <bytes>`.
fn length_of(line: &str) -> Option<usize> {
    line.strip_prefix("MSG ")?.rsplit(' ').next()?.parse().ok()
}

impl Asks for Publisher {
    async fn ask(&mut self) -> Result<bool> {
        let answer = self.request("bench", &VALUE).await?;
        Ok(is_kept(&answer))
    }
}

/// True for a stream's acknowledgement: it names the message's number.
fn is_kept(answer: &[u8]) -> bool {
    serde_json::from_slice::<Value>(answer).is_ok_and(|answer| answer["seq"].is_u64() && answer["error"].is_null())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_its_length_last() {
        assert_eq!(length_of("MSG _INBOX.bench0 1 27"), Some(27));
        assert_eq!(length_of("MSG _INBOX.bench0 1 some.reply 0"), Some(0));
        assert_eq!(length_of("INFO {\"a\": 7}"), None);
    }

    #[test]
    fn only_a_numbered_acknowledgement_counts() {
        assert!(is_kept(br#"{"stream":"bench","seq":7}"#));
        assert!(!is_kept(br#"{"error":{"code":503},"seq":0}"#));
        assert!(!is_kept(b""), "nobody hears the subject");
    }
}
