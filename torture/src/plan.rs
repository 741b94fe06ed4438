//! What a round is like, drawn from its seed.

use crate::page::LONGEST;
use crate::payload::LEAST;
use crate::random::Random;
use ringmail::Options;
use std::time::Duration;

/// How a round ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Senders finish, receivers get what is left, then are killed.
    Finish,
    /// All are killed at once.
    Massacre,
    /// The ring is closed while all are at work.
    Close,
}

/// A round.
#[derive(Clone, Debug)]
pub struct Plan {
    pub mpmc: bool,
    pub capacity: usize,
    pub max_len: usize,
    pub senders: usize,
    pub receivers: usize,
    /// Most messages a receiver holds.
    pub hold: usize,
    pub keep_open: bool,
    pub named: bool,
    pub membarrier: bool,
    pub time: Duration,
    pub ending: Ending,
}

impl Plan {
    /// `biased` are rounds in which mistakes of the protocol show: few slots, mpmc, much held.
    pub fn draw(random: &mut Random, biased: bool) -> Self {
        let mpmc = biased || random.percent(75);
        let capacity = if biased { random.skewed(2, 8) } else { random.skewed(2, 1024) } as usize;
        let max_len = if biased { LEAST as u64 } else { random.skewed(LEAST as u64, LONGEST as u64) } as usize;
        // Of an spsc role the second one waits for the first to die.
        let most = if mpmc { 4 } else { 2 };
        Self {
            mpmc,
            capacity,
            max_len,
            senders: 1 + random.below(most) as usize,
            receivers: 1 + random.below(most) as usize,
            hold: random.skewed(1, 8) as usize,
            keep_open: random.percent(85),
            named: random.percent(60),
            membarrier: random.percent(80),
            time: Duration::from_millis(600 + random.below(1600)),
            ending: match random.below(10) {
                0..5 => Ending::Finish,
                5..8 => Ending::Massacre,
                _ => Ending::Close,
            },
        }
    }

    pub fn options(&self) -> Options {
        let options = Options::new().capacity(self.capacity).max_len(self.max_len).participants(48);
        options.keep_open(self.keep_open).membarrier(self.membarrier)
    }
}
