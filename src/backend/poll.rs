//! Poll mode: the backend calls kitchens that can't or must not call it. The exchange is the same; only who opens the connection differs.
//!
//! One instance polls a kitchen at a time, by a claim that it renews every second. A claim that stood still is taken over by who has
//! watched that, on its own monotonic clock. Two pollers at once would be a waste and nothing worse: exchanges are serialised by the
//! kitchen's row, and kitchens absorb answers that they know.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::StatusCode;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::protocol::exchange::{ExchangeAnswer, ExchangeRequest};
use crate::protocol::{Id, Millis};
use crate::tls::Dialer;

use super::Backend;
use super::exchange::{ExchangeError, Waiting};
use super::store::{self, Error, Mode, Registration};
use super::watch::Watch;

/// A claim is renewed so often …
const RENEW: Duration = Duration::from_secs(1);
/// … and taken over when it stood still for so long, in milliseconds.
const STALE_MS: Millis = 5_000;
/// Between two tries at a kitchen that does not answer: from, and to.
const RETRY_MS: (u64, u64) = (100, 5_000);
/// How long a kitchen may take beyond the time that it is asked to wait.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a kitchen was not polled.
#[derive(Debug, thiserror::Error)]
enum PollError {
    #[error("no url is registered")]
    NoUrl,
    #[error("it does not answer: {0}")]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
}

impl PollError {
    /// True when the kitchen answers, and does not let the backend in.
    fn is_refusal(&self) -> bool {
        let status = match self {
            Self::Http(error) => error.status(),
            Self::NoUrl | Self::Exchange(_) => None,
        };
        matches!(status, Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN))
    }
}

/// The kitchens that this instance polls.
pub(super) struct Poller {
    backend: Backend,
    instance: String,
    client: reqwest::Client,
    claims: Watch,
    polled: BTreeMap<Id, (CancellationToken, JoinHandle<()>)>,
}

impl Poller {
    pub(super) fn new(backend: Backend, dialer: &Dialer) -> Self {
        let client = dialer.http().build().expect("a client without files needs nothing that can fail");
        let instance = format!("{:016x}", rand::random::<u64>());
        Self { backend, instance, client, claims: Watch::default(), polled: BTreeMap::new() }
    }

    /// Polls what this instance has claimed, until it is dropped.
    pub(super) async fn run(mut self) {
        loop {
            if let Err(error) = self.claim().await {
                tracing::warn!(%error, "Claims were not renewed, the next round tries again: {error}");
            }
            sleep(RENEW).await;
        }
    }

    async fn claim(&mut self) -> Result<(), Error> {
        let wanted = self.backend.poll_kitchens();
        if wanted.is_empty() && self.polled.is_empty() {
            return Ok(());
        }
        let instance = self.instance.clone();
        let store = self.backend.store().clone();
        store.write(move |c| Box::pin(async move { store::raise_claims(c, &instance).await })).await?;
        let claims = store.claims().await?;
        let now_ms = self.backend.now().ms;
        claims.iter().for_each(|claim| self.claims.look(&claim.kitchen, claim.beat, STALE_MS, now_ms));
        let mut mine = Vec::new();
        for kitchen in wanted {
            let claim = claims.iter().find(|claim| claim.kitchen == kitchen);
            if claim.is_some_and(|claim| claim.instance == self.instance)
                || self.take(&kitchen, claim.is_some()).await?
            {
                mine.push(kitchen);
            }
        }
        self.keep(&mine);
        Ok(())
    }

    /// Claims a kitchen that nobody polls. False if somebody does.
    async fn take(&self, kitchen: &Id, is_claimed: bool) -> Result<bool, Error> {
        let over = self.claims.lease_over(kitchen, 0, self.backend.now().ms);
        if is_claimed && over.is_none() {
            return Ok(false);
        }
        let (id, instance) = (kitchen.clone(), self.instance.clone());
        let seen = over.filter(|_| is_claimed);
        self.backend.store().write(move |c| Box::pin(async move { store::claim(c, &id, &instance, seen).await })).await
    }

