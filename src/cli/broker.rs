//! `brigade broker`: the embedded MQTT broker as a process of its own.

use std::net::SocketAddr;

use anyhow::Result;

use crate::node::start_broker;
use crate::{shutdown, telemetry};

/// What the command is told.
#[derive(clap::Args)]
pub struct Args {
    /// Where it listens; anonymous, so keep it on loopback
    #[arg(long, default_value = "127.0.0.1:1883")]
    listen: SocketAddr,
}

/// Runs the broker until SIGTERM.
pub async fn run(args: Args) -> Result<()> {
    telemetry::start(&telemetry::Options::default());
    let stop = shutdown::on_signals()?;
    let broker = tokio::task::spawn_blocking(move || start_broker(args.listen, "--listen")).await??;
    println!("{}", broker.url());
    stop.cancelled().await;
    tokio::task::spawn_blocking(move || broker.stop()).await?;
    Ok(())
}
