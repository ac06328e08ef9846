//! `brigade human`: a person with a tablet as a device of a kitchen, until SIGTERM.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::device::human::{self, Doors, Station};
use crate::device::runtime;
use crate::protocol::{DeviceId, Id};
use crate::tls::{self, Acceptor, Dialer, Identity};
use crate::{shutdown, telemetry};

/// A token that is shorter can be guessed.
const TOKEN_CHARACTERS_MIN: usize = 16;

/// What the command is told.
#[derive(clap::Args)]
#[command(
    after_help = "Open the address that it prints on the tablet. docs/HUMAN.md says what a person sees, and how a site is set up."
)]
pub struct Args {
    /// The device's id
    #[arg(long)]
    id: DeviceId,
    /// The kitchen's name
    #[arg(long, default_value = "demo")]
    kitchen: Id,
    /// A broker, the preferred one first; repeatable
    #[arg(long, value_name = "URL", default_value = "mqtt://127.0.0.1:1883")]
    broker: Vec<String>,
    /// Where the person stands
    #[arg(long, value_enum, default_value = "after-oven")]
    station: Station,
    /// The part of the kitchen
    #[arg(long)]
    zone: Option<Id>,
    /// A file that holds the device's key at the brokers; its user name is its id
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Who signs the brokers' certificates (PEM), for mqtts
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Where the tablet's page is; beyond loopback it needs --token-file
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7480")]
    listen: SocketAddr,
    /// A file that holds the token that the page asks for
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A name besides its addresses under which the page may be opened; repeatable
    #[arg(long, value_name = "HOST")]
    name: Vec<String>,
    /// The page's certificate (PEM), for https
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key to it
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// The other devices are those of `brigade device`: what the person says that he did is done to their world
    #[arg(long)]
    simulated: bool,
}

/// Runs until SIGTERM.
pub async fn run(args: Args) -> Result<()> {
    telemetry::start(&telemetry::Options::default());
    let stop = shutdown::on_signals()?;
    let options = args.options()?;
    let listener = TcpListener::bind(args.listen).await;
    let listener = listener.with_context(|| format!("can't listen at {}", args.listen))?;
    let acceptor = args.acceptor(&stop)?;
    let scheme = if acceptor.is_some() { "https" } else { "http" };
    println!("the tablet's page is at {scheme}://{}", listener.local_addr()?);
    Ok(human::run(options, listener, acceptor, stop).await?)
}

impl Args {
    fn options(&self) -> Result<human::Options> {
        let token = self.token_file.as_deref().map(secret).transpose()?;
        ensure!(
            token.is_some() || self.listen.ip().is_loopback(),
            "whoever reaches {} could press for the person: name a --token-file, or listen on loopback",
            self.listen
        );
        let long = token.as_ref().is_none_or(|token| token.chars().count() >= TOKEN_CHARACTERS_MIN);
        ensure!(long, "the token is too short: use `openssl rand -hex 32`");
        let mut device = runtime::Options::new(self.kitchen.clone(), self.id.clone(), self.broker.clone());
        device.password = self.key_file.as_deref().map(secret).transpose()?;
        device.dialer = self.ca.as_deref().map(Dialer::trusting).transpose()?.unwrap_or_default();
        let doors = Doors { names: self.name.clone(), token: token.as_deref().map(Doors::digest) };
        Ok(human::Options {
            station: self.station,
            zone: self.zone.clone(),
            device,
            doors,
            is_simulated: self.simulated,
        })
    }

    /// TLS, where a certificate is named. It is read again when it changes.
    fn acceptor(&self, stop: &CancellationToken) -> Result<Option<Acceptor>> {
        let (Some(cert), Some(key)) = (&self.tls_cert, &self.tls_key) else { return Ok(None) };
        let identity = Identity::load(cert, key)?;
        tokio::spawn(tls::follow(vec![identity.clone()], stop.clone()));
        Ok(Some(Acceptor::open(identity)))
    }
}

/// What a file holds, without the end of its line. A secret stands on no command line: everybody on the machine reads those.
fn secret(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} can't be read", path.display()))?;
    Ok(text.trim().to_owned())
}
