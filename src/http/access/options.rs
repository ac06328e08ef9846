//! What the site decides about access.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::kitchen::TokenHash;

/// Whether tokens are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Every request needs one that allows it.
    #[default]
    Tokens,
    /// Whoever reaches the API may do everything: for the demo and tests on loopback.
    Open,
}

/// Who may use the API, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether tokens are asked for.
    pub mode: Mode,
    /// What is kept of the admin's token that the configuration names, if it does.
    pub admin: Option<TokenHash>,
    /// Where the first token is written, if this node draws it: the node's data directory.
    pub first_token_dir: Option<PathBuf>,
    /// How many requests a second one token is good for, in the long run.
    pub requests_per_s: u64,
    /// How many requests a minute without a good token are answered as such, for each address.
    pub failures_per_min: u64,
}

/// A wall screen asks some 100 times a second, and twenty may share a token.
pub const REQUESTS_PER_S: u64 = 2_000;
/// A person who mistypes; a program that was not told of a new token asks again and again.
pub const FAILURES_PER_MIN: u64 = 60;

impl Options {
    /// Everybody may do everything.
    pub fn open() -> Self {
        Self { mode: Mode::Open, ..Self::default() }
    }
}

impl Default for Options {
    fn default() -> Self {
        let (requests_per_s, failures_per_min) = (REQUESTS_PER_S, FAILURES_PER_MIN);
        Self { mode: Mode::Tokens, admin: None, first_token_dir: None, requests_per_s, failures_per_min }
    }
}
