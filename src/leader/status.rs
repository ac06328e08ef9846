//! What a node tells others about its tenure: for the API, metrics and logs. Nothing decides by it.

use crate::kitchen::{Epoch, NodeId};

/// How a node stands towards being in charge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// True between `take_charge` and `hand_over`.
    pub in_charge: bool,
    /// The epoch of the present tenure.
    pub epoch: Option<Epoch>,
    /// This node.
    pub node: NodeId,
    /// The configured brokers, with whether this node is connected and subscribed.
    pub brokers: Vec<BrokerStatus>,
    /// The main backend, once it was spoken to.
    pub backend: Option<BackendStatus>,
    /// How many tenures this process has begun.
    pub tenures: u64,
    /// Instructions published by this process, repetitions included.
    pub instructions_published: u64,
    /// Leases answered by this process.
    pub leases_answered: u64,
    /// Payloads refused: malformed, oversized or foreign.
    pub payloads_refused: u64,
    /// In charge: the replicas whose disks are nearly full, as they say themselves.
    pub storage_low: Vec<NodeId>,
}

/// One broker, as this node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerStatus {
    /// Its address.
    pub url: String,
    /// Connected and subscribed.
    pub connected: bool,
}

/// The main backend, as this node sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackendStatus {
    /// The instance that was asked last; empty in poll mode.
    pub url: String,
    /// When it last answered, on CLOCK_BOOTTIME.
    pub heard_ms: Option<u64>,
    /// Why it does not answer now.
    pub error: Option<String>,
}
