//! The state word of an mpmc slot: in one `u64`, how far the slot has come and whose it is.
//!
//! ```text
//! 63            24 23  20 19      12 11       2 1   0
//! | lap (low 40) | attempt | generation | participant | phase |
//! ```
//!
//! An EMPTY word's lap is the one that may be claimed next; every other word's lap is that of the message. EMPTY and READY
//! belong to nobody and have zero in the fields between. A zeroed word is EMPTY in lap 0, so fresh memory is a fresh ring.
//!
//! Laps wrap after 2^40. They are compared as distances from the lap a handle expects, so a wrap is harmless; only an actor
//! stopped for exactly 2^40 laps in the middle of one compare-and-swap could be deceived, and it would also have to find
//! the same owner, generation and attempt.

use crate::owner::{OWNER_BITS, Owner};

const PHASE: u64 = 0b11;
const OWNER_SHIFT: u32 = 2;
const ATTEMPT_SHIFT: u32 = OWNER_SHIFT + OWNER_BITS;
const ATTEMPT_BITS: u32 = 4;
const LAP_SHIFT: u32 = ATTEMPT_SHIFT + ATTEMPT_BITS;
const LAP_BITS: u32 = 64 - LAP_SHIFT;

/// The highest number of deliveries a word can count.
pub const MAX_ATTEMPT: u32 = (1 << ATTEMPT_BITS) - 1;

/// How far a slot has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// To be claimed by a sender.
    Empty,
    /// A sender fills it.
    Writing,
    /// A message waits.
    Ready,
    /// A receiver has the message and has not acknowledged it.
    Reading,
}

/// A state word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word(pub u64);

impl Word {
    /// Claimable in `lap`.
    #[inline]
    pub const fn empty(lap: u64) -> Self {
        Self(lap << LAP_SHIFT)
    }

    /// Being filled by `owner`.
    #[inline]
    pub const fn writing(lap: u64, owner: Owner) -> Self {
        Self(lap << LAP_SHIFT | owner.bits() << OWNER_SHIFT | 1)
    }

    /// Holding a message.
    #[inline]
    pub const fn ready(lap: u64) -> Self {
        Self(lap << LAP_SHIFT | 2)
    }

    /// Held by `owner`, delivered `attempt` times before.
    #[inline]
    pub const fn reading(lap: u64, owner: Owner, attempt: u32) -> Self {
        let attempt = if attempt > MAX_ATTEMPT { MAX_ATTEMPT } else { attempt };
        Self(lap << LAP_SHIFT | (attempt as u64) << ATTEMPT_SHIFT | owner.bits() << OWNER_SHIFT | 3)
    }

    /// How far the slot has come.
    #[inline]
    pub const fn phase(self) -> Phase {
        match self.0 & PHASE {
            0 => Phase::Empty,
            1 => Phase::Writing,
            2 => Phase::Ready,
            _ => Phase::Reading,
        }
    }

    /// Whose it is, in the phases that have an owner.
    #[inline]
    pub const fn owner(self) -> Owner {
        Owner::from_bits(self.0 >> OWNER_SHIFT)
    }

    /// How often the message was delivered before.
    #[inline]
    pub const fn attempt(self) -> u32 {
        (self.0 >> ATTEMPT_SHIFT) as u32 & MAX_ATTEMPT
    }

    /// The full lap, given one nearby.
    #[inline]
    pub const fn lap_near(self, nearby: u64) -> u64 {
        let ahead = (self.0 >> LAP_SHIFT).wrapping_sub(nearby) << (64 - LAP_BITS);
        // Sign-extended: the distance may be negative.
        nearby.wrapping_add((ahead as i64 >> (64 - LAP_BITS)) as u64)
    }
}
