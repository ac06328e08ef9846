//! `brigade conform`: plays the controller for one device, and judges it by every rule of docs/device-protocol.md.
//!
//! It knows the protocol and MQTT and nothing of kitchens, and uses none of the device's own code: what it finds is what a controller would
//! meet. Each rule has a check, or a sentence that says why nobody can tell from outside; `coverage` below holds that to the document.
//!
//! It never answers for a device that another controller has: it ends as soon as it hears one.

mod bench;
mod checks;
mod connections;
mod hands;
mod lateness;
mod lives;
mod report;
mod rules;
mod seen;
mod watch;
mod work;

use std::collections::BTreeSet;

pub use self::hands::{Deed, Hand, Hands};
pub use self::report::{Finding, Report, Verdict};
pub use self::rules::{Rule, rules};

use self::bench::Bench;
use self::checks::Check;
use crate::clock;
use crate::mqtt;
use crate::protocol::{DeviceId, Epoch, Id, Millis};
use crate::tls::Dialer;

/// Which device, and where it is.
#[derive(Clone, Debug)]
pub struct Options {
    /// The broker that the device uses.
    pub broker: String,
    /// User name and password, where the broker asks for them.
    pub credentials: Option<(String, String)>,
    /// Whom it trusts, where the broker speaks TLS.
    pub dialer: Dialer,
    /// The kitchen's name.
    pub kitchen: Id,
    /// The device.
    pub device: DeviceId,
    /// Ids of rules, or their beginnings (`R4`, `O`); empty: all of them.
    pub only: Vec<String>,
    /// How long the device may take until it is heard first.
    pub patience_ms: Millis,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The broker can't be reached, or the connection was lost.
    #[error("the broker: {0}")]
    Broker(#[from] mqtt::Error),
    /// The device is not there, or says nothing that could be answered.
    #[error("device {device} is not heard: expected {expected}; came: {came}")]
    Absent {
        /// Which device.
        device: DeviceId,
        /// What should have come.
        expected: String,
        /// What came.
        came: String,
    },
    /// A controller is at work.
    #[error(
        "another controller speaks in kitchen {kitchen}, under epoch {epoch}: use a kitchen of its own for the device"
    )]
    Busy {
        /// Where.
        kitchen: Id,
        /// Under which epoch.
        epoch: Epoch,
    },
    /// There is no such rule.
    #[error("there is no rule {0:?}: see `brigade conform --list`")]
    NoRule(String),
}

