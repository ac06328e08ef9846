//! Orders as OpenTelemetry traces: where the time of an order went. Off unless `traces.endpoint` names a collector.
//!
//! A trace is made of an order's record, once it has ended, by the replica in charge. The record is replicated, so the trace is whole though replicas died
//! meanwhile, and cooking never waits for it. It goes as OTLP in JSON over HTTP. The SDK's context, sampler and batches would have nothing to do
//! here: no span is open while somebody works. Nothing that matters depends on a trace: one that can't be delivered is counted and forgotten.

mod otlp;
mod spans;

pub use spans::trace_id;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::kitchen::order::archive_key;
use crate::kitchen::rows::decode;
use crate::kitchen::{ArchivedOrder, Event, OrderId};
use crate::raft::RaftNode;
use crate::tls::Dialer;

/// How long a collector may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Where traces go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// A collector's OTLP/HTTP address: `http://host:4318`.
    pub endpoint: String,
    /// Who signs its certificate (PEM), for `https://`; None: whom this machine trusts.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

impl Options {
    /// What contradicts itself, in one sentence.
    pub fn fault(&self) -> Option<String> {
        let is_url = reqwest::Url::parse(&self.endpoint).is_ok_and(|url| ["http", "https"].contains(&url.scheme()));
        if !is_url {
            return Some(format!("traces.endpoint: {:?} is no URL: use http://host:4318", self.endpoint));
        }
        self.dialer().err().map(|error| format!("traces.ca: {error}"))
    }

    fn dialer(&self) -> Result<Dialer, crate::tls::Error> {
        Dialer::towards([self.endpoint.as_str()], self.ca.as_deref())
    }
}

/// Traces what ends while this replica leads, until `stop`.
pub async fn follow(node: RaftNode, kitchen: String, options: Options, stop: CancellationToken) {
    let dialer = options.dialer().unwrap_or_default();
    let http = dialer.http().timeout(LIMIT).build().expect("a client without files needs nothing that can fail");
    let url = format!("{}/v1/traces", options.endpoint.trim_end_matches('/'));
    let mut events = node.subscribe_events();
    loop {
        let observed = tokio::select! {
            () = stop.cancelled() => return,
            observed = events.recv() => observed,
        };
        let ended = match observed {
            Ok(observed) => ended(&observed.events),
            Err(RecvError::Closed) => return,
            Err(RecvError::Lagged(entries)) => {
                warn!(entries, "Traces fell behind: what ended in {entries} entries has none");
                continue;
            }
        };
        for order in ended.into_iter().filter(|_| node.is_leading()) {
            let sent = send(&node, &kitchen, &http, &url, &order).await;
            let result = if sent.is_ok() { "sent" } else { "lost" };
            metrics::counter!("brigade_traces_total", "result" => result).increment(1);
            if let Err(why) = sent {
                debug!(order = %order, why, "The trace of order {order} is lost: {why}");
            }
        }
    }
}

/// The orders that ended with an entry. One that is collected ended before, when it was ready.
fn ended(events: &[Event]) -> BTreeSet<OrderId> {
    let ended = |event: &Event| match event {
        Event::OrderChanged { order, status }
            if !status.is_open() && *status != crate::kitchen::OrderStatus::Collected =>
        {
            Some(order.clone())
        }
        _ => None,
    };
    events.iter().filter_map(ended).collect()
}

async fn send(
    node: &RaftNode,
    kitchen: &str,
    http: &reqwest::Client,
    url: &str,
    order: &OrderId,
) -> Result<(), String> {
    let bytes = node.archive_get(&archive_key(order)).map_err(|error| error.to_string())?;
    let bytes = bytes.ok_or("it is not in the archive")?;
    let archived: ArchivedOrder = decode(&bytes).map_err(|error| error.to_string())?;
    let body = otlp::document(kitchen, node.node_id(), &spans::of(kitchen, &archived));
    let answer = http.post(url).json(&body).send().await.map_err(|error| error.to_string())?;
    if answer.status().is_success() { Ok(()) } else { Err(format!("the collector answered {}", answer.status())) }
}
