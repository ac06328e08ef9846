//! `brigade controller`: one replica of a kitchen, until SIGTERM.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::config::Config;
use crate::http::access::Mode;
use crate::{node, shutdown, telemetry};

/// The exit code for a configuration that can't be used.
const WRONG_CONFIGURATION: u8 = 2;

/// What the command is told.
#[derive(clap::Args)]
pub struct Args {
    /// The node's configuration (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only check the configuration: say everything that is wrong, or what the node would be
    #[arg(long)]
    check: bool,
}

/// Runs the controller. Exit code 1 for what may pass, 2 for a wrong configuration, 70 when its storage can't be trusted.
pub async fn run(args: Args) -> ExitCode {
    if args.check {
        return check(&args.config);
    }
    let config = match Config::load(&args.config) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("brigade: {error}");
            return ExitCode::from(WRONG_CONFIGURATION);
        }
    };
    // Every caller of the API holds one, and RocksDB its files.
    super::backend::raise_open_files();
    telemetry::start(&config.log);
    let stop = match shutdown::on_signals() {
        Ok(stop) => stop,
        Err(error) => return super::exit_code(Err(error.into())),
    };
    match node::run(config, stop).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("brigade: {}", super::sentence(&error));
            ExitCode::from(node::exit_code(&error))
        }
    }
}

/// Says everything that is wrong, or what the node would be. Opens no port and no data directory.
fn check(path: &Path) -> ExitCode {
    let config = match Config::read(path) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("brigade: {error}");
            return ExitCode::from(WRONG_CONFIGURATION);
        }
    };
    let faults = config.faults();
    for fault in &faults {
        eprintln!("brigade: {}: {fault}", path.display());
    }
    if !faults.is_empty() {
        return ExitCode::from(WRONG_CONFIGURATION);
    }
    println!("{} is good", path.display());
    print!("{}", summary(&config));
    for note in config.notes() {
        println!("Note: {note}");
    }
    ExitCode::SUCCESS
}

fn summary(config: &Config) -> String {
    let replicas: Vec<String> = config.nodes.iter().map(|n| format!("{} at {}", n.id, n.peer)).collect();
    let listens = config.listen_addresses().map(|(peer, api)| format!("{peer} for replicas, {api} for clients"));
    let closed = match (&config.embedded_broker_access, &config.tls) {
        (None, _) => ", open",
        (Some(_), None) => ", closed",
        (Some(_), Some(_)) => ", closed, with TLS",
    };
    let embedded = config.embedded_broker.map_or(String::new(), |a| format!("; runs one at {a}{closed}"));
    let access = match (config.access.mode, &config.access.admin_token_file) {
        (Mode::Open, _) => "open: whoever reaches the API may do everything",
        (Mode::Tokens, Some(_)) => "by token; an admin's is configured",
        (Mode::Tokens, None) => "by token; a new kitchen's first is written to the data directory",
    };
    let menu = match config.menu.recipes.len() {
        0 => "built-in".to_owned(),
        n => format!("{n} recipes of this file"),
    };
    let lines = [
        ("kitchen", format!("{}, node {} of {}", config.kitchen, config.node, config.nodes.len())),
        ("replicas", replicas.join(", ")),
        ("listens", listens.unwrap_or_default()),
        ("access", access.to_owned()),
        ("brokers", format!("{}{embedded}", config.brokers.join(", "))),
        ("data", config.data_dir.display().to_string()),
        ("menu", format!("{menu}, for a new kitchen")),
    ];
    lines.iter().map(|(name, text)| format!("  {name:10}{text}\n")).collect()
}
