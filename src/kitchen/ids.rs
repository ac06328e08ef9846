//! Names of things: orders, pizzas, devices, nodes, epochs, instructions.
//!
//! Every id that reaches a wire is 1 to 48 characters of `A-Z a-z 0-9 _ . : -`. Nothing here draws an id: callers bring
//! theirs, and the kitchen derives its own from log indices.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The longest id that any wire accepts, in characters.
pub const ID_LENGTH_MAX: usize = 48;

/// Why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what}: use 1 to {ID_LENGTH_MAX} characters of A-Z a-z 0-9 _ . : -")]
pub struct BadId {
    /// Which kind of id was expected.
    pub what: &'static str,
    /// The first characters of what came instead.
    pub text: String,
}

/// True for 1 to 48 characters of `A-Z a-z 0-9 _ . : -`.
pub fn is_id(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-');
    (1..=ID_LENGTH_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

fn bad_id(what: &'static str, text: &str) -> BadId {
    BadId { what, text: text.chars().take(ID_LENGTH_MAX + 1).collect() }
}

/// Declares an id that is a checked text, cheap to clone.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                if is_id(text) { Ok(Self(text.into())) } else { Err(bad_id($what, text)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

text_id!(
    /// An order, named by the client that placed it.
    OrderId,
    "order id"
);
text_id!(
    /// A robot, oven, camera or person at a tablet.
    DeviceId,
    "device id"
);
text_id!(
    /// A recipe of the menu.
    RecipeId,
    "recipe id"
);
text_id!(
    /// A token of the API, named by who adds it. The token itself is a secret and no id.
    TokenId,
    "token id"
);

/// Declares an id that travels as a text of numbers.
macro_rules! numbers_as_text {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    };
}

/// One pizza: the order's number (the log index that accepted it), the item within the order, and the generation,
/// which a remake raises by one. Written `17.2.0`. Pizzas sort by arrival.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PizzaId {
    /// Number of the order: the index of the log entry that accepted it.
    pub order: u64,
    /// Position in the order, from 0.
    pub item: u16,
    /// 0, and one more for every remake.
    pub generation: u16,
}

impl PizzaId {
    /// The same item, made again.
    pub fn remade(self) -> Self {
        Self { generation: self.generation + 1, ..self }
    }
}

impl fmt::Display for PizzaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.order, self.item, self.generation)
    }
}

impl FromStr for PizzaId {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        let parse = || {
            let mut parts = text.split('.');
            let id = Self {
                order: parts.next()?.parse().ok()?,
                item: parts.next()?.parse().ok()?,
                generation: parts.next()?.parse().ok()?,
            };
            (parts.next().is_none() && id.to_string() == text).then_some(id)
        };
        parse().ok_or_else(|| bad_id("pizza id", text))
    }
}

numbers_as_text!(PizzaId);

/// An instruction: the log index of the decision, and a running number within that entry. Written `1042-0`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstructionId {
    /// Index of the log entry that decided it.
    pub index: u64,
    /// Running number within that entry.
    pub n: u32,
}

impl fmt::Display for InstructionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.index, self.n)
    }
}

impl FromStr for InstructionId {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        let parse = || {
            let (index, n) = text.split_once('-')?;
            let id = Self { index: index.parse().ok()?, n: n.parse().ok()? };
            (id.to_string() == text).then_some(id)
        };
        parse().ok_or_else(|| bad_id("instruction id", text))
    }
}

numbers_as_text!(InstructionId);

/// Which tenure speaks: incarnation × 2^40 + index of the log entry that put the node in charge. Only grows, and does not
/// exist before a majority stored it. Devices refuse a smaller one.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch that entry `index` starts within `incarnation`.
    pub fn new(incarnation: u32, index: u64) -> Self {
        Self((u64::from(incarnation) << 40) + index)
    }

    /// Which bootstrap or restore of the cluster this epoch belongs to.
    pub fn incarnation(self) -> u32 {
        (self.0 >> 40) as u32
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A controller replica, by the number that its configuration gives it.
pub type NodeId = u64;

/// A gripper, an oven slot or a camera's view: numbered from 0 within its device.
pub type Lane = u8;

/// Milliseconds: a span, or a moment of the kitchen's replicated time.
pub type Millis = u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_their_text_form() {
        let pizza = PizzaId { order: 17, item: 2, generation: 1 };
        assert_eq!(pizza.to_string().parse(), Ok(pizza));
        let instruction = InstructionId { index: 1042, n: 3 };
        assert_eq!(instruction.to_string().parse(), Ok(instruction));
        assert_eq!("robot1".parse::<DeviceId>().unwrap().as_str(), "robot1");
    }

    #[test]
    fn a_text_that_is_no_id_is_refused_with_what_to_do() {
        for text in ["", "a b", "ä", &"x".repeat(49), "a/b"] {
            let error = text.parse::<OrderId>().unwrap_err();
            assert!(error.to_string().contains("1 to 48 characters"), "{error}");
        }
        for text in ["1.2", "1.2.3.4", "01.2.3", "1.2.x", "-1.2.3"] {
            assert!(text.parse::<PizzaId>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_epoch_of_a_later_incarnation_is_greater_than_any_index() {
        assert!(Epoch::new(2, 1) > Epoch::new(1, (1 << 40) - 1));
        assert_eq!(Epoch::new(7, 99).incarnation(), 7);
    }
}
