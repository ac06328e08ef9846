//! A main backend that keeps to the exchange when it is in the mood: it also refuses, hangs, talks nonsense, and loses its answers after it has kept
//! what it was told. What it saw is in the history.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use brigade::history::Outcome;
use brigade::protocol::exchange::{
    Assignment, EXCHANGE_VERSION, ExchangeAnswer, ExchangeRequest, News, Outcome as Told, Progress,
};
use tokio::runtime::Runtime;

use super::book::Book;

/// What it does with a request, in turn.
#[derive(Clone, Copy)]
enum Mood {
    /// Keeps and answers.
    Fine,
    /// 503, and keeps nothing.
    Refuses,
    /// Keeps, and answers 500.
    LosesItsAnswer,
    /// Keeps, and answers something that is no answer.
    TalksNonsense,
    /// Answers so late that it was given up.
    Hangs,
}

/// In turn, for requests that tell something: what it is told comes to it in every way.
const MOODS: [Mood; 8] = [
    Mood::Fine,
    Mood::Refuses,
    Mood::LosesItsAnswer,
    Mood::Fine,
    Mood::TalksNonsense,
    Mood::Fine,
    Mood::Hangs,
    Mood::Fine,
];

/// So long it takes for each answer, so that kitchens do not ask all the time.
const THINKS: Duration = Duration::from_millis(60);
/// Longer than the dinner's patience with a backend; the kitchen asks the next time long before.
const HANGS: Duration = Duration::from_secs(4);

/// The backend.
#[derive(Clone)]
pub struct Backend(Arc<Inner>);

struct Inner {
    address: SocketAddr,
    book: Arc<Book>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    turn: usize,
    /// All orders that it gives to the kitchen, until they have ended there.
    orders: Vec<Assignment>,
    /// By series: how far it keeps outcomes.
    last: BTreeMap<String, u64>,
    /// Orders that have ended.
    ended: Vec<String>,
}

impl Backend {
    /// Opens it on loopback.
    pub fn open(runtime: &Runtime, book: Arc<Book>) -> Self {
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let backend = Self(Arc::new(Inner { address, book, known: Mutex::default() }));
        let router = Router::new().route("/v1/kitchens/{kitchen}/exchange", post(exchange)).with_state(backend.clone());
        runtime.spawn(async move { axum::serve(listener, router).await });
        backend
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.0.address)
    }

    /// Gives the kitchen an order of so many pizzas.
    pub fn give(&self, pizzas: usize) {
        let mut known = self.known();
        let order = format!("backend-{}", known.orders.len()).parse().expect("an id");
        let items = vec!["quick".parse().expect("an id"); pizzas];
        known.orders.push(Assignment { order, assignment: 1, items, priority: 0, promise_ms: 1_800_000 });
    }

    /// True once it knows how all orders that it gave have ended.
    pub fn knows_all_ends(&self) -> bool {
        let known = self.known();
        known.orders.iter().all(|given| known.ended.iter().any(|ended| ended == given.order.as_str()))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mood_for(&self, request: &ExchangeRequest) -> Mood {
        let mut known = self.known();
        let last = MOODS[known.turn % MOODS.len()];
        if request.outcomes.is_empty() {
            // An answer would acknowledge what another one lost.
            return if matches!(last, Mood::Fine) { Mood::Fine } else { Mood::Refuses };
        }
        known.turn += 1;
        MOODS[known.turn % MOODS.len()]
    }

    /// Keeps what it is told, if it is to be kept, and writes it down either way.
    fn hear(&self, request: &ExchangeRequest, is_kept: bool) {
        let outcomes: Vec<Outcome> = request.outcomes.iter().map(outcome).collect();
        self.0.book.exchange(request.series.as_str(), request.first, &outcomes, is_kept);
        if !is_kept {
            return;
        }
        let mut known = self.known();
        let last = outcomes.last().map_or(0, |outcome| outcome.number);
        let kept = known.last.entry(request.series.to_string()).or_default();
        *kept = (*kept).max(last);
        let has_ended = |o: &&Outcome| matches!(&*o.status, "READY" | "CANCELLED" | "FAILED");
        known.ended.extend(outcomes.iter().filter(has_ended).filter_map(|o| o.order.clone()));
    }

    fn answer(&self, request: &ExchangeRequest) -> ExchangeAnswer {
        let known = self.known();
        let is_new = |given: &&Assignment| {
            let is_held = request.held.iter().any(|held| held.order == given.order);
            !is_held && !known.ended.iter().any(|ended| ended == given.order.as_str())
        };
        ExchangeAnswer {
            v: EXCHANGE_VERSION,
            as_of: request.as_of,
            lease_ms: 300_000,
            acknowledged: known.last.get(request.series.as_str()).copied().unwrap_or(0),
            logs_acknowledged: request.logs.last().map(|line| line.index),
            assignments: known.orders.iter().filter(is_new).cloned().collect(),
            ..ExchangeAnswer::default()
        }
    }
}

async fn exchange(State(backend): State<Backend>, Json(request): Json<ExchangeRequest>) -> Response {
    let mood = backend.mood_for(&request);
    tokio::time::sleep(THINKS).await;
    backend.hear(&request, !matches!(mood, Mood::Refuses));
    match mood {
        Mood::Fine => Json(backend.answer(&request)).into_response(),
        Mood::Refuses => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Mood::LosesItsAnswer => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Mood::TalksNonsense => "<html>Bad gateway</html>".into_response(),
        Mood::Hangs => {
            tokio::time::sleep(HANGS).await;
            Json(backend.answer(&request)).into_response()
        }
    }
}

fn outcome(told: &Told) -> Outcome {
    let (order, status) = match &told.news {
        News::Order { order, status, .. } => (Some(order.to_string()), word(*status)),
        News::Kitchen { status } => (None, status.clone()),
        News::Escalation { device, failures, .. } => (None, format!("{device} failed {failures} times")),
    };
    Outcome { number: told.number, order, status }
}

fn word(status: Progress) -> String {
    status.as_str().to_owned()
}
