//! Waiting: an eventcount for each direction, in one 32-bit word that every process sees.
//!
//! ```text
//! 31      3    2        1        0
//! | epoch  | FENCED | CLOSED | WAITERS |
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
//! made such that publishers pay, which FENCED says: they set it before they first publish, nobody clears it, and as the
//! publisher looks at the word anyway, those who do not pay do not pay for the question either. A publisher who finds it passes
//! a fence and looks again.
//!
//! *Everybody* is woken, because the one that is woken may be killed before it takes the message. The bit is sticky rather
//! than a count, because a killed sleeper cannot uncount itself: it costs the next publisher one spurious wake, not a
//! system call on every message for ever. A publisher may be killed between its publishing and its waking, so nobody
//! sleeps longer than [`NAP`] without looking.
//!
//! Whoever wakes by himself and finds the word as he left it need not pass the barrier again: the bit has been set ever since the
//! first one, so each publisher has either published before that or sees the bit, and the word is then another.

use crate::sync::{AtomicU32, Ordering::*, Private, compiler_fence, fence, pause};
use std::time::{Duration, Instant};

/// Somebody may be asleep.
pub const WAITERS: u32 = 1;
/// The ring was closed: nothing more will be sent.
pub const CLOSED: u32 = 2;
/// Publishers must pass a fence before they look for waiters.
pub const FENCED: u32 = 4;
const EPOCH: u32 = 8;

/// The longest sleep without a look at the ring and at the peers. A death is noticed that late, and a verdict's age later
/// (see `VERDICT_MS`).
pub const NAP: Duration = Duration::from_millis(250);

/// [`NAP`], unless a test is at work in this process.
static NAP_MS: Private = Private::new(NAP.as_millis() as u64);

/// The longest sleep in this process.
pub fn nap() -> Duration {
    Duration::from_millis(NAP_MS.get())
}

/// Makes it another: where nobody looks without being woken, a wake-up that is lost is a hang, and not a quarter of a second. (Not for
/// use: a death is noticed that late.)
#[cfg(not(loom))]
pub fn set_nap(time: Duration) {
    // No nap at all would be a deadline that has passed.
    NAP_MS.set((time.as_millis() as u64).max(1));
}

/// Has a signal that comes while this thread sleeps end its wait, if that has a timeout, which then comes early; or not, as is usual. (Not
/// for use: a signal that comes just before the sleep does not. The Python package runs its signal handlers between waits.)
#[cfg(not(loom))]
pub fn heed_signals(yes: bool) {
    crate::os::futex::heed_signals(yes);
}

/// What putting a thread to sleep takes from the system.
pub trait Sleep {
    /// Makes every running thread of every participant pass a full fence, this one included.
    fn barrier(&self);
    /// Sleeps while `word` is `expected`, until woken or for at most `timeout`. May return early for no reason.
    fn sleep(&self, word: &AtomicU32, expected: u32, timeout: Duration);
    /// Whether this thread's last sleep ended in a way that ends the wait.
    fn was_interrupted(&self) -> bool {
        false
    }
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