/// Why a check ended before its end.
#[derive(Debug)]
enum Stop {
    /// The device broke the rule.
    Failed { expected: String, came: String },
    /// It can't be tried.
    Skipped(String),
    /// Nothing can be tried any more.
    Broken(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

/// The device must do this: what was expected, and what came.
fn expect(is_so: bool, otherwise: impl FnOnce() -> (String, String)) -> Result<(), Stop> {
    if is_so {
        return Ok(());
    }
    let (expected, came) = otherwise();
    Err(Stop::Failed { expected, came })
}

/// This can't be tried on such a device.
fn skip<T>(why: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Skipped(why.into()))
}

/// All rules, and for those that nobody can check from outside the reason.
pub fn list() -> Vec<(Rule, Option<&'static str>)> {
    let reason = |rule: &Rule| checks::NOT_CHECKABLE.iter().find(|(id, _)| *id == rule.id).map(|(_, why)| *why);
    rules().into_iter().map(|rule| (rule.clone(), reason(&rule))).collect()
}

/// Drives the device through its rules. Each finding is told as soon as there is one.
pub async fn run(options: Options, hands: Hands, mut tell: impl FnMut(&Finding)) -> Result<Report, Error> {
    let asked = asked(&options.only)?;
    let begun = clock::boottime_ms();
    let mut bench = Bench::connect(options, hands).await?;
    let mut findings = Vec::new();
    let checked: Vec<&Check> = checks::ALL.iter().filter(|check| asked.iter().any(|r| r.id == check.rule)).collect();
    for check in checked {
        let rule = asked.iter().find(|rule| rule.id == check.rule).expect("it was found there just now");
        let finding = try_rule(&mut bench, check, rule).await?;
        tell(&finding);
        findings.push(finding);
    }
    for rule in &asked {
        if let Some((_, why)) = checks::NOT_CHECKABLE.iter().find(|(id, _)| *id == rule.id) {
            findings.push(Finding::new(rule, Verdict::NotCheckable { reason: (*why).to_owned() }, 0));
        }
    }
    let report = report(&bench, in_order(findings, &asked), clock::boottime_ms() - begun);
    let _ = bench.tidy().await;
    bench.close().await;
    Ok(report)
}

/// Findings as the document has their rules, whatever the order in which they were made.
fn in_order(mut findings: Vec<Finding>, asked: &[Rule]) -> Vec<Finding> {
    findings.sort_by_key(|finding| asked.iter().position(|rule| rule.id == finding.rule));
    findings
}

fn asked(only: &[String]) -> Result<Vec<Rule>, Error> {
    let all = rules();
    let is_family = |rule: &Rule, name: &String| name.len() == 1 && rule.id.starts_with(name.as_str());
    let is_named = |rule: &Rule, name: &String| {
        rule.id == *name || rule.id.starts_with(&format!("{name}.")) || is_family(rule, name)
    };
    if let Some(unknown) = only.iter().find(|name| !all.iter().any(|rule| is_named(rule, name))) {
        return Err(Error::NoRule(unknown.clone()));
    }
    Ok(all.into_iter().filter(|rule| only.is_empty() || only.iter().any(|name| is_named(rule, name))).collect())
}

/// How often a rule is tried while this machine is late.
const TRIES: u32 = 6;

/// Tries one rule on a device at rest. What fails while this machine itself is late is tried again: the fault may be here.
async fn try_rule(bench: &mut Bench, check: &Check, rule: &Rule) -> Result<Finding, Error> {
    let begun = clock::boottime_ms();
    let mut tried = try_once(bench, check).await;
    for _ in 1..TRIES {
        if !(matches!(tried, Err(Stop::Failed { .. })) && bench.is_late()) {
            break;
        }
        tried = try_once(bench, check).await;
    }
    let verdict = match tried {
        Ok(()) => Verdict::Passed,
        Err(Stop::Failed { expected, came }) => Verdict::Failed { expected, came, trace: bench.trace() },
        Err(Stop::Skipped(reason)) => Verdict::Skipped { reason },
        Err(Stop::Broken(error)) => return Err(error),
    };
    Ok(Finding::new(rule, verdict, clock::boottime_ms() - begun))
}

async fn try_once(bench: &mut Bench, check: &Check) -> Result<(), Stop> {
    bench.clear_trace();
    match bench.tidy().await {
        Ok(()) => {
            bench.clear_trace();
            (check.run)(bench).await
        }
        Err(Stop::Failed { expected, came }) => {
            skip(format!("the device did not come to rest before it: expected {expected}; came: {came}"))
        }
        Err(stop) => Err(stop),
    }
}

fn report(bench: &Bench, findings: Vec<Finding>, took_ms: u64) -> Report {
    let facts = bench.facts();
    let kind = serde_json::to_value(facts.kind).ok().and_then(|kind| kind.as_str().map(str::to_owned));
    Report {
        device: bench.options.device.to_string(),
        kind: kind.unwrap_or_default(),
        model: facts.model.clone(),
        firmware: facts.fw.clone(),
        findings,
        took_ms,
    }
}

/// Every rule of the document, in a check or among those that can't be checked, and nothing else.
pub fn coverage() -> Result<(), String> {
    let ids: BTreeSet<String> = rules().into_iter().map(|rule| rule.id).collect();
    let mut covered = BTreeSet::new();
    let names = checks::ALL.iter().map(|check| check.rule).chain(checks::NOT_CHECKABLE.iter().map(|(id, _)| *id));
    for name in names {
        if !covered.insert(name.to_owned()) {
            return Err(format!("{name} is covered twice"));
        }
    }
    let missing: Vec<&String> = ids.difference(&covered).collect();
    let unknown: Vec<&String> = covered.difference(&ids).collect();
    if missing.is_empty() && unknown.is_empty() {
        return Ok(());
    }
    Err(format!("without a check: {missing:?}; not in docs/device-protocol.md: {unknown:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_of_the_document_has_a_check_or_a_reason_why_it_has_none() {
        coverage().unwrap_or_else(|why| panic!("{why}"));
    }

    #[test]
    fn rules_are_asked_for_by_their_ids_or_their_beginnings() {
        let ids = |only: &str| asked(&[only.to_owned()]).map(|rules| rules.len());
        assert_eq!(ids("R4.2").ok(), Some(1));
        assert!(ids("R4").is_ok_and(|count| count > 5));
        assert_eq!(ids("R1").ok(), Some(3), "and R10 is another");
        assert_eq!(ids("G").ok(), Some(2));
        assert!(ids("R99").is_err() && ids("x").is_err());
    }
}
