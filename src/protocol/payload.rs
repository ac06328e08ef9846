//! `encode` and `decode`: JSON with the version beside the fields, and a limit of bytes for each leaf.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{AllCmd, Cmd, Conn, Error, Facts, Heartbeat, Leader, Leaf, Lease, Observation, State, VERSION};
use crate::kitchen::InstructionId;

/// A payload of the protocol: which leaf carries it, and what it may weigh.
pub trait Payload: Serialize + DeserializeOwned {
    /// The leaf that carries it.
    const LEAF: Leaf;
    /// The most bytes that a receiver accepts.
    const BYTES_MAX: usize;
    /// Whether it carries `v`. Heartbeats and leases do not: they are sent every second.
    const VERSIONED: bool = true;
}

macro_rules! payloads {
    ($($payload:ident: $leaf:ident, $bytes_max:literal $(, $versioned:literal)?;)*) => {
        $(impl Payload for $payload {
            const LEAF: Leaf = Leaf::$leaf;
            const BYTES_MAX: usize = $bytes_max;
            $(const VERSIONED: bool = $versioned;)?
        })*

        /// Any message of the protocol.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Message {
            $(#[doc = concat!("A `", stringify!($leaf), "`.")] $payload($payload),)*
        }

        impl Message {
            /// The message that these bytes on this leaf are.
            pub fn decode(leaf: Leaf, bytes: &[u8]) -> Result<Self, Error> {
                match leaf {
                    $(Leaf::$leaf => decode::<$payload>(bytes).map(Self::$payload),)*
                }
            }

            /// The bytes of this message.
            pub fn encode(&self) -> Vec<u8> {
                match self {
                    $(Self::$payload(payload) => encode(payload),)*
                }
            }

            /// The leaf that carries it.
            pub fn leaf(&self) -> Leaf {
                match self {
                    $(Self::$payload(_) => Leaf::$leaf,)*
                }
            }
        }

        $(impl From<$payload> for Message {
            fn from(payload: $payload) -> Self {
                Self::$payload(payload)
            }
        })*
    };
}

payloads! {
    Conn: Conn, 512;
    Facts: Facts, 16_384;
    State: State, 16_384;
    Heartbeat: Hb, 512, false;
    Observation: Obs, 4_096;
    Lease: Lease, 4_096, false;
    Cmd: Cmd, 4_096;
    AllCmd: AllCmd, 4_096;
    Leader: Leader, 4_096;
}

#[derive(Serialize)]
struct Versioned<'a, P> {
    v: u8,
    #[serde(flatten)]
    payload: &'a P,
}

#[derive(Deserialize)]
struct VersionOnly {
    v: u64,
}

/// The payload's bytes.
pub fn encode<P: Payload>(payload: &P) -> Vec<u8> {
    let bytes =
        if P::VERSIONED { serde_json::to_vec(&Versioned { v: VERSION, payload }) } else { serde_json::to_vec(payload) };
    bytes.expect("payloads have text keys and no failing serializer")
}

/// The payload that these bytes are. Never panics, whatever comes.
pub fn decode<P: Payload>(bytes: &[u8]) -> Result<P, Error> {
    let leaf = P::LEAF;
    if bytes.len() > P::BYTES_MAX {
        return Err(Error::TooLarge { leaf, bytes: bytes.len(), bytes_max: P::BYTES_MAX });
    }
    let form = |error: serde_json::Error| Error::Form { leaf, why: error.to_string() };
    if P::VERSIONED {
        let VersionOnly { v: version } = serde_json::from_slice(bytes).map_err(form)?;
        if version != u64::from(VERSION) {
            return Err(Error::Version { leaf, version });
        }
    }
    serde_json::from_slice(bytes).map_err(form)
}

/// The id of an instruction that could not be decoded otherwise: what a device needs to answer REJECTED_INVALID.
pub fn instruction_id_of(bytes: &[u8]) -> Option<InstructionId> {
    #[derive(Deserialize)]
    struct IdOnly {
        id: InstructionId,
    }
    if bytes.len() > Cmd::BYTES_MAX {
        return None;
    }
    serde_json::from_slice(bytes).ok().map(|IdOnly { id }| id)
}
