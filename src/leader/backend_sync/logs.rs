//! What happened, as lines for the backend. The cursor is in the replicated state, so the next tenure goes on where this one stopped.

use serde_json::Value;
use tokio::time::Instant;

use crate::kitchen::Event;
use crate::leader::tenure::Shared;
use crate::protocol::exchange::{EXCHANGE_ITEMS_MAX, LogLine};
use crate::raft::{EventsError, Observed, RaftNode};

use super::LOGS_EVERY;

/// When they were last told.
#[derive(Default)]
pub struct Logs {
    told_at: Option<Instant>,
}

impl Logs {
    /// The next lines, if it is time for them.
    pub async fn due(&mut self, shared: &Shared) -> Vec<LogLine> {
        if self.told_at.is_some_and(|at| at.elapsed() < LOGS_EVERY) {
            return Vec::new();
        }
        self.told_at = Some(Instant::now());
        lines(&shared.node).await
    }
}

/// The next lines that the backend does not have. Lines that have fallen off the ring are left out: the ring covers some hours.
pub async fn lines(node: &RaftNode) -> Vec<LogLine> {
    let (after, node) = (node.with_kitchen(|k| k.meta().backend.logged), node.clone());
    let read = move || match node.events_after(after, EXCHANGE_ITEMS_MAX) {
        Err(EventsError::Gone { floor }) => node.events_after(floor, EXCHANGE_ITEMS_MAX),
        other => other,
    };
    let observed = tokio::task::spawn_blocking(read).await.unwrap_or_else(|_| Ok(Vec::new()));
    let mut lines = Vec::new();
    for entry in observed.unwrap_or_default() {
        let more = lines_of(&entry);
        // All lines of an index go together: the cursor is an index.
        if !lines.is_empty() && lines.len() + more.len() > EXCHANGE_ITEMS_MAX {
            break;
        }
        lines.extend(more);
    }
    lines
}

/// The lines of one entry.
pub fn lines_of(entry: &Observed) -> Vec<LogLine> {
    entry.events.iter().map(|event| line(entry, event)).collect()
}

/// An event in words: its name, what it is about, and the rest as `name value`.
fn line(entry: &Observed, event: &Event) -> LogLine {
    let mut line = LogLine { index: entry.index, wall: entry.wall, ..LogLine::default() };
    let Ok(Value::Object(fields)) = serde_json::to_value(event) else { return line };
    let mut rest = Vec::new();
    for (name, value) in fields {
        let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        match name.as_str() {
            "event" => line.event = text,
            "order" => line.order = Some(text),
            "device" => line.device = Some(text),
            _ if value.is_null() => {}
            _ => rest.push(format!("{name} {text}")),
        }
    }
    line.text = rest.join(", ");
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_becomes_a_line_that_can_be_searched_by_order_and_device() {
        let event = Event::DeviceChanged {
            device: "b1".parse().unwrap(),
            state: "LOST".to_owned(),
            why: "silent for 5 s".to_owned(),
        };
        let entry = Observed { index: 7, at: 1, wall: 9, events: vec![event.clone()] };
        let line = line(&entry, &event);
        assert_eq!((line.event.as_str(), line.device.as_deref()), ("device_changed", Some("b1")));
        assert_eq!(line.text, "state LOST, why silent for 5 s");
    }
}
