//! `brigade check-history`: judges the history of a run, also long after it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::history::{History, Judgement, Need, judge};

/// The exit code for a run that did not exercise what it had to.
const PROVED_NOTHING: u8 = 3;

/// What the command is told.
#[derive(clap::Args)]
pub struct Args {
    /// The history (JSON lines) of clients, devices, brokers, replicas and faults
    file: PathBuf,
    /// What the run must have exercised: kill, stale-command, snapshot, failover, pause, cut, broker-kill, broker-wipe,
    /// unknown-outcome, power-cut
    #[arg(long, value_name = "NEEDS", value_delimiter = ',')]
    needs: Vec<Need>,
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
}

/// The whole verdict.
#[derive(Serialize)]
struct Verdict {
    facts: usize,
    judgements: Vec<Judgement>,
    /// What the run should have exercised and did not.
    missing: Vec<String>,
}

/// Judges a history. Exit code 0 when all holds, 1 on a violation, 3 when the run proved nothing.
pub fn run(args: &Args) -> ExitCode {
    let (verdict, text) = match reach(args) {
        Ok(reached) => reached,
        Err(error) => return super::exit_code(Err(error)),
    };
    match args.json {
        true => println!("{}", serde_json::to_string(&verdict).expect("a verdict has text keys")),
        false => verdict.print(&text),
    }
    match (verdict.judgements.iter().any(|j| j.violation.is_some()), verdict.missing.is_empty()) {
        (true, _) => ExitCode::FAILURE,
        (false, false) => ExitCode::from(PROVED_NOTHING),
        (false, true) => ExitCode::SUCCESS,
    }
}

fn reach(args: &Args) -> Result<(Verdict, String)> {
    let text = std::fs::read_to_string(&args.file).with_context(|| format!("history {}", args.file.display()))?;
    let history = History::read(&text)?;
    let missing = args.needs.iter().filter(|need| !need.is_met(&history)).map(ToString::to_string).collect();
    Ok((Verdict { facts: history.all().count(), judgements: judge(&history), missing }, text))
}

impl Verdict {
    fn print(&self, text: &str) {
        for Judgement { invariant, says, violation } in &self.judgements {
            match violation {
                None => println!("OK      {invariant}: {says}"),
                Some(violation) => {
                    println!("BROKEN  {invariant}: {}", violation.why);
                    let shown = violation.lines.iter().filter_map(|n| Some((n, text.lines().nth(n - 1)?)));
                    shown.for_each(|(n, line)| println!("        {n}: {line}"));
                }
            }
        }
        println!("{} facts", self.facts);
        if !self.missing.is_empty() {
            println!("This run proved nothing: it did not exercise {}", self.missing.join(", "));
        }
    }
}
