//! What a sender and a receiver have in common: who they act as, where they believe the ring to be, and how they wait.

use crate::attachment::{Aim, Attachment, Until, Waiter};
use crate::error::{JoinError, Stop};
use crate::message::Message;
use crate::owner::Owner;
use crate::registry::Role;
use crate::ring::mpmc::{Claim, Core, Miss, Taken};
use crate::ring::word::Phase;
use crate::slots::Slots;
use crate::sync::{AtomicU64, Ordering::Relaxed, Private};
use crate::wait::{self, Look, Patience, System};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

/// What a handle acts as that could not join: no owner's bits, and not the zero of a forked child's marker either.
const NOBODY: u64 = u64::MAX;

/// Messages of a batch that are worth no rest if they are there.
const ENOUGH: usize = 16;

/// One handle's end of the ring, sending or receiving.
#[derive(Debug)]
pub(super) struct End {
    pub(super) core: Core<Slots>,
    /// Where this handle believes the tail or the head to be.
    pub(super) cursor: Private,
    /// Who this handle acts as; not what `marker` says, in a forked child that has not joined yet.
    pub(super) me: Private,
    pub(super) marker: NonNull<AtomicU64>,
    pub(super) system: System,
    pub(super) role: Role,
    pub(super) misses: Private,
    /// Rejections counted by the ring when this handle last looked at every slot.
    pub(super) rejected: Private,
    /// Whether the last batch ended with a look in vain.
    is_dry: Private,
    pub(super) patience: Patience,
    pub(super) attachment: Arc<Attachment>,
}

// SAFETY: `marker` points into `attachment`, which is shared and outlives it; all else is atomics and plain numbers.
unsafe impl Send for End {}
// SAFETY: as above.
unsafe impl Sync for End {}

impl End {
    pub(super) fn enter(attachment: &Arc<Attachment>, role: Role) -> Result<Self, JoinError> {
        let me = attachment.enter(role)?;
        Ok(Self::joined(attachment, role, me.bits()))
    }

    pub(super) fn joined(attachment: &Arc<Attachment>, role: Role, me: u64) -> Self {
        let core = attachment.core();
        // Not from zero: after a whole wrap of the laps, that is no lower bound any more.
        let start = match role {
            Role::Sender => core.claim_from(&Private::new(0)),
            Role::Receiver => core.take_from(&Private::new(0)),
        };
        Self {
            core,
            cursor: Private::new(start),
            me: Private::new(me),
            marker: NonNull::from(attachment.registry().me()),
            system: attachment.system(),
            role,
            misses: Private::new(0),
            rejected: Private::new(0),
            is_dry: Private::new(0),
            patience: Patience::new(attachment.segment().header().spin_ns.into()),
            attachment: Arc::clone(attachment),
        }
    }

    /// Another handle of the same role. One that cannot join says so when it is used.
    pub(super) fn another(&self) -> Self {
        let me = self.attachment.enter(self.role).map_or(NOBODY, Owner::bits);
        let end = Self::joined(&self.attachment, self.role, me);
        end.cursor.set(self.cursor.get());
        end
    }

    /// Who this handle acts as; joins first in a forked child.
    #[inline]
    pub(super) fn me(&self) -> Result<Owner, Stop> {
        let me = self.me.get();
        // SAFETY: points into `self.attachment`.
        let marker = unsafe { self.marker.as_ref() };
        if marker.load(Relaxed) == me { Ok(Owner::from_bits(me)) } else { self.join() }
    }

    /// Whether what was claimed as `me` is another process's: its parent's, after a fork.
    #[inline]
    pub(super) fn is_inherited(&self, me: u64) -> bool {
        // SAFETY: points into `self.attachment`.
        unsafe { self.marker.as_ref() }.load(Relaxed) != me
    }

    #[cold]
    #[inline(never)]
    fn join(&self) -> Result<Owner, Stop> {
        // Of several threads that share the handle one joins for all.
        static JOINING: Mutex<()> = Mutex::new(());
        let _one = JOINING.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.attachment.registry().me().load(Relaxed);
        if now != 0 && now == self.me.get() {
            return Ok(Owner::from_bits(now));
        }
        let me = self.attachment.enter(self.role).map_err(Stop::Join)?;
        self.me.set(me.bits());
        Ok(me)
    }

