//! Why a configuration can't be used: each is one sentence that names file and key, and says what to do.
//!
//! Nothing here reads a file; `form` turns what the reader says into a sentence.

use std::path::{Path, PathBuf};

use figment::error::Kind;

use crate::kitchen::NodeId;

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is not there, or not to be read.
    #[error(
        "the configuration {path} can't be read: {source}. Name one with --config; cluster/node1.toml is an example"
    )]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{path}, line {line}, column {column}: {why}. Write it as TOML; cluster/node1.toml is an example")]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Where, counted from 1.
        line: usize,
        /// Where, counted from 1.
        column: usize,
        /// What the reader says.
        why: String,
    },
    /// A key is unknown, missing, or has another type.
    #[error("{place}: {why}")]
    Form {
        /// Which file or environment variable.
        place: String,
        /// Which key, and what to do.
        why: String,
    },
    /// Two nodes share a number.
    #[error("nodes: two nodes have the id {id}. Give each its own, and never an old one to a new disk")]
    SameId {
        /// Their number.
        id: NodeId,
    },
    /// Two listeners share an address.
    #[error("{address} is named twice, as {first} and as {second}: give each its own port")]
    SameAddress {
        /// The address.
        address: String,
        /// Who has it …
        first: String,
        /// … and who has it too.
        second: String,
    },
    /// This node is not in the list.
    #[error("node = {node} is not among the nodes: add a [[nodes]] entry with id = {node}, or correct `node`")]
    UnknownNode {
        /// The number.
        node: NodeId,
    },
    /// An address can't be understood.
    #[error("{what} is {address:?}: use {form}")]
    Address {
        /// Which key.
        what: String,
        /// What it holds.
        address: String,
        /// What it should look like.
        form: &'static str,
    },
    /// A value makes no sense.
    #[error("{0}")]
    Value(String),
}

/// Text that is no TOML.
pub(super) fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> Error {
    let before = &text[..error.span().map_or(0, |span| span.start.min(text.len()))];
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    let why = error.message().lines().collect::<Vec<_>>().join(" ");
    Error::Syntax { path: path.to_owned(), line, column, why }
}

/// A key that is unknown, missing, or has another type.
pub(super) fn form(path: &Path, error: &figment::Error) -> Error {
    let keys = &error.path;
    let within = |last: &str| match keys.last() {
        Some(key) if key == last => keys.join("."),
        Some(_) => format!("{}.{last}", keys.join(".")),
        None => last.to_owned(),
    };
    let why = match &error.kind {
        Kind::UnknownField(name, known) => {
            format!(
                "the key {:?} is unknown: correct it or leave it out. Known here: {}",
                within(name),
                known.join(", ")
            )
        }
        Kind::MissingField(name) => {
            format!("the key {:?} is missing: add it; docs/CONFIGURATION.md tells what it means", within(name))
        }
        Kind::UnknownVariant(name, known) => {
            format!("{:?} is {name:?}: use one of {}", keys.join("."), known.join(", "))
        }
        // What stands there may be a secret, and an all-digit one in the environment is read as a number.
        Kind::InvalidType(..) if keys.last().is_some_and(|key| key == "password") => {
            format!("{:?} is no text: put it into double quotes", keys.join("."))
        }
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            format!("{:?} is {found}: use {expected}", keys.join("."))
        }
        Kind::Message(why) => format!("{:?}: {}", keys.join("."), why.lines().collect::<Vec<_>>().join(" ")),
        other => format!("{:?}: {other}", keys.join(".")),
    };
    let of_environment = error.metadata.as_ref().is_some_and(|m| m.name.contains("environment"));
    let place = match &error.kind {
        Kind::UnknownField(name, _) if of_environment => variable(&within(name)),
        _ if of_environment => variable(&keys.join(".")),
        _ => path.display().to_string(),
    };
    Error::Form { place, why }
}

/// The environment variable of a key.
fn variable(key: &str) -> String {
    format!("environment variable BRIGADE_{}", key.replace('.', "__").to_uppercase())
}
