//! Waiting: an eventcount for each direction, in one 32-bit word that every process sees.
//!
//! ```text
//! 31        2    1        0
//! | epoch    | CLOSED | WAITERS |
//! ```
//!
//! # Why no wake-up is lost
//!
//! A sleeper sets WAITERS, *then* looks at the ring once more, then sleeps, and the kernel puts it to sleep only while the
//! word is still as it was. A publisher publishes, *then* looks at the word; if WAITERS is set it clears the bit with a new
//! epoch and wakes everybody. Lost would be a wake-up only if the sleeper's last look missed the message and the
//! publisher's look missed the bit: each read the other's word before the other's write. Two full fences forbid that, one
//! on each side between its write and its read.
//!
//! The publisher's fence would be paid by every message (it drains the store buffer: it took an SPSC prototype from 944 to
//! 91 million messages/s). So the sleeper pays for both: `membarrier` makes every running thread of every registered
//! process pass a full fence at some instant between the sleeper's write and its look. A publisher whose look came before
//! that instant had published before it too, and the sleeper sees the message; one whose look comes after it sees the bit. Only
//! the compiler must be kept from swapping the publisher's two steps. Where a process may not use membarrier the ring is
//! made with `fenced`, and publishers pay.
//!
//! *Everybody* is woken, because the one that is woken may be killed before it takes the message. The bit is sticky rather
//! than a count, because a killed sleeper cannot uncount itself: it costs the next publisher one spurious wake, not a
//! system call on every message for ever. A publisher may be killed between its publishing and its waking, so nobody
//! sleeps longer than [`NAP`] without looking.

use crate::sync::{AtomicU32, Ordering::*, Private, compiler_fence, fence, pause};
use std::time::{Duration, Instant};

/// Somebody may be asleep.
pub const WAITERS: u32 = 1;
/// The ring was closed: nothing more will be sent.
pub const CLOSED: u32 = 2;
const EPOCH: u32 = 4;

/// The longest sleep without a look at the ring and at the peers.
pub const NAP: Duration = Duration::from_millis(100);

/// What putting a thread to sleep takes from the system.
pub trait Sleep {
    /// Makes every running thread of every participant pass a full fence, this one included.
    fn barrier(&self);
    /// Sleeps while `word` is `expected`, until woken or for at most `timeout`. May return early for no reason.
    fn sleep(&self, word: &AtomicU32, expected: u32, timeout: Duration);
    /// Wakes everybody asleep on `word`.
    fn wake_all(&self, word: &AtomicU32);
}

/// The operating system's way.
#[cfg(not(loom))]
#[derive(Clone, Copy, Debug)]
pub struct System {
    /// Whether sleepers pay for both fences by membarrier.
    pub membarrier: bool,
}

#[cfg(not(loom))]
impl Sleep for System {
    fn barrier(&self) {
        fence(SeqCst);
        if self.membarrier {
            crate::os::futex::barrier();
        }
    }

    fn sleep(&self, word: &AtomicU32, expected: u32, timeout: Duration) {
        crate::os::futex::sleep(word, expected, timeout);
    }

    fn wake_all(&self, word: &AtomicU32) {
        crate::os::futex::wake_all(word);
    }
}

/// How hard a waiter looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// In a spin: cheaply.
    Glance,
    /// Before a sleep: thoroughly, at the dead as well.
    Search,
}

/// To be called after each commit or acknowledgement. Returns whether the ring is closed.
#[inline]
pub fn after_publishing(word: &AtomicU32, fenced: bool, system: &impl Sleep) -> bool {
    if fenced {
        fence(SeqCst);
    } else {
        compiler_fence(SeqCst);
    }
    let seen = word.load(Relaxed);
    seen & (WAITERS | CLOSED) != 0 && wake(word, seen, system)
}

/// Wakes everybody who may be asleep, and says whether the ring is closed.
#[cold]
#[inline(never)]
fn wake(word: &AtomicU32, mut seen: u32, system: &impl Sleep) -> bool {
    while seen & WAITERS != 0 {
        match word.compare_exchange(seen, (seen & !WAITERS).wrapping_add(EPOCH), SeqCst, Relaxed) {
            Ok(_) => {
                system.wake_all(word);
                break;
            }
            Err(now) => seen = now,
        }
    }
    seen & CLOSED != 0
}