    /// Acknowledges a message.
    #[inline(always)]
    pub(super) fn acknowledge<M: Message + ?Sized>(&self, taken: Taken) {
        if self.core.shared().have_bodies_for::<M>() {
            self.attachment.acknowledge(taken.index, taken.lap);
        } else if let Some(slots) = self.core.shared().typed::<M>() {
            self.core.over(slots).acknowledge(taken);
        } else {
            self.core.acknowledge(taken);
        }
    }

    /// Gives back a message that was received as `me`. (By single numbers: a guard would lie in memory for it.)
    #[cold]
    #[inline(never)]
    pub(super) fn reject(&self, me: u64, index: usize, attempt: u64, lap: u64) {
        if !self.is_inherited(me) {
            self.core.reject(Taken { index, attempt, lap });
            self.filled();
        }
    }

    /// Publishes the message in a claimed slot.
    #[inline(always)]
    pub(super) fn commit<M: Message + ?Sized>(&self, claim: Claim) {
        match self.core.shared().typed::<M>() {
            Some(slots) => self.core.over(slots).commit(claim),
            None => self.core.commit(claim),
        }
    }

    /// After a commit, for the receivers. Returns whether the ring is closed.
    #[inline(always)]
    pub(super) fn filled(&self) -> bool {
        wait::after_publishing(&self.core.shared().control().filled.0, &self.system)
    }

    /// After an acknowledgement, for the senders.
    #[inline(always)]
    pub(super) fn freed(&self) {
        wait::after_publishing(&self.core.shared().control().freed.0, &self.system);
    }

    #[inline(always)]
    pub(super) fn claim<M: Message + ?Sized>(&self, until: Until) -> Result<Claim, Stop> {
        let me = self.me()?;
        let claim = match self.core.shared().typed::<M>() {
            Some(slots) => self.core.over(slots).claim_next(&self.cursor, me),
            None => self.core.claim_next(&self.cursor, me),
        };
        match claim {
            Some(claim) => Ok(claim),
            None => self.claim_slow(me, until),
        }
    }

    #[cold]
    #[inline(never)]
    fn claim_slow(&self, me: Owner, until: Until) -> Result<Claim, Stop> {
        let attempt = || stopped(self.core.claim(&self.cursor, me, &*self.attachment));
        match attempt() {
            Err(Stop::NotNow) => {
                let look = self.after_miss(until, true)?;
                let next = || self.core.claim_next(&self.cursor, me);
                self.persist(Aim::Message, look, until, next, |_| attempt())
            }
            done => done,
        }
    }

    #[inline(always)]
    pub(super) fn take<M: Message + ?Sized>(&self, until: Until) -> Result<Taken, Stop> {
        let me = self.me()?;
        let taken = match self.core.shared().typed::<M>() {
            Some(slots) => self.core.over(slots).take_next(&self.cursor, me),
            None => self.core.take_next(&self.cursor, me),
        };
        match taken {
            Some(taken) => Ok(taken),
            None => self.take_slow(me, until),
        }
    }

    #[cold]
    #[inline(never)]
    fn take_slow(&self, me: Owner, until: Until) -> Result<Taken, Stop> {
        // Where nothing was sent yet, no walk finds more, and would take the line from whoever is about to.
        if self.core.pending(&self.cursor) != Some(Phase::Empty) {
            match stopped(self.core.take(&self.cursor, me, &*self.attachment)) {
                Err(Stop::NotNow) => (),
                done => return done,
            }
        }
        self.is_dry.set(0);
        let rejected = self.core.shared().rejected();
        let look = self.after_miss(until, rejected == self.rejected.get())?;
        let next = || self.core.take_next(&self.cursor, me);
        let other = |look| match look {
            Look::Glance if self.is_nothing_new() => Err(Stop::NotNow),
            look => self.take_or_search(me, look),
        };
        self.persist(Aim::Message, look, until, next, other)
    }

