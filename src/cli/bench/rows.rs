//! The table: each figure beside the raw limit that bounds it, or beside what it is compared with, as a ratio within this run.

use serde::Serialize;

use super::failover::Fault;
use super::load::Step;
use super::rivals::Rival;
use super::{Distribution, Figures};

/// One line of the table. Spans are in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Row {
    /// Under which heading.
    pub(super) section: &'static str,
    /// What was measured.
    pub(super) what: String,
    /// So many in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) per_s: Option<f64>,
    /// How long one took, or another unit that `what` names.
    pub(super) value: Distribution,
    /// The middle value over that of …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ratio: Option<f64>,
    /// … this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) of: Option<&'static str>,
}

impl Row {
    fn new(section: &'static str, what: impl Into<String>, value: &Distribution) -> Self {
        Self { section, what: what.into(), value: value.clone(), ..Self::default() }
    }

    fn step(section: &'static str, step: &Step) -> Self {
        let clients = if step.clients == 1 { "client" } else { "clients" };
        Self { per_s: Some(step.per_s), ..Self::new(section, format!("{} {clients}", step.clients), &step.ms) }
    }

    /// The same beside a limit, where that was measured.
    fn beside(self, of: &'static str, limit: Option<f64>) -> Self {
        let Some(ratio) = limit.and_then(|limit| ratio(self.value.p50, limit)) else { return self };
        Self { ratio: Some(ratio), of: Some(of), ..self }
    }
}

/// A ratio, unless one of both was not measured.
pub(super) fn ratio(value: f64, of: f64) -> Option<f64> {
    (value > 0.0 && of > 0.0).then(|| value / of)
}

impl Figures {
    /// Every line.
    pub(super) fn rows(&self) -> Vec<Row> {
        let groups = [self.raw_rows(), self.intake_rows(), self.latency_rows(), self.failover_rows(), self.idle_rows()];
        groups.into_iter().flatten().chain(self.rival_rows()).collect()
    }

    fn raw_rows(&self) -> Vec<Row> {
        let Some(raw) = &self.raw else { return Vec::new() };
        let row = |what: &str, value| Row::new("raw limits", what, value);
        vec![
            row("256 bytes and fdatasync", &raw.fdatasync_ms),
            row("round trip over TCP", &raw.tcp_ms),
            row("request over HTTP", &raw.http_ms),
            row(&format!("message through {}", raw.broker), &raw.mqtt_ms),
            row("process that does nothing", &raw.process_ms),
        ]
    }

    fn intake_rows(&self) -> Vec<Row> {
        let disk = self.raw.as_ref().map(|raw| raw.fdatasync_ms.p50);
        let bare = self.bare.iter().flat_map(|bare| &bare.steps);
        let bare = bare.map(|step| Row::step("bare log", step).beside("fdatasync", disk));
        let orders = self.intake.iter().flat_map(|intake| &intake.steps).map(|taken| {
            let beside = self.bare_step(taken.step.clients).map(|step| step.ms.p50);
            match beside {
                Some(beside) => Row::step("orders", &taken.step).beside("bare log", Some(beside)),
                None => Row::step("orders", &taken.step).beside("fdatasync", disk),
            }
        });
        bare.chain(orders).collect()
    }

    fn latency_rows(&self) -> Vec<Row> {
        let Some(latency) = &self.latency else { return Vec::new() };
        let (commit, both) = (self.commit_ms(), self.commit_and_message_ms());
        let mqtt = self.raw.as_ref().map(|raw| raw.mqtt_ms.p50);
        let row = |what: &str, value| Row::new("one order at a time", what, value);
        vec![
            row("asked → answered", &latency.answered_ms.distribution).beside("commit", commit),
            row("asked → instruction", &latency.instructed_ms.distribution).beside("commit + message", both),
            row("answered → instruction", &latency.accepted_to_instructed_ms.distribution).beside("message", mqtt),
            row("report → instruction", &latency.report_to_instruction_ms.distribution)
                .beside("commit + message", both),
            row("asked → event at a follower", &latency.followed_ms.distribution).beside("commit", commit),
        ]
    }

