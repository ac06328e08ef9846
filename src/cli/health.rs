//! `brigade health URL`: what a health check asks, for images without curl. It needs no token and no key, and prints nothing when all is well.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use tokio::time::timeout;

use crate::mqtt::{Client, Error, Event, Options};
use crate::tls::Dialer;

/// The most characters of a bad answer that are shown.
const SAID_MAX: usize = 500;

/// What the command is told.
#[derive(clap::Args)]
pub struct Args {
    /// Who is asked: http://host:port or https://host:port, of a controller's API or of a backend; mqtt://host:port or mqtts://host:port, of a broker
    url: String,
    /// Who signs its certificate (PEM), for https [default: whom this machine trusts]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Ask only whether the process lives; a controller without a majority lives and is not ready
    #[arg(long)]
    live: bool,
    /// How long the answer may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    limit: u64,
}

/// Done when the answer is good; else an error with what was said.
pub async fn run(args: Args) -> Result<()> {
    if args.url.starts_with("mqtt") {
        return broker(&args).await;
    }
    let path = if args.live { "livez" } else { "readyz" };
    let url = format!("{}/{path}", args.url.trim_end_matches('/'));
    let dialer = Dialer::towards([url.as_str()], args.ca.as_deref())?;
    let client = dialer.http().timeout(Duration::from_secs(args.limit)).build()?;
    let answer = client.get(&url).send().await.with_context(|| url.clone())?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let said: String = answer.text().await.unwrap_or_default().chars().take(SAID_MAX).collect();
    bail!("{url}: {status}: {}", said.trim())
}

/// A closed broker that says no to somebody without a key is as well as one that lets him in: it speaks TLS and MQTT.
async fn broker(args: &Args) -> Result<()> {
    let dialer = Dialer::towards([args.url.as_str()], args.ca.as_deref())?;
    let client_id = format!("health-{}", std::process::id());
    let mut client = Client::connect(Options { dialer, ..Options::new(&args.url, client_id) })?;
    let answer = timeout(Duration::from_secs(args.limit), client.events.next()).await;
    match answer.with_context(|| format!("{}: no answer", args.url))? {
        Some(Event::Connected { .. } | Event::Ended(Error::Refused { .. })) => Ok(()),
        Some(Event::Ended(why)) => bail!("{}: {why}", args.url),
        other => bail!("{}: {other:?}", args.url),
    }
}
