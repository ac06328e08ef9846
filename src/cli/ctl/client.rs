//! Asks one replica, and the next one when it is dead. Never repeats what may have been done and is not safe to repeat.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::tls::Dialer;

use super::failure::Failure;

/// Longer than the longest poll of `events`.
const LIMIT: Duration = Duration::from_secs(40);

/// How long a file may take: a large kitchen over a slow line.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(4 * 3_600);

/// The most characters of an answer that is no problem document.
const SAID_MAX: usize = 500;

/// The replicas, and a connection to them.
pub struct Client {
    urls: Vec<String>,
    http: reqwest::Client,
}

/// Why one replica's answer is none.
enum Miss {
    /// Surely nothing was done: the next one may be asked.
    NotDone(String),
    /// It may have been done.
    Unknown(String),
}

impl Client {
    /// Asks in this order, with these headers.
    pub fn new(urls: Vec<String>, dialer: &Dialer, headers: HeaderMap) -> Self {
        let http = dialer.http().timeout(LIMIT).default_headers(headers);
        Self { urls, http: http.build().expect("a plain client needs nothing that can fail") }
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.request(Method::GET, path, None, None).await
    }

    /// Asks with a body; only PUT and GET are repeated when the outcome is unknown.
    pub async fn send(&self, method: Method, path: &str, body: Value) -> Result<Value, Failure> {
        self.request(method, path, Some(body), None).await
    }

    /// The same for what is new, with the key that names it.
    pub async fn send_with_key(&self, method: Method, path: &str, body: Value, key: &str) -> Result<Value, Failure> {
        self.request(method, path, Some(body), Some(key)).await
    }

    /// The replicas, in the order in which they are asked.
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// What one replica alone answers, as text; or a sentence why that is nothing.
    pub async fn read(&self, url: &str, path: &str, limit: Duration) -> Result<String, String> {
        let request = self.http.get(format!("{url}{path}")).timeout(limit);
        let answer = request.send().await.map_err(|error| cause(&error))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| cause(&error))?;
        if status.is_success() {
            return Ok(text);
        }
        let problem: Value = serde_json::from_str(&text).unwrap_or_default();
        match (problem["title"].as_str(), problem["detail"].as_str()) {
            (Some(title), detail) => Err(format!("{status}: {title}: {}", detail.unwrap_or_default())),
            // `/readyz` says what is missing in its own words.
            (None, _) => Err(format!("{status}: {}", text.chars().take(SAID_MAX).collect::<String>().trim())),
        }
    }

    /// The first replica that answers with a file, which goes to `to` as it comes; or why none did. A file that is cut short is none: the
    /// next one is asked, and `begin` makes a new beginning.
    pub async fn download<W: std::io::Write>(
        &self,
        path: &str,
        mut begin: impl FnMut() -> std::io::Result<W>,
    ) -> Result<W, Failure> {
        let mut tried = Vec::new();
        for url in &self.urls {
            let answer = match self.http.get(format!("{url}{path}")).timeout(DOWNLOAD_LIMIT).send().await {
                Ok(answer) if answer.status().is_success() => answer,
                Ok(answer) => match answer.json::<Value>().await {
                    Ok(problem) if problem["type"].is_string() => return Err(Failure::refused(problem)),
                    _ => return Err(Failure::Foreign { url: url.clone(), status: 0 }),
                },
                Err(error) => {
                    tried.push(format!("  {url}: {}", cause(&error)));
                    continue;
                }
            };
            let mut to = begin()?;
            match receive(answer, &mut to).await? {
                Ok(()) => return Ok(to),
                Err(error) => tried.push(format!("  {url}: {}", cause(&error))),
            }
        }
        Err(Failure::Unreachable { tried: tried.join("\n") })
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        key: Option<&str>,
    ) -> Result<Value, Failure> {
        let repeatable = method == Method::GET || method == Method::PUT;
        let (mut tried, mut refused) = (Vec::new(), None);
        for url in &self.urls {
            match self.ask(&method, url, path, body.as_ref(), key).await? {
                Ok(answer) => return Ok(answer),
                Err(Err(problem)) => refused = Some(problem),
                Err(Ok(Miss::NotDone(why))) => tried.push(format!("  {url}: {why}")),
                Err(Ok(Miss::Unknown(why))) if repeatable => tried.push(format!("  {url}: {why}")),
                Err(Ok(Miss::Unknown(why))) => return Err(Failure::Unknown { url: url.clone(), why }),
            }
        }
        Err(refused.map_or_else(|| Failure::Unreachable { tried: tried.join("\n") }, Failure::refused))
    }

    /// Outer Err: final. Inner: the answer, or why another replica is asked: a problem of this one alone, or no answer.
    async fn ask(
        &self,
        method: &Method,
        url: &str,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Result<Result<Value, Result<Miss, Value>>, Failure> {
        let mut request = self.http.request(method.clone(), format!("{url}{path}"));
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(e) if e.is_connect() || e.is_builder() => return Ok(Err(Ok(Miss::NotDone(cause(&e))))),
            Err(e) => return Ok(Err(Ok(Miss::Unknown(cause(&e))))),
        };
        let (status, not_applied) = (answer.status(), answer.headers().contains_key("brigade-not-applied"));
        let value = match answer.bytes().await {
            Ok(bytes) => serde_json::from_slice::<Value>(&bytes).ok(),
            Err(e) => return Ok(Err(Ok(Miss::Unknown(cause(&e))))),
        };
        let value = value.ok_or_else(|| Failure::Foreign { url: url.to_owned(), status: status.as_u16() })?;
        if status.is_success() {
            return Ok(Ok(value));
        }
        if value["type"].as_str().is_none() {
            return Err(Failure::Foreign { url: url.to_owned(), status: status.as_u16() });
        }
        let of_this_replica = status == StatusCode::SERVICE_UNAVAILABLE && (not_applied || method == Method::GET);
        if of_this_replica { Ok(Err(Err(value))) } else { Err(Failure::refused(value)) }
    }
}

/// Outer Err: it can't be written. Inner: it did not come.
async fn receive(
    mut from: reqwest::Response,
    to: &mut impl std::io::Write,
) -> std::io::Result<Result<(), reqwest::Error>> {
    loop {
        match from.chunk().await {
            Ok(Some(chunk)) => to.write_all(&chunk)?,
            Ok(None) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error)),
        }
    }
}

/// The innermost cause says most: "Connection refused".
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
