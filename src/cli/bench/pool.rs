//! The kitchens and clients of the backend's benchmark, as tasks of this process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;
use tokio::task::JoinSet;

use super::backend::TOKEN;
use crate::protocol::Id;
use crate::protocol::exchange::{
    EXCHANGE_VERSION, ExchangeAnswer, ExchangeRequest, News, Outcome, Progress, QuoteMs, Report,
};
use crate::tls::Dialer;

/// What all tasks share.
pub(super) struct Bench {
    url: String,
    http: reqwest::Client,
    exchanges: AtomicU64,
    bytes: AtomicU64,
    pub(super) over: AtomicBool,
    /// When an order was asked for, and when a kitchen had it.
    asked: Mutex<HashMap<String, Instant>>,
    delivered_ms: Mutex<Vec<f64>>,
}

impl Bench {
    pub(super) fn new(url: String) -> Self {
        let (exchanges, bytes, over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
        let (asked, delivered_ms) = (Mutex::default(), Mutex::default());
        Self {
            url,
            http: Dialer::plain().http().build().expect("a client"),
            exchanges,
            bytes,
            over,
            asked,
            delivered_ms,
        }
    }

    pub(super) fn counts(&self) -> (u64, u64) {
        (self.exchanges.load(Relaxed), self.bytes.load(Relaxed))
    }

    pub(super) async fn register(&self, id: &Id) -> Result<String> {
        let request = self.http.put(format!("{}/v1/kitchens/{id}", self.url)).bearer_auth(TOKEN).json(&json!({}));
        let body: serde_json::Value = request.send().await?.error_for_status()?.json().await?;
        Ok(body["token"].as_str().context("a new kitchen has a token")?.to_owned())
    }

    /// What was delivered since the last time, in milliseconds.
    pub(super) fn delivered(&self) -> Vec<f64> {
        std::mem::take(&mut *self.delivered_ms.lock().expect("no task panics"))
    }

    fn arrived(&self, order: &str) {
        let asked = self.asked.lock().expect("no task panics").remove(order);
        if let Some(asked) = asked {
            self.delivered_ms.lock().expect("no task panics").push(asked.elapsed().as_secs_f64() * 1_000.0);
        }
    }
}

/// A kitchen that has every order ready at once.
pub(super) async fn kitchen(bench: Arc<Bench>, id: Id, token: String) -> Result<()> {
    let began = Instant::now();
    let url = format!("{}/v1/kitchens/{id}/exchange?wait_ms=30000", bench.url);
    let mut request = first_request()?;
    while !bench.over.load(Relaxed) {
        request.as_of = began.elapsed().as_millis() as u64;
        let body = serde_json::to_vec(&request)?;
        let sent = body.len();
        let call = bench.http.post(&url).bearer_auth(&token).header("content-type", "application/json").body(body);
        let answer = call.send().await?.error_for_status()?.bytes().await?;
        bench.exchanges.fetch_add(1, Relaxed);
        bench.bytes.fetch_add((sent + answer.len()) as u64, Relaxed);
        let answer: ExchangeAnswer = serde_json::from_slice(&answer)?;
        request.report = None;
        request.outcomes.retain(|outcome| outcome.number > answer.acknowledged);
        request.first = answer.acknowledged + 1;
        for new in answer.assignments {
            bench.arrived(new.order.as_str());
            let number = request.first + request.outcomes.len() as u64;
            let (order, assignment) = (new.order, new.assignment);
            let news = News::Order { order, assignment, status: Progress::Ready, reason: None };
            request.outcomes.push(Outcome { number, wall: 0, news });
        }
    }
    Ok(())
}

pub(super) fn first_request() -> Result<ExchangeRequest> {
    let quote = QuoteMs { p50_ms: 300_000, p95_ms: 400_000 };
    let names = ["margherita", "funghi", "salami", "tonno", "marinara", "diavola", "capricciosa", "quattro"];
    let quotes = names.into_iter().map(|name| Ok((name.parse()?, quote))).collect::<Result<_>>()?;
    let report = Report {
        status: "NORMAL".to_owned(),
        state: "NORMAL".to_owned(),
        limit_milli_per_hour: Some(600_000),
        quotes,
        ..Report::default()
    };
    Ok(ExchangeRequest {
        v: EXCHANGE_VERSION,
        series: "bench".parse()?,
        as_of: 0,
        held: Vec::new(),
        first: 1,
        outcomes: Vec::new(),
        report: Some(report),
        logs: Vec::new(),
        configuration: 0,
        configuration_refused: None,
    })
}

/// So many clients place orders one after the other for so long; how long each took, in milliseconds.
pub(super) async fn load(bench: &Arc<Bench>, run: &str, clients_max: usize, span: Duration) -> Result<Vec<f64>> {
    let until = Instant::now() + span;
    let mut clients = JoinSet::new();
    for client in 0..clients_max {
        let (bench, run) = (bench.clone(), run.to_owned());
        clients.spawn(async move {
            let mut took_ms = Vec::new();
            while Instant::now() < until {
                let order = format!("o{run}-{clients_max}-{client}-{}", took_ms.len());
                let asked = Instant::now();
                bench.asked.lock().expect("no task panics").insert(order.clone(), asked);
                let request = bench.http.put(format!("{}/v1/orders/{order}", bench.url)).bearer_auth(TOKEN);
                request.json(&json!({ "items": ["margherita"] })).send().await?.error_for_status()?;
                took_ms.push(asked.elapsed().as_secs_f64() * 1_000.0);
            }
            anyhow::Ok(took_ms)
        });
    }
    let mut all = Vec::new();
    while let Some(client) = clients.join_next().await {
        all.extend(client??);
    }
    Ok(all)
}
