//! The sync worker: keeps the kitchen and the main backend in step. Runs in the tenure alone, so only the node in charge speaks to the backend.
//!
//! Two loops over the one exchange (`protocol::exchange`): `pull` waits at the backend for orders, and renews the assignment lease; `push`
//! brings outcomes, state and logs as they come. Each repeats itself until it is answered, and everything that must survive a change of charge is
//! in the replicated state: outcomes until they are acknowledged, the cursor of the logs, the lease. Without the backend the kitchen goes on.
//! In poll mode the backend comes to the API instead (`http::backend`), with the same `request` and `answer`.

pub mod answer;
mod exchange;
mod logs;
pub mod request;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{info, warn};

use crate::clock::boottime_ms;
use crate::kitchen::{Asked, Millis, Role};
use crate::protocol::exchange::{ExchangeAnswer, ExchangeRequest, Report};
use crate::tls::Dialer;

use super::status::BackendStatus;
use super::tenure::Shared;

use exchange::Line;
use logs::Logs;
use request::What;

pub use answer::heed;
pub use logs::{lines, lines_of};

/// What a node needs to know of the backend.
#[derive(Clone)]
pub struct Options {
    /// `http://host:port` of its instances, tried in turn. Empty in poll mode: it comes here.
    pub urls: Vec<String>,
    /// The kitchen's token there.
    pub token: String,
    /// How it is reached.
    pub dialer: Dialer,
    /// How long the backend keeps a question for orders waiting, in milliseconds.
    pub wait_ms: Millis,
    /// So long before the end of its lease an order is not begun any more, in milliseconds.
    pub lease_margin_ms: Millis,
}

/// Without the token.
impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "backend at {:?}, asked every {} ms", self.urls, self.wait_ms)
    }
}

/// The first pause after an exchange that failed, and the longest.
const RETRY_MS_MIN: Millis = 100;
const RETRY_MS_MAX: Millis = 5_000;

/// How often the kitchen's state is told: when it changed, and at the latest.
const REPORT_CHANGED: Duration = Duration::from_secs(1);
const REPORT_ANYWAY: Duration = Duration::from_secs(30);

/// How often what was logged is told.
const LOGS_EVERY: Duration = Duration::from_secs(2);

/// Runs both loops until it is dropped.
pub(super) async fn run(shared: Arc<Shared>) {
    let Some(options) = shared.options.backend.clone().filter(|o| !o.urls.is_empty()) else {
        return std::future::pending().await;
    };
    let line = Line::new(&options, shared.options.kitchen.as_str());
    tokio::join!(pull(&shared, &line, options.wait_ms), push(&shared, &line));
}

/// Waits at the backend for what is to be cooked.
async fn pull(shared: &Arc<Shared>, line: &Line, wait_ms: Millis) {
    let mut pause = Pause::default();
    loop {
        let request = request::build(shared, What::Held);
        let answer = line.exchange(&request, wait_ms).await;
        let ended = note(shared, line, &answer);
        match answer {
            Ok(answer) => {
                pause = Pause::default();
                heed_own(shared, &request, answer).await;
            }
            Err(_) => pause.rest().await,
        }
        if ended {
            line.next_url();
        }
    }
}

/// Brings what the backend must learn.
async fn push(shared: &Arc<Shared>, line: &Line) {
    let mut applied = shared.node.applied_watch();
    let (mut pause, mut logs, mut reports) = (Pause::default(), Logs::default(), Reports::default());
    loop {
        applied.borrow_and_update();
        let mut request = request::build(shared, What::Outcomes);
        request.report = reports.due(shared);
        request.logs = logs.due(shared).await;
        if request.outcomes.is_empty() && request.report.is_none() && request.logs.is_empty() {
            // An error means that the replica ends; the tenure does then.
            let _ = timeout_at(Instant::now() + REPORT_CHANGED, applied.changed()).await;
            continue;
        }
        match line.exchange(&request, 0).await {
            Ok(answer) => {
                pause = Pause::default();
                reports.told(request.report.take());
                heed_own(shared, &request, answer).await;
            }
            Err(_) => pause.rest().await,
        }
    }
}

/// The kitchen's state, told when it changed and now and then. It is looked at once a second at most: quotes are reckoned under the kitchen's lock.
#[derive(Default)]
struct Reports {
    looked_at: Option<Instant>,
    told: Option<(Report, Instant)>,
}

impl Reports {
    /// The state, if it is to be told.
    fn due(&mut self, shared: &Shared) -> Option<Report> {
        if self.looked_at.is_some_and(|at| at.elapsed() < REPORT_CHANGED) {
            return None;
        }
        self.looked_at = Some(Instant::now());
        let report = shared.node.with_kitchen(request::report);
        let is_known = |(told, at): &(Report, Instant)| *told == report && at.elapsed() < REPORT_ANYWAY;
        (!self.told.as_ref().is_some_and(is_known)).then_some(report)
    }

    /// The backend has it.
    fn told(&mut self, report: Option<Report>) {
        if let Some(report) = report {
            self.told = Some((report, Instant::now()));
        }
    }
}

/// Who asks for what an answer changes.
fn of_backend() -> Asked {
    Asked { actor: "backend".to_owned(), role: Some(Role::Backend), ..Asked::default() }
}

/// An answer to another question would put the lease wrong.
async fn heed_own(shared: &Arc<Shared>, request: &ExchangeRequest, answer: ExchangeAnswer) {
    let margin_ms = shared.options.backend.as_ref().map_or(0, |o| o.lease_margin_ms);
    if answer.as_of != request.as_of {
        return warn!("The backend answered a question that was not asked");
    }
    if let Err(why) = heed(&shared.node, shared.epoch, margin_ms, &of_backend(), answer).await {
        warn!(%why, "The backend's answer was not followed in full: {why}");
    }
}

/// Keeps the status for API and metrics, and logs when the backend goes and comes. True when another instance should be tried.
fn note(shared: &Shared, line: &Line, answer: &Result<ExchangeAnswer, exchange::Error>) -> bool {
    let before = shared.status.borrow().backend.clone().unwrap_or_default();
    let mut after = BackendStatus { url: line.url().to_owned(), ..before.clone() };
    match answer {
        Ok(_) => {
            if before.error.is_some() || before.heard_ms.is_none() {
                info!(url = line.url(), "The backend answers");
            }
            (after.heard_ms, after.error) = (Some(boottime_ms()), None);
        }
        Err(error) => {
            if before.error.is_none() {
                warn!(url = line.url(), %error, "The backend does not answer; the kitchen goes on: {error}");
            }
            after.error = Some(error.to_string());
        }
    }
    shared.status.send_modify(|s| s.backend = Some(after));
    answer.is_err()
}

/// Jittered pauses, each up to twice as long as the one before.
struct Pause {
    next_ms: Millis,
}

impl Default for Pause {
    fn default() -> Self {
        Self { next_ms: RETRY_MS_MIN }
    }
}

impl Pause {
    async fn rest(&mut self) {
        // Kitchens that lost the backend at the same moment must not come back at the same moment.
        let ms = rand::rng().random_range(self.next_ms / 2..=self.next_ms);
        self.next_ms = (self.next_ms * 2).min(RETRY_MS_MAX);
        sleep(Duration::from_millis(ms)).await;
    }
}