    fn failover_rows(&self) -> Vec<Row> {
        let Some(failover) = &self.failover else { return Vec::new() };
        let both = self.commit_and_message_ms();
        let row = |fault: Fault, spread: &super::Spread| {
            let row = Row::new("until the next instruction", fault.name(), &spread.distribution);
            match fault {
                Fault::Killed | Fault::Frozen | Fault::Machine => {
                    row.beside("election timeout", Some(election_max_ms()))
                }
                Fault::HandedOver | Fault::Broker => row.beside("commit + message", both),
            }
        };
        failover.instructed_ms.iter().map(|(fault, spread)| row(*fault, spread)).collect()
    }

    fn idle_rows(&self) -> Vec<Row> {
        let Some(idle) = &self.idle else { return Vec::new() };
        let load = self.intake.as_ref().and_then(|intake| intake.steps.last());
        let row = |what: &str, values: &[f64]| Row::new("replica", what, &Distribution::of(values.to_vec()));
        let process = self.raw.as_ref().map(|raw| raw.process_ms.p50);
        let restart = Row::new("replica", "started again → ready", &idle.restart_ms.distribution);
        let mut rows = vec![row("idle, % of a core", &idle.cpu_pct), row("idle, MiB", &idle.resident_mib)];
        if let Some(load) = load {
            rows.push(row("under load, % of a core", &load.cpu_pct));
            rows.push(row("under load, MiB", &load.resident_mib));
        }
        rows.push(restart.beside("process", process));
        rows
    }

    fn rival_rows(&self) -> Vec<Row> {
        let Some(rivals) = &self.rivals else { return Vec::new() };
        let disk = self.raw.as_ref().map(|raw| raw.fdatasync_ms.p50);
        let of = |section, rival: &Rival| {
            let steps = rival.steps.iter().map(|step| Row::step(section, step).beside("fdatasync", disk));
            let killed = rival.killed_ms.iter();
            let killed = killed.map(|spread| Row::new(section, "leader killed → next write", &spread.distribution));
            steps.chain(killed).collect::<Vec<_>>()
        };
        rivals.all().into_iter().flat_map(|(name, rival)| of(name, rival)).collect()
    }

    pub(super) fn bare_step(&self, clients: usize) -> Option<&Step> {
        self.bare.as_ref()?.steps.iter().find(|step| step.clients == clients)
    }

    /// One commit: what the bare log takes for one client.
    pub(super) fn commit_ms(&self) -> Option<f64> {
        Some(self.bare_step(1)?.ms.p50)
    }

    /// One commit and one message through the broker: no instruction can follow an order sooner.
    pub(super) fn commit_and_message_ms(&self) -> Option<f64> {
        Some(self.commit_ms()? + self.raw.as_ref()?.mqtt_ms.p50)
    }
}

/// The longest silence before an election, as kitchens come.
pub(super) fn election_max_ms() -> f64 {
    crate::config::RaftConfig::default().election_max_ms as f64
}

/// Prints the lines under their headings.
pub(super) fn print(rows: &[Row]) {
    let mut section = "";
    for row in rows {
        if row.section != section {
            section = row.section;
            println!("\n{section:<28} {:>9} {:>9} {:>9} {:>9}   ratio", "per s", "p50", "p99", "max");
        }
        let per_s = row.per_s.map_or(String::new(), |per_s| format!("{per_s:.0}"));
        let d = &row.value;
        let ratio = row.ratio.zip(row.of).map_or(String::new(), |(ratio, of)| format!("{ratio:.2} × {of}"));
        let numbers = [d.p50, d.p99, d.max].map(short);
        println!("  {:<26} {per_s:>9} {:>9} {:>9} {:>9}   {ratio}", row.what, numbers[0], numbers[1], numbers[2]);
    }
}

/// A number with three digits that matter.
pub(super) fn short(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v if v >= 1.0 => format!("{v:.2}"),
        v => format!("{v:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_divided_by_what_was_not_measured() {
        assert_eq!(ratio(3.0, 2.0), Some(1.5));
        assert_eq!(ratio(3.0, 0.0), None);
        assert_eq!(ratio(0.0, 3.0), None);
        let row = Row::new("s", "w", &Distribution::of(vec![3.0]));
        assert_eq!(row.clone().beside("x", None), row);
        assert_eq!(row.beside("x", Some(2.0)).ratio, Some(1.5));
    }

    #[test]
    fn a_number_shows_three_digits() {
        assert_eq!([0.0, 0.0123, 1.234, 12.34, 1_234.0].map(short), ["0", "0.012", "1.23", "12.3", "1234"]);
    }
}
