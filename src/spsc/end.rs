//! What the sender and the receiver have in common: who they act as, and what the role is worth after a fork.

use crate::attachment::{Aim, Attachment, Until, Waiter};
use crate::error::{JoinError, Stop};
use crate::os::fork::Marker;
use crate::owner::Owner;
use crate::registry::Role;
use crate::ring::position::Positions;
use crate::ring::spsc::Shared;
use crate::slots::{self, Slots};
use crate::sync::{AtomicU64, Ordering::*, Private};
use crate::wait::{self, Look, Patience, System};
use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Whether a handle may do what it does for most messages, as one word says that the kernel wipes in a forked child.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pass(NonNull<AtomicU64>);

// SAFETY: the word belongs to the end, and whoever has a pass keeps that.
unsafe impl Send for Pass {}
// SAFETY: as above; all access is atomic.
unsafe impl Sync for Pass {}

impl Pass {
    /// Whether it may. If not, the handle came through a fork, or somebody [took it away](Self::give).
    #[inline(always)]
    pub(super) fn is_good(self) -> bool {
        self.word().load(Relaxed) != 0
    }

    /// Allows it, or not.
    pub(super) fn give(self, is_good: bool) {
        self.word().store(is_good.into(), Relaxed);
    }

    #[inline(always)]
    fn word(&self) -> &AtomicU64 {
        // SAFETY: the end lives.
        unsafe { self.0.as_ref() }
    }
}

/// One handle's end of the ring, sending or receiving: all of it that a message does not need.
#[derive(Debug)]
pub(super) struct End {
    pub(super) slots: Slots,
    pub(super) ring: Positions,
    pub(super) system: System,
    /// Who this handle acts as; not what the registry says, in a forked child.
    pub(super) me: u64,
    marker: Marker,
    pub(super) role: Role,
    pub(super) misses: Private,
    pub(super) patience: Patience,
    pub(super) attachment: Arc<Attachment>,
    pub(super) tenure: Arc<Tenure>,
    /// A role has one user at a time.
    _not_sync: PhantomData<Cell<()>>,
}

impl End {
    pub(super) fn enter(attachment: &Arc<Attachment>, role: Role) -> Result<Self, JoinError> {
        let marker = Marker::new()?;
        let me = attachment.enter(role)?;
        marker.number().store(1, Relaxed);
        let tenure = Arc::new(Tenure { attachment: Arc::clone(attachment), role, me });
        let header = attachment.segment().header();
        Ok(Self {
            slots: attachment.slots(),
            ring: slots::positions(header),
            system: attachment.system(),
            me: me.bits(),
            marker,
            role,
            misses: Private::new(0),
            patience: Patience::new(header.spin_ns.into()),
            attachment: Arc::clone(attachment),
            tenure,
            _not_sync: PhantomData,
        })
    }

    /// What says whether this handle may do what it does for most messages.
    pub(super) fn pass(&self) -> Pass {
        Pass(NonNull::from(self.marker.number()))
    }

    /// Whether this handle came through a fork, so that the role is not this process's.
    pub(super) fn is_inherited(&self) -> bool {
        self.attachment.registry().me().load(Relaxed) != self.me
    }

    /// Takes the role on in a forked child. While the parent has it, waits a while: it may be about to drop its copy.
    #[cold]
    #[inline(never)]
    pub(super) fn join(&mut self, until: Until) -> Result<(), Stop> {
        let patience = Instant::now() + Duration::from_secs(1);
        loop {
            match self.attachment.enter(self.role) {
                Ok(me) => {
                    let attachment = Arc::clone(&self.attachment);
                    self.tenure = Arc::new(Tenure { attachment, role: self.role, me });
                    self.me = me.bits();
                    self.pass().give(true);
                    return Ok(());
                }
                Err(error) => {
                    let now = Instant::now();
                    let give_up = match until {
                        Until::Now => true,
                        Until::Deadline(deadline) => now >= deadline.min(patience),
                        Until::Forever => now >= patience,
                    };
                    if give_up || !error.is_role_taken() {
                        return Err(Stop::Join(error));
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        }
    }

    /// How an operation goes on that missed: see [`Attachment::after_miss`].
    ///
    /// To be asked before a handle leaves a [note](crate::ring::spsc::Note) of its place: whoever polls misses most of the time, and writing
    /// that took longer than the look.
    #[inline(always)]
    pub(super) fn after_miss(&self, until: Until, has_looked: bool) -> Result<Look, Stop> {
        match until {
            Until::Now => self.after_try(has_looked).ok_or(Stop::NotNow),
            _ => Ok(Look::Search),
        }
    }

    /// As [`after_miss`](Self::after_miss), if it must not wait.
    #[cold]
    #[inline(never)]
    pub(super) fn after_try(&self, has_looked: bool) -> Option<Look> {
        self.attachment.after_miss(self.role, &self.misses, has_looked)
    }

    /// This handle as one that missed at `position` and, if it must not wait, makes one more `look`.
    pub(super) fn waiter(&self, aim: Aim, position: u64, look: Look) -> Waiter<'_> {
        Waiter { role: self.role, aim, patience: &self.patience, position, look }
    }

    /// After a commit, for the receiver. Returns whether the ring is closed. (`slots` are its own, at hand.)
    #[inline(always)]
    pub(super) fn filled(&self, slots: &Slots) -> bool {
        wait::after_publishing(&slots.control().filled.0, &self.system)
    }

    /// After an acknowledgement, for the sender.
    #[inline(always)]
    pub(super) fn freed(&self, slots: &Slots) {
        wait::after_publishing(&slots.control().freed.0, &self.system);
    }
}

/// A role that this process has, for as long as its handle or a message that the handle gave out lives: a successor
/// would be handed the slots of those messages.
#[derive(Debug)]
pub(super) struct Tenure {
    attachment: Arc<Attachment>,
    role: Role,
    me: Owner,
}

impl Drop for Tenure {
    fn drop(&mut self) {
        self.attachment.leave(self.role, self.me);
    }
}

/// Messages not acknowledged.
pub(super) fn backlog(end: &End) -> usize {
    // Head first: read the other way round, it could have overtaken the tail.
    let head = end.ring.sound(end.slots.head().load(Acquire));
    let tail = end.ring.sound(end.slots.tail().load(Acquire));
    end.ring.distance(head, tail).min(end.ring.capacity()) as usize
}
