//! `brigade broker`: the embedded MQTT broker as a process of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, bail};

use crate::mqtt::broker::{Access, Options};
use crate::node::start_broker;
use crate::tls::{self, Identity};
use crate::{shutdown, telemetry};

/// What the command is told.
#[derive(clap::Args)]
pub struct Args {
    /// Where it listens; without a password file it is open, and then on loopback alone
    #[arg(long, default_value = "127.0.0.1:1883")]
    listen: SocketAddr,
    /// Who is let in: mosquitto's file, as `brigade ctl devices enrol` writes it. It is read again when it changes
    #[arg(long, value_name = "FILE", requires = "acl_file")]
    password_file: Option<PathBuf>,
    /// What they may say and hear: mosquitto's file of rules, from the same command
    #[arg(long, value_name = "FILE", requires = "password_file")]
    acl_file: Option<PathBuf>,
    /// Speaks TLS with node.pem and node.key of this folder, as `brigade certs issue` writes them
    #[arg(long, value_name = "DIR", requires = "password_file")]
    tls_dir: Option<PathBuf>,
}

/// Runs the broker until SIGTERM.
pub async fn run(args: Args) -> Result<()> {
    telemetry::start(&telemetry::Options::default());
    let stop = shutdown::on_signals()?;
    let options = options(args)?;
    let shown: Vec<Arc<Identity>> = options.identity.iter().cloned().collect();
    let broker = tokio::task::spawn_blocking(move || start_broker(options, "--listen")).await??;
    println!("{}", broker.url());
    let renewing = tokio::spawn(tls::follow(shown, stop.clone()));
    stop.cancelled().await;
    renewing.await?;
    tokio::task::spawn_blocking(move || broker.stop()).await?;
    Ok(())
}

fn options(args: Args) -> Result<Options> {
    let files = args.password_file.zip(args.acl_file);
    let access = files.map(|(password_file, acl_file)| Access { password_file, acl_file });
    if access.is_none() && !args.listen.ip().is_loopback() {
        bail!(
            "an open broker at {}: whoever reaches that could speak for the kitchen. Close it with --password-file and --acl-file, or listen on loopback",
            args.listen
        );
    }
    let load = |dir: PathBuf| Identity::load(&dir.join(tls::NODE), &dir.join(tls::NODE_KEY));
    let identity = args.tls_dir.map(load).transpose()?;
    Ok(Options { access, identity, ..Options::new(args.listen) })
}
