//! The HTTP API of a replica: what clients, operators, the backend and monitoring see. JSON; errors are RFC 9457 problems.
//!
//! It reads the kitchen and proposes commands; it decides nothing about pizzas and never speaks to a device. Writes on a follower
//! go to the leader (`forward`), reads are linearizable unless asked otherwise (`answer`). What is on the wire is in `views`, never
//! the kitchen's own rows. `node.rs` starts it with `Api::router` and `serve`.

pub mod access;
mod answer;
mod asker;
mod audit;
mod backend;
mod backup;
mod changes;
mod cluster;
#[cfg(test)]
mod decoders;
mod describe;
mod devices;
mod edge;
mod events;
mod extract;
mod food_safety;
mod forward;
mod health;
mod history;
mod incidents;
mod kitchen;
mod list;
mod logs;
mod metrics;
mod moment;
mod orders;
mod origin;
mod page;
mod pizzas;
pub mod problems;
mod quotes;
mod recent;
mod recipes;
mod tokens;
pub mod views;

use std::sync::{Arc, OnceLock};

use axum::body::Bytes;
use axum::{Router, middleware};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::kitchen::Millis;
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
    /// `/openapi.json`, once somebody has asked for it.
    description: OnceLock<Bytes>,
    /// For forwarding to the leader.
    client: reqwest::Client,
    /// How often callers may ask.
    limits: access::Limits,
    /// Which uses of tokens are noted.
    told: access::Told,
    /// For bodies that are not small.
    large_bodies: Arc<Semaphore>,
    /// What those who follow the events are told.
    recent: recent::Recent,
    /// Copies of the kitchen that are being taken.
    backups: Arc<Semaphore>,
    /// Open event streams: each holds a connection for as long as it likes.
    streams: Arc<Semaphore>,
}

/// How many event streams one replica serves at once: screens, scripts, and all of them again after another replica died. One costs about
/// 18 KiB (docs/api.md has the figures).
const STREAMS_MAX: usize = 2_048;

/// How many connections the API of a replica has open at once: all streams, and as many callers again. More wait to be accepted.
pub const CONNECTIONS_MAX: usize = 4_096;

impl Api {
    /// All routes.
    pub fn router(sources: Sources) -> Router {
        let (router, _) = routes().split_for_parts();
        let client = forward::client(&sources.dialer);
        let (limits, told) = (access::Limits::new(&sources.access), access::Told::default());
        let streams = Arc::new(Semaphore::new(STREAMS_MAX));
        let backups = Arc::new(Semaphore::new(backup::AT_ONCE));
        let large_bodies = Arc::new(Semaphore::new(forward::LARGE_BODIES_MAX));
        let api = Self(Arc::new(Inner {
            sources,
            description: OnceLock::new(),
            client,
            limits,
            told,
            large_bodies,
            backups,
            recent: recent::Recent::default(),
            streams,
        }));
        router
            .fallback(unknown_route)
            .method_not_allowed_fallback(method_not_allowed)
            .layer(middleware::from_fn_with_state(api.clone(), edge::edge))
            .with_state(api)
    }

    /// The description of this API. To make it takes megabytes for a moment, which a replica that nobody asks need not have.
    fn description(&self) -> Bytes {
        self.0.description.get_or_init(|| describe::text(routes().split_for_parts().1)).clone()
    }

    fn sources(&self) -> &Sources {
        &self.0.sources
    }

    fn node(&self) -> &RaftNode {
        &self.0.sources.node
    }
}

/// Every route, with its description.
fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(describe::Description::openapi())
        .merge(order_routes())
        .merge(device_routes())
        .merge(kitchen_routes())
        .merge(operator_routes())
        .merge(page::routes())
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
        .routes(routes!(metrics::metrics))
        .routes(routes!(describe::openapi))
}

fn order_routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list::list, orders::create))
        .routes(routes!(orders::show, orders::place, orders::withdraw))
        .routes(routes!(history::show))
        .routes(routes!(orders::cancel))
        .routes(routes!(orders::collect))
        .routes(routes!(pizzas::show))
        .routes(routes!(pizzas::remake))
        .routes(routes!(quotes::explain_pizza))
        .routes(routes!(quotes::quote))
}

fn device_routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(devices::list))
        .routes(routes!(devices::show))
        .routes(routes!(quotes::explain_device))
        .routes(routes!(devices::adopt))
        .routes(routes!(devices::drain))
        .routes(routes!(devices::hold))
        .routes(routes!(devices::resume))
        .routes(routes!(devices::maintenance))
        .routes(routes!(devices::release))
        .routes(routes!(devices::retire))
}

fn kitchen_routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(kitchen::show))
        .routes(routes!(kitchen::drain))
        .routes(routes!(kitchen::undrain))
        .routes(routes!(kitchen::hold))
        .routes(routes!(kitchen::resume))
        .routes(routes!(recipes::settings, recipes::configure))
        .routes(routes!(kitchen::statistics))
        .routes(routes!(recipes::list))
        .routes(routes!(recipes::show, recipes::put))
}

fn operator_routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(incidents::list))
        .routes(routes!(incidents::decide))
        .routes(routes!(incidents::escalations))
        .routes(routes!(food_safety::list))
        .routes(routes!(events::events))
        .routes(routes!(logs::list))
        .routes(routes!(backend::ask, backend::answer))
        .routes(routes!(audit::list))
        .routes(routes!(tokens::access))
        .routes(routes!(tokens::list, tokens::add))
        .routes(routes!(tokens::revoke))
        .routes(routes!(cluster::show))
        .routes(routes!(cluster::transfer))
        .routes(routes!(cluster::join))
        .routes(routes!(cluster::leave))
        .routes(routes!(backup::back_up))
        .routes(routes!(cluster::replace))
        .routes(routes!(cluster::maintenance))
}

async fn unknown_route() -> Problem {
    Problem::new(Kind::UnknownRoute, "see /openapi.json for the routes")
}

async fn method_not_allowed() -> Problem {
    Problem::new(Kind::MethodNotAllowed, "the header allow names the methods of this path")
}
