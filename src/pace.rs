//! Holding a sender back that runs ahead of receivers who are quick.
//!
//! Long messages are fast while they go round in the caches, which is a few megabytes. A sender that is a little quicker than
//! its receivers fills the ring in the end, however many slots that has. From then on every message goes through memory, both
//! sides are some times slower, and nothing ever brings them back. So a sender that may block waits a moment before a
//! long message, if as many messages as suit the caches wait in the ring and receivers are taking them.
//!
//! A moment is as long as a message takes through memory at worst, both ways. Receivers that took nothing in that time have other
//! reasons to be slow. The sender goes on then, and does not wait again before they have taken something; and where it
//! waited in vain again and again, not for the next 2, 4, 8 messages, up to 256. So waiting in vain costs next to nothing
//! in the long run.
//!
//! And where even two messages are more than suits the caches, each goes where the one before it lay, if that is done with: for that
//! too a sender waits a moment, a small part of what the copy takes, as receivers who do not read everything are done at once. Going
//! round in two bodies, messages of 4 MiB took a third longer.
//!
//! Nothing but speed depends on it: whoever does not wait, or waits too long, sends the same messages.

use crate::sync::{Private, give_way, pause};
use std::time::{Duration, Instant};

/// Bytes a nanosecond that receivers take who are held up by nothing but memory, while the sender writes to it as well: 4 to 10.
const BYTES_PER_NS: usize = 4;

/// As [`BYTES_PER_NS`], for the much shorter moment in which a receiver is done that does not read everything: a copy takes a hundred
/// of them, or thirty where it is quickest.
const CLOSE_BYTES_PER_NS: usize = 1024;

/// The most moments that one message is held back for. The receivers take a message in each.
const MOST: usize = 8;

/// The most messages that are sent without waiting because it was in vain.
const LONGEST_TRUCE: u64 = 256;

/// Relaxed turns between two looks.
const TURNS: u32 = 16;

/// How long a core is kept from others.
const YIELD_AFTER: Duration = Duration::from_micros(2);

/// How a sender keeps pace.
#[derive(Debug, Default)]
pub struct Pace {
    /// With receivers that are messages behind.
    far: Waits,
    /// With those that have the last message still.
    close: Waits,
}

impl Pace {
    /// Waits a moment, or some, before a message of `len` bytes. `ahead` says where the receivers are, while that is too far behind.
    pub fn keep(&self, len: usize, deadline: Option<Instant>, ahead: impl FnMut() -> Option<u64>) {
        self.far.wait(len / BYTES_PER_NS, deadline, ahead);
    }

    /// Waits a much shorter moment. `last` says which message is in the way, while one is.
    pub fn keep_close(&self, len: usize, deadline: Option<Instant>, last: impl FnMut() -> Option<u64>) {
        self.close.wait(len / CLOSE_BYTES_PER_NS, deadline, last);
    }
}

/// What a sender remembers of having waited.
#[derive(Debug)]
struct Waits {
    /// What the receivers were to take next when they took too long.
    stalled_at: Private,
    /// How many messages go without waiting after the next time in vain, and how many still do after the last.
    truce: Private,
    left: Private,
}

impl Default for Waits {
    fn default() -> Self {
        // No position: an index is never that large.
        Self { stalled_at: Private::new(u64::MAX), truce: Private::new(0), left: Private::new(0) }
    }
}

impl Waits {
    /// Waits for moments of so many nanoseconds.
    fn wait(&self, moment: usize, deadline: Option<Instant>, ahead: impl FnMut() -> Option<u64>) {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        // Not read before there is something to wait for.
        let mut start = None;
        let elapsed = || start.get_or_insert_with(Instant::now).elapsed();
        self.wait_by(Duration::from_nanos(moment as u64), left, ahead, elapsed);
    }

