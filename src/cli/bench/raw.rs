//! The raw limits: what this disk, loopback, the broker in use and a new process take by themselves. Every other figure stands beside one.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::any;
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::time::timeout;

use super::Distribution;
use super::broker::Broker;
use super::http1::Connection;
use crate::mqtt::{Client, Event, Options, Publication, Qos};

/// How often each is measured.
const TIMES: usize = 1_000;
/// How often a process is started.
const STARTS: usize = 20;
/// What is written and sent: an order's log entry has about as many bytes.
const BYTES: [u8; 256] = [b'7'; 256];
/// How long one message may take before the measurement is called off.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was measured.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    /// An append of 256 bytes with fdatasync, in the folder for temporary files: where replicas and rivals keep theirs.
    pub(super) fdatasync_ms: Distribution,
    /// 256 bytes there and back over one TCP connection of loopback.
    pub(super) tcp_ms: Distribution,
    /// A request and its empty answer over one HTTP connection, to a server that does nothing.
    pub(super) http_ms: Distribution,
    /// Which broker stands between.
    pub(super) broker: &'static str,
    /// A message from one client to another one, with QoS 1 on both sides, as instructions go.
    pub(super) mqtt_ms: Distribution,
    /// This program, from its start to its end, when it has nothing to do.
    pub(super) process_ms: Distribution,
}

impl Figures {
    /// The faster of two measurements, each for itself: what else the machine did meanwhile is no limit.
    pub(super) fn or_faster(self, other: Self) -> Self {
        let faster = |a: Distribution, b: Distribution| if b.p50 < a.p50 { b } else { a };
        Self {
            fdatasync_ms: faster(self.fdatasync_ms, other.fdatasync_ms),
            tcp_ms: faster(self.tcp_ms, other.tcp_ms),
            http_ms: faster(self.http_ms, other.http_ms),
            broker: self.broker,
            mqtt_ms: faster(self.mqtt_ms, other.mqtt_ms),
            process_ms: faster(self.process_ms, other.process_ms),
        }
    }
}

/// Measures all of them.
pub(super) async fn measure() -> Result<Figures> {
    let dir = tempfile::tempdir()?;
    Ok(Figures {
        fdatasync_ms: fdatasync_ms(dir.path())?,
        tcp_ms: tcp_ms().await?,
        http_ms: http_ms().await?,
        broker: Broker::make(),
        mqtt_ms: mqtt_ms(dir.path()).await?,
        process_ms: process_ms().await?,
    })
}

fn ms(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1_000.0
}

fn fdatasync_ms(dir: &Path) -> Result<Distribution> {
    let mut file = tempfile::tempfile_in(dir)?;
    let mut values = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let began = Instant::now();
        file.write_all(&BYTES)?;
        file.sync_data()?;
        values.push(ms(began));
    }
    Ok(Distribution::of(values))
}

async fn tcp_ms() -> Result<Distribution> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut client = TcpStream::connect(listener.local_addr()?).await?;
    let (mut server, _) = listener.accept().await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let echo = tokio::spawn(async move {
        let mut bytes = BYTES;
        while server.read_exact(&mut bytes).await.is_ok() && server.write_all(&bytes).await.is_ok() {}
    });
    let (mut values, mut bytes) = (Vec::with_capacity(TIMES), BYTES);
    for _ in 0..TIMES {
        let began = Instant::now();
        client.write_all(&BYTES).await?;
        client.read_exact(&mut bytes).await?;
        values.push(ms(began));
    }
    drop(client);
    echo.await?;
    Ok(Distribution::of(values))
}

async fn http_ms() -> Result<Distribution> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = Router::new().fallback(any(|| std::future::ready(StatusCode::NO_CONTENT)));
    let server = tokio::spawn(axum::serve(listener, router).into_future());
    let mut connection = Connection::open(address).await?;
    let mut values = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let began = Instant::now();
        let answer = connection.ask("PUT", "/", "").await?;
        values.push(ms(began));
        if !answer.is_success() {
            bail!("a server that does nothing answered {}", answer.status);
        }
    }
    server.abort();
    Ok(Distribution::of(values))
}

async fn mqtt_ms(dir: &Path) -> Result<Distribution> {
    let broker = Broker::start(dir).await?;
    let mut options = Options::new(broker.url(), "bench-hears");
    options.subscriptions = vec![("bench".to_owned(), Qos::AtLeastOnce)];
    let mut hears = Client::connect(options)?;
    let mut says = Client::connect(Options::new(broker.url(), "bench-says"))?;
    until(&mut says, |event| matches!(event, Event::Connected { .. })).await?;
    until(&mut hears, |event| matches!(event, Event::Subscribed)).await?;
    let mut values = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let began = Instant::now();
        says.publisher.publish(Publication::new("bench", BYTES.to_vec(), Qos::AtLeastOnce))?;
        until(&mut hears, |event| matches!(event, Event::Message(_))).await?;
        values.push(ms(began));
    }
    Ok(Distribution::of(values))
}

/// Waits for such an event.
async fn until(client: &mut Client, is_it: impl Fn(&Event) -> bool) -> Result<()> {
    loop {
        let next = timeout(PATIENCE, client.events.next()).await.context("the broker is silent")?;
        match next.context("the connection to the broker ended")? {
            event if is_it(&event) => return Ok(()),
            Event::Ended(error) => return Err(error.into()),
            Event::Connected { .. } | Event::Subscribed | Event::Message(_) => {}
        }
    }
}

async fn process_ms() -> Result<Distribution> {
    let program = std::env::current_exe()?;
    let mut values = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        let began = Instant::now();
        let mut command = Command::new(&program);
        command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        command.status().await?;
        values.push(ms(began));
    }
    Ok(Distribution::of(values))
}
