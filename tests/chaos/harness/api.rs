//! The API of a kitchen's replicas, as clients call it. Every call of the order API is written down with what came of it; nothing here
//! repeats a call.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use brigade::history::{Answer, Ask, Step};
use brigade::tls::Dialer;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::book::Book;
use super::site::TOKEN;

/// Longer than a replica takes to call an outcome unknown.
const LIMIT: Duration = Duration::from_secs(10);

/// A read that takes longer asks a replica that hangs.
const READ_LIMIT: Duration = Duration::from_secs(3);

/// Clients of a kitchen.
pub struct Api {
    http: reqwest::Client,
    nodes: BTreeMap<u64, String>,
    book: Arc<Book>,
}

/// An answer of any route.
pub struct Reply {
    /// HTTP's status; 0 for no answer.
    pub status: u16,
    /// What it says.
    pub body: Value,
    /// The header that tells how old a stale read may be.
    pub staleness: Option<String>,
    /// True when it proves that nothing was written.
    not_applied: bool,
}

impl Reply {
    /// The last part of the problem's type, or how the call failed.
    pub fn problem(&self) -> String {
        let kind = self.body["type"].as_str().and_then(|t| t.strip_prefix("urn:brigade:problem:"));
        kind.map_or_else(|| self.body.as_str().unwrap_or("none").to_owned(), str::to_owned)
    }
}

impl Api {
    /// Clients of these nodes.
    pub fn new(nodes: BTreeMap<u64, String>, book: Arc<Book>) -> Self {
        let builder = Dialer::plain().http().timeout(LIMIT).connect_timeout(Duration::from_millis(500));
        Self { http: builder.build().expect("a client"), nodes, book }
    }

    /// All nodes.
    pub fn nodes(&self) -> impl Iterator<Item = u64> {
        self.nodes.keys().copied()
    }

    /// GET from a node.
    pub async fn get(&self, node: u64, path: &str) -> Reply {
        send(self.request(Method::GET, node, path).timeout(READ_LIMIT)).await
    }

    /// GET from the first node that answers 200.
    pub async fn get_any(&self, path: &str) -> Option<Value> {
        for node in self.nodes() {
            let reply = self.get(node, path).await;
            if reply.status == 200 {
                return Some(reply.body);
            }
        }
        None
    }

    /// PUT or POST to a node.
    pub async fn send(&self, method: Method, node: u64, path: &str, body: &Value) -> Reply {
        send(self.request(method, node, path).json(body)).await
    }

    fn request(&self, method: Method, node: u64, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.nodes[&node])).bearer_auth(TOKEN)
    }

    /// One call of the order API, written down.
    pub async fn call(&self, client: &str, node: u64, ask: Ask) -> Answer {
        let call = self.book.next_call();
        self.book.call(client, call, Step::Invoke { node, ask: ask.clone() });
        let answer = self.ask(node, &ask).await;
        self.book.call(client, call, Step::Return { answer: answer.clone() });
        answer
    }

    async fn ask(&self, node: u64, ask: &Ask) -> Answer {
        let reply = match ask {
            Ask::Place { order, items } => {
                self.send(Method::PUT, node, &format!("/v1/orders/{order}"), &json!({ "items": items })).await
            }
            Ask::Show { order, stale } => {
                let query = if *stale { "?consistency=stale" } else { "" };
                self.get(node, &format!("/v1/orders/{order}{query}")).await
            }
            Ask::Cancel { order } => self.post(node, &format!("/v1/orders/{order}/cancellation")).await,
            Ask::Collect { order } => self.post(node, &format!("/v1/orders/{order}/collection")).await,
        };
        meaning(ask, &reply)
    }

    async fn post(&self, node: u64, path: &str) -> Reply {
        self.send(Method::POST, node, path, &json!({})).await
    }
}

async fn send(request: RequestBuilder) -> Reply {
    match request.send().await {
        Ok(answer) => {
            let status = answer.status().as_u16();
            let header = |name: &str| answer.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
            let (staleness, not_applied) = (header("brigade-staleness-ms"), header("brigade-not-applied").is_some());
            match answer.json().await {
                Ok(body) => Reply { status, body, staleness, not_applied },
                Err(error) => Reply { status: 0, body: json!(error.to_string()), staleness, not_applied: false },
            }
        }
        Err(error) => {
            let not_applied = error.is_connect();
            Reply { status: 0, body: json!(format!("{error:?}")), staleness: None, not_applied }
        }
    }
}

fn meaning(ask: &Ask, reply: &Reply) -> Answer {
    let number = reply.body["number"].as_u64().unwrap_or(0);
    let status = reply.body["status"].as_str().unwrap_or_default().to_owned();
    match (reply.status, ask) {
        (200 | 201, Ask::Place { .. }) => Answer::Placed { number, created: reply.status == 201 },
        (200, Ask::Show { .. }) => Answer::Shown { number, status },
        (200, Ask::Cancel { .. } | Ask::Collect { .. }) => Answer::Done,
        (400..500, _) => {
            let status = reply.body["order_status"].as_str().map(str::to_owned);
            Answer::Refused { problem: reply.problem(), status }
        }
        (_, Ask::Show { .. }) => Answer::NotApplied { why: reply.problem() },
        _ if reply.not_applied => Answer::NotApplied { why: reply.problem() },
        _ => Answer::Unknown { why: reply.problem() },
    }
}
