//! What a round is like, drawn from its seed.

use crate::page::LONGEST;
use crate::payload::NAMED;
use crate::random::Random;
use ringmail::{Options, Redelivery};
use std::time::Duration;

/// The most that all messages of a ring may take.
const MOST_BYTES: usize = 64 << 20;

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
    /// Bytes of a body, where messages take several.
    pub body_stride: Option<usize>,
    pub senders: usize,
    pub receivers: usize,
    /// Most messages a receiver holds.
    pub hold: usize,
    /// Bytes of long messages that stay when nobody uses them.
    pub retain: usize,
    pub redelivery: Redelivery,
    pub keep_open: bool,
    pub named: bool,
    pub membarrier: bool,
    pub time: Duration,
    pub ending: Ending,
}

impl Plan {
    /// `biased` are rounds in which mistakes of the protocol show: few slots, mpmc, much held.
    /// `long` are rounds of messages that have bodies.
    pub fn draw(random: &mut Random, biased: bool, long: bool) -> Self {
        let mpmc = (biased && !long) || random.percent(75);
        let few = biased || long;
        let mut capacity = if few { random.skewed(2, 8) } else { random.skewed(2, 1024) } as usize;
        let max_len = match random.below(100) {
            // Of the longest a sender goes round in few bodies, and meets again the one that was just left.
            _ if long && random.percent(50) => LONGEST as u64 - random.below(LONGEST as u64 / 2),
            _ if long => random.skewed(5000, LONGEST as u64 / 4),
            _ if biased => 32,
            // Nobody's messages say whose they are.
            0..6 => random.skewed(1, NAMED as u64 - 1),
            _ => random.skewed(NAMED as u64, LONGEST as u64),
        } as usize;
        // All messages together are a few dozen megabytes at most.
        capacity = capacity.min((MOST_BYTES / max_len).max(2));
        // Of an spsc role the second one waits for the first to die.
        let most = if mpmc { 4 } else { 2 };
        let mut plan = Self {
            mpmc,
            capacity,
            max_len,
            body_stride: None,
            senders: 1 + random.below(most) as usize,
            receivers: 1 + random.below(most) as usize,
            hold: random.skewed(1, 8) as usize,
            retain: match random.below(if long { 5 } else { 3 }) {
                1 => random.skewed(4096, 1 << 20) as usize,
                2 => 256 << 20,
                _ => 0,
            },
            // A mistake shows best where nothing may be lost.
            redelivery: match random.below(if biased { 12 } else { 20 }) {
                0..12 => Redelivery::Always,
                12..14 => Redelivery::AtMost(1),
                14..17 => Redelivery::AtMost(3),
                _ => Redelivery::Never,
            },
            keep_open: random.percent(85),
            named: random.percent(60),
            membarrier: random.percent(80),
            time: Duration::from_millis(600 + random.below(1600)),
            ending: match random.below(10) {
                0..5 => Ending::Finish,
                5..8 => Ending::Massacre,
                _ => Ending::Close,
            },
        };
        plan.body_stride = plan.draw_stride(random);
        plan
    }

    /// Half of the rings whose messages have bodies have such short ones that the longest takes two to seven. (Of longer ones
    /// there are enough for all: nobody is to be told that there are none.)
    fn draw_stride(&self, random: &mut Random) -> Option<usize> {
        let stride = (self.max_len / (2 + random.below(6) as usize)).next_multiple_of(4096);
        (stride < self.max_len && self.capacity <= 64 && random.percent(50)).then_some(stride)
    }

    pub fn options(&self) -> Options {
        let options = Options::new().capacity(self.capacity).max_len(self.max_len).participants(48);
        let options = self.body_stride.into_iter().fold(options, Options::body_stride);
        options.keep_open(self.keep_open).membarrier(self.membarrier).redelivery(self.redelivery).retain(self.retain)
    }

    /// How often a message may come again; `None` is without bound.
    pub fn limit(&self) -> Option<u32> {
        match self.redelivery {
            Redelivery::AtMost(times) => Some(times),
            Redelivery::Never => Some(0),
            _ => None,
        }
    }
}
