//! Why a topic or a payload is not understood. Callers count it against the sender; nothing here logs.

use super::topic::Leaf;

/// Why a topic or a payload is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The topic is none of `brigade/v1/…`.
    #[error("{topic:?} is no topic of brigade/v1")]
    Topic {
        /// The first characters of the topic.
        topic: String,
    },
    /// More bytes than this leaf may have.
    #[error("{leaf} of {bytes} bytes: at most {bytes_max} are allowed")]
    TooLarge {
        /// Which leaf.
        leaf: Leaf,
        /// What came.
        bytes: usize,
        /// What is allowed.
        bytes_max: usize,
    },
    /// Not JSON, or not of the form that the leaf asks for.
    #[error("{leaf} can't be read: {why}")]
    Form {
        /// Which leaf.
        leaf: Leaf,
        /// What is wrong, with the place.
        why: String,
    },
    /// Another version of the protocol.
    #[error("{leaf} has version {version}, and this side speaks 1")]
    Version {
        /// Which leaf.
        leaf: Leaf,
        /// What `v` says.
        version: u64,
    },
}

impl Error {
    /// A short name for counters: `topic`, `too_large`, `form`, `version`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Topic { .. } => "topic",
            Self::TooLarge { .. } => "too_large",
            Self::Form { .. } => "form",
            Self::Version { .. } => "version",
        }
    }
}
