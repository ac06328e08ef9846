//! From the loss of a leader or a broker to the next instruction at a device, many times each, and what became of the orders meanwhile.
//!
//! The brokers are processes of their own, so that the leader's death is no broker's. Orders come in all the time, so that there is nearly
//! always something to instruct: what is waited for otherwise is work. Nothing waits a fixed time for the kitchen to be whole again: it is asked.

mod dinner;
mod trial;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::Spread;
use dinner::Dinner;

/// What is done to the kitchen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fault {
    /// kill -9 of the leader; it is started again.
    Killed,
    /// SIGSTOP of the leader; SIGCONT once another one is in charge.
    Frozen,
    /// The leader hands over on request.
    HandedOver,
    /// kill -9 of the broker at which most devices are; it is started again.
    Broker,
    /// kill -9 of both at once, as when a machine dies.
    Machine,
}

impl Fault {
    /// All of them, in the order in which they are measured.
    pub(super) const ALL: [Self; 5] = [Self::Killed, Self::Frozen, Self::HandedOver, Self::Broker, Self::Machine];

    /// In words, for tables.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Killed => "leader killed",
            Self::Frozen => "leader frozen",
            Self::HandedOver => "handed over",
            Self::Broker => "broker killed",
            Self::Machine => "leader and broker killed",
        }
    }
}

/// What was measured.
#[derive(Debug, Default, Serialize)]
pub(super) struct Figures {
    /// From the fault to the next instruction at a device: under a later epoch; or, after the loss of a broker, through another one to a
    /// device that was at the lost one.
    pub(super) instructed_ms: BTreeMap<Fault, Spread>,
    /// Trials without an instruction within ten seconds.
    pub(super) silent: BTreeMap<Fault, usize>,
    /// Tenures that nobody asked for: between two faults, or after the loss of a broker.
    pub(super) unasked_tenures: u64,
    /// Orders that were accepted …
    pub(super) accepted: usize,
    /// … and that did not become ready.
    pub(super) lost: usize,
    /// Attempts started twice and items delivered twice, by the devices' record.
    pub(super) doubled: usize,
    /// Pizzas that burnt, by the devices' record: this kitchen is 200 times as fast as life, so a second without instructions is three minutes in a hot oven.
    pub(super) burnt: usize,
}

/// Does each of these so many times to a kitchen at work. Who wants to know more of a trial finds the replicas' logs in `keep`.
pub(super) async fn measure(trials: u32, keep: Option<&Path>, stop: &CancellationToken) -> Result<Figures> {
    let mut dinner = Dinner::begin(keep, stop).await?;
    let mut figures = Figures::default();
    for fault in Fault::ALL {
        let (mut took, mut silent) = (Vec::new(), 0);
        for trial in 1..=trials {
            match dinner.trial(fault).await? {
                Some(span) => took.push(span),
                None => {
                    silent += 1;
                    super::say_when(&format!("{}, trial {trial}: no instruction within {PATIENCE:?}", fault.name()));
                }
            }
        }
        figures.instructed_ms.insert(fault, Spread::of_spans(&took));
        figures.silent.insert(fault, silent);
    }
    figures.unasked_tenures = dinner.unasked_tenures();
    dinner.end(&mut figures).await?;
    Ok(figures)
}

impl Figures {
    /// What became of the orders meanwhile.
    pub(super) fn print(&self) {
        let silent: usize = self.silent.values().sum();
        println!(
            "  {} orders accepted: {} lost, {} doubled, {} burnt; {silent} trials without an instruction, {} tenures that nobody asked for",
            self.accepted, self.lost, self.doubled, self.burnt, self.unasked_tenures
        );
    }
}

/// How long an instruction is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
