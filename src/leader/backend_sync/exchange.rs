//! One exchange over HTTP. Knows nothing of what is in it.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use reqwest::StatusCode;

use crate::kitchen::Millis;
use crate::protocol::exchange::{EXCHANGE_VERSION, ExchangeAnswer, ExchangeRequest};

use super::Options;

/// Longer than the backend takes to look something up and write it.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// The longest answer, in bytes: some thousand orders.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// Why an exchange failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody answered.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// The backend said no.
    #[error("it answered {status}: {detail}")]
    Refused {
        /// HTTP status.
        status: StatusCode,
        /// What it says.
        detail: String,
    },
    /// That is no answer.
    #[error("its answer can't be read: {0}")]
    Unreadable(String),
}

/// The line to the backend.
pub struct Line {
    client: reqwest::Client,
    urls: Vec<String>,
    present: AtomicUsize,
    kitchen: String,
    token: String,
}

impl Line {
    /// A line to the first instance.
    pub fn new(options: &Options, kitchen: &str) -> Self {
        let builder = options.dialer.http().redirect(reqwest::redirect::Policy::none());
        let builder = builder.pool_idle_timeout(Duration::from_secs(30));
        let client = builder.build().expect("a client without files needs nothing that can fail");
        let urls = options.urls.iter().map(|url| url.trim_end_matches('/').to_owned()).collect();
        Self { client, urls, present: AtomicUsize::new(0), kitchen: kitchen.to_owned(), token: options.token.clone() }
    }

    /// The instance that is asked at present.
    pub fn url(&self) -> &str {
        &self.urls[self.present.load(Relaxed) % self.urls.len()]
    }

    /// Another instance may be luckier.
    pub fn next_url(&self) {
        self.present.fetch_add(1, Relaxed);
    }

    /// Asks, and waits up to `wait_ms` for something to be told.
    pub async fn exchange(&self, request: &ExchangeRequest, wait_ms: Millis) -> Result<ExchangeAnswer, Error> {
        let unreachable = |error: reqwest::Error| Error::Unreachable(innermost(&error));
        let url = format!("{}/v1/kitchens/{}/exchange", self.url(), self.kitchen);
        let sent = self.client.post(url).query(&[("wait_ms", wait_ms)]).bearer_auth(&self.token).json(request);
        let response = sent.timeout(ANSWER_LIMIT + Duration::from_millis(wait_ms)).send().await.map_err(unreachable)?;
        let status = response.status();
        if response.content_length().is_some_and(|bytes| bytes > ANSWER_BYTES_MAX as u64) {
            return Err(Error::Unreadable(format!("it has more than {ANSWER_BYTES_MAX} bytes")));
        }
        let body = response.bytes().await.map_err(unreachable)?;
        if !status.is_success() {
            let detail = String::from_utf8_lossy(&body).chars().take(300).collect();
            return Err(Error::Refused { status, detail });
        }
        let answer: ExchangeAnswer =
            serde_json::from_slice(&body).map_err(|error| Error::Unreadable(error.to_string()))?;
        if answer.v != EXCHANGE_VERSION {
            let what = format!("it has version {}, this release reads {EXCHANGE_VERSION}", answer.v);
            return Err(Error::Unreadable(what));
        }
        Ok(answer)
    }
}

/// The cause that says most: reqwest's own text names the URL again.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
