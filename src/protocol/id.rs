//! Names on the wire: any id (`Id`), and the name of an action, known or not (`Act`).
//!
//! Devices treat ids of tasks, pizzas and recipes as opaque: only the kitchen knows what is in them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::kitchen::ids::{BadId, ID_LENGTH_MAX, is_id};
use crate::kitchen::{Action, DeviceId};

/// Any id: 1 to 48 characters of `A-Z a-z 0-9 _ . : -`.
// Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[A-Za-z0-9_.:-]{1,48}$", examples("table-7"))]
pub struct Id(Arc<str>);

impl Id {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Id {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        if is_id(text) {
            Ok(Self(text.into()))
        } else {
            Err(BadId { what: "id", text: text.chars().take(ID_LENGTH_MAX + 1).collect() })
        }
    }
}

impl TryFrom<String> for Id {
    type Error = BadId;
    fn try_from(text: String) -> Result<Self, BadId> {
        text.parse()
    }
}

impl From<DeviceId> for Id {
    fn from(id: DeviceId) -> Self {
        Self(id.as_str().into())
    }
}

impl From<Id> for String {
    fn from(id: Id) -> String {
        id.as_str().to_owned()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// The name of an action. A device refuses one that it does not know; a controller ignores it in facts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Act {
    /// One of this version's actions.
    Known(Action),
    /// A name that this version does not know.
    Other(Id),
}

impl Act {
    /// The action, if this version knows it.
    pub fn known(&self) -> Option<Action> {
        match self {
            Self::Known(action) => Some(*action),
            Self::Other(_) => None,
        }
    }

    /// The name on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(action) => action.as_str(),
            Self::Other(id) => id.as_str(),
        }
    }
}

impl From<Action> for Act {
    fn from(action: Action) -> Self {
        Self::Known(action)
    }
}

/// A boot: 64 bits in memory, 16 hex digits on the wire. For `#[serde(with = "super::id::boot")]`.
pub(super) mod boot {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(boot: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{boot:016x}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        let is_hex = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let boot = is_hex.then(|| u64::from_str_radix(&text, 16).ok()).flatten();
        boot.ok_or_else(|| D::Error::custom("a boot is 16 hex digits in lower case"))
    }
}
