//! RabbitMQ: a quorum queue over three nodes, spoken to by STOMP (its own plugin), which is text.
//!
//! A message is sent with a wish for a receipt, which is RabbitMQ's publisher confirm: a majority has it in its write-ahead log, synced. Clients are
//! at the node that leads the queue. Each node has its own folder, ports and Erlang name; they share a cookie and a port mapper of their own.

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Child;
use tokio::time::sleep;

use super::super::load::{self, Asks, CLIENTS};
use super::super::process;
use super::{Rival, VALUE};
use crate::loopback::Claim;

/// Debian's other one, in /usr/sbin, becomes another user.
const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
/// How long a node may take to start: Erlang loads some hundred modules.
const PATIENCE: Duration = Duration::from_secs(120);

/// Measures it, or says why not.
pub(super) async fn measure(span: Duration) -> Result<Rival> {
    let Some(epmd) = process::installed("epmd").filter(|_| Path::new(SERVER).is_file()) else {
        return Ok(Rival::left_out("not installed: Debian has it in rabbitmq-server"));
    };
    let (dir, claim) = (tempfile::tempdir()?, Claim::of(10)?);
    let ports = Ports(claim.addresses());
    let cookie = dir.path().join(".erlang.cookie");
    std::fs::write(&cookie, "brigadebench")?;
    std::fs::set_permissions(&cookie, Permissions::from_mode(0o400))?;
    let mapper = ["-port", &ports.mapper().to_string(), "-address", "127.0.0.1"];
    let mut children = vec![process::start(&epmd, mapper, &[], &dir.path().join("epmd.log"))?];
    // One after the other: the first founds the cluster, the others join it.
    for n in 0..3 {
        children.push(start(dir.path(), &ports, n)?);
        wait_until_it_listens(ports.stomp(n), &mut children).await?;
    }
    let mut first = Sender::open(ports.stomp(0)).await?;
    first.declare().await?;
    let mut steps = Vec::new();
    for count in CLIENTS {
        let mut clients = Vec::new();
        for _ in 0..count {
            clients.push(Sender::open(ports.stomp(0)).await?);
        }
        steps.push(load::run(clients, span).await?);
    }
    process::end(children).await?;
    let durability = "synced on a majority".to_owned();
    Ok(Rival { left_out: None, version: first.server, durability, steps, killed_ms: None })
}

/// Which address is for what.
struct Ports<'a>(&'a [SocketAddr]);

impl Ports<'_> {
    fn stomp(&self, n: usize) -> SocketAddr {
        self.0[n]
    }

    fn amqp(&self, n: usize) -> SocketAddr {
        self.0[3 + n]
    }

    fn nodes(&self, n: usize) -> u16 {
        self.0[6 + n].port()
    }

    fn mapper(&self) -> u16 {
        self.0[9].port()
    }
}

fn settings(ports: &Ports, n: usize) -> String {
    let nodes = (0..3).map(|n| format!("cluster_formation.classic_config.nodes.{} = n{n}@localhost\n", n + 1));
    format!(
        "listeners.tcp.1 = {}\nstomp.listeners.tcp.1 = {}\n\
         cluster_formation.peer_discovery_backend = rabbit_peer_discovery_classic_config\n{}",
        ports.amqp(n),
        ports.stomp(n),
        nodes.collect::<String>()
    )
}

fn start(dir: &Path, ports: &Ports, n: usize) -> Result<Child> {
    let own = dir.join(format!("n{n}"));
    std::fs::create_dir(&own)?;
    std::fs::write(own.join("rabbitmq.conf"), settings(ports, n))?;
    std::fs::write(own.join("plugins"), "[rabbitmq_stomp].\n")?;
    let path = |name: &str| own.join(name).to_string_lossy().into_owned();
    let environment = [
        ("HOME", dir.to_string_lossy().into_owned()),
        // The script then becomes the server, so that what we end is not its shell.
        ("RUNNING_UNDER_SYSTEMD", "true".to_owned()),
        ("ERL_EPMD_PORT", ports.mapper().to_string()),
        ("RABBITMQ_NODENAME", format!("n{n}@localhost")),
        ("RABBITMQ_DIST_PORT", ports.nodes(n).to_string()),
        ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}".to_owned()),
        ("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf")),
        // What a site has set up is not this one's.
        ("RABBITMQ_CONF_ENV_FILE", "/dev/null".to_owned()),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", path("plugins")),
        ("RABBITMQ_MNESIA_BASE", path("mnesia")),
        ("RABBITMQ_LOG_BASE", path("log")),
        ("RABBITMQ_PID_FILE", path("pid")),
    ];
    process::start(Path::new(SERVER), [""; 0], &environment, &dir.join(format!("n{n}.log")))
}

