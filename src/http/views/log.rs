//! Lines of a kitchen's log.

use serde::Serialize;
use utoipa::ToSchema;

use crate::protocol::exchange::LogLine;

use super::time::rfc3339;
use super::words::EventWord;

/// What one event was.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = LogLineView)]
pub struct LogView {
    /// The log index of the entry that caused it; several lines may share one.
    pub index: u64,
    /// When, in wall time.
    pub at: String,
    /// What happened, in one word.
    #[schema(value_type = EventWord)]
    pub event: String,
    /// The order.
    pub order: Option<String>,
    /// The device.
    pub device: Option<String>,
    /// The rest, for people: `name value` for each further member.
    pub text: String,
}

impl LogView {
    /// A line as the backend gets it.
    pub fn of(line: LogLine) -> Self {
        let LogLine { index, wall, event, order, device, text } = line;
        Self { index, at: rfc3339(wall), event, order, device, text }
    }
}

/// A page of lines, oldest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LogPage {
    /// The lines.
    pub items: Vec<LogView>,
    /// Goes on behind them as `after`; none at the end.
    pub next: Option<u64>,
}