/// Closes this direction and wakes everybody.
pub fn close(word: &AtomicU32, system: &impl Sleep) {
    word.fetch_or(CLOSED, SeqCst);
    // Whoever publishes from here on sees the bit; whoever did not see it has published what a last look will find.
    system.barrier();
    word.fetch_add(EPOCH, SeqCst);
    system.wake_all(word);
}

/// Wakes everybody asleep, whatever the bit says: somebody came or went.
pub fn wake_all(word: &AtomicU32, system: &impl Sleep) {
    word.fetch_add(EPOCH, SeqCst);
    system.wake_all(word);
}

/// Whether this direction was closed.
#[inline]
pub fn is_closed(word: &AtomicU32) -> bool {
    word.load(Relaxed) & CLOSED != 0
}

/// How long a handle spins before it sleeps: long while that pays, briefly while it does not.
#[derive(Debug)]
pub struct Patience {
    now_ns: Private,
    max_ns: u64,
}

impl Patience {
    /// Spins for at most `max_ns` nanoseconds.
    pub fn new(max_ns: u64) -> Self {
        Self { now_ns: Private::new(max_ns), max_ns }
    }

    /// The least that a handle spins: less than a microsecond buys nothing against a wake-up of fifteen.
    fn floor(&self) -> u64 {
        self.max_ns.min(1_000)
    }

    fn paid(&self) {
        self.now_ns.set(self.max_ns);
    }

    fn wasted(&self) {
        self.now_ns.set((self.now_ns.get() / 2).max(self.floor()));
    }
}

/// Turns of a spin between two looks at the clock.
const TURNS: u32 = 16;

/// Calls `attempt` until it yields something or the deadline passes: spins, then sleeps on `word`.
pub fn wait<T>(
    word: &AtomicU32,
    system: &impl Sleep,
    patience: &Patience,
    deadline: Option<Instant>,
    mut attempt: impl FnMut(Look) -> Option<T>,
) -> Option<T> {
    if let Some(done) = attempt(Look::Glance) {
        return Some(done);
    }
    if let Some(done) = spin(patience, deadline, &mut attempt) {
        return Some(done);
    }
    let mut slept = false;
    loop {
        let expected = word.fetch_or(WAITERS, SeqCst) | WAITERS;
        system.barrier();
        if let Some(done) = attempt(Look::Search) {
            return Some(done);
        }
        let (before, nap) = match deadline {
            None => (Instant::now(), NAP),
            Some(deadline) => {
                let now = Instant::now();
                (now, deadline.saturating_duration_since(now).min(NAP))
            }
        };
        if nap.is_zero() {
            return None;
        }
        system.sleep(word, expected, nap);
        if let Some(done) = attempt(Look::Glance) {
            // Had the spin lasted as long as this sleep, it would have caught it.
            let short = !slept && u128::from(patience.max_ns) >= before.elapsed().as_nanos();
            if short {
                patience.paid()
            } else {
                patience.wasted()
            }
            return Some(done);
        }
        slept = true;
    }
}

/// The spin before the first sleep. It gives way to other threads after a microsecond or so: the peer may need this core.
fn spin<T>(patience: &Patience, deadline: Option<Instant>, attempt: &mut impl FnMut(Look) -> Option<T>) -> Option<T> {
    if cfg!(loom) || patience.now_ns.get() == 0 {
        return None;
    }
    let start = Instant::now();
    let mut end = start + Duration::from_nanos(patience.now_ns.get());
    if let Some(deadline) = deadline {
        end = end.min(deadline);
    }
    let mut round = 0_u32;
    loop {
        for _ in 0..TURNS {
            if let Some(done) = attempt(Look::Glance) {
                patience.paid();
                return Some(done);
            }
            pause();
        }
        if Instant::now() >= end {
            return None;
        }
        round += 1;
        if round > 4 {
            crate::sync::give_way();
        }
    }
}
