//! Numbers that look random and are the same in every run with the same seed.

use crate::payload::mix;

/// A seeded generator.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64, stream: u64) -> Self {
        Self(mix(mix(seed).wrapping_add(stream)))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Whether something happens that does so `percent` times in a hundred.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A number from `least` to `most`, small ones more often: its magnitude is even, not its value.
    pub fn skewed(&mut self, least: u64, most: u64) -> u64 {
        let magnitudes = u64::from((most - least + 1).ilog2()) + 1;
        let within = 1 << (self.below(magnitudes) + 1);
        least + self.below(within.min(most - least + 1))
    }
}
