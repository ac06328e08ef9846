//! From an order to the instruction at a device, from a report to the next instruction, and to a follower of events at another replica.
//!
//! A kitchen in which nothing else happens: one order at a time, and each ends before the next is placed. Its devices are much faster than
//! life, which changes nothing between a message and the next.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Spread;
use super::ear::{Ear, Heard, Said};
use super::events::Follower;
use super::http1::Connection;
use super::intake::ORDER;
use super::kitchen::Open;
use crate::protocol::{Attempt, Op};

/// A pizza of some minutes is made in less than a second.
const SPEED: u64 = 500;
/// Orders that are not counted: connections are open, caches are warm.
const WARM_UP: u32 = 5;
/// How long an order may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// So long nothing is said by anybody once all of an order is over.
const QUIET: Duration = Duration::from_millis(300);

/// What was measured.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    /// From the request to its answer.
    pub(super) answered_ms: Spread,
    /// From the request to the first `task.start` for its pizza at a device.
    pub(super) instructed_ms: Spread,
    /// From the answer to that; 0 where the instruction was there first.
    pub(super) accepted_to_instructed_ms: Spread,
    /// From the `state` with which a device reports the end of a task to the next `task.start` for that pizza.
    pub(super) report_to_instruction_ms: Spread,
    /// From the request to the event at a replica that does not lead.
    pub(super) followed_ms: Spread,
}

/// Values so far, in milliseconds.
#[derive(Default)]
struct Samples {
    answered: Vec<Duration>,
    instructed: Vec<Duration>,
    accepted: Vec<Duration>,
    reported: Vec<Duration>,
    followed: Vec<Duration>,
}

/// Places so many orders.
pub(super) async fn measure(orders: u32, stop: &CancellationToken) -> Result<Figures> {
    let open = Open::start(SPEED, 1, stop).await?;
    let brokers: Vec<String> = open.brokers.iter().map(super::broker::Broker::url).collect();
    let mut watch = Watch {
        ear: Ear::at(&brokers, open.site.name()).await?,
        follower: Follower::of(&open.site.api(open.follower().await?).context("it has an API")?).await?,
        api: Connection::open(open.leader_address().await?).await?,
        over: BTreeSet::new(),
    };
    let mut samples = Samples::default();
    for n in 0..WARM_UP + orders {
        if n == WARM_UP {
            samples = Samples::default();
        }
        watch.order(n, &mut samples).await?;
    }
    open.stop().await;
    Ok(Figures {
        answered_ms: Spread::of_spans(&samples.answered),
        instructed_ms: Spread::of_spans(&samples.instructed),
        accepted_to_instructed_ms: Spread::of_spans(&samples.accepted),
        report_to_instruction_ms: Spread::of_spans(&samples.reported),
        followed_ms: Spread::of_spans(&samples.followed),
    })
}

/// Everybody who looks at one order.
struct Watch {
    ear: Ear,
    follower: Follower,
    api: Connection,
    /// Attempts whose end was reported.
    over: BTreeSet<Attempt>,
}

impl Watch {
    /// Places an order and watches it to its end.
    async fn order(&mut self, n: u32, samples: &mut Samples) -> Result<()> {
        while self.ear.try_next().is_some() {}
        let (id, asked) = (format!("bench-{n}"), Instant::now());
        let answer = self.api.ask("PUT", &format!("/v1/orders/{id}"), ORDER).await?;
        let answered = Instant::now();
        if !answer.is_success() {
            bail!("an order was refused: {}", String::from_utf8_lossy(&answer.body));
        }
        let instructed = self.first_instruction(asked).await?;
        samples.answered.push(answered - asked);
        samples.instructed.push(instructed - asked);
        samples.accepted.push(instructed.saturating_duration_since(answered));
        let told = timeout(PATIENCE, self.follower.told_of(&id)).await.context("no event told of the order")??;
        samples.followed.push(told - asked);
        self.watch_the_rest(&id, samples).await
    }

    async fn first_instruction(&mut self, asked: Instant) -> Result<Instant> {
        while let Some(heard) = self.ear.next(asked + PATIENCE).await {
            if pizza_of(&heard).is_some() {
                return Ok(heard.at);
            }
        }
        bail!("no device was instructed within {} s", PATIENCE.as_secs())
    }

    /// Until the order is ready and nobody has said anything for a while. Only one pizza is made, so what is instructed after a report is
    /// instructed because of it.
    async fn watch_the_rest(&mut self, id: &str, samples: &mut Samples) -> Result<()> {
        let limit = Instant::now() + PATIENCE;
        let mut reported = None;
        while Instant::now() < limit {
            let Some(heard) = self.ear.next(Instant::now() + QUIET).await else {
                let answer = self.api.ask("GET", &format!("/v1/orders/{id}?consistency=stale"), "").await?;
                let order: serde_json::Value = serde_json::from_slice(&answer.body)?;
                match order["status"].as_str() {
                    Some("READY") => return Ok(()),
                    _ => continue,
                }
            };
            if self.ends_a_task(&heard) {
                reported = Some(heard.at);
            } else if pizza_of(&heard).is_some()
                && let Some(reported) = reported.take()
            {
                samples.reported.push(heard.at - reported);
            }
        }
        bail!("order {id} did not end within {} s", PATIENCE.as_secs())
    }

    /// True if this is a state that reports an end which was not reported before.
    fn ends_a_task(&mut self, heard: &Heard) -> bool {
        let Said::State(state) = &heard.said else { return false };
        let over: Vec<Attempt> = state.tasks.iter().filter(|t| t.st.is_over()).map(|t| t.attempt.clone()).collect();
        over.into_iter().filter(|attempt| self.over.insert(attempt.clone())).count() > 0
    }
}

/// The pizza that a device is told to do something with.
fn pizza_of(heard: &Heard) -> Option<&str> {
    let Said::Instruction(cmd) = &heard.said else { return None };
    match &cmd.op {
        Op::TaskStart(start) => Some(start.pizza.as_str()),
        _ => None,
    }
}
