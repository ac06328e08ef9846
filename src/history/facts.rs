//! The facts of a history: one a line, each with its time and the one who wrote it.

use serde::{Deserialize, Serialize};

use super::DeviceFact;

/// One line. The key that names its writer tells which it is: `device`, `client`, `replica`, `broker`, `backend` or `fault`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "nearly every fact is a device's")]
pub enum Fact {
    /// By a device: what it was told, and what it did.
    Device(DeviceFact),
    /// By a client of the API.
    Client(ClientFact),
    /// By a controller.
    Replica(ReplicaFact),
    /// By whoever runs a broker.
    Broker(BrokerFact),
    /// By the main backend.
    Backend(BackendFact),
    /// By whoever breaks things on purpose.
    Fault(FaultFact),
}

impl Fact {
    /// CLOCK_BOOTTIME in milliseconds.
    pub fn t_ms(&self) -> u64 {
        match self {
            Self::Device(fact) => fact.t_ms,
            Self::Client(fact) => fact.t_ms,
            Self::Replica(fact) => fact.t_ms,
            Self::Broker(fact) => fact.t_ms,
            Self::Backend(fact) => fact.t_ms,
            Self::Fault(fact) => fact.t_ms,
        }
    }
}

/// One half of a call of the order API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientFact {
    /// When.
    pub t_ms: u64,
    /// Which client.
    pub client: String,
    /// Which call: unique in a history.
    pub call: u64,
    /// Which half.
    #[serde(flatten)]
    pub step: Step,
}

/// The halves of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// It was sent.
    Invoke {
        /// To this node.
        node: u64,
        /// What it asks.
        ask: Ask,
    },
    /// It was answered, or given up.
    Return {
        /// With this.
        answer: Answer,
    },
}

/// What a client asks of the order API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Ask {
    /// PUT of an order.
    Place {
        /// The client's id.
        order: String,
        /// What is ordered: one recipe for each pizza.
        items: Vec<String>,
    },
    /// GET of an order.
    Show {
        /// The client's id.
        order: String,
        /// True for `?consistency=stale`: it promises nothing.
        stale: bool,
    },
    /// It is taken back.
    Cancel {
        /// The client's id.
        order: String,
    },
    /// It was handed out.
    Collect {
        /// The client's id.
        order: String,
    },
}

impl Ask {
    /// The order that it is about.
    pub fn order(&self) -> &str {
        match self {
            Self::Place { order, .. } | Self::Show { order, .. } | Self::Cancel { order } | Self::Collect { order } => {
                order
            }
        }
    }
}

/// What a client was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "said", rename_all = "snake_case")]
pub enum Answer {
    /// The order is there: 201 (created) or 200 (it was there).
    Placed {
        /// Its number.
        number: u64,
        /// True for 201.
        created: bool,
    },
    /// How the order stands.
    Shown {
        /// Its number.
        number: u64,
        /// ACCEPTED, IN_PROGRESS, …
        status: String,
    },
    /// It was cancelled or collected.
    Done,
    /// A business "no", which proves that it has no effect.
    Refused {
        /// The problem's type.
        problem: String,
        /// The order's status, where the problem tells it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<String>,
    },
    /// It has no effect, and the answer proves it.
    NotApplied {
        /// The problem's type, or how it failed.
        why: String,
    },
    /// It may take effect at any later time, or never.
    Unknown {
        /// The problem's type, or how it failed.
        why: String,
    },
}

/// What a controller did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaFact {
    /// When.
    pub t_ms: u64,
    /// Which node.
    pub replica: u64,
    /// What.
    #[serde(flatten)]
    pub deed: ReplicaDeed,
}

/// The deeds of a controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "did", rename_all = "snake_case")]
pub enum ReplicaDeed {
    /// Its process began.
    Began,
    /// It is in charge.
    TookCharge {
        /// Its epoch.
        epoch: u64,
    },
    /// It is no longer in charge.
    TenureEnded {
        /// Its epoch.
        epoch: u64,
    },
    /// It applied an entry of the kitchen, and wrote it.
    Applied {
        /// The entry's log index.
        index: u64,
        /// CRC-32 of the rows that it changed and the events that it caused.
        digest: u32,
        /// Now and then: CRC-32 of the whole state after it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<u32>,
        /// What must hold after every entry and does not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        broken: Option<String>,
    },
    /// It replaced its state by another replica's snapshot.
    Installed {
        /// The last log index that the snapshot covers.
        index: u64,
        /// CRC-32 of the whole state.
        state: u32,
    },
}

/// What happened to a broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerFact {
    /// When.
    pub t_ms: u64,
    /// Which one.
    pub broker: String,
    /// What.
    pub did: BrokerDeed,
}

/// The deeds of a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrokerDeed {
    /// It serves.
    Started,
    /// SIGKILL.
    Killed,
    /// What it had kept is gone.
    Wiped,
}

/// An exchange with a kitchen, as the main backend saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendFact {
    /// When.
    pub t_ms: u64,
    /// Which backend.
    pub backend: String,
    /// Which numbering of outcomes.
    pub series: String,
    /// The number of the first one, or of the next to come.
    pub first: u64,
    /// What the kitchen told.
    pub outcomes: Vec<Outcome>,
    /// True if it was kept. Its answer may still have been lost.
    pub kept: bool,
}

/// Something that the backend must learn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// From 1, in its series.
    pub number: u64,
    /// The order, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// Where the order is, or how the kitchen or a device is.
    pub status: String,
}

/// What was broken on purpose, or mended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultFact {
    /// When.
    pub t_ms: u64,
    /// What.
    pub fault: Fault,
    /// The nodes that it hits, if any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<u64>,
    /// True when one of them was in charge.
    #[serde(default)]
    pub in_charge: bool,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// SIGKILL for controllers.
    Kill,
    /// They were started again.
    Restart,
    /// SIGSTOP.
    Pause,
    /// SIGCONT.
    Resume,
    /// A link passes nothing.
    Cut,
    /// All links pass everything again.
    Heal,
    /// Messages of former tenures are delivered now.
    Late,
    /// All devices lost power, and what lay in them is gone.
    PowerCut,
    /// One device lost its wires, or has them back.
    Device,
}