    /// Begins with what is new, ends what is not ours any more.
    fn keep(&mut self, mine: &[Id]) {
        self.polled.retain(|kitchen, (stop, task)| {
            let stays = mine.contains(kitchen) && !task.is_finished();
            if !stays {
                stop.cancel();
            }
            stays
        });
        for kitchen in mine {
            if !self.polled.contains_key(kitchen) {
                let stop = self.backend.0.stop.child_token();
                let poll = poll(self.backend.clone(), self.client.clone(), kitchen.clone());
                let task = stop.clone().run_until_cancelled_owned(poll);
                self.polled
                    .insert(kitchen.clone(), (stop, tokio::spawn(async move { task.await.unwrap_or_default() })));
            }
        }
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.polled.values().for_each(|(stop, _)| stop.cancel());
    }
}

impl Backend {
    fn poll_kitchens(&self) -> Vec<Id> {
        let directory = self.directory();
        let polled = directory.rows().filter(|row| row.registration.mode == Mode::Poll);
        polled.map(|row| row.registration.id.clone()).collect()
    }

    fn registration(&self, kitchen: &Id) -> Option<Registration> {
        self.directory().rows().find(|row| row.registration.id == *kitchen).map(|row| row.registration.clone())
    }
}

/// Exchanges with one kitchen again and again.
async fn poll(backend: Backend, client: reqwest::Client, kitchen: Id) {
    let (mut tries, mut retry_ms) = (0, RETRY_MS.0);
    let (mut last, mut is_refused) = (None, false);
    loop {
        match turn(&backend, &client, &kitchen, tries, &mut last).await {
            Ok(()) => (retry_ms, is_refused) = (RETRY_MS.0, false),
            Err(error) => {
                // Once: it is tried again all the time.
                if error.is_refusal() && !std::mem::replace(&mut is_refused, true) {
                    let what = "register it with an api_token of role backend that the kitchen added";
                    tracing::warn!(%kitchen, %error, "Kitchen {kitchen} does not take the backend's token: {what}");
                }
                tracing::debug!(%kitchen, %error, "Kitchen {kitchen} was not polled: {error}");
                metrics::counter!("brigade_backend_polls_failed_total").increment(1);
                // Another replica may be the one that lives.
                tries += 1;
                // Jitter: kitchens that went down together are not called together.
                sleep(Duration::from_millis(rand::random_range(retry_ms / 2..=retry_ms))).await;
                retry_ms = (retry_ms * 2).min(RETRY_MS.1);
            }
        }
    }
}

/// One exchange: asks the kitchen, and waits there unless there is something to tell; then tells it.
async fn turn(
    backend: &Backend,
    client: &reqwest::Client,
    kitchen: &Id,
    tries: usize,
    last: &mut Option<ExchangeRequest>,
) -> Result<(), PollError> {
    let registration = backend.registration(kitchen).ok_or(PollError::NoUrl)?;
    let url = registration.urls.get(tries % registration.urls.len().max(1)).ok_or(PollError::NoUrl)?;
    let line =
        Line { client, url: format!("{}/v1/backend/exchange", url.trim_end_matches('/')), registration: &registration };
    let mut ear = backend.bells().of_kitchen(kitchen);
    let request = loop {
        ear.mark_unchanged();
        let news = match last.as_ref() {
            Some(request) => backend.has_news(kitchen, request).await?,
            None => true,
        };
        let wait_ms = if news { 0 } else { backend.options().wait_ms_max() };
        tokio::select! {
            request = line.ask(wait_ms) => break request?,
            // Something is to be told: the waiting question is dropped, and a quick one takes its place.
            _ = ear.changed(), if wait_ms > 0 => {}
        }
    };
    let answer = backend.exchange(kitchen, &request, Waiting::No).await?;
    line.tell(&answer).await?;
    *last = Some(request);
    Ok(())
}

/// A way to a kitchen.
struct Line<'a> {
    client: &'a reqwest::Client,
    url: String,
    registration: &'a Registration,
}

impl Line<'_> {
    async fn ask(&self, wait_ms: Millis) -> Result<ExchangeRequest, reqwest::Error> {
        let request = self.client.get(&self.url).query(&[("wait_ms", wait_ms)]);
        let request = request.timeout(Duration::from_millis(wait_ms) + PATIENCE);
        self.authorized(request).send().await?.error_for_status()?.json().await
    }

    async fn tell(&self, answer: &ExchangeAnswer) -> Result<(), reqwest::Error> {
        let request = self.client.put(&self.url).json(answer).timeout(PATIENCE);
        self.authorized(request).send().await?.error_for_status().map(drop)
    }

    fn authorized(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match self.registration.api_token.as_str() {
            "" => request,
            token => request.bearer_auth(token),
        }
    }
}
