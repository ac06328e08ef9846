//! What every HTTP API of this program shares: the server with its limits, problem documents, strict JSON, and wall times as text.
//!
//! It knows no kitchen, no backend, and no problem of either. `http` (a replica) and `backend` use it.

mod describe;
mod document;
mod json;
mod serve;
mod wall;

pub use describe::{Conventions, Header, ProblemKind, Shape, complete, stream_message};
pub(crate) use document::problem_kinds;
pub use document::{Document, TYPE_PREFIX};
pub use json::{JsonFault, parse_json};
pub use serve::{Limits, Peer, serve, serve_with};
pub use wall::{parse_rfc3339, rfc3339};
