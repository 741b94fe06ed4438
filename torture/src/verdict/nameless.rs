//! Messages too short to say whose they are. All of one length are the same, so they can only be counted:
//!
//! - fresh ones are as many as were sent, at most, and those that were just being sent by somebody who died;
//! - everything sent came: fresh, or copied (of which it is not told whether it was fresh), or flagged, if it was fresh
//!   to somebody who died before he wrote that down. There are only so many of the last kind.
//!
//! So a single loss may hide behind a death that happened at just the right time, but losses cannot.

use crate::crew::Death;
use crate::payload::NAMED;
use crate::state::State;
use crate::verdict::Round;

/// The messages of one length.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    pub sent: u64,
    /// Just being sent by somebody who died.
    pub doubtful: u64,
    fresh: u64,
    again: u64,
    copied: u64,
}

impl Count {
    pub fn delivered(&mut self, redelivered: Option<u32>) {
        *match redelivered {
            None => &mut self.copied,
            Some(0) => &mut self.fresh,
            Some(_) => &mut self.again,
        } += 1;
    }
}

/// Those of every length.
#[derive(Debug, Default)]
pub struct Nameless {
    pub of: [Count; NAMED],
}

impl Nameless {
    /// How many never came, and how many came though nobody sent them.
    pub fn missing_and_forged(&self, round: &Round<'_>) -> (u64, u64) {
        // Acknowledged, and their receiver could not write them down.
        let copying = |death: &&Death| death.state == State::ReceivingInto;
        let mut excused = round.deaths.iter().filter(copying).count() as u64;
        let (mut hidden, mut missing, mut forged) = (round.hidden(), 0, 0);
        for count in &self.of {
            let late = count.sent.saturating_sub(count.fresh + count.copied);
            let came_again = late.min(count.again).min(hidden);
            hidden -= came_again;
            let copied = (late - came_again).min(excused);
            excused -= copied;
            missing += late - came_again - copied;
            forged += count.fresh.saturating_sub(count.sent + count.doubtful);
        }
        (missing, forged)
    }
}
