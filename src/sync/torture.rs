//! For the torture test, by the feature `torture`: atomics before each of which a process can be made to die, and a
//! switch for deliberate mistakes; and at which it can be made to dawdle, so that what others do in between gets a
//! chance.
//!
//! A death matters to others only by which accesses to shared memory, and which system calls, still happened. So these
//! are the crash points, all of them, found by the door that they go through rather than by hand; they are numbered in
//! the order in which one thread comes by. Payloads are copied in two halves with a point between.

use super::{Mutant, Ordering};
use core::panic::Location;
use core::sync::atomic::{self, AtomicU8, Ordering::Relaxed};
use std::cell::Cell;
use std::time::Duration;

/// What is done at the point that was armed: ends the process.
pub type Die = fn(&'static Location<'static>) -> !;

thread_local! {
    /// Points that this thread passed since it was armed, the one to die at, and how.
    static ARMED: Cell<Option<(u64, u64, Die)>> = const { Cell::new(None) };
    /// What chance did last to this thread.
    static CHANCE: Cell<u64> = const { Cell::new(0) };
}

/// At one of so many crash points a thread dawdles; 0 at none.
static DAWDLE: atomic::AtomicU64 = atomic::AtomicU64::new(0);

/// Makes this thread die at the crash point of that number, counted from 0 for the next one it comes by.
pub fn arm(point: u64, die: Die) {
    ARMED.set(Some((0, point, die)));
}

/// Lets this thread live. Returns how many points it passed since it was armed.
pub fn disarm() -> u64 {
    ARMED.take().map_or(0, |(passed, ..)| passed)
}

/// A crash point.
#[track_caller]
pub fn point() {
    let one_in = DAWDLE.load(Relaxed);
    if one_in != 0 {
        dawdle(one_in);
    }
    // A thread that is ending has no such cell any more, and is not armed.
    let armed = ARMED.try_with(Cell::get).ok().flatten();
    if let Some((passed, point, die)) = armed {
        if passed == point {
            die(Location::caller());
        }
        ARMED.set(Some((passed + 1, point, die)));
    }
}

/// Makes every thread of this process dawdle at one of so many crash points, or at none if it is 0.
pub fn slow_down(one_in: u64) {
    DAWDLE.store(one_in, Relaxed);
}

/// Gives others time, or not: mostly as long as a few accesses take, now and then as long as a few messages.
#[cold]
fn dawdle(one_in: u64) {
    let _ = CHANCE.try_with(|chance| {
        let mut x = chance.get();
        if x == 0 {
            x = u64::from(std::process::id()).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        }
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        chance.set(x);
        let (hit, what, long) = ((x >> 8) % one_in == 0, x >> 40 & 7, x >> 48);
        match what {
            _ if !hit => {}
            0..3 => std::thread::yield_now(),
            3..6 => (0..long % 2048).for_each(|_| core::hint::spin_loop()),
            6 => std::thread::sleep(Duration::from_micros(long % 100)),
            _ => std::thread::sleep(Duration::from_micros(long % 1000)),
        }
    });
}

/// Every deliberate mistake.
pub const MUTANTS: [Mutant; 36] = [
    Mutant::SinglePass,
    Mutant::Unseen,
    Mutant::PassWriting,
    Mutant::Unproductive,
    Mutant::WordFirst,
    Mutant::SkipFirst,
    Mutant::Unchecked,
    Mutant::Unraised,
    Mutant::RaiseLate,
    Mutant::JumpFar,
    Mutant::IgnoreOlder,
    Mutant::PublishFirst,
    Mutant::AcknowledgeFirst,
    Mutant::Unflagged,
    Mutant::Unreaped,
    Mutant::Unadopted,
    Mutant::Impatient,
    Mutant::WakeFirst,
    Mutant::WakeOne,
    Mutant::BlindClaim,
    Mutant::TrustTrimmer,
    Mutant::ForgetfulSeize,
    Mutant::GiveBackFirst,
    Mutant::WatermarkFirst,
    Mutant::ReleaseFirst,
    Mutant::Unmarked,
    Mutant::Unreleased,
    Mutant::CountFirst,
    Mutant::LateGift,
    Mutant::LateLook,
    Mutant::GoneAtOnce,
    Mutant::Overwritten,
    Mutant::Unfreed,
    Mutant::Forgiven,
    Mutant::KeepLost,
    Mutant::KnownTooFar,
];

static SEEDED: AtomicU8 = AtomicU8::new(0);

/// Makes this process make a mistake, or none.
pub fn seed(mutant: Option<Mutant>) {
    SEEDED.store(mutant.map_or(0, |mutant| mutant as u8), Relaxed);
}

/// Whether to make that mistake.
#[inline]
pub fn mutant(which: Mutant) -> bool {
    SEEDED.load(Relaxed) == which as u8
}

macro_rules! atomic {
    ($name:ident, $number:ty) => {
        /// An atomic with a crash point before each access.
        #[derive(Debug)]
        #[repr(transparent)]
        pub struct $name(atomic::$name);

        #[expect(missing_docs, reason = "as of the standard library")]
        impl $name {
            pub const fn new(value: $number) -> Self {
                Self(atomic::$name::new(value))
            }

            /// The atomic itself, for the system to look at.
            pub fn raw(&self) -> &atomic::$name {
                &self.0
            }

            #[track_caller]
            pub fn load(&self, ordering: Ordering) -> $number {
                point();
                self.0.load(ordering)
            }

            #[track_caller]
            pub fn store(&self, value: $number, ordering: Ordering) {
                point();
                self.0.store(value, ordering)
            }

            #[track_caller]
            pub fn swap(&self, value: $number, ordering: Ordering) -> $number {
                point();
                self.0.swap(value, ordering)
            }

            #[track_caller]
            pub fn compare_exchange(
                &self,
                current: $number,
                new: $number,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$number, $number> {
                point();
                self.0.compare_exchange(current, new, success, failure)
            }

            #[track_caller]
            pub fn fetch_add(&self, value: $number, ordering: Ordering) -> $number {
                point();
                self.0.fetch_add(value, ordering)
            }

            #[track_caller]
            pub fn fetch_sub(&self, value: $number, ordering: Ordering) -> $number {
                point();
                self.0.fetch_sub(value, ordering)
            }

            #[track_caller]
            pub fn fetch_or(&self, value: $number, ordering: Ordering) -> $number {
                point();
                self.0.fetch_or(value, ordering)
            }

            #[track_caller]
            pub fn fetch_max(&self, value: $number, ordering: Ordering) -> $number {
                point();
                self.0.fetch_max(value, ordering)
            }
        }
    };
}

atomic!(AtomicU32, u32);
atomic!(AtomicU64, u64);
