//! `brigade backend`: one instance of the main backend, until SIGTERM; and what an operator does before anybody has a token.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Subcommand, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::backend::store::{Holder, Mode, Registration, Role};
use crate::backend::{Backend, Options};
use crate::tls::{self, Acceptor, Dialer, Identity};
use crate::web::{Limits, serve_with};
use crate::{config, protocol, shutdown, telemetry};

/// The exit code for a configuration that can't be used.
const WRONG_CONFIGURATION: u8 = 2;
/// A token that is given has at least so many characters: 128 bits in hexadecimal digits.
const TOKEN_LENGTH_MIN: usize = 32;
/// Kitchens hold a connection each, and so do clients that follow an order.
const CONNECTIONS_MAX: usize = 20_000;

/// What the command is told. What is named here goes before what the file and the environment say.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = false)]
pub struct Args {
    /// The configuration (TOML); see docs/BACKEND.md
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// The database: sqlite://brigade.db, or postgres://user:password@host/name
    #[arg(long, value_name = "URL", global = true)]
    database: Option<String>,
    /// Where it listens
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Print a new token; works on the database, beside running instances
    Token {
        /// What it allows
        #[arg(long, value_enum)]
        role: TokenRole,
        /// Whose it is
        #[arg(long)]
        name: String,
    },
    /// Add a kitchen, or give one that is there a new token, and print it; works on the database
    Register {
        /// The kitchen's name
        kitchen: protocol::Id,
        /// A file that holds its token, drawn elsewhere (32 characters or more); none is drawn or printed then
        #[arg(long, value_name = "FILE")]
        token_file: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum TokenRole {
    /// Orders
    Client,
    /// Everything but the exchange of kitchens
    Operator,
}

/// Runs the backend, or one of the commands beside it. Exit code 1 for what may pass, 2 for a wrong configuration.
pub async fn run(args: Args) -> ExitCode {
    let options = match args.options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("brigade: {}", super::sentence(&error));
            return ExitCode::from(WRONG_CONFIGURATION);
        }
    };
    let done = match args.command {
        None => serve_until_stopped(options).await,
        Some(Command::Token { role, name }) => print_token(options, role, name).await,
        Some(Command::Register { kitchen, token_file }) => register(options, kitchen, token_file.as_deref()).await,
    };
    super::exit_code(done)
}

impl Args {
    fn options(&self) -> Result<Options> {
        let mut options = config::backend::read(self.config.as_deref())?;
        options.listen = self.listen.unwrap_or(options.listen);
        options.database = self.database.clone().unwrap_or(options.database);
        match options.faults().first() {
            None => Ok(options),
            Some(fault) => Err(anyhow::anyhow!("{fault}")),
        }
    }
}

/// Lets this process open as many files as it may: each kitchen is a connection, and the usual soft limit is 1,024.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::debug!(%error, "The limit of open files stays as it is: {error}");
    }
}

async fn serve_until_stopped(options: Options) -> Result<()> {
    raise_open_files();
    telemetry::start(&options.log);
    let _recorder = telemetry::record();
    let stop = shutdown::on_signals()?;
    // The port first: who waits for it is not to find another one's database locked.
    let listener = TcpListener::bind(options.listen).await;
    let listener = listener.with_context(|| format!("can't listen at {}", options.listen))?;
    let address = listener.local_addr()?;
    let dialer = Dialer::trusting_or_public(options.ca.as_deref())?;
    let acceptor = acceptor(&options, &stop)?;
    let backend = Backend::open(options, stop.clone()).await?;
    let limits = Limits { connections_max: CONNECTIONS_MAX, ..Limits::default() };
    let keeper = tokio::spawn(backend.clone().run(dialer, stop.clone()));
    println!("listens at {}://{address}", if acceptor.is_some() { "https" } else { "http" });
    serve_with(listener, backend.router(), limits, acceptor, stop).await?;
    keeper.await?;
    Ok(())
}

/// TLS, where a certificate is named. It is read again when it changes.
fn acceptor(options: &Options, stop: &CancellationToken) -> Result<Option<Acceptor>> {
    let (Some(cert), Some(key)) = (&options.tls_cert, &options.tls_key) else { return Ok(None) };
    let identity = Identity::load(cert, key)?;
    tokio::spawn(tls::follow(vec![identity.clone()], stop.clone()));
    Ok(Some(Acceptor::open(identity)))
}

/// The database, without anything that runs.
async fn open(options: Options) -> Result<Backend> {
    Ok(Backend::open(options, CancellationToken::new()).await?)
}

async fn print_token(options: Options, role: TokenRole, name: String) -> Result<()> {
    let role = match role {
        TokenRole::Client => Role::Client,
        TokenRole::Operator => Role::Operator,
    };
    println!("{}", open(options).await?.issue_token(Holder { role, name }).await?);
    Ok(())
}

async fn register(options: Options, kitchen: protocol::Id, token_file: Option<&Path>) -> Result<()> {
    let token = token_file.map(given_token).transpose()?;
    let backend = open(options).await?;
    if backend.store().kitchen(&kitchen).await?.is_none() {
        let (name, urls, api_token) = (kitchen.to_string(), Vec::new(), String::new());
        let id = kitchen.clone();
        backend.register(Registration { id, name, place: None, mode: Mode::Pull, urls, api_token }).await?;
    }
    match token {
        Some(token) => backend.set_token(&kitchen, token).await?,
        None => println!("{}", backend.renew_token(&kitchen).await?),
    }
    Ok(())
}

/// A token that somebody else drew: too short a one could be guessed.
fn given_token(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("--token-file {}", path.display()))?;
    let token = text.trim();
    anyhow::ensure!(
        token.len() >= TOKEN_LENGTH_MIN && token.chars().all(|c| c.is_ascii_graphic()),
        "--token-file {} must hold one word of {TOKEN_LENGTH_MIN} characters or more",
        path.display()
    );
    Ok(token.to_owned())
}
