//! A conform run over a broker of the test's own.

use brigade::conform::{Error, Finding, Hands, Options, Report, Verdict, run};
use brigade::protocol::{DeviceId, Id};
use brigade::tls::Dialer;

/// Drives a device through all its rules.
pub async fn judge(broker: &str, kitchen: &str, device: &str, hands: Hands) -> Report {
    let judged = try_to_judge(broker, kitchen, device, hands, &[]).await;
    judged.unwrap_or_else(|error| panic!("{device} of {kitchen}: {error}"))
}

/// Drives a device through these rules; all, without any.
pub async fn try_to_judge(
    broker: &str,
    kitchen: &str,
    device: &str,
    hands: Hands,
    only: &[&str],
) -> Result<Report, Error> {
    let options = Options {
        broker: broker.to_owned(),
        credentials: None,
        dialer: Dialer::plain(),
        kitchen: kitchen.parse::<Id>().unwrap(),
        device: device.parse::<DeviceId>().unwrap(),
        only: only.iter().map(|id| (*id).to_owned()).collect(),
        patience_ms: 30_000,
    };
    run(options, hands, |_: &Finding| {}).await
}

/// What went wrong, for a test's failure.
pub fn failures(report: &Report) -> String {
    let is_failed = |finding: &&Finding| matches!(finding.verdict, Verdict::Failed { .. });
    report.findings.iter().filter(is_failed).map(Finding::lines).collect()
}

/// Why rules were not tried.
pub fn reasons(report: &Report) -> String {
    let is_skipped = |finding: &&Finding| matches!(finding.verdict, Verdict::Skipped { .. });
    report.findings.iter().filter(is_skipped).map(Finding::lines).collect()
}
