//! `brigade ctl`: the operator's command line over the HTTP API of any replica. Tables for people, `--json` for scripts.
//!
//! It knows the API and nothing of the kitchen's inside. It asks the next replica when one is dead. Exit codes: 0 done, 1 refused
//! or failed, 2 wrong usage (clap), 3 no replica could be reached.

mod audit;
mod backup;
mod bundle;
mod certs;
mod client;
mod cluster;
mod devices;
mod drain;
mod enrol;
mod events;
mod explain;
mod failure;
mod food_safety;
mod incidents;
mod orders;
mod recipes;
mod said;
mod status;
mod table;
pub mod token;
mod tokens;
mod top;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::tls::Dialer;

use client::Client;
pub use failure::{Failure, Refused};
use said::Said;

/// Where output goes.
type Out<'a> = &'a mut (dyn Write + Send);

/// What an operator asks for.
#[derive(Clone, Debug, Args)]
pub struct Command {
    /// URL of a replica's API; repeat it for several. [env: BRIGADE_API, separated by commas] [default: http://127.0.0.1:7400]
    #[arg(long = "api", value_name = "URL", global = true)]
    pub api: Vec<String>,
    /// Who signs the replicas' certificates (PEM), for https. [env: BRIGADE_CA] [default: whom this machine trusts]
    #[arg(long, value_name = "FILE", global = true)]
    pub ca: Option<PathBuf>,
    /// A file that holds the token to come with. [env: BRIGADE_TOKEN, the token itself]
    #[arg(long, value_name = "FILE", global = true)]
    pub token_file: Option<PathBuf>,
    /// Print JSON instead of tables.
    #[arg(long, global = true)]
    pub json: bool,
    /// Who asks, and why.
    #[command(flatten)]
    pub said: Said,
    /// What to do.
    #[command(subcommand)]
    pub what: What,
}

/// The verbs.
#[derive(Clone, Debug, Subcommand)]
pub enum What {
    /// How the kitchen is: status, capacity, load, who is in charge.
    Status,
    /// The kitchen takes no new orders, and finishes what it has.
    Drain(drain::Drain),
    /// The kitchen takes orders again.
    Undrain,
    /// Orders: list, show, place, cancel, collect, remake.
    #[command(subcommand)]
    Orders(orders::Orders),
    /// When an order would be ready; nothing is ordered.
    Quote(explain::Quote),
    /// Why a device does what it does, or nothing; what a pizza waits for.
    Explain(explain::Explain),
    /// Devices: list, show, adopt, drain, hold, resume, maintenance, release, retire; enrol, unenrol.
    #[command(subcommand)]
    Devices(devices::Devices),
    /// The menu: list, show, put.
    #[command(subcommand)]
    Recipes(recipes::Recipes),
    /// The site's settings: show, put.
    #[command(subcommand)]
    Settings(recipes::Settings),
    /// Questions that a person must answer: list, decide.
    #[command(subcommand)]
    Incidents(incidents::Incidents),
    /// The record of every pizza that ended, for those who inspect kitchens: export, verify.
    #[command(subcommand)]
    FoodSafety(food_safety::FoodSafety),
    /// What happened, and what happens.
    Events(events::Events),
    /// The replicas: status, join, leave, replace, maintenance, transfer.
    #[command(subcommand)]
    Cluster(cluster::Cluster),
    /// A copy of the whole kitchen in one file, from a replica that runs, or from the directory of one that does not.
    Backup(backup::Backup),
    /// Whether a copy is whole and what it holds. Asks no replica.
    Verify(backup::Verify),
    /// Makes a kitchen of a copy, on the node with the lowest number. Asks no replica.
    Restore(backup::Restore),
    /// Until when the certificates of each replica are good.
    Certs,
    /// Who may use the API: list, add, revoke.
    #[command(subcommand)]
    Tokens(tokens::Tokens),
    /// Who asked for what, when and why, and what came of it.
    Audit(audit::Audit),
    /// One archive with what each replica says, for whoever shall find out what happened; without secrets.
    DebugBundle(bundle::DebugBundle),
    /// The kitchen on this terminal, live: the line, orders, replicas, questions. q ends it, ? shows the keys.
    Top(top::Top),
}

