//! The harness is checked too: what it compares must be able to differ.

use brigade::kitchen::{Command, Entry};

use crate::line::Line;

#[test]
fn a_replica_that_missed_an_entry_is_seen() {
    let mut line = Line::new(1, 1, 1, 0);
    let entry = Entry { at: line.now, wall: 0, epoch: None, asked: None, command: Command::Drain { draining: true } };
    line.main.apply(line.index + 1, &entry);
    line.order("x", &["plain"]);
    assert!(line.wrong().is_some());
}
