//! Slows a copy down, so that orders do not wait for it: at full speed it takes a processor and the disk's queue.

use std::io::{self, Write};
use std::time::{Duration, Instant};

/// Bytes a second: a copy of a million orders takes half a minute.
const PACE: f64 = 64.0 * 1_048_576.0;

/// Writes no faster than `PACE`.
pub(super) struct Paced<W> {
    to: W,
    began: Instant,
    bytes: u64,
}

impl<W> Paced<W> {
    pub fn new(to: W) -> Self {
        Self { to, began: Instant::now(), bytes: 0 }
    }

    pub fn into_inner(self) -> W {
        self.to
    }
}

impl<W: Write> Write for Paced<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let due = Duration::from_secs_f64(self.bytes as f64 / PACE);
        std::thread::sleep(due.saturating_sub(self.began.elapsed()));
        let written = self.to.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