/// Runs the command on standard output; says on standard error why it could not.
pub async fn run(command: Command) -> ExitCode {
    match execute(command, &mut io::stdout()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("brigade ctl: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Runs the command, and writes its answer to `out`. Who reads no further (`| head`) is no failure.
pub async fn execute(command: Command, out: Out<'_>) -> Result<(), Failure> {
    let env = std::env::var("BRIGADE_API").ok();
    let urls = urls(&command.api, env.as_deref());
    let token = token::find(command.token_file.as_deref(), std::env::var("BRIGADE_TOKEN").ok())?;
    let ca = command.ca.or_else(|| std::env::var_os("BRIGADE_CA").map(PathBuf::from));
    let mut headers = token::headers(token.as_deref());
    headers.extend(command.said.headers());
    let client = Client::new(urls.clone(), &dialer(&urls, ca.as_deref())?, headers);
    let session = Session { client, ca, token, json: command.json, said: command.said };
    let done = match command.what {
        What::Status => status::run(&session, out).await,
        What::Drain(drain) => drain::drain(&session, drain, out).await,
        What::Undrain => drain::undrain(&session, out).await,
        What::Orders(orders) => orders::run(&session, orders, out).await,
        What::Quote(quote) => explain::quote(&session, quote, out).await,
        What::Explain(explain) => explain::run(&session, explain, out).await,
        What::Devices(devices) => devices::run(&session, devices, out).await,
        What::Recipes(recipes) => recipes::run(&session, recipes, out).await,
        What::Settings(settings) => recipes::settings(&session, settings, out).await,
        What::Incidents(incidents) => incidents::run(&session, incidents, out).await,
        What::FoodSafety(what) => food_safety::run(&session, what, out).await,
        What::Events(events) => events::run(&session, events, out).await,
        What::Cluster(cluster) => cluster::run(&session, cluster, out).await,
        What::Backup(what) => backup::back_up(&session, what, out).await,
        What::Verify(what) => backup::verify(&session, &what, out),
        What::Restore(what) => backup::restore(&session, &what, out),
        What::Certs => certs::run(&session, out).await,
        What::Tokens(tokens) => tokens::run(&session, tokens, out).await,
        What::Audit(audit) => audit::run(&session, audit, out).await,
        What::DebugBundle(what) => bundle::run(&session, &what, out).await,
        What::Top(top) => top::run(&session, &top, out).await,
    };
    match done {
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

/// What every verb needs.
struct Session {
    client: Client,
    /// Who signs the kitchen's certificates, where that was said.
    ca: Option<PathBuf>,
    /// What it comes with.
    token: Option<String>,
    json: bool,
    said: Said,
}

impl Session {
    /// The answer as JSON, or as `text` shows it.
    fn print(&self, out: Out<'_>, answer: &Value, text: impl FnOnce(&Value) -> String) -> Result<(), Failure> {
        let text = if self.json { format!("{answer:#}\n") } else { text(answer) };
        Ok(out.write_all(text.as_bytes())?)
    }
}

fn urls(given: &[String], env: Option<&str>) -> Vec<String> {
    let named = |list: Vec<&str>| list.into_iter().map(str::trim).filter(|u| !u.is_empty()).map(with_scheme).collect();
    let given: Vec<String> = named(given.iter().flat_map(|u| u.split(',')).collect());
    let env: Vec<String> = named(env.unwrap_or_default().split(',').collect());
    [given, env].into_iter().find(|urls| !urls.is_empty()).unwrap_or_else(|| vec!["http://127.0.0.1:7400".to_owned()])
}

fn dialer(urls: &[String], ca: Option<&Path>) -> Result<Dialer, Failure> {
    Ok(Dialer::towards(urls.iter().map(String::as_str), ca)?)
}

fn with_scheme(url: &str) -> String {
    let url = url.trim_end_matches('/');
    if url.contains("://") { url.to_owned() } else { format!("http://{url}") }
}

/// A member of an answer as people read it; a dash where there is none.
fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) if items.is_empty() => "-".to_owned(),
        Some(Value::Array(items)) => items.iter().map(|i| text(i, "")).collect::<Vec<_>>().join(" "),
        Some(other) => other.to_string(),
    }
}

/// A span of milliseconds as people read it: `4m 05s`, `-12s`.
fn span(value: &Value, pointer: &str) -> String {
    let Some(ms) = value.pointer(pointer).and_then(Value::as_i64) else { return "-".to_owned() };
    let (sign, s) = (if ms < 0 { "-" } else { "" }, ms.unsigned_abs() / 1_000);
    match s {
        0..60 => format!("{sign}{s}s"),
        60..3_600 => format!("{sign}{}m {:02}s", s / 60, s % 60),
        _ => format!("{sign}{}h {:02}m", s / 3_600, s / 60 % 60),
    }
}

fn items(answer: &Value) -> &[Value] {
    answer["items"].as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        ctl: Command,
    }

    #[test]
    fn the_command_line_is_free_of_contradictions() {
        use clap::CommandFactory;
        Program::command().debug_assert();
    }

    #[test]
    fn several_replicas_can_be_named_before_and_behind_the_verb() {
        let program = Program::parse_from(["ctl", "--api", "a:1,http://b:2/", "orders", "list", "--api", "c:3"]);
        assert!(urls(&program.ctl.api, None).contains(&"http://c:3".to_owned()));
        assert_eq!(urls(&["a:1,http://b:2/".to_owned()], None), ["http://a:1", "http://b:2"]);
        assert_eq!(urls(&[], Some("x:1, y:2")), ["http://x:1", "http://y:2"]);
        assert_eq!(urls(&[], None), ["http://127.0.0.1:7400"]);
    }

    #[test]
    fn spans_are_shown_as_people_say_them() {
        let at = |ms: i64| span(&json!({ "ms": ms }), "/ms");
        assert_eq!((at(12_345), at(245_000), at(-7_500_000)), ("12s".into(), "4m 05s".into(), "-2h 05m".into()));
        assert_eq!(span(&json!({}), "/ms"), "-");
    }
}
