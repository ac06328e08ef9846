//! `brigade conform`: the report of `crate::conform` for firmware authors, as lines or as JSON.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::json;

use crate::conform::{Error, Hand, Hands, Options, Report, list, run as drive};
use crate::protocol::{DeviceId, Id};
use crate::tls::Dialer;

/// The exit code for a broker or a device that is not there.
const UNREACHABLE: u8 = 3;

/// What the command is told.
#[derive(clap::Args)]
#[command(
    after_help = "Exit codes: 0 no rule was broken, 1 some were, 2 wrong usage, 3 the broker or the device is not there.\n\
    Use a broker and a kitchen's name of the device's own: this command plays the controller."
)]
pub struct Args {
    /// The device's id
    #[arg(required_unless_present = "list")]
    device: Option<DeviceId>,
    /// The broker that it uses
    #[arg(long, value_name = "URL", default_value = "mqtt://127.0.0.1:1883")]
    broker: String,
    /// Who signs the broker's certificate (PEM), for mqtts://; without it, whom this machine trusts
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The kitchen's name
    #[arg(long, default_value = "demo")]
    kitchen: Id,
    /// User name at the broker; its password is read from BROKER_PASSWORD
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Try these rules alone: R4.2, or R4 for all of them; repeatable
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    only: Vec<String>,
    /// A shell command that cuts the device's power and gives it back
    #[arg(long, value_name = "COMMAND")]
    power_cycle: Option<String>,
    /// A shell command that puts something into an oven's first slot
    #[arg(long, value_name = "COMMAND", requires = "clear")]
    load: Option<String>,
    /// A shell command that takes it out again
    #[arg(long, value_name = "COMMAND", requires = "load")]
    clear: Option<String>,
    /// It is one of `brigade device`: pizzas are put into its simulated world
    #[arg(long, conflicts_with = "load")]
    simulated: bool,
    /// So many seconds until the device must be heard
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    patience_s: u64,
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
    /// List the rules, and those that nobody can check from outside
    #[arg(long)]
    list: bool,
}

/// Drives the device, or lists the rules.
pub async fn run(args: Args) -> ExitCode {
    if args.list {
        print_rules(args.json);
        return ExitCode::SUCCESS;
    }
    match judge(&args).await {
        Ok(report) if report.failed().is_empty() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            let code = match error.downcast_ref::<Error>() {
                Some(Error::Broker(_) | Error::Absent { .. }) => ExitCode::from(UNREACHABLE),
                Some(Error::NoRule(_)) => ExitCode::from(2),
                Some(Error::Busy { .. }) | None => ExitCode::FAILURE,
            };
            super::exit_code(Err(error));
            code
        }
    }
}

async fn judge(args: &Args) -> Result<Report> {
    let options = args.options()?;
    let hands = args.hands(&options);
    let report = drive(options, hands, |finding| {
        if !args.json {
            print!("{}", finding.lines());
        }
    })
    .await?;
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&report).expect("a report has text keys")),
        false => {
            let untold = report.findings.iter().filter(|finding| finding.is_not_checkable());
            untold.for_each(|finding| print!("{}", finding.lines()));
            print!("\n{}", report.summary());
        }
    }
    Ok(report)
}

fn print_rules(is_json: bool) {
    let rules = list();
    if is_json {
        let line = |(rule, reason): &(crate::conform::Rule, Option<&str>)| json!({ "rule": rule.id, "section": rule.section, "says": rule.says, "not_checkable": reason });
        return println!("{:#}", json!(rules.iter().map(line).collect::<Vec<_>>()));
    }
    for (rule, reason) in rules {
        println!("{:<6} {}", rule.id, rule.says);
        if let Some(reason) = reason {
            println!("{:6}   not checkable from outside: {reason}", "");
        }
    }
}

impl Args {
    fn options(&self) -> Result<Options> {
        let credentials = match &self.user {
            None => None,
            Some(user) => {
                let password = std::env::var("BROKER_PASSWORD").context("--user needs BROKER_PASSWORD")?;
                Some((user.clone(), password))
            }
        };
        Ok(Options {
            broker: self.broker.clone(),
            credentials,
            dialer: Dialer::towards([self.broker.as_str()], self.ca.as_deref())?,
            kitchen: self.kitchen.clone(),
            device: self.device.clone().context("which device?")?,
            only: self.only.clone(),
            patience_ms: self.patience_s.saturating_mul(1_000),
        })
    }

    /// Commands where they are given; a person where there is a terminal to ask on.
    fn hands(&self, options: &Options) -> Hands {
        let is_terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        let hand = |command: &Option<String>| match command {
            Some(command) => Hand::Command(command.clone()),
            None if self.simulated => Hand::World(Box::new(options.clone())),
            None if is_terminal => Hand::Person,
            None => Hand::Missing,
        };
        let power_cycle = match &self.power_cycle {
            Some(command) => Hand::Command(command.clone()),
            None if is_terminal && !self.simulated => Hand::Person,
            None => Hand::Missing,
        };
        Hands { power_cycle, load: hand(&self.load), clear: hand(&self.clear) }
    }
}
