//! Waiting as a task does: an operation that missed is tried again when its waker says so.
//!
//! The same looks in the same order as those of a thread that goes to sleep ([`persist`](Attachment::persist)),
//! except that it does not spin: a task that has nothing to do is not to keep others from what they have.

use super::survey::Due;
use super::{Aim, Attachment, opposite};
use crate::error::Stop;
use crate::layout::Flavour;
use crate::reactor::{Waiting, Watched};
use crate::registry::Role;
use crate::ring::mpmc::{Liveness, Shared as _};
use crate::ring::spsc;
use crate::ring::word::{Phase, Word};
use crate::slots;
use crate::sync::{Ordering::*, Private};
use crate::wait::{self, Look, Sleep};
use std::sync::Arc;
use std::task::{Context, Poll};

impl Attachment {
    /// Goes on with an operation of `role`, of a handle that is at `position`, that missed at first: done, in vain,
    /// or to be polled again when the waker is called.
    ///
    /// `attempt` says `NotNow` when it misses.
    #[cold]
    #[inline(never)]
    pub fn poll<T>(
        self: &Arc<Self>,
        (role, position): (Role, u64),
        waiting: &mut Waiting,
        context: &mut Context<'_>,
        mut attempt: impl FnMut(Look) -> Result<T, Stop>,
    ) -> Poll<Result<T, Stop>> {
        let word = self.event_of(role);
        let expected = wait::prepare(word, &self.system);
        let (how, due) = self.survey(role, Look::Search);
        let mut done = attempt(how);
        if matches!(done, Err(Stop::NotNow)) {
            self.surveyed(due);
        }
        if matches!(done, Err(Stop::NotNow)) && self.is_over(role, Aim::Message) {
            // Over, but the last word may have been said since the look: once more, after a barrier.
            self.system.barrier();
            done = match attempt(Look::Search) {
                Err(Stop::NotNow) => Err(Stop::Disconnected),
                done => done,
            };
        }
        if matches!(done, Err(Stop::NotNow)) {
            self.is_polled.set(1);
            waiting.enter(self, word, expected, (role, position), context.waker());
            return Poll::Pending;
        }
        waiting.leave();
        Poll::Ready(done)
    }
}

impl Attachment {
    /// Looks at every slot for a message, or for what a dead owner has.
    fn finds_any(&self, due: Due) -> bool {
        let found = (0..self.segment.header().capacity as usize).any(|index| {
            let word = Word(self.slots.word(index).load(Acquire));
            match word.phase() {
                Phase::Ready => true,
                Phase::Reading | Phase::Writing => self.is_dead(word.owner()),
                Phase::Empty => false,
            }
        });
        if !found {
            self.surveyed(Some(due));
        }
        found
    }
}

impl Watched for Attachment {
    /// Whether a message or a free slot is there which nobody said, because he was killed before he could, or which
    /// is a dead owner's. It may be somebody else's by the time that one looks.
    fn has_news(&self, role: Role, position: u64) -> bool {
        let word = |index| Word(self.slots.word(index).load(Acquire));
        match (self.flavour, role) {
            (Flavour::Spsc, Role::Receiver) => spsc::Shared::tail(&self.slots).load(Acquire) != position,
            (Flavour::Spsc, Role::Sender) => {
                let ring = slots::positions(self.segment.header());
                let head = ring.sound(spsc::Shared::head(&self.slots).load(Acquire));
                ring.distance(head, ring.sound(spsc::Shared::tail(&self.slots).load(Acquire))) < ring.capacity()
            }
            (Flavour::Mpmc, Role::Receiver) => {
                let core = self.core();
                let (ring, tail) = (core.positions(), core.tail());
                let mut next = core.take_from(&Private::new(position));
                let claimed = ring.distance(next, tail).min(ring.capacity());
                let is_ready = (0..claimed).any(|_| {
                    let word = word(ring.index(next));
                    next = ring.next(next);
                    word.phase() == Phase::Ready
                });
                is_ready || self.survey_due().is_some_and(|due| self.finds_any(due))
            }
            (Flavour::Mpmc, Role::Sender) => {
                let core = self.core();
                let next = word(core.positions().index(core.tail()));
                core.has_space() || (next.phase() == Phase::Writing && self.is_dead(next.owner()))
            }
        }
    }

    fn alarm(&self, role: Role) -> Option<u64> {
        let changes = self.slots.control().presence.0.changes.load(Acquire);
        self.is_void_of(opposite(role)).then_some(changes.into())
    }
}