    fn wait_by(
        &self,
        moment: Duration,
        left: Option<Duration>,
        mut ahead: impl FnMut() -> Option<u64>,
        mut elapsed: impl FnMut() -> Duration,
    ) {
        let Some(mut at) = ahead() else { return };
        if at == self.stalled_at.get() {
            return;
        }
        if self.left.get() > 0 {
            return self.left.set(self.left.get() - 1);
        }
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
                None => return self.truce.set(0),
                Some(now) if now == at => return self.give_up(at),
                Some(now) => at = now,
            }
        }
    }

    fn give_up(&self, at: u64) {
        let truce = self.truce.get();
        self.stalled_at.set(at);
        self.left.set(truce);
        self.truce.set((2 * truce).clamp(2, LONGEST_TRUCE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const LEN: usize = 1 << 20;
    const MOMENT: Duration = Duration::from_nanos((LEN / BYTES_PER_NS) as u64);

    /// How long a sender waits, by a clock that moves a hundredth of a moment with each look.
    fn waits(pace: &Waits, left: Option<Duration>, ahead: impl Fn(Duration) -> Option<u64>) -> Duration {
        let clock = Cell::new(Duration::ZERO);
        let look = || {
            clock.set(clock.get() + MOMENT / 100);
            ahead(clock.get())
        };
        pace.wait_by(MOMENT, left, look, || clock.get());
        clock.get()
    }

    #[test]
    fn nobody_waits_who_is_not_ahead() {
        assert_eq!(waits(&Waits::default(), None, |_| None), MOMENT / 100);
    }

    #[test]
    fn waits_until_receivers_have_caught_up() {
        let taken = |time: Duration| (time.as_nanos() / (MOMENT / 2).as_nanos()) as u64;
        let time = waits(&Waits::default(), None, |time| (taken(time) < 6).then(|| taken(time)));
        assert_eq!(taken(time), 6);
    }

    #[test]
    fn a_receiver_that_takes_nothing_is_waited_for_once() {
        let pace = Waits::default();
        let first = waits(&pace, None, |_| Some(0));
        assert!((MOMENT..MOMENT * 2).contains(&first), "{first:?}");
        assert_eq!(waits(&pace, None, |_| Some(0)), MOMENT / 100);
        // It has taken one since.
        assert!(waits(&pace, None, |_| Some(1)) >= MOMENT);
    }

    #[test]
    fn waiting_in_vain_becomes_rare() {
        let pace = Waits::default();
        // One is taken for each that is sent, and none meanwhile.
        let waited = (0..10_000).filter(|&at| waits(&pace, None, |_| Some(at)) >= MOMENT).count();
        assert!((40..50).contains(&waited), "{waited}");
        // One that could be waited for makes it patient again.
        let last = (20_000..).find(|&at| waits(&pace, None, |_| Some(at)) >= MOMENT).unwrap();
        (1..=LONGEST_TRUCE).for_each(|more| _ = waits(&pace, None, |_| Some(last + more)));
        waits(&pace, None, |time| (time < MOMENT / 2).then_some(30_000));
        assert!(waits(&pace, None, |_| Some(30_001)) >= MOMENT);
        assert!(waits(&pace, None, |_| Some(30_002)) >= MOMENT);
    }

    #[test]
    fn a_receiver_far_behind_is_waited_for_some_moments() {
        let taken = |time: Duration| (time.as_nanos() / (MOMENT / 2).as_nanos()) as u64;
        let pace = Waits::default();
        let time = waits(&pace, None, |time| Some(taken(time)));
        assert!(taken(time) == MOST as u64, "{time:?}");
        // It was not too slow: the next message waits as well.
        assert!(waits(&pace, None, |time| Some(100 + taken(time))) > MOMENT);
    }

    #[test]
    fn no_longer_than_the_deadline() {
        let time = waits(&Waits::default(), Some(MOMENT / 4), |_| Some(0));
        assert!((MOMENT / 4..MOMENT / 2).contains(&time), "{time:?}");
    }
}
