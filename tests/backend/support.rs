//! A backend on a port of the system, on a database of its own, and callers of it.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use brigade::backend::store::{Holder, Role};
use brigade::backend::{Backend, Options};
use brigade::protocol::Id;
use brigade::protocol::exchange::{ExchangeAnswer, ExchangeRequest};
use brigade::tls::Dialer;
use brigade::web::{Limits, serve};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::kitchen::FakeKitchen;
use super::postgres;
use super::routes::described::Got;

/// Which database a test runs against.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// A test for each database: `both! { async fn name(site: Site) { … } }`.
macro_rules! both {
    ($(async fn $name:ident($site:ident: Site) $body:block)*) => {
        $(
            mod $name {
                use super::*;
                async fn check(mut $site: Site) { let _ = &mut $site; $body }
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn sqlite() {
                    check(Site::open($crate::support::Kind::Sqlite).await.expect("SQLite is always there")).await;
                }
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn postgres() {
                    if let Some(site) = Site::open($crate::support::Kind::Postgres).await { check(site).await; }
                }
            }
        )*
    };
}
pub(crate) use both;

/// A client that takes plain connections.
pub fn plain() -> reqwest::Client {
    Dialer::plain().http().build().expect("a client")
}

/// A database, and one instance over it.
pub struct Site {
    pub options: Options,
    pub first: Instance,
    _dir: tempfile::TempDir,
}

/// One instance.
pub struct Instance {
    pub backend: Backend,
    pub url: String,
    pub operator: String,
    pub client: String,
    /// Its monotonic clock is ahead of the machine's by so many milliseconds.
    pub ahead_ms: Arc<AtomicU64>,
    stop: CancellationToken,
    http: reqwest::Client,
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Site {
    pub async fn open(kind: Kind) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let database = match kind {
            Kind::Sqlite => format!("sqlite://{}", dir.path().join("brigade.db").display()),
            Kind::Postgres => tokio::task::spawn_blocking(postgres::fresh).await.unwrap()?,
        };
        let options = Options { database, ..Options::default() };
        let first = Instance::start(options.clone()).await;
        Some(Self { options, first, _dir: dir })
    }

    /// Another instance over the same database.
    pub async fn another(&self) -> Instance {
        Instance::start(self.options.clone()).await
    }
}

impl Instance {
    pub async fn start(options: Options) -> Self {
        let (stop, ahead_ms) = (CancellationToken::new(), Arc::new(AtomicU64::new(0)));
        let ahead = ahead_ms.clone();
        let clock = move || brigade::clock::boottime_ms() + ahead.load(Ordering::Relaxed);
        let backend = Backend::open_with(options, Arc::new(clock), stop.clone()).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(serve(listener, backend.router(), Limits::default(), stop.clone()));
        tokio::spawn(backend.clone().run(Dialer::plain(), stop.clone()));
        let token = |role, name: &str| backend.issue_token(Holder { role, name: name.to_owned() });
        let operator = token(Role::Operator, "ann").await.unwrap();
        let client = token(Role::Client, "shop").await.unwrap();
        Self { backend, url, operator, client, ahead_ms, stop, http: Dialer::plain().http().build().expect("a client") }
    }

    pub async fn call(&self, token: &str, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
        let mut request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let request = request.build().unwrap();
        let (method, path) = (request.method().to_string(), request.url().path().to_owned());
        let response = self.http.execute(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        crate::routes::check_answer(&method, &path, &Got { status: status.as_u16(), headers: &headers, text: &text });
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call(&self.operator, Method::GET, path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    pub async fn put(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.call(&self.operator, Method::PUT, path, Some(body)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.call(&self.operator, Method::POST, path, Some(body)).await
    }

    /// Places an order of one margherita.
    pub async fn place(&self, order: &str) -> (StatusCode, Value) {
        let body = json!({ "items": ["margherita"] });
        self.call(&self.client, Method::PUT, &format!("/v1/orders/{order}"), Some(&body)).await
    }

    pub async fn status(&self, order: &str) -> String {
        self.get(&format!("/v1/orders/{order}")).await["status"].as_str().unwrap().to_owned()
    }

    /// Registers a kitchen, and lets it report.
    pub async fn register(&self, name: &str) -> Line {
        let (status, body) = self.put(&format!("/v1/kitchens/{name}"), &json!({})).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        let mut line = Line {
            kitchen: FakeKitchen::new(name),
            token: body["token"].as_str().unwrap().to_owned(),
            url: self.url.clone(),
            http: self.http.clone(),
        };
        line.turn(0).await;
        line
    }
}

/// A kitchen with its connection to an instance.
pub struct Line {
    pub kitchen: FakeKitchen,
    pub token: String,
    pub url: String,
    pub http: reqwest::Client,
}

impl Line {
    /// One exchange.
    pub async fn turn(&mut self, wait_ms: u64) -> ExchangeAnswer {
        let answer = self.send(&self.kitchen.request(), wait_ms).await;
        self.kitchen.hear(&answer);
        answer
    }

    /// Sends a request as it is.
    pub async fn send(&self, request: &ExchangeRequest, wait_ms: u64) -> ExchangeAnswer {
        let (status, body) = self.try_send(&self.kitchen.id, &serde_json::to_value(request).unwrap(), wait_ms).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        serde_json::from_value(body).unwrap()
    }

    pub async fn try_send(&self, kitchen: &Id, request: &Value, wait_ms: u64) -> (StatusCode, Value) {
        let url = format!("{}/v1/kitchens/{kitchen}/exchange?wait_ms={wait_ms}", self.url);
        let response = self.http.post(url).bearer_auth(&self.token).json(request).send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }
}

/// Asks again and again until it is so.
pub async fn wait_for<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let until = Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(Instant::now() < until, "not in time: {what}");
        tokio::task::yield_now().await;
    }
}
