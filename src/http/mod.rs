//! The HTTP API of a replica: what clients, operators, the backend and monitoring see. JSON; errors are RFC 9457 problems.
//!
//! It reads the kitchen and proposes commands; it decides nothing about pizzas and never speaks to a device. Writes on a follower
//! go to the leader (`forward`), reads are linearizable unless asked otherwise (`answer`). What is on the wire is in `views`, never
//! the kitchen's own rows. `node.rs` starts it with `Api::router` and `serve`.

pub mod access;
mod answer;
mod backend;
mod cluster;
#[cfg(test)]
mod decoders;
mod devices;
mod edge;
mod events;
mod extract;
mod forward;
mod health;
mod history;
mod incidents;
mod kitchen;
mod list;
mod metrics;
mod orders;
mod origin;
mod page;
mod pizzas;
pub mod problems;
mod quotes;
mod recipes;
mod tokens;
pub mod views;

use std::sync::Arc;

use axum::routing::{delete, get, post, put};
use axum::{Router, middleware};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::kitchen::{Directive, Millis};
use crate::leader;
use crate::raft::RaftNode;
use crate::tls::Dialer;

use problems::{Kind, Problem};

pub use crate::web::{Limits, serve, serve_with};

/// Who is at the other end: names for people.
#[derive(Clone, Debug)]
pub struct ClusterInfo {
    /// The kitchen's name.
    pub kitchen: String,
    /// The program's version.
    pub version: String,
}

/// Further metrics in Prometheus' text form, appended to ours.
pub type MoreMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// What the API shows and steers.
#[derive(Clone)]
pub struct Sources {
    /// The replica.
    pub node: RaftNode,
    /// Asks the tenure to hand over.
    pub wish: mpsc::Sender<leader::Wish>,
    /// Its standing towards being in charge.
    pub leader: watch::Receiver<leader::Status>,
    /// Names for people.
    pub cluster: ClusterInfo,
    /// How the API of another replica is reached.
    pub dialer: Dialer,
    /// Who may ask.
    pub access: access::Options,
    /// So long before the end of its lease an order of the backend is not begun any more, in milliseconds.
    pub backend_margin_ms: Millis,
    /// What the program's recorder has gathered.
    pub more_metrics: Option<MoreMetrics>,
    /// Ends event streams.
    pub stop: CancellationToken,
}

/// The API of one replica. Clones share it.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

struct Inner {
    sources: Sources,
    /// For forwarding to the leader.
    client: reqwest::Client,
    /// How often callers may ask.
    limits: access::Limits,
    /// Which uses of tokens are noted.
    told: access::Told,
    /// Open event streams: each holds a connection for as long as it likes.
    streams: Arc<Semaphore>,
}

/// How many event streams one replica serves at once: a few screens, the backend, and scripts.
const STREAMS_MAX: usize = 256;

impl Api {
    /// All routes.
    pub fn router(sources: Sources) -> Router {
        let client = forward::client(&sources.dialer);
        let (limits, told) = (access::Limits::new(&sources.access), access::Told::default());
        let streams = Arc::new(Semaphore::new(STREAMS_MAX));
        let api = Self(Arc::new(Inner { sources, client, limits, told, streams }));
        let router = Router::new()
            .route("/livez", get(health::livez))
            .route("/readyz", get(health::readyz))
            .route("/metrics", get(metrics::metrics))
            .merge(order_routes())
            .merge(device_routes())
            .merge(kitchen_routes())
            .merge(operator_routes())
            .merge(page::routes());
        router
            .fallback(unknown_route)
            .method_not_allowed_fallback(method_not_allowed)
            .layer(middleware::from_fn_with_state(api.clone(), forward::to_leader))
            .layer(middleware::from_fn_with_state(api.clone(), access::guard))
            .layer(middleware::from_fn_with_state(api.clone(), origin::of_this_kitchen))
            .layer(middleware::from_fn_with_state(api.clone(), edge::edge))
            .with_state(api)
    }

    fn sources(&self) -> &Sources {
        &self.0.sources
    }

    fn node(&self) -> &RaftNode {
        &self.0.sources.node
    }
}

fn order_routes() -> Router<Api> {
    Router::new()
        .route("/v1/orders", get(list::list).post(orders::create))
        .route("/v1/orders/{id}", get(orders::show).put(orders::place).delete(orders::cancel))
        .route("/v1/orders/{id}/history", get(history::show))
        .route("/v1/orders/{id}/cancellation", post(orders::cancel))
        .route("/v1/orders/{id}/collection", post(orders::collect))
        .route("/v1/pizzas/{id}", get(pizzas::show))
        .route("/v1/pizzas/{id}/explanation", get(quotes::explain_pizza))
        .route("/v1/quotes", post(quotes::quote))
}

/// The words in paths, and what they mean.
const DIRECTIVES: [(&str, Directive); 7] = [
    ("adopt", Directive::Adopt),
    ("drain", Directive::Drain),
    ("hold", Directive::Hold),
    ("resume", Directive::Resume),
    ("maintenance", Directive::Maintain),
    ("release", Directive::Release),
    ("retire", Directive::Retire),
];

fn device_routes() -> Router<Api> {
    let router = Router::new()
        .route("/v1/devices", get(devices::list))
        .route("/v1/devices/{id}", get(devices::show))
        .route("/v1/devices/{id}/explanation", get(quotes::explain_device));
    DIRECTIVES.into_iter().fold(router, |router, (word, directive)| {
        let handler = move |api, caller, id, said| devices::direct(api, caller, id, said, directive);
        router.route(&format!("/v1/devices/{{id}}/{word}"), post(handler))
    })
}

fn kitchen_routes() -> Router<Api> {
    Router::new()
        .route("/v1/kitchen", get(kitchen::show))
        .route("/v1/kitchen/drain", post(|api, caller, said| kitchen::drain(api, caller, said, true)))
        .route("/v1/kitchen/undrain", post(|api, caller, said| kitchen::drain(api, caller, said, false)))
        .route("/v1/kitchen/hold", post(|api, caller, zone| kitchen::hold(api, caller, zone, true)))
        .route("/v1/kitchen/resume", post(|api, caller, zone| kitchen::hold(api, caller, zone, false)))
        .route("/v1/kitchen/settings", get(recipes::settings).put(recipes::configure))
        .route("/v1/statistics", get(kitchen::statistics))
        .route("/v1/recipes", get(recipes::list))
        .route("/v1/recipes/{id}", put(recipes::put).get(recipes::show))
}

fn operator_routes() -> Router<Api> {
    Router::new()
        .route("/v1/incidents", get(incidents::list))
        .route("/v1/incidents/{id}/decision", post(incidents::decide))
        .route("/v1/escalations", get(incidents::escalations))
        .route("/v1/events", get(events::events))
        .route(backend::PATH, get(backend::ask).put(backend::answer))
        .route("/v1/access", get(tokens::access))
        .route("/v1/tokens", get(tokens::list).post(tokens::add))
        .route("/v1/tokens/{id}", delete(tokens::revoke))
        .route("/v1/cluster", get(cluster::show))
        .route("/v1/cluster/transfer", post(cluster::transfer))
        .route("/v1/cluster/join", post(cluster::join))
        .route("/v1/cluster/leave", post(cluster::leave))
}

async fn unknown_route() -> Problem {
    Problem::new(Kind::UnknownRoute, "see docs/api.md for the routes")
}

async fn method_not_allowed() -> Problem {
    Problem::new(Kind::MethodNotAllowed, "the header allow names the methods of this path")
}
