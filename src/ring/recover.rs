//! What anybody does about the slots of the dead in an mpmc ring.
//!
//! Recovery is nobody's job and everybody's. Whoever meets a dead sender's claim frees it (reap); whoever is about to wait
//! for a message first looks at every slot and takes over (adopt) what a dead receiver held or a live one rejected.
//!
//! # Why it holds
//!
//! Each transition is one compare-and-swap from the exact word that named the dead owner, so of several that try one wins,
//! and a word that has moved on is left alone. Names carry a generation, of which there are 255 for each place, and before the first
//! comes round again every slot is cleared of that place's names. So the word that a verdict was about cannot come back with a
//! live owner.
//!
//! The verdict itself must come from the kernel ([`Liveness`]). A timeout never proves a death.

use super::mpmc::{Core, Event, Liveness, Shared, Taken};
use super::word::{Phase, Word};
use crate::owner::Owner;
use crate::sync::{Mutant, Ordering::*, mutant};

/// How many times a message may be delivered again before it is dropped; `u32::MAX` is without bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience(pub u32);

/// What became of slots that named somebody who is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disowned {
    /// Claims freed.
    pub reaped: u64,
    /// Messages made anybody's.
    pub orphaned: u64,
    /// Messages dropped by the policy.
    pub dropped: u64,
}

impl<S: Shared> Core<S> {
    /// Frees the claim of a dead sender. Returns whether it was this caller who did.
    #[cold]
    pub(super) fn reap(&self, index: usize, word: Word) -> bool {
        !mutant(Mutant::Unreaped) && self.free(index, word, Event::Reaped)
    }

    /// Makes a dead owner's slot EMPTY, unless somebody else did something about it.
    fn free(&self, index: usize, word: Word, event: Event) -> bool {
        let empty = Word::empty(word.lap_near(0).wrapping_add(1)).0;
        let freed = self.shared.word(index).compare_exchange(word.0, empty, SeqCst, Relaxed).is_ok();
        if freed {
            self.shared.count(event);
        }
        freed
    }

    /// Whether a message was delivered as often as allowed.
    fn is_spent(&self, word: Word) -> bool {
        word.attempt() >= self.patience.0
    }

    /// Looks at every slot: frees the claims of the dead, and takes over the first message that a dead receiver held or a
    /// live one rejected. One that was delivered as often as allowed is dropped.
    #[cold]
    pub fn sweep(&self, me: Owner, life: &impl Liveness) -> Option<Taken> {
        (0..self.ring.capacity() as usize).find_map(|index| {
            let word = Word(self.shared.word(index).load(SeqCst));
            match word.phase() {
                Phase::Writing if life.is_dead(word.owner()) => _ = self.reap(index, word),
                Phase::Reading if life.is_dead(word.owner()) => return self.adopt(index, word, me),
                _ => {}
            }
            None
        })
    }

    /// Looks at every slot that names one of the owners that `is_gone` knows, so that their place may be reused: frees the
    /// claims, and makes the messages anybody's or drops them, as the policy is.
    pub fn disown(&self, is_gone: impl Fn(Owner) -> bool) -> Disowned {
        let mut disowned = Disowned::default();
        for index in 0..self.ring.capacity() as usize {
            let word = Word(self.shared.word(index).load(SeqCst));
            match word.phase() {
                Phase::Writing if mutant(Mutant::Unfreed) => {}
                Phase::Writing if is_gone(word.owner()) => disowned.reaped += u64::from(self.reap(index, word)),
                Phase::Reading if is_gone(word.owner()) && self.is_spent(word) => {
                    disowned.dropped += u64::from(self.free(index, word, Event::Dropped));
                }
                Phase::Reading if word.owner() != Owner::ORPHAN && is_gone(word.owner()) => {
                    let attempt = if mutant(Mutant::Forgiven) { 0 } else { word.attempt() };
                    let orphan = Word::reading(word.lap_near(0), Owner::ORPHAN, attempt);
                    if mutant(Mutant::Overwritten) {
                        self.shared.word(index).store(orphan.0, SeqCst);
                    }
                    // Lost only to somebody who adopted it: then it names that one.
                    let orphaned = self.shared.word(index).compare_exchange(word.0, orphan.0, SeqCst, Relaxed);
                    disowned.orphaned += u64::from(orphaned.is_ok());
                }
                _ => {}
            }
        }
        disowned
    }

    /// Takes a message over from a dead owner.
    pub(super) fn adopt(&self, index: usize, word: Word, me: Owner) -> Option<Taken> {
        if mutant(Mutant::Unadopted) {
            return None;
        }
        if self.is_spent(word) {
            self.free(index, word, Event::Dropped);
            return None;
        }
        let again = u32::from(!mutant(Mutant::Unflagged));
        let lap = word.lap_near(0);
        let mine = Word::reading(lap, me, word.attempt() + again);
        self.shared.word(index).compare_exchange(word.0, mine.0, SeqCst, Relaxed).ok()?;
        self.shared.count(Event::Adopted);
        Some(Taken { index, attempt: mine.attempt().into(), lap })
    }
}
