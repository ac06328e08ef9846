//! The program's subcommands. This is the top layer: it may use anything and nothing uses it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub mod backend;
pub mod bench;
pub mod broker;
pub mod certs;
pub mod check_history;
pub mod completions;
pub mod conform;
pub mod controller;
pub mod ctl;
pub mod demo;
pub mod device;
pub mod health;
pub mod human;
pub mod local;
pub mod simulate;

/// Runs kitchens of pizza-cooking robots, and does not stop.
#[derive(Parser)]
#[command(name = "brigade", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run one controller replica of a kitchen
    Controller(controller::Args),
    /// Run an instance of the main backend, which gives orders to kitchens
    Backend(backend::Args),
    /// Run a line of simulated robots, ovens and cameras
    Device(device::Args),
    /// Run the tablet of a person who works as a device of a kitchen
    Human(human::Args),
    /// Run an MQTT broker, for tests and small sites
    Broker(broker::Args),
    /// Run a whole kitchen on this machine and cook some orders
    Demo(demo::Args),
    /// Cook orders on a line of devices in virtual time, to plan a kitchen
    Simulate(simulate::Args),
    /// Measure this program on this machine, each figure beside the limit of disk or network
    Bench(bench::Args),
    /// One replica of the bare log that `bench` compares with
    #[command(hide = true)]
    BenchBare(bench::bare::node::Args),
    /// Judge the history of a run: what clients, devices, replicas and faults wrote down
    CheckHistory(check_history::Args),
    /// Make and look at the certificates of a kitchen
    Certs(certs::Args),
    /// Drive a device through every rule of the device protocol, and say which it breaks
    Conform(conform::Args),
    /// Ask a controller or backend whether it lives and may get requests, for health checks
    Health(health::Args),
    /// Look after a running kitchen
    Ctl(ctl::Command),
    /// Print what a shell needs to complete this program's words
    Completions(completions::Args),
}

/// Runs the program. Exit codes: 0 done, 1 failed or refused, 2 wrong usage, 3 unreachable, 70 storage not to be trusted.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("brigade: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(async {
        match cli.command {
            Command::Controller(args) => controller::run(args).await,
            Command::Backend(args) => backend::run(args).await,
            Command::Device(args) => exit_code(device::run(args).await),
            Command::Human(args) => exit_code(human::run(args).await),
            Command::Broker(args) => exit_code(broker::run(args).await),
            Command::Demo(args) => demo::run(args).await,
            Command::Simulate(args) => simulate::run(args).await,
            Command::Bench(args) => exit_code(bench::run(args).await),
            Command::BenchBare(args) => exit_code(bench::bare::node::run(args).await),
            Command::CheckHistory(args) => check_history::run(&args),
            Command::Certs(args) => exit_code(certs::run(args)),
            Command::Conform(args) => conform::run(args).await,
            Command::Health(args) => exit_code(health::run(args).await),
            Command::Ctl(args) => ctl::run(args).await,
            Command::Completions(args) => exit_code(completions::run(&args)),
        }
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    code
}

fn exit_code(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("brigade: {}", sentence(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes in one line. Never a backtrace, whatever the environment says; a cause that the line before it already quotes
/// is left out.
fn sentence(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let lines: Vec<String> = cause.to_string().lines().map(|line| line.trim().to_owned()).collect();
        let text = lines.join(" ").trim().to_owned();
        if parts.last().is_none_or(|before| !before.contains(&text)) {
            parts.push(text);
        }
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_free_of_contradictions() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_error_is_one_line_and_says_nothing_twice() {
        let error = anyhow!("port in use").context("can't start: port in use\n  Suggestion: lsof").context("node 1");
        assert_eq!(sentence(&error), "node 1: can't start: port in use Suggestion: lsof");
        let missing = std::fs::read("/no/such/file").context("the line file").unwrap_err();
        assert!(!sentence(&missing).contains("stack"), "{}", sentence(&missing));
    }
}