    /// Before a batch of up to `max`, by a receiver that may wait: if the last one ended with a look in vain, rests as after any other
    /// miss (see [`Patience`]), unless a good part of the batch is there.
    #[inline]
    pub(super) fn rest_before_batch(&self, max: usize) {
        if self.is_dry.get() != 0 {
            self.is_dry.set(0);
            if !self.core.is_ready_ahead(&self.cursor, max.clamp(1, ENOUGH) as u64 - 1) {
                self.patience.pause(self.cursor.get(), self.core.positions().capacity());
            }
        }
    }

    /// Takes the messages that simply follow `first`, so that there are `most` with it at the most. Returns where they begin and how
    /// many there are with it; none, if it did not simply come next itself.
    #[inline(always)]
    pub(super) fn take_run<M: Message + ?Sized>(&self, first: Taken, most: usize, me: Owner) -> (u64, usize) {
        let ring = self.core.positions();
        let start = ring.at(first.lap, first.index);
        let next = ring.next(start);
        if first.attempt > 0 || self.cursor.get() != next {
            return (start, 0);
        }
        let (more, next) = match self.core.shared().typed::<M>() {
            Some(slots) => self.core.over(slots).take_run(next, most - 1, me),
            None => self.core.take_run(next, most - 1, me),
        };
        self.cursor.set(next);
        self.is_dry.set(0);
        (start, 1 + more)
    }

    /// Takes another message of a batch, if there is one. `is_round`: the batch began beyond a slow writer.
    #[inline(always)]
    pub(super) fn take_more(&self, me: Owner, is_round: bool) -> Option<Taken> {
        let taken = match is_round {
            false => self.core.take_more(&self.cursor, me, &*self.attachment),
            true => self.core.take(&self.cursor, me, &*self.attachment).ok(),
        };
        self.is_dry.set(taken.is_none().into());
        taken
    }

    /// Whether there is nothing to find at a glance, as a few loads say: no message where the next is expected, none rejected.
    #[inline(always)]
    fn is_nothing_new(&self) -> bool {
        self.core.pending(&self.cursor) == Some(Phase::Empty) && self.core.shared().rejected() == self.rejected.get()
    }

    /// Takes the next message; if there is none, and it is time to or something was rejected, one of the dead's.
    #[inline(never)]
    pub(super) fn take_or_search(&self, me: Owner, look: Look) -> Result<Taken, Stop> {
        let result = self.core.take(&self.cursor, me, &*self.attachment);
        let rejected = self.core.shared().rejected();
        if result != Err(Miss::NotNow) || (look == Look::Glance && rejected == self.rejected.get()) {
            return stopped(result);
        }
        let found = self.core.sweep(me, &*self.attachment);
        // Where one was found, there may be more: the next miss searches as well.
        self.rejected.set(if found.is_none() { rejected } else { !rejected });
        // The search may have freed slots, and memory.
        self.freed();
        self.attachment.tidy_up();
        found.map_or_else(|| stopped(self.core.take(&self.cursor, me, &*self.attachment)), Ok)
    }

    fn after_miss(&self, until: Until, has_looked: bool) -> Result<Look, Stop> {
        match until {
            Until::Now => self.attachment.after_miss(self.role, &self.misses, has_looked).ok_or(Stop::NotNow),
            _ => Ok(Look::Search),
        }
    }

    /// Goes on with an operation that missed, which makes one more `look` if it must not wait: see [`Attachment::persist`].
    #[inline(always)]
    pub(super) fn persist<T>(
        &self,
        aim: Aim,
        look: Look,
        until: Until,
        glance: impl FnMut() -> Option<T>,
        attempt: impl FnMut(Look) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let (patience, position) = (&self.patience, self.cursor.get());
        self.attachment.persist(Waiter { role: self.role, aim, patience, position, look }, until, glance, attempt)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if self.me.get() != NOBODY {
            self.attachment.leave(self.role, Owner::from_bits(self.me.get()));
        }
    }
}

/// A miss as the reason to stop.
#[inline]
fn stopped<T>(result: Result<T, Miss>) -> Result<T, Stop> {
    result.map_err(|miss| match miss {
        Miss::NotNow => Stop::NotNow,
        Miss::Corrupt => Stop::Corrupt,
    })
}
