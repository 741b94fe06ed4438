//! What has happened, as far as a later verdict needs it; and the verdict on each message that is delivered.

use super::symmetry::Renaming;
use super::{PAYLOADS, State, World};
use crate::owner::Owner;
use crate::ring::word::Phase;
use crate::search::{Print, Verdict};
use crate::sync::Memory;

/// What has happened. A bit a message.
#[derive(Clone, Copy, Debug, Default)]
pub struct History {
    pub(super) committed: u16,
    pub(super) delivered: u16,
    pub(super) acknowledged: u16,
    /// Lost by policy, if lost.
    pub(super) excused: u16,
    /// How often each message that is not acknowledged was handed out: four bits each.
    pub(super) times: u64,
    /// The last message of each sender (first index) that each receiver got unflagged.
    pub(super) newest: [[u8; 3]; 2],
    pub(super) crashes: u8,
}

/// Messages are numbered from 1, so that an empty payload is none; a sender has eight numbers.
pub(super) fn message(sender: usize, number: u8) -> u64 {
    (1 + 8 * sender) as u64 + u64::from(number)
}

/// The bit of a message; zero for what is none.
pub(super) fn bit(message: u64) -> u16 {
    if (1..=16).contains(&message) { 1 << (message - 1) } else { 0 }
}

impl History {
    pub(super) fn digest(&self, print: &mut Print, renaming: &Renaming) {
        let bits = [self.committed, self.delivered, self.acknowledged, self.excused].map(|bits| renaming.bits(bits));
        print.add(bits.iter().fold(0, |all, &bits| all << 16 | u64::from(bits)));
        print.add(renaming.nibbles(self.times));
        let newest = renaming.newest(self.newest);
        let newest = newest.iter().flatten().fold(0, |all, &number| all << 8 | u64::from(number));
        print.add(newest << 8 | u64::from(self.crashes));
    }

    /// A receiver took a message, and has not looked at it: it is handed out as soon as its word says so.
    fn hand_out(&mut self, message: u64) {
        if bit(message) != 0 && self.times(message) < 15 {
            self.times += 1 << (4 * (message - 1));
        }
    }

    /// How often a message was handed out.
    pub(super) fn times(&self, message: u64) -> u64 {
        self.times >> (4 * (message - 1)) & 0xf
    }

    pub(super) fn acknowledge(&mut self, message: u64) {
        self.acknowledged |= bit(message);
        self.times &= !(0xf << (4 * (message - 1)));
    }

    /// A receiver got a message, which says that it was handed out `attempt` times before.
    pub(super) fn deliver(
        &mut self,
        receiver: usize,
        halves: [u64; 2],
        attempt: u64,
        world: &World,
    ) -> Result<(), Verdict> {
        let is_again = attempt > 0;
        let bit = self.judge(halves, is_again)?;
        self.delivered |= bit;
        let (sender, number) = ((halves[0] - 1) as usize / 8, (halves[0] - 1) % 8 + 1);
        if !is_again && world.keeps_order(sender) {
            let newest = &mut self.newest[sender][receiver];
            if number <= u64::from(*newest) {
                return Err(Verdict::Order);
            }
            *newest = number as u8;
        }
        Ok(())
    }

    /// Whether a message may be delivered; which it is.
    pub(super) fn judge(&self, halves: [u64; 2], is_again: bool) -> Result<u16, Verdict> {
        if halves[0] != halves[1] {
            return Err(Verdict::Torn);
        }
        let bit = bit(halves[0]);
        if self.committed & bit == 0 {
            return Err(Verdict::Unknown);
        }
        if self.acknowledged & bit != 0 || (self.delivered & bit != 0 && !is_again) {
            return Err(Verdict::Duplicate);
        }
        Ok(bit)
    }
}

impl World {
    /// Counts what the last step handed out.
    pub(super) fn count(&self, before: &Memory, state: &mut State) {
        for (index, word) in self.words(&state.memory).enumerate() {
            if word.0 != before[index] && word.phase() == Phase::Reading && word.owner() != Owner::ORPHAN {
                state.history.hand_out(state.memory[PAYLOADS + 2 * index]);
            }
        }
    }
}
