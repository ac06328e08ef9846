//! A broker in a process of its own: mosquitto where it is installed, as at a site, else this program's.
//!
//! So a replica's death is not also a broker's, and a replica's memory and processor time are its own.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::net::TcpStream;
use tokio::process::Child;
use tokio::time::{Instant, sleep};

use super::process;
use crate::loopback::Claim;

/// How long it may take to listen.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running broker. Dropping it kills it.
pub(super) struct Broker {
    child: Child,
    address: SocketAddr,
    dir: PathBuf,
    _claim: Claim,
}

impl Broker {
    /// Starts one that keeps its files in this folder.
    pub(super) async fn start(dir: &Path) -> Result<Self> {
        let claim = Claim::of(1)?;
        let address = claim.addresses()[0];
        let child = spawn(address, dir)?;
        let broker = Self { child, address, dir: dir.to_owned(), _claim: claim };
        broker.wait_until_it_listens().await?;
        Ok(broker)
    }

    /// Which program it is.
    pub(super) fn make() -> &'static str {
        if process::installed("mosquitto").is_some() { "mosquitto" } else { "brigade broker" }
    }

    /// Its address for clients.
    pub(super) fn url(&self) -> String {
        format!("mqtt://{}", self.address)
    }

    /// SIGKILL, without waiting for the end.
    pub(super) fn kill(&mut self) -> Result<()> {
        Ok(self.child.start_kill()?)
    }

    /// Starts it again, at the same address and with an empty memory.
    pub(super) async fn revive(&mut self) -> Result<()> {
        self.child.wait().await?;
        self.child = spawn(self.address, &self.dir)?;
        self.wait_until_it_listens().await
    }

    async fn wait_until_it_listens(&self) -> Result<()> {
        let limit = Instant::now() + PATIENCE;
        while TcpStream::connect(self.address).await.is_err() {
            if Instant::now() > limit {
                bail!("{} does not listen at {}", Self::make(), self.address);
            }
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

fn spawn(address: SocketAddr, dir: &Path) -> Result<Child> {
    let (ip, port, log) = (address.ip(), address.port(), dir.join(format!("broker-{}.log", address.port())));
    let Some(mosquitto) = process::installed("mosquitto") else {
        let listen = address.to_string();
        return process::start(&std::env::current_exe()?, ["broker", "--listen", &listen], &[], &log);
    };
    let config = dir.join(format!("mosquitto-{port}.conf"));
    let lines = format!("listener {port} {ip}\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\n");
    std::fs::write(&config, lines)?;
    process::start(&mosquitto, [OsStr::new("-c"), config.as_os_str()], &[], &log)
}
