//! Holding a sender back that runs ahead of receivers who are quick.
//!
//! Long messages are fast while they go round in the caches, which is a few megabytes. A sender that is a little quicker than
//! its receivers fills the ring in the end, however many slots that has. From then on every message goes through memory, both
//! sides are some times slower, and nothing ever brings them back. So a sender that may block waits a moment before a
//! long message, if as many messages as suit the caches wait in the ring and receivers are taking them.
//!
//! A moment is as long as a message takes through memory at worst. Receivers that took nothing in that time have other reasons to
//! be slow. The sender goes on then, and does not wait again before they have taken something. So what waiting in vain
//! costs is of the order of what the message costs anyway.
//!
//! Nothing but speed depends on it: whoever does not wait, or waits too long, sends the same messages.

use crate::sync::{Private, give_way, pause};
use std::time::{Duration, Instant};

/// Bytes a nanosecond that receivers take who are held up by nothing but memory, while the sender writes to it as well: 4 to 10.
const BYTES_PER_NS: usize = 4;

/// The most moments that one message is held back for. The receivers take a message in each.
const MOST: usize = 8;

/// Relaxed turns between two looks.
const TURNS: u32 = 16;

/// How long a core is kept from others.
const YIELD_AFTER: Duration = Duration::from_micros(2);

/// What a sender remembers of having waited.
#[derive(Debug)]
pub struct Pace {
    /// What the receivers were to take next when they took too long.
    stalled_at: Private,
}

impl Default for Pace {
    fn default() -> Self {
        // No position: an index is never that large.
        Self { stalled_at: Private::new(u64::MAX) }
    }
}

impl Pace {
    /// Waits a moment, or some, before a message of `len` bytes. `ahead` says where the receivers are, while that is too far behind.
    pub fn keep(&self, len: usize, deadline: Option<Instant>, ahead: impl FnMut() -> Option<u64>) {
        let start = Instant::now();
        self.keep_by(len, deadline.map(|deadline| deadline.saturating_duration_since(start)), ahead, || {
            start.elapsed()
        });
    }

    fn keep_by(
        &self,
        len: usize,
        left: Option<Duration>,
        mut ahead: impl FnMut() -> Option<u64>,
        mut elapsed: impl FnMut() -> Duration,
    ) {
        let Some(mut at) = ahead() else { return };
        if at == self.stalled_at.get() {
            return;
        }
        let moment = Duration::from_nanos((len / BYTES_PER_NS) as u64);
        for _ in 0..MOST {
            let since = elapsed();
            let now = loop {
                (0..TURNS).for_each(|_| pause());
                let now = ahead();
                let time = elapsed();
                if now != Some(at) || time >= since + moment || left.is_some_and(|left| time >= left) {
                    break now;
                }
                if time > since + YIELD_AFTER {
                    give_way();
                }
            };
            match now {
                None => return,
                Some(now) if now == at => return self.stalled_at.set(at),
                Some(now) => at = now,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const LEN: usize = 1 << 20;
    const MOMENT: Duration = Duration::from_nanos((LEN / BYTES_PER_NS) as u64);

    /// How long a sender waits, by a clock that moves a hundredth of a moment with each look.
    fn waits(pace: &Pace, left: Option<Duration>, ahead: impl Fn(Duration) -> Option<u64>) -> Duration {
        let clock = Cell::new(Duration::ZERO);
        let look = || {
            clock.set(clock.get() + MOMENT / 100);
            ahead(clock.get())
        };
        pace.keep_by(LEN, left, look, || clock.get());
        clock.get()
    }

    #[test]
    fn nobody_waits_who_is_not_ahead() {
        assert_eq!(waits(&Pace::default(), None, |_| None), MOMENT / 100);
    }

    #[test]
    fn waits_until_receivers_have_caught_up() {
        let taken = |time: Duration| (time.as_nanos() / (MOMENT / 2).as_nanos()) as u64;
        let time = waits(&Pace::default(), None, |time| (taken(time) < 6).then(|| taken(time)));
        assert_eq!(taken(time), 6);
    }

    #[test]
    fn a_receiver_that_takes_nothing_is_waited_for_once() {
        let pace = Pace::default();
        let first = waits(&pace, None, |_| Some(0));
        assert!((MOMENT..MOMENT * 2).contains(&first), "{first:?}");
        assert_eq!(waits(&pace, None, |_| Some(0)), MOMENT / 100);
        // It has taken one since.
        assert!(waits(&pace, None, |_| Some(1)) >= MOMENT);
    }

    #[test]
    fn a_receiver_far_behind_is_waited_for_some_moments() {
        let taken = |time: Duration| (time.as_nanos() / (MOMENT / 2).as_nanos()) as u64;
        let pace = Pace::default();
        let time = waits(&pace, None, |time| Some(taken(time)));
        assert!(taken(time) == MOST as u64, "{time:?}");
        // It was not too slow: the next message waits as well.
        assert!(waits(&pace, None, |time| Some(100 + taken(time))) > MOMENT);
    }

    #[test]
    fn no_longer_than_the_deadline() {
        let time = waits(&Pace::default(), Some(MOMENT / 4), |_| Some(0));
        assert!((MOMENT / 4..MOMENT / 2).contains(&time), "{time:?}");
    }
}
