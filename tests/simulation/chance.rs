//! All chance of a run comes from here: one seed, one stream of numbers.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// The chances of one run.
pub struct Chance(StdRng);

impl Chance {
    /// The chances that this seed gives.
    pub fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// A number from `from` to `to`, both included.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        self.0.random_range(from..=to)
    }

    /// An index below `count`.
    pub fn below(&mut self, count: usize) -> usize {
        self.0.random_range(0..count)
    }

    /// True so often in ten thousand times.
    pub fn happens(&mut self, in_ten_thousand: u64) -> bool {
        self.0.random_range(0..10_000) < in_ten_thousand
    }

    /// Any 64 bits.
    pub fn any(&mut self) -> u64 {
        self.0.random()
    }
}
