//! A main backend on this machine, and a client of it, for demo and tests.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::process::Child;
use tokio::time::{Instant, sleep};

use crate::config::BackendConfig;
use crate::loopback::Claim;
use crate::tls::Dialer;

use super::client::Placed;
use super::processes::{end, spawn_with};

/// How long the backend may take to answer at all, and how long a request is repeated.
const PATIENCE: Duration = Duration::from_secs(30);

/// The operator's token: of a backend that lives as long as the demo, on loopback.
const OPERATOR: &str = "demo-operator-token";

/// A backend over a file of SQLite. Dropping it kills it.
pub struct Backend {
    child: Option<Child>,
    dir: PathBuf,
    url: String,
    _claim: Claim,
    http: reqwest::Client,
    settings: Vec<(String, String)>,
}

impl Backend {
    /// Starts it and waits until it answers.
    pub async fn start(dir: &Path) -> Result<Self> {
        Self::start_with(dir, &[]).await
    }

    /// The same with other settings than the defaults: `BRIGADE_BACKEND_…`.
    pub async fn start_with(dir: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        let claim = Claim::of(1)?;
        let http = Dialer::plain().http().timeout(Duration::from_secs(10)).build()?;
        let settings = settings.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let mut backend = Self {
            child: None,
            dir: dir.to_owned(),
            url: format!("http://{}", claim.addresses()[0]),
            _claim: claim,
            http,
            settings,
        };
        backend.run()?;
        backend.wait_until_it_answers().await?;
        Ok(backend)
    }

    /// Starts the process, at the address and with the database of before.
    pub fn run(&mut self) -> Result<()> {
        let database = format!("sqlite://{}", self.dir.join("backend.db").display());
        let listen = self.url.trim_start_matches("http://");
        let args = ["backend", "--listen", listen, "--database", &database].map(str::to_owned);
        let settings = self.settings.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let environment: Vec<(&str, &str)> = settings.chain([("BRIGADE_BACKEND_OPERATOR_TOKEN", OPERATOR)]).collect();
        self.child = Some(spawn_with(&args, &self.dir.join("backend.log"), &environment)?);
        Ok(())
    }

    /// SIGKILL.
    pub async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill().await;
        }
    }

    /// Asks it to end.
    pub async fn stop(&mut self) {
        if let Some(child) = &mut self.child {
            end(&mut [child]).await;
        }
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    async fn wait_until_it_answers(&self) -> Result<()> {
        let limit = Instant::now() + PATIENCE;
        while Instant::now() < limit {
            let ready = self.http.get(format!("{}/readyz", self.url)).send().await;
            if ready.is_ok_and(|answer| answer.status() == StatusCode::OK) {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
        bail!("the backend did not answer within {} s: see {}", PATIENCE.as_secs(), self.dir.display())
    }

    /// Registers a kitchen; what its nodes need to be tied to this backend.
    pub async fn register(&self, kitchen: &str) -> Result<BackendConfig> {
        let answer = self.request(Method::PUT, &format!("/v1/kitchens/{kitchen}"), json!({ "name": kitchen })).await?;
        let token = answer["token"].as_str().context("the backend gave the kitchen no token")?.to_owned();
        Ok(BackendConfig::pull(vec![self.url.clone()], token))
    }

    /// Registers a kitchen that the backend is to poll at these addresses, with a token of the kitchen's own.
    pub async fn register_polled(&self, kitchen: &str, urls: &[String], api_token: &str) -> Result<()> {
        let body = json!({ "name": kitchen, "mode": "poll", "urls": urls, "api_token": api_token });
        self.request(Method::PUT, &format!("/v1/kitchens/{kitchen}"), body).await.map(drop)
    }

    /// Places an order, repeating until it is accepted: its id makes that safe.
    pub async fn place(&self, order: &Placed) -> Result<()> {
        let limit = Instant::now() + PATIENCE;
        let (path, body) = (format!("/v1/orders/{}", order.id), json!({ "items": order.items }));
        loop {
            match self.request(Method::PUT, &path, body.clone()).await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > limit => return Err(error),
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// An order as the backend shows it.
    pub async fn order(&self, id: &str) -> Result<Value> {
        self.request(Method::GET, &format!("/v1/orders/{id}"), Value::Null).await
    }

    /// A kitchen as the backend shows it.
    pub async fn kitchen(&self, id: &str) -> Result<Value> {
        self.request(Method::GET, &format!("/v1/kitchens/{id}"), Value::Null).await
    }

    /// What became of an order.
    pub async fn history(&self, id: &str) -> Result<Value> {
        self.request(Method::GET, &format!("/v1/orders/{id}/history"), Value::Null).await
    }

    /// The recipes that some kitchen makes now.
    pub async fn menu(&self) -> Result<Vec<String>> {
        let menu = self.request(Method::GET, "/v1/menu", Value::Null).await?;
        let items = menu["items"].as_array().into_iter().flatten();
        Ok(items.filter_map(|item| item["recipe"].as_str().or(item["id"].as_str()).map(ToOwned::to_owned)).collect())
    }

    async fn request(&self, method: Method, path: &str, body: Value) -> Result<Value> {
        let request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(OPERATOR);
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer = request.send().await.with_context(|| format!("backend, {path}"))?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("the backend answered {path} with {status}: {text}");
        }
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}
