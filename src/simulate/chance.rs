//! Chance from a seed: SplitMix64, so that a plan and a seed always give the same result, on every machine and in every release.

use crate::kitchen::Millis;

/// A source of chance.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The source of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A whole number from `from` to `to`, both included.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from + 1)
    }

    /// A number from 0 up to, but not including, 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True in so many of a thousand cases.
    pub fn happens(&mut self, permille: u64) -> bool {
        self.between(0, 999) < permille
    }

    /// A span drawn from the exponential distribution with this mean: the time between events that know nothing of each other.
    pub fn span(&mut self, mean_ms: Millis) -> Millis {
        (-(1.0 - self.unit()).ln() * mean_ms as f64).round() as Millis
    }

    /// A span that differs from `ms` by at most so many thousandths, all equally likely.
    pub fn about(&mut self, ms: Millis, permille: u64) -> Millis {
        if permille == 0 {
            return ms;
        }
        let permille = permille.min(1_000);
        (ms * (1_000 - permille + self.between(0, 2 * permille)) / 1_000).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_the_mean_that_was_asked_for_and_noise_keeps_its_bounds() {
        let mut chance = Chance::new(7);
        let mean = (0..20_000).map(|_| chance.span(1_000)).sum::<u64>() / 20_000;
        assert!((950..1_050).contains(&mean), "{mean}");
        assert!((0..1_000).all(|_| (900..=1_100).contains(&chance.about(1_000, 100))));
        assert_eq!(chance.about(1_000, 0), 1_000);
    }
}