async fn wait_until_it_listens(address: SocketAddr, children: &mut [Child]) -> Result<()> {
    let limit = Instant::now() + PATIENCE;
    while TcpStream::connect(address).await.is_err() {
        for child in children.iter_mut() {
            if let Some(status) = child.try_wait()? {
                bail!("a process of RabbitMQ ended by itself: {status}");
            }
        }
        if Instant::now() > limit {
            bail!("RabbitMQ did not start within {} s", PATIENCE.as_secs());
        }
        sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// A client that sends one message after the other.
struct Sender {
    stream: BufReader<TcpStream>,
    server: String,
    receipts: u64,
}

impl Sender {
    async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut sender = Self { stream: BufReader::new(stream), server: String::new(), receipts: 0 };
        let hello = frame("CONNECT", &["accept-version:1.2", "host:/", "login:guest", "passcode:guest"], &[]);
        sender.stream.get_mut().write_all(&hello).await?;
        let welcome = sender.answer("CONNECTED").await?;
        sender.server = header(&welcome, "server").unwrap_or_default().replace('/', " ");
        Ok(sender)
    }

    /// Makes the queue: who subscribes to one says what it is to be. Nobody reads from it.
    async fn declare(&mut self) -> Result<()> {
        let queue = ["id:0", "destination:/queue/bench", "durable:true", "auto-delete:false"];
        let made = [&queue[..], &["ack:client", "x-queue-type:quorum", "receipt:made"]].concat();
        let left = [&queue[..], &["receipt:left"]].concat();
        for (command, headers) in [("SUBSCRIBE", made), ("UNSUBSCRIBE", left)] {
            self.stream.get_mut().write_all(&frame(command, &headers, &[])).await?;
            self.answer("RECEIPT").await?;
        }
        Ok(())
    }

    /// The next frame, which must be of this kind.
    async fn answer(&mut self, wanted: &str) -> Result<String> {
        let mut bytes = Vec::new();
        self.stream.read_until(0, &mut bytes).await?;
        let text = String::from_utf8_lossy(&bytes).trim_matches(['\0', '\n']).to_owned();
        let is_wanted = text.lines().next() == Some(wanted);
        is_wanted.then_some(()).with_context(|| format!("RabbitMQ did not answer {wanted}: {text:?}"))?;
        Ok(text)
    }
}

fn frame(command: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{command}\n{}\n\n", headers.join("\n")).into_bytes();
    bytes.extend_from_slice(body);
    bytes.push(0);
    bytes
}

fn header<'a>(frame: &'a str, name: &str) -> Option<&'a str> {
    frame.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

impl Asks for Sender {
    async fn ask(&mut self) -> Result<bool> {
        self.receipts += 1;
        let receipt = format!("receipt:{}", self.receipts);
        // Of the queue that is there: /queue/… would declare it again.
        let message = frame("SEND", &["destination:/amq/queue/bench", "persistent:true", &receipt], &VALUE);
        self.stream.get_mut().write_all(&message).await?;
        let answer = self.answer("RECEIPT").await?;
        Ok(header(&answer, "receipt-id").and_then(|id| id.parse().ok()) == Some(self.receipts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_ends_with_a_zero_and_shows_its_headers() {
        let sent = frame("SEND", &["destination:/q", "receipt:7"], b"x");
        assert_eq!(sent, b"SEND\ndestination:/q\nreceipt:7\n\nx\0");
        let answer = "RECEIPT\nreceipt-id:7";
        assert_eq!(header(answer, "receipt-id"), Some("7"));
        assert_eq!(header(answer, "receipt"), None);
    }
}
