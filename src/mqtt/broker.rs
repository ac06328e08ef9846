//! The embedded broker: MQTT 3.1.1 and 5 on one port, anonymous, for loopback: demo, tests and small sites.
//!
//! It runs on a thread and runtime of its own, so that a busy controller does not slow it down, and stops when told or
//! dropped. Nothing that matters lives in it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use mqtt5::broker::config::{BrokerConfig, RateLimitConfig, StorageBackend, StorageConfig};
use mqtt5::broker::{BrokerShutdownHandle, MqttBroker};

/// How long the broker may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(5);

/// Options of the embedded broker.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 lets the system choose.
    pub address: SocketAddr,
    /// Where it keeps sessions and retained messages; None: in memory.
    pub storage: Option<PathBuf>,
}

impl Options {
    /// In memory, at this address.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, storage: None }
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
    shutdown: Option<BrokerShutdownHandle>,
    stopped: Receiver<()>,
}

impl Broker {
    /// Starts a broker and waits until it accepts connections. Blocks for some milliseconds.
    pub fn start(options: Options) -> Result<Self, Error> {
        let (started_sender, started) = channel();
        let (stopped_sender, stopped) = channel();
        let address = options.address;
        let failed = move |why: String| Error::Start { address, why };
        let thread = std::thread::Builder::new().name("mqtt-broker".to_owned());
        let spawned = thread.spawn(move || serve(&options, &started_sender, stopped_sender));
        spawned.map_err(|error| failed(error.to_string()))?;
        match started.recv_timeout(PATIENCE) {
            Ok(Ok((address, shutdown))) => Ok(Self { address, shutdown: Some(shutdown), stopped }),
            Ok(Err(why)) => Err(failed(why)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Err(failed("no answer".to_owned())),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address for clients, `mqtt://host:port`.
    pub fn url(&self) -> String {
        format!("mqtt://{}", self.address)
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
        let mut broker = match MqttBroker::with_config(config(options)).await {
            Ok(broker) => broker,
            Err(error) => return drop(started.send(Err(error.to_string()))),
        };
        let address = broker.local_addr().unwrap_or(options.address);
        let shutdown = broker.shutdown_handle();
        let mut ready = broker.ready_receiver();
        let run = broker.run();
        tokio::pin!(run);
        let ended = tokio::select! {
            ended = &mut run => Some(ended),
            _ = ready.wait_for(|is_ready| *is_ready) => None,
        };
        if let Some(ended) = ended {
            let why = ended.err().map_or("it ended at once".to_owned(), |error| error.to_string());
            return drop(started.send(Err(why)));
        }
        let _ = started.send(Ok((address, shutdown)));
        if let Err(error) = run.await {
            tracing::error!(%error, "The embedded broker has ended");
        }
    });
    runtime.shutdown_timeout(PATIENCE);
    drop(stopped);
}

fn config(options: &Options) -> BrokerConfig {
    let storage = match &options.storage {
        Some(path) => StorageConfig::new().with_backend(StorageBackend::File).with_base_dir(path.clone()),
        None => StorageConfig::new().with_backend(StorageBackend::Memory),
    };
    let mut config = BrokerConfig::new()
        .with_bind_address(options.address)
        .with_max_packet_size(256 * 1024)
        .with_storage(storage)
        .with_sys_topics_enabled(false);
    config.auth_config.allow_anonymous = true;
    // On loopback all clients share one address: counting failures by address would lock everybody out.
    config.auth_config.rate_limit = RateLimitConfig { enabled: false, ..RateLimitConfig::default() };
    config
}
