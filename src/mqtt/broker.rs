//! The embedded broker: MQTT 3.1.1 and 5 on one port. Open, for loopback: demo and tests. Closed (`Access`, and TLS by an `Identity`), for small sites.
//!
//! It runs on a thread and runtime of its own, so that a busy controller does not slow it down, and stops when told or
//! dropped. Nothing that matters lives in it.

mod access;
mod doorman;
mod front;
mod rules;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use mqtt5::broker::config::{BrokerConfig, RateLimitConfig, StorageBackend, StorageConfig};
use mqtt5::broker::{BrokerShutdownHandle, MqttBroker};
use tokio::net::TcpListener;

use crate::tls::{Acceptor, Identity};

pub use access::Access;
use doorman::Doorman;

/// How long the broker may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(5);

/// Options of the embedded broker.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 lets the system choose.
    pub address: SocketAddr,
    /// Where it keeps sessions and retained messages; None: in memory.
    pub storage: Option<PathBuf>,
    /// Who is let in, and what he may do there; None: everybody, everything.
    pub access: Option<Access>,
    /// What it shows to those who connect, as it is renewed by its owner; None: no TLS.
    pub identity: Option<Arc<Identity>>,
}

impl Options {
    /// In memory, at this address, for everybody.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, storage: None, access: None, identity: None }
    }

    /// In memory, on loopback, at a port that the system chooses.
    pub fn loopback() -> Self {
        Self::new(SocketAddr::from(([127, 0, 0, 1], 0)))
    }
}

/// Why the broker does not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not start.
    #[error("the embedded broker can't start at {address}: {why}")]
    Start {
        /// Where it should listen.
        address: SocketAddr,
        /// What went wrong.
        why: String,
    },
}

/// A running broker. Dropping it stops it.
pub struct Broker {
    address: SocketAddr,
    scheme: &'static str,
    shutdown: Option<BrokerShutdownHandle>,
    stopped: Receiver<()>,
}

impl Broker {
    /// Starts a broker and waits until it accepts connections. Blocks for some milliseconds.
    pub fn start(options: Options) -> Result<Self, Error> {
        let (started_sender, started) = channel();
        let (stopped_sender, stopped) = channel();
        let address = options.address;
        let scheme = if options.identity.is_some() { "mqtts" } else { "mqtt" };
        let failed = move |why: String| Error::Start { address, why };
        let thread = std::thread::Builder::new().name("mqtt-broker".to_owned());
        let spawned = thread.spawn(move || serve(&options, &started_sender, stopped_sender));
        spawned.map_err(|error| failed(error.to_string()))?;
        match started.recv_timeout(PATIENCE) {
            Ok(Ok((address, shutdown))) => Ok(Self { address, scheme, shutdown: Some(shutdown), stopped }),
            Ok(Err(why)) => Err(failed(why)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Err(failed("no answer".to_owned())),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address for clients, `mqtt://host:port` or `mqtts://host:port`.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Stops it, closes its connections, and frees the port. Blocks until it is done, 5 s at most.
    pub fn stop(mut self) {
        self.shut_down();
    }

    fn shut_down(&mut self) {
        if let Some(shutdown) = self.shutdown.take() {
            shutdown.shutdown();
            let _ = self.stopped.recv_timeout(PATIENCE);
        }
    }
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Broker({})", self.address)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.shut_down();
    }
}

type Started = Result<(SocketAddr, BrokerShutdownHandle), String>;

/// The broker's thread. `stopped` is dropped last, which tells that the port is free.
fn serve(options: &Options, started: &Sender<Started>, stopped: Sender<()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return drop(started.send(Err(error.to_string()))),
    };
    runtime.block_on(async {
        if let Err(why) = run(options, started).await {
            let _ = started.send(Err(why));
        }
    });
    runtime.shutdown_timeout(PATIENCE);
    drop(stopped);
}

/// Runs until it is shut down; Err where it could not start.
async fn run(options: &Options, started: &Sender<Started>) -> Result<(), String> {
    let broker = MqttBroker::with_config(config(options)).await.map_err(|error| error.to_string())?;
    let mut broker = guarded(broker, options)?;
    let inside = broker.local_addr().unwrap_or(options.address);
    let address = match &options.identity {
        Some(identity) => spawn_front(options.address, identity.clone(), inside).await?,
        None => inside,
    };
    let shutdown = broker.shutdown_handle();
    let mut ready = broker.ready_receiver();
    let run = broker.run();
    tokio::pin!(run);
    tokio::select! {
        ended = &mut run => return Err(ended.err().map_or("it ended at once".to_owned(), |error| error.to_string())),
        _ = ready.wait_for(|is_ready| *is_ready) => {}
    }
    let _ = started.send(Ok((address, shutdown)));
    if let Err(error) = run.await {
        tracing::error!(%error, "The embedded broker has ended");
    }
    Ok(())
}

/// With somebody at its door, where it is not for everybody.
fn guarded(broker: MqttBroker, options: &Options) -> Result<MqttBroker, String> {
    let Some(access) = &options.access else { return Ok(broker) };
    let doorman = Arc::new(Doorman::new(access.clone())?);
    tokio::spawn(doorman.clone().follow(broker.router()));
    Ok(broker.with_auth_provider(doorman))
}

/// TLS at this address, before the broker.
async fn spawn_front(address: SocketAddr, identity: Arc<Identity>, inside: SocketAddr) -> Result<SocketAddr, String> {
    let listener = TcpListener::bind(address).await.map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    tokio::spawn(front::serve(listener, Acceptor::for_mqtt(identity), inside));
    Ok(address)
}

fn config(options: &Options) -> BrokerConfig {
    let storage = match &options.storage {
        Some(path) => StorageConfig::new().with_backend(StorageBackend::File).with_base_dir(path.clone()),
        None => StorageConfig::new().with_backend(StorageBackend::Memory),
    };
    // Behind TLS it listens where this machine alone reaches it.
    let address = options.identity.as_ref().map_or(options.address, |_| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let mut config = BrokerConfig::new()
        .with_bind_address(address)
        .with_max_packet_size(256 * 1024)
        .with_storage(storage)
        .with_sys_topics_enabled(false);
    // Until the doorman stands there, which is before it accepts anybody.
    config.auth_config.allow_anonymous = true;
    // On loopback, and behind TLS, all clients share one address: counting failures by address would lock everybody out.
    config.auth_config.rate_limit = RateLimitConfig { enabled: false, ..RateLimitConfig::default() };
    config
}
