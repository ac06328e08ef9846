//! What happened, line by line: kept only when a run is to be shown, and hashed then too, so that two runs can be compared.

use brigade::kitchen::Millis;

/// The lines of a run.
#[derive(Default)]
pub struct Trace {
    pub is_on: bool,
    pub now: Millis,
    pub lines: Vec<String>,
}

impl Trace {
    /// A line, made only if somebody will read it.
    pub fn note(&mut self, line: impl FnOnce() -> String) {
        self.note_at(self.now, line);
    }

    /// A line at this time.
    pub fn note_at(&mut self, now: Millis, line: impl FnOnce() -> String) {
        if self.is_on {
            self.lines.push(format!("{:>9.3} {}", now as f64 / 1_000.0, line()));
        }
    }

    /// The last lines.
    pub fn tail(&self, lines: usize) -> String {
        self.lines[self.lines.len().saturating_sub(lines)..].join("\n")
    }
}
