//! When to look at every slot of an mpmc ring, for what the dead held and what was rejected.
//!
//! A receiver that is about to sleep does so, because there may be a message for it that nobody announces. In a ring of a million
//! slots that is milliseconds each time, and mostly in vain. So what the last look in vain began with is kept, and the next is
//! spared as long as nothing says that there is more to find.
//!
//! # Why nothing is overlooked
//!
//! What is to be found names a dead owner. Whoever names himself in a slot has joined, so his record is in the table, until he
//! leaves or somebody clears it, and both are counted ([`changes`](crate::layout::Presence::changes)), like the coming of his
//! successor. While that count stays, the records are those of the last look, and a death is seen by asking the kernel about each,
//! which costs a system call a peer. One who was known to be dead before a look that found nothing is named in no slot
//! while that count stays. (Later another may bear his name: generations come round.) A live receiver that rejects counts that when it is done.
//!
//! The count of those who come and go may run ahead of what it counts, by as long as its owner takes from one instruction to the next.
//! So looks are repeated until one is made [`SETTLES_MS`] after the change was seen. That leaves who is stopped between two instructions, for longer, and
//! goes on; for his sake every slot is looked at from time to time anyway.

use super::Attachment;
use crate::layout::Flavour;
use crate::os::clock;
use crate::registry::{Dead, Role};
use crate::sync::{Ordering::*, Private};
use crate::wait::Look;

/// How long after a change every look is a thorough one, in milliseconds.
const SETTLES_MS: u64 = 1_000;

/// A look at so many slots may be had each millisecond, at the most, for no reason at all.
const SLOTS_PER_MS: u64 = 10;

/// Asking the kernel about a peer costs as much as looking at so many slots, or more.
const SLOTS_PER_PEER: u64 = 16;

/// What the last look at every slot began with that found nothing.
#[derive(Debug, Default)]
pub(super) struct Survey {
    changes: Private,
    rejected: Private,
    /// When the counts were first found to be these.
    since: Private,
    /// When it began; 0 where there was none.
    made: Private,
}

/// A look at every slot that is about to be made.
#[derive(Debug)]
pub(super) struct Due {
    changes: u64,
    rejected: u64,
    now: u64,
    dead: Dead,
}

impl Attachment {
    /// How an attempt of `role` is to be made that is to `look` so. Of a receiver's it says what to [note](Self::surveyed) if that finds
    /// nothing.
    #[inline]
    pub(super) fn survey(&self, role: Role, look: Look) -> (Look, Option<Due>) {
        if look == Look::Glance || self.flavour == Flavour::Spsc || role == Role::Sender {
            return (look, None);
        }
        match self.survey_due() {
            None => (Look::Glance, None),
            due => (Look::Search, due),
        }
    }

    /// Whether every slot should be looked at. If nothing is found there, the caller says so.
    #[cold]
    #[inline(never)]
    pub(super) fn survey_due(&self) -> Option<Due> {
        let capacity = self.segment.header().capacity;
        let changes = u64::from(self.slots.control().presence.0.changes.load(Acquire));
        let rejected = self.slots.rejected();
        let (last, now) = (&self.survey, clock::coarse_ms());
        let is_as_it_was = last.made.get() != 0
            && (last.changes.get(), last.rejected.get()) == (changes, rejected)
            && last.made.get().saturating_sub(last.since.get()) >= SETTLES_MS
            && now.saturating_sub(last.made.get()) < (capacity / SLOTS_PER_MS).max(SETTLES_MS);
        let dead = self.registry.newly_dead(&self.segment, changes, capacity / SLOTS_PER_PEER);
        match dead {
            Some(dead) if is_as_it_was && dead.is_empty() => None,
            dead => Some(Due { changes, rejected, now, dead: dead.unwrap_or_default() }),
        }
    }

    /// Every slot was looked at that was to be, and nothing found.
    #[inline]
    pub(super) fn surveyed(&self, due: Option<Due>) {
        due.into_iter().for_each(|due| self.note(due));
    }

    #[cold]
    #[inline(never)]
    fn note(&self, due: Due) {
        let last = &self.survey;
        if last.made.get() == 0 || (last.changes.get(), last.rejected.get()) != (due.changes, due.rejected) {
            last.changes.set(due.changes);
            last.rejected.set(due.rejected);
            last.since.set(due.now);
        }
        last.made.set(due.now);
        self.registry.note(&due.dead, due.changes);
    }
}