    fn was_interrupted(&self) -> bool {
        crate::os::futex::was_interrupted()
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
#[inline(always)]
pub fn after_publishing(word: &AtomicU32, system: &impl Sleep) -> bool {
    compiler_fence(SeqCst);
    let seen = word.load(Relaxed);
    seen & (WAITERS | CLOSED | FENCED) != 0 && wake(word, seen, system)
}

/// Makes every publisher pass a fence, from now on. To be called before one's own first publishing.
pub fn make_fenced(word: &AtomicU32) {
    word.fetch_or(FENCED, SeqCst);
}

/// How often a waker tries to clear the bit. Others seldom get in its way twice; only one who writes out of line, for ever.
const WAKE_TRIES: u32 = 1000;

/// What a publisher does who saw more in the word than an epoch.
#[cold]
#[inline(never)]
fn wake(word: &AtomicU32, seen: u32, system: &impl Sleep) -> bool {
    if seen & FENCED == 0 { notify(word, seen, system) } else { after_fence(word, system) }
}

/// What a publisher does in a ring whose publishers pay for the fence, once it knows that.
pub fn after_fence(word: &AtomicU32, system: &impl Sleep) -> bool {
    fence(SeqCst);
    notify(word, word.load(Relaxed), system)
}

/// Wakes everybody who may be asleep, and says whether the ring is closed.
fn notify(word: &AtomicU32, mut seen: u32, system: &impl Sleep) -> bool {
    for _ in 0..WAKE_TRIES {
        if seen & WAITERS == 0 {
            break;
        }
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

/// What comes before a sleeper's last look. Returns what the word must still be when it falls asleep.
pub fn prepare(word: &AtomicU32, system: &impl Sleep) -> u32 {
    let expected = word.fetch_or(WAITERS, SeqCst) | WAITERS;
    system.barrier();
    expected
}

/// Whether anybody was woken, or the direction closed, between two values of a word.
pub fn is_news(before: u32, after: u32) -> bool {
    (before ^ after) & !WAITERS != 0
}

/// How long a handle spins before it sleeps, and how long it rests before it looks again: learned from what came of it.
#[derive(Debug)]
pub struct Patience {
    now_ns: Private,
    max_ns: u64,
    /// Where the handle was at its last miss, how many it had, and how long it rested then.
    progress: Private,
    misses: Private,
    rest: Private,
}

impl Patience {
    /// Spins for at most `max_ns` nanoseconds.
    pub fn new(max_ns: u64) -> Self {
        let zero = || Private::new(0);
        Self { now_ns: Private::new(max_ns), max_ns, progress: zero(), misses: zero(), rest: zero() }
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

    /// Rests as after a miss, for whoever knows that a look would be one, or as good as one.
    #[cold]
    #[inline(never)]
    pub fn pause(&self, progress: u64, capacity: u64) {
        rest_for(self.rest(progress, capacity).max(1));
    }

    /// Relaxed turns to rest after a miss at `progress`, in a ring of `capacity` slots; none, and nothing learned, if that is where
    /// the last miss was.
    ///
    /// A receiver that looks the instant a message is there takes the cache line from a sender who is about to write the
    /// next one into it: then every message costs a transfer or three, and both crawl in lockstep. A sender before a full ring does the
    /// same to its receivers. If they rest a little, many messages come at the price of one. But where messages come one at
    /// a time, resting is just latency. So: as long as several messages came since the last miss, rest, and longer each
    /// time; else not, but for one miss in 256, to see. What came in a whole ring's length would have come with less rest.
    fn rest(&self, progress: u64, capacity: u64) -> u32 {
        let came = progress.wrapping_sub(self.progress.get());
        if came == 0 {
            return 0;
        }
        let misses = self.misses.get().wrapping_add(1);
        self.progress.set(progress);
        self.misses.set(misses);
        let rest = self.rest.get();
        let wish = match came {
            0..=2 if misses.is_multiple_of(256) => 16,
            0..=2 => 0,
            _ if came >= capacity => rest / 2,
            _ if came >= capacity / 2 => rest,
            _ => rest * 2,
        };
        // Not longer than it may spin, than others need for a quarter of the ring, and than what came is worth.
        let worth = came.max(2).saturating_mul(8);
        let longest = (self.now_ns.get() / TURN_NS).min((capacity / 4).max(SHORTEST_REST)).min(worth).min(LONGEST_REST);
        let least = if came > 2 { SHORTEST_REST } else { 0 };
        let rest = wish.max(least).min(longest);
        self.rest.set(rest);
        rest as u32
    }
}

/// What a relaxed turn takes, about: 20 to 45 ns.
const TURN_NS: u64 = 32;

/// The first rest in a stream, in relaxed turns.
const SHORTEST_REST: u64 = 4;

/// The most relaxed turns after a miss: some microseconds.
const LONGEST_REST: u64 = 256;

/// Which side waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A sender, before a full ring.
    Sender,
    /// A receiver, before an empty one.
    Receiver,
}

/// What a waiter's spin should know of the ring.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Whose it is.
    pub side: Side,
    /// Where it waits.
    pub position: u64,
    /// Slots of the ring.
    pub capacity: u64,
    /// Bytes of the last message, if it was a long one: another takes its sender as long to copy.
    pub long: u64,
}

impl Place {
    /// How long a spin may be here that may be `max_ns` long elsewhere: as long as another long message takes, up to [`LONGEST_SPIN`].
    fn longest(self, max_ns: u64) -> u64 {
        max_ns.max((self.long / BYTES_PER_NS).min(LONGEST_SPIN))
    }
}

/// Bytes that a sender copies in a nanosecond, at worst. (Half as many in ordinary memory, twice as many in caches.)
const BYTES_PER_NS: u64 = 8;

/// The longest spin for the sake of long messages, in nanoseconds: beyond it a wake-up is nothing beside the copy.
const LONGEST_SPIN: u64 = 2_000_000;

/// Relaxed turns of a spin between two looks at the clock.
const TURNS: u32 = 16;

/// Looks of a receiver before the first. What is on its way takes some hundred nanoseconds at most; a look at the clock takes 25 of them.
const FIRST_LOOKS: u32 = 64;

/// How long a spin keeps its core to itself.
const YIELD_AFTER: Duration = Duration::from_micros(2);

/// The most relaxed turns between two looks of one wait: under two microseconds.
const LONGEST_GAP: u64 = 64;

/// A wait after a miss, as what happens between one look and the next: it spins, then it sleeps.
///
/// The looks are the caller's, in a loop of his own: `while let Some(look) = wait.next_look()`. (As a closure that is called from here, each
/// would hand its find through memory, once a caller. To copy there what was just stored takes until every store before it is
/// done: it made a round trip twice as long.)
#[derive(Debug)]
pub struct Wait<'a, S> {
    /// Looks that follow each other with a turn between them and nothing else.
    glances: u32,
    stage: Stage,
    word: &'a AtomicU32,
    system: &'a S,
    patience: &'a Patience,
    place: Place,
    deadline: Option<Instant>,
}

/// What a wait has come to.
#[derive(Debug)]
enum Stage {
    /// It spins, unless it is not to.
    Spinning(Option<Spin>),
    /// It will sleep next, while the word is still this, if one more look is in vain.
    Falling { expected: u32, slept: bool },
    /// It has slept since then.
    Woken { since: Instant, expected: u32, slept: bool },
    /// It must not wait, and looks once at most.
    Now(Option<Look>),
}

/// The spin before the first sleep. It gives way to other threads after some microseconds: the peer may need this core.
///
/// Both sides rest before the first look (to look again at once would be to take the first of many messages, and the line with
/// it): see [`Patience::rest`]. A sender goes on resting, a little longer each time, up to a sixteenth of what the receivers
/// have to deal with: nobody waits for what it has to say. A receiver then looks at every turn.
#[derive(Debug)]
struct Spin {
    /// Turns to rest before the next look, and the most.
    rest: u32,
    longest: u32,
    /// Turns until the next look at the clock is due.
    turns: u32,
    /// The first look at the clock.
    start: Option<Instant>,
}

impl<'a, S: Sleep> Wait<'a, S> {
    /// For whoever has just missed, and sleeps on `word`, until the deadline. Rests before the first look, where that is good.
    #[inline(never)]
    pub fn new(
        word: &'a AtomicU32,
        system: &'a S,
        patience: &'a Patience,
        place: Place,
        deadline: Option<Instant>,
    ) -> Self {
        let rest = patience.rest(place.position, place.capacity);
        let (glances, spin) = match place.side {
            _ if cfg!(loom) || patience.now_ns.get() == 0 => (0, None),
            Side::Sender => {
                let longest = (place.capacity / 16).clamp(1, LONGEST_GAP) as u32;
                (0, Some(Spin { rest: rest.max(1), longest, turns: TURNS, start: None }))
            }
            Side::Receiver => {
                rest_for(rest);
                (FIRST_LOOKS, Some(Spin { rest: 1, longest: 1, turns: 0, start: None }))
            }
        };
        Self { glances, stage: Stage::Spinning(spin), word, system, patience, place, deadline }
    }

    /// For whoever has just missed, and must not wait: one more look.
    pub fn once(word: &'a AtomicU32, system: &'a S, patience: &'a Patience, place: Place, look: Look) -> Self {
        Self { glances: 0, stage: Stage::Now(Some(look)), word, system, patience, place, deadline: None }
    }

    /// How to look next, when it is time to; `None` once the deadline has passed.
    #[inline(always)]
    pub fn next_look(&mut self) -> Option<Look> {
        if self.glances > 0 {
            self.glances -= 1;
            // A processor that looks again and again at once has many looks under way when the line changes, and starts all over.
            pause();
            return Some(Look::Glance);
        }
        self.go_on()
    }

    #[cold]
    #[inline(never)]
    fn go_on(&mut self) -> Option<Look> {
        let (expected, slept) = match &mut self.stage {
            Stage::Spinning(spin) => {
                if spin.as_mut().is_some_and(|spin| spin.turn(self.patience, self.place, self.deadline)) {
                    return Some(Look::Glance);
                }
                (prepare(self.word, self.system), false)
            }
            Stage::Now(look) => return look.take(),
            Stage::Woken { expected, .. } if self.word.load(Relaxed) == *expected => (*expected, true),
            Stage::Woken { .. } => (prepare(self.word, self.system), true),
            &mut Stage::Falling { expected, slept } => {
                let since = Instant::now();
                let nap = nap();
                let left = self.deadline.map_or(nap, |deadline| deadline.saturating_duration_since(since));
                if left.is_zero() {
                    return None;
                }
                self.system.sleep(self.word, expected, left.min(nap));
                if self.deadline.is_some() && self.system.was_interrupted() {
                    self.deadline = Some(since);
                }
                self.stage = Stage::Woken { since, expected, slept };
                return Some(Look::Glance);
            }
        };
        self.stage = Stage::Falling { expected, slept };
        Some(Look::Search)
    }

    /// To be called when a look was not in vain.
    #[inline(always)]
    pub fn done(&self) {
        if let Stage::Spinning(_) = self.stage { self.patience.paid() } else { self.done_late() }
    }

    #[cold]
    #[inline(never)]
    fn done_late(&self) {
        if let Stage::Woken { since, slept, .. } = self.stage {
            // Had the spin lasted as long as this sleep, it would have caught it.
            let short = !slept && u128::from(self.place.longest(self.patience.max_ns)) >= since.elapsed().as_nanos();
            if short { self.patience.paid() } else { self.patience.wasted() }
        }
    }
}

impl Spin {
    /// Rests until it is time for another look; not, if it is over.
    fn turn(&mut self, patience: &Patience, place: Place, deadline: Option<Instant>) -> bool {
        if self.turns == 0 {
            // Not before the first turns are over: what comes at once should not wait for a clock.
            let now = Instant::now();
            let start = *self.start.get_or_insert(now);
            let budget = Duration::from_nanos(place.longest(patience.max_ns) / patience.max_ns * patience.now_ns.get());
            if now >= start + budget || deadline.is_some_and(|deadline| now >= deadline) {
                return false;
            }
            if now - start > YIELD_AFTER {
                crate::sync::give_way();
            }
            self.turns = TURNS;
        }
        rest_for(self.rest);
        self.turns = self.turns.saturating_sub(self.rest);
        self.rest = (self.rest * 2).min(self.longest);
        true
    }
}

/// Rests for so many turns.
fn rest_for(turns: u32) {
    (0..turns).for_each(|_| pause());
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const CAPACITY: u64 = 1024;

    /// The rests of a handle for which so many messages come between one miss and the next, after a rest of so many turns.
    fn rests(spin_ns: u64, capacity: u64, came: impl Fn(u64) -> u64) -> Vec<u64> {
        let patience = Patience::new(spin_ns);
        let mut position = 0;
        let mut miss = |_| {
            position += came(patience.rest.get());
            u64::from(patience.rest(position, capacity))
        };
        (0..1024).map(&mut miss).collect()
    }

    #[test]
    fn one_at_a_time_is_not_rested_for() {
        for came in 1..=2 {
            let rests = rests(50_000, CAPACITY, |_| came);
            assert_eq!(rests.iter().filter(|&&rest| rest > 0).count(), 4, "{came}");
        }
    }

    #[test]
    fn two_misses_at_one_place_are_one() {
        let misses = std::cell::Cell::new(0);
        let rests = rests(50_000, CAPACITY, |_| {
            misses.set(misses.get() + 1);
            if misses.get() == 3 { 0 } else { 10 }
        });
        assert_eq!(rests[..6], [4, 8, 0, 16, 32, 64]);
    }

    #[test]
    fn a_stream_is_rested_for_longer_each_time() {
        let rests = rests(50_000, CAPACITY, |rest| 3 + rest);
        assert_eq!(rests[..8], [4, 8, 16, 32, 64, 128, 256, 256]);
    }

    #[test]
    fn no_longer_than_half_the_ring_needs() {
        // Four in each turn: a rest of 128 turns is half a ring.
        let rests = rests(50_000, CAPACITY, |rest| 3 + 4 * rest);
        assert!(rests[10..].iter().all(|&rest| rest == 128), "{:?}", &rests[..20]);
    }

    #[test]
    fn a_run_longer_than_the_ring_needs_less() {
        let rests = rests(50_000, CAPACITY, |rest| if rest == 256 { 2 * CAPACITY } else { 3 + rest });
        assert_eq!(rests[..9], [4, 8, 16, 32, 64, 128, 256, 128, 256]);
    }

    #[test]
    fn what_few_messages_are_worth() {
        let rests = rests(50_000, CAPACITY, |_| 5);
        assert_eq!(rests.iter().max(), Some(&40));
    }

    #[test]
    fn no_longer_than_the_spin_may_take() {
        let longest = |spin_ns| rests(spin_ns, CAPACITY, |rest| 3 + rest).into_iter().max().unwrap();
        assert_eq!(longest(1_000), 1_000 / TURN_NS);
        assert_eq!(longest(0), 0);
    }

    #[test]
    fn a_small_ring_is_soon_full() {
        let longest = |capacity| rests(50_000, capacity, |rest| (3 + rest).min(capacity)).into_iter().max().unwrap();
        assert_eq!(longest(64), 16);
        assert_eq!(longest(8), SHORTEST_REST);
        assert_eq!(longest(2), SHORTEST_REST, "one miss in 256, to see");
    }

    #[test]
    fn a_position_that_went_back_does_no_harm() {
        let patience = Patience::new(50_000);
        patience.rest(10, CAPACITY);
        assert!(patience.rest(3, CAPACITY) <= LONGEST_REST as u32);
    }

    /// Sleeps by noting it, and wakes up at once.
    #[derive(Default)]
    struct Awake {
        barriers: Private,
        sleeps: Private,
    }

    impl Sleep for Awake {
        fn barrier(&self) {
            self.barriers.set(self.barriers.get() + 1);
        }

        fn sleep(&self, word: &AtomicU32, expected: u32, timeout: Duration) {
            assert_eq!(word.load(Relaxed), expected);
            assert!(timeout <= NAP);
            self.sleeps.set(self.sleeps.get() + 1);
        }

        fn wake_all(&self, _: &AtomicU32) {}
    }

    const fn place(side: Side) -> Place {
        Place { side, position: 0, capacity: CAPACITY, long: 0 }
    }

    #[test]
    fn a_search_before_each_sleep_and_a_glance_after_it() {
        let (word, system, patience) = (AtomicU32::new(0), Awake::default(), Patience::new(0));
        let mut wait = Wait::new(&word, &system, &patience, place(Side::Receiver), None);
        let looks = [(); 6].map(|()| wait.next_look().unwrap());
        use Look::*;
        assert_eq!(looks, [Search, Glance, Search, Glance, Search, Glance]);
        // The word is as it was left: the first barrier covers all.
        assert_eq!((system.barriers.get(), system.sleeps.get()), (1, 3));
        word.fetch_add(EPOCH, Relaxed);
        assert_eq!((wait.next_look(), system.barriers.get()), (Some(Search), 2));
    }

    #[test]
    fn glances_while_it_spins_and_a_search_after_that() {
        for side in [Side::Sender, Side::Receiver] {
            let (word, system, patience) = (AtomicU32::new(0), Awake::default(), Patience::new(50_000));
            let mut wait = Wait::new(&word, &system, &patience, place(side), None);
            let mut glances = 0;
            while wait.next_look() == Some(Look::Glance) {
                glances += 1;
            }
            assert!(glances > 1, "{side:?}");
            assert_eq!((system.barriers.get(), system.sleeps.get()), (1, 0), "{side:?}");
        }
    }

    #[test]
    fn no_sleep_after_the_deadline() {
        let (word, system, patience) = (AtomicU32::new(0), Awake::default(), Patience::new(0));
        let mut wait = Wait::new(&word, &system, &patience, place(Side::Sender), Some(Instant::now()));
        assert_eq!((wait.next_look(), wait.next_look()), (Some(Look::Search), None));
        assert_eq!(system.sleeps.get(), 0);
    }

    /// Has each sleep end by a signal.
    struct Disturbed;

    impl Sleep for Disturbed {
        fn barrier(&self) {}

        fn sleep(&self, _: &AtomicU32, _: u32, timeout: Duration) {
            assert!(!timeout.is_zero());
        }

        fn was_interrupted(&self) -> bool {
            true
        }

        fn wake_all(&self, _: &AtomicU32) {}
    }

    #[test]
    fn a_signal_is_a_deadline_to_whoever_has_one() {
        use Look::*;
        let (word, patience) = (AtomicU32::new(0), Patience::new(0));
        let wait = |deadline| Wait::new(&word, &Disturbed, &patience, place(Side::Receiver), deadline);
        let mut limited = wait(Some(Instant::now() + Duration::from_secs(60)));
        // What came before the signal is still found: by the glance, or by the last search.
        assert_eq!([(); 4].map(|()| limited.next_look()), [Some(Search), Some(Glance), Some(Search), None]);
        let mut endless = wait(None);
        assert_eq!([(); 6].map(|()| endless.next_look().unwrap()), [Search, Glance, Search, Glance, Search, Glance]);
    }

    #[test]
    fn who_must_not_wait_looks_once() {
        let (word, system, patience) = (AtomicU32::new(0), Awake::default(), Patience::new(50_000));
        for look in [Look::Glance, Look::Search] {
            let mut wait = Wait::once(&word, &system, &patience, place(Side::Receiver), look);
            assert_eq!((wait.next_look(), wait.next_look()), (Some(look), None));
        }
        assert_eq!((word.load(Relaxed), system.barriers.get()), (0, 0));
    }

    #[test]
    fn a_spin_that_paid_lately_is_longer() {
        let (word, system, patience) = (AtomicU32::new(0), Awake::default(), Patience::new(0));
        let patience = Patience { max_ns: 8_000, ..patience };
        let mut wait = Wait::new(&word, &system, &patience, place(Side::Receiver), None);
        assert_eq!([(); 2].map(|()| wait.next_look()), [Some(Look::Search), Some(Look::Glance)]);
        // A sleep no longer than a spin may be, in which the message came.
        wait.stage = Stage::Woken { since: Instant::now() + Duration::from_secs(60), expected: 0, slept: false };
        wait.done();
        assert_eq!(patience.now_ns.get(), 8_000);
        // And a longer one.
        let long_ago = Instant::now().checked_sub(Duration::from_millis(1)).unwrap();
        wait.stage = Stage::Woken { since: long_ago, expected: 0, slept: false };
        wait.done();
        assert_eq!(patience.now_ns.get(), 4_000);
    }
}
