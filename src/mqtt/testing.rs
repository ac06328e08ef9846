//! For tests: a real mosquitto on a free port, and a broker of either make behind one name.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::broker;
use crate::loopback::Claim;

/// Where Debian's package puts it, and where others may.
const MOSQUITTO_PATHS: [&str; 3] = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/usr/bin/mosquitto"];

/// A running mosquitto of its own; dropping it ends that process.
#[derive(Debug)]
pub struct Mosquitto {
    child: Child,
    address: SocketAddr,
    _claim: Claim,
    config: PathBuf,
}

impl Mosquitto {
    /// Starts one on a free port of loopback, in memory, anonymous. None where mosquitto is not installed.
    pub fn start() -> Option<Self> {
        let program = MOSQUITTO_PATHS.into_iter().map(Path::new).find(|path| path.exists())?;
        Self::start_at(program, Claim::of(1).ok()?)
    }

    fn start_at(program: &Path, claim: Claim) -> Option<Self> {
        let address = claim.addresses()[0];
        let port = address.port();
        let config = std::env::temp_dir().join(format!("brigade-mosquitto-{}-{port}.conf", std::process::id()));
        let lines = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_queued_messages 100000\nset_tcp_nodelay true\n"
        );
        std::fs::File::create(&config).and_then(|mut file| file.write_all(lines.as_bytes())).ok()?;
        let mut command = Command::new(program);
        command.arg("-c").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mosquitto = Self { child: command.spawn().ok()?, address, _claim: claim, config };
        wait_until_accepting(address).then_some(mosquitto)
    }

    /// Its address for clients, `mqtt://host:port`.
    pub fn url(&self) -> String {
        format!("mqtt://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.config);
    }
}

/// A broker of either make.
#[derive(Debug)]
pub enum AnyBroker {
    /// The embedded one.
    Embedded(broker::Broker),
    /// A real mosquitto.
    Mosquitto(Mosquitto),
}

impl AnyBroker {
    /// One of each; without mosquitto where it is not installed, unless BRIGADE_NEEDS_MOSQUITTO is set.
    pub fn all() -> Vec<Self> {
        let mosquitto = Mosquitto::start();
        let is_needed = std::env::var_os("BRIGADE_NEEDS_MOSQUITTO").is_some();
        assert!(mosquitto.is_some() || !is_needed, "mosquitto is needed and did not start");
        let embedded = broker::Broker::start(broker::Options::loopback()).expect("loopback has free ports");
        [Self::Embedded(embedded)].into_iter().chain(mosquitto.map(Self::Mosquitto)).collect()
    }

    /// Its address for clients.
    pub fn url(&self) -> String {
        match self {
            Self::Embedded(broker) => broker.url(),
            Self::Mosquitto(mosquitto) => mosquitto.url(),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Embedded(broker) => broker.address(),
            Self::Mosquitto(mosquitto) => mosquitto.address(),
        }
    }

    /// What a failed assertion shows.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Embedded(_) => "embedded",
            Self::Mosquitto(_) => "mosquitto",
        }
    }
}

fn wait_until_accepting(address: SocketAddr) -> bool {
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until {
        if TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}
