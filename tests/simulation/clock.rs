//! Clocks that run a little wrong: those of nodes and devices, and the kitchen's time as a node reckons it.

use brigade::kitchen::Millis;

use crate::run::Simulation;

/// A clock that runs a little wrong from a time of its own.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    pub offset_ms: Millis,
    /// How fast, in millionths: 1,000,000 is right; at most 1 % off, as the proof by time allows.
    pub pace: u64,
}

impl Clock {
    /// What it shows at a true time.
    pub fn at(&self, now: Millis) -> Millis {
        self.offset_ms + now * self.pace / 1_000_000
    }

    /// The true time at which it will show this.
    pub fn when(&self, shown: Millis) -> Millis {
        (shown.saturating_sub(self.offset_ms) * 1_000_000).div_ceil(self.pace)
    }
}

impl Simulation {
    /// CLOCK_BOOTTIME of a node.
    pub fn mono(&self, node: usize) -> Millis {
        self.nodes[node].clock.at(self.now)
    }

    /// The kitchen's time as a node reckons it.
    pub fn kitchen_now(&self, node: usize) -> Millis {
        self.nodes[node].kitchen_clock.anchor().at_boottime(self.mono(node))
    }

    /// A node's wall clock, which jumps and decides nothing.
    pub fn wall(&self, node: usize) -> u64 {
        (1_700_000_000_000 + self.now as i64 + self.nodes[node].wall_shift_ms) as u64
    }
}
