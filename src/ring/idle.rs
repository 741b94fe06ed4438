//! How much memory lies idle, in bodies that nobody uses: a bound that is never too low.
//!
//! Which bodies are idle, the slots say; but to ask them all at each acknowledgement would cost more than most messages. So there are
//! three words, and what is idle is at most `left - given - base`:
//!
//! ```text
//! left    bytes of all bodies that were ever left: acknowledged, or given up
//! given   bytes that were ever given back of bodies in nobody's use
//! base    what left - given was when somebody last looked at all bodies, less what he found idle
//! ```
//!
//! A sender who takes a body says nothing of it: what it takes is still counted as idle, and once more when it is left. So the bound
//! grows, and who finds it beyond what may stay looks at all bodies before he believes it. That is seldom: not before as much was
//! left as lay between what he found and what may stay.
//!
//! # Why it is never too low
//!
//! *First it is idle, then it is counted*: `left` is raised after the store that ends the use. *First it is counted, then it goes*: `given`
//! is raised before the memory is given back. A look reads `left`, then the bodies, then `given`. Take any body that is
//! idle later on. If the look found it idle, it is in what was found. If not, its use ended after the look came by, so it was counted
//! in `left` after the look had read that word; or its user is about to count it, and acts on what he then sees. And what the look missed
//! because it was gone already was counted in `given` before the look read that.
//! What is being given back counts as idle until it is gone.
//!
//! *Looks do not disturb each other*: each has a bound of its own that is good for ever, and whichever is noted stands.
//!
//! # Who acts
//!
//! Whoever leaves a body raises `left` by a read-modify-write, and acts if the bound that he then sees is too high. Of several
//! who leave the last ones at once, the last in the order of that word sees what all of them left, and, through the others'
//! Release and his own Acquire, that they left it. So no two can each think that the other's is still in use.
//!
//! # What the dead leave
//!
//! Who dies between leaving and counting leaves the bound too low, until the next look. So whoever ends somebody else's use (a
//! drop, a reap, a successor), or takes a dead one's place, puts the bound in [doubt](Idle::doubt): it is then higher than
//! anything, so that the next one who leaves something looks. And now and then somebody looks who need not.

use crate::sync::{AtomicU64, Mutant, Ordering::*, mutant};

/// Where the words are.
pub trait Shared {
    /// Bytes that were left.
    fn left(&self) -> &AtomicU64;
    /// Bytes that were given back.
    fn given(&self) -> &AtomicU64;
    /// What the last look found.
    fn base(&self) -> &AtomicU64;
}

impl<S: Shared> Shared for &S {
    #[inline]
    fn left(&self) -> &AtomicU64 {
        (**self).left()
    }
    #[inline]
    fn given(&self) -> &AtomicU64 {
        (**self).given()
    }
    #[inline]
    fn base(&self) -> &AtomicU64 {
        (**self).base()
    }
}

/// More than is ever idle.
const DOUBT: u64 = 1 << 50;

/// How much lies idle in one ring.
#[derive(Clone, Copy, Debug)]
pub struct Idle<S>(S);

/// A look at all bodies that has begun.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    base: u64,
    left: u64,
}

impl Look {
    /// How many bytes had ever been left.
    pub fn left(self) -> u64 {
        self.left
    }
}

impl<S: Shared> Idle<S> {
    /// Over these words.
    pub fn new(shared: S) -> Self {
        Self(shared)
    }

    /// Counts bytes that were just left. Returns how many ever were.
    pub fn leave(&self, bytes: u64) -> u64 {
        self.0.left().fetch_add(bytes, AcqRel).wrapping_add(bytes)
    }

    /// Counts bytes that are about to be given back.
    pub fn give(&self, bytes: u64) {
        self.0.given().fetch_add(bytes, Relaxed);
    }

    /// At most so many bytes are idle.
    pub fn most(&self) -> u64 {
        self.most_of(self.0.left().load(Acquire))
    }

    /// As [`most`](Self::most), to whoever knows how many bytes were left.
    pub fn most_of(&self, left: u64) -> u64 {
        let most = left.wrapping_sub(self.0.given().load(Relaxed)).wrapping_sub(self.0.base().load(Relaxed));
        // Below zero where somebody died, or wrote out of line.
        if most >> 63 == 0 { most } else { 0 }
    }

    /// Begins to look at all bodies.
    pub fn begin(&self) -> Look {
        // In this order: while the base stands, whatever doubt there was came before.
        let base = self.0.base().load(Acquire);
        Look { base, left: self.0.left().load(Acquire) }
    }

    /// Notes how many bytes a look found idle. Each body's memory was read with Acquire.
    pub fn end(&self, look: Look, found: u64) {
        let left = if mutant(Mutant::LateLook) { self.0.left().load(Acquire) } else { look.left };
        let base = left.wrapping_sub(self.0.given().load(Relaxed)).wrapping_sub(found);
        // In vain if somebody else looked meanwhile, or came to doubt: that stands.
        let _ = self.0.base().compare_exchange(look.base, base, AcqRel, Relaxed);
    }

    /// Says that more may be idle than was counted.
    pub fn doubt(&self) {
        // Once is enough; but the word must change, for those who look just now.
        let more = if self.most() < DOUBT { 2 * DOUBT } else { 1 };
        self.0.base().fetch_add(more.wrapping_neg(), AcqRel);
    }
}
