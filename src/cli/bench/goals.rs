//! What is wanted of these figures, and whether this run kept it. Nothing fails here: machines differ, and a busy one keeps nothing.

use serde::Serialize;

use super::Figures;
use super::failover::Fault;
use super::rivals::Rival;
use super::rows::{election_max_ms, ratio, short};

/// One wish.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Goal {
    /// What is looked at.
    pub(super) what: &'static str,
    /// What this run has: a ratio, unless `unit` says otherwise.
    pub(super) value: f64,
    /// `ms`, `%`, `MiB`; empty for ratios and counts.
    pub(super) unit: &'static str,
    /// What is wanted.
    pub(super) wanted: Wanted,
    /// Whether it is so.
    pub(super) kept: bool,
}

/// The side on which the value must be. Its own limit counts as kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Wanted {
    /// At most so much.
    AtMost(f64),
    /// At least so much.
    AtLeast(f64),
}

impl Wanted {
    fn is_kept_by(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }
}

fn goal(what: &'static str, unit: &'static str, wanted: Wanted, value: Option<f64>) -> Option<Goal> {
    let value = value?;
    Some(Goal { what, value, unit, wanted, kept: wanted.is_kept_by(value) })
}

impl Figures {
    /// Every wish that this run has figures for.
    pub(super) fn goals(&self) -> Vec<Goal> {
        use Wanted::{AtLeast, AtMost};
        let fault = |fault| self.failover.as_ref()?.instructed_ms.get(&fault).map(|s| s.distribution.p50);
        let (killed, frozen) = (fault(Fault::Killed), fault(Fault::Frozen));
        let etcd = self.rivals.as_ref().map(|rivals| &rivals.etcd);
        let etcd_killed = etcd.and_then(|etcd| Some(etcd.killed_ms.as_ref()?.distribution.p50));
        let instructed = self.latency.as_ref().map(|latency| latency.instructed_ms.distribution.p50);
        let accepted = self.latency.as_ref().map(|latency| latency.accepted_to_instructed_ms.distribution.p50);
        let counted = |count: fn(&super::failover::Figures) -> usize| self.failover.as_ref().map(|f| count(f) as f64);
        let idle = |of: fn(&super::idle::Figures) -> &Vec<f64>| {
            self.idle.as_ref().map(|idle| of(idle).iter().copied().fold(0.0, f64::max))
        };
        let over = |value: Option<f64>, of: Option<f64>| ratio(value?, of?);
        [
            goal("order, 1 client / bare log", "", AtMost(1.5), over(self.order_ms(1), self.commit_ms())),
            goal(
                "orders per s / puts of etcd, 256 clients",
                "",
                AtLeast(3.0),
                over(self.orders_per_s(256), etcd.and_then(|e| puts_per_s(e, 256))),
            ),
            goal(
                "accepted → instruction / commit + message",
                "",
                AtMost(2.0),
                over(accepted, self.commit_and_message_ms()),
            ),
            goal(
                "asked → instruction / commit + message",
                "",
                AtMost(2.0),
                over(instructed, self.commit_and_message_ms()),
            ),
            goal("leader killed / etcd's leader killed", "", AtMost(0.1), over(killed, etcd_killed)),
            goal("leader killed", "ms", AtMost(100.0), killed),
            goal("leader frozen / election timeout", "", AtMost(2.5), over(frozen, Some(election_max_ms()))),
            goal("handed over", "ms", AtMost(30.0), fault(Fault::HandedOver)),
            goal("orders lost", "", AtMost(0.0), counted(|f| f.lost)),
            goal("work doubled", "", AtMost(0.0), counted(|f| f.doubled)),
            goal("elections while orders are taken", "", AtMost(0.0), self.elections()),
            goal("idle replica, of a core", "%", AtMost(1.0), idle(|i| &i.cpu_pct)),
            goal("idle replica", "MiB", AtMost(40.0), idle(|i| &i.resident_mib)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn elections(&self) -> Option<f64> {
        Some(self.intake.as_ref()?.steps.iter().map(|taken| taken.elections as f64).sum())
    }

    fn order_ms(&self, clients: usize) -> Option<f64> {
        let steps = &self.intake.as_ref()?.steps;
        steps.iter().find(|taken| taken.step.clients == clients).map(|taken| taken.step.ms.p50)
    }

    fn orders_per_s(&self, clients: usize) -> Option<f64> {
        let steps = &self.intake.as_ref()?.steps;
        steps.iter().find(|taken| taken.step.clients == clients).map(|taken| taken.step.per_s)
    }
}

fn puts_per_s(rival: &Rival, clients: usize) -> Option<f64> {
    rival.steps.iter().find(|step| step.clients == clients).map(|step| step.per_s)
}

/// Prints the wishes.
pub(super) fn print(goals: &[Goal]) {
    if goals.is_empty() {
        return;
    }
    println!("\n{:<44} {:>9}   wanted", "wanted of this", "");
    for goal in goals {
        let wanted = match goal.wanted {
            Wanted::AtMost(limit) => format!("≤ {limit}"),
            Wanted::AtLeast(limit) => format!("≥ {limit}"),
        };
        let (value, kept) = (short(goal.value), if goal.kept { "kept" } else { "NOT KEPT" });
        println!("  {:<42} {value:>9}   {wanted} {}  {kept}", goal.what, goal.unit);
    }
}

#[cfg(test)]
mod tests {
    use super::super::rivals;
    use super::super::{Distribution, Spread, bare, failover};
    use super::*;
    use crate::cli::bench::load::Step;

    fn step(clients: usize, per_s: f64, p50: f64) -> Step {
        Step { clients, per_s, ms: Distribution::of(vec![p50]), refused: 0 }
    }

    #[test]
    fn a_wish_without_figures_is_left_out() {
        assert_eq!(Figures::default().goals(), []);
        let figures = Figures { bare: Some(bare::Figures { steps: vec![step(1, 900.0, 1.0)] }), ..Figures::default() };
        assert_eq!(figures.goals(), [], "there is nothing to compare the bare log with");
    }

    #[test]
    fn a_failover_is_held_against_etcds() {
        let mut failover = failover::Figures { lost: 1, ..failover::Figures::default() };
        failover.instructed_ms.insert(Fault::Killed, Spread::of(vec![150.0]));
        let etcd = Rival { killed_ms: Some(Spread::of(vec![1_600.0])), ..Rival::default() };
        let rivals = Some(rivals::Figures { etcd, ..rivals::Figures::default() });
        let figures = Figures { failover: Some(failover), rivals, ..Figures::default() };
        let kept = |what: &str| figures.goals().iter().find(|g| g.what == what).map(|g| (g.value, g.kept));
        assert_eq!(kept("leader killed / etcd's leader killed"), Some((0.09375, true)));
        assert_eq!(kept("leader killed"), Some((150.0, false)));
        assert_eq!(kept("orders lost"), Some((1.0, false)));
        assert_eq!(kept("work doubled"), Some((0.0, true)));
    }
}
