//! Messages that were handed out: one, one without its receiver, and several.

use super::end::End;
use crate::attachment::Attachment;
use crate::layout;
use crate::message::Message;
use crate::owner::Owner;
use crate::received::{Hold, Run};
use crate::registry::Role;
use crate::ring::mpmc::Taken;
use crate::sync::{Mutant, Ordering::Relaxed, mutant};
use smallvec::SmallVec;
use std::marker::PhantomData;
use std::sync::Arc;

/// A message as a receiver holds it.
#[derive(Debug)]
pub struct Held<'a, M: ?Sized> {
    pub(super) receiver: &'a End,
    pub(super) taken: Taken,
    pub(super) me: u64,
    pub(super) _message: PhantomData<fn(&M)>,
}

impl<M: Message + ?Sized> Hold for Held<'_, M> {
    type Owned = OwnedHeld;

    #[inline(always)]
    fn acknowledge(self) {
        if !self.receiver.is_inherited(self.me) && !mutant(Mutant::AcknowledgeFirst) {
            self.receiver.acknowledge::<M>(self.taken);
            self.receiver.freed();
        }
    }

    #[inline(always)]
    fn reject(self) {
        let Taken { index, attempt, lap } = self.taken;
        self.receiver.reject(self.me, index, attempt, lap);
    }

    #[inline]
    fn redelivered(&self) -> u32 {
        self.taken.attempt as u32
    }

    fn into_owned(self) -> OwnedHeld {
        OwnedHeld { attachment: Arc::clone(&self.receiver.attachment), taken: self.taken, me: self.me }
    }
}

/// A message held without its receiver.
#[derive(Debug)]
pub struct OwnedHeld {
    attachment: Arc<Attachment>,
    taken: Taken,
    me: u64,
}

impl OwnedHeld {
    fn is_inherited(&self) -> bool {
        self.attachment.registry().me().load(Relaxed) != self.me
    }
}

impl Hold for OwnedHeld {
    type Owned = Self;

    fn acknowledge(self) {
        if !self.is_inherited() {
            self.attachment.acknowledge(self.taken.index, self.taken.lap);
            self.attachment.announce(Role::Sender);
        }
    }

    fn reject(self) {
        if !self.is_inherited() {
            self.attachment.core().reject(self.taken);
            self.attachment.announce(Role::Receiver);
        }
    }

    fn redelivered(&self) -> u32 {
        self.taken.attempt as u32
    }

    fn into_owned(self) -> Self {
        self
    }
}

/// Several messages as a receiver holds them: first those that simply followed each other, which two numbers tell, then others.
#[derive(Debug)]
pub struct HeldRun<'a, M: Message + ?Sized> {
    receiver: &'a End,
    start: u64,
    count: usize,
    pub(super) others: SmallVec<[Taken; 8]>,
    me: u64,
    _message: PhantomData<fn(&M)>,
}

impl<'a, M: Message + ?Sized> HeldRun<'a, M> {
    /// The `count` messages that `me` took from position `start` on.
    #[inline]
    pub(super) fn new(receiver: &'a End, start: u64, count: usize, me: Owner) -> Self {
        Self { receiver, start, count, others: SmallVec::new(), me: me.bits(), _message: PhantomData }
    }

    /// The message at `place` in the run.
    #[inline]
    fn taken(&self, place: usize) -> Taken {
        if place >= self.count {
            return self.others[place - self.count];
        }
        let ring = self.receiver.core.positions();
        self.simple(ring.advance(self.start, place as u64))
    }

    /// The message at a position, which simply came next.
    #[inline]
    fn simple(&self, position: u64) -> Taken {
        let ring = self.receiver.core.positions();
        Taken { index: ring.index(position), attempt: 0, lap: ring.lap(position) }
    }

    /// Does something with each.
    #[inline]
    fn for_each(&self, mut work: impl FnMut(Taken)) {
        let mut position = self.start;
        for _ in 0..self.count {
            work(self.simple(position));
            position = self.receiver.core.positions().next(position);
        }
        self.others.iter().for_each(|&taken| work(taken));
    }
}

impl<M: Message + ?Sized> Run for HeldRun<'_, M> {
    #[inline]
    fn len(&self) -> usize {
        self.count + self.others.len()
    }

    #[inline]
    fn at(&self, place: usize) -> (*const u8, Option<usize>) {
        let (slots, index) = (self.receiver.core.shared(), self.taken(place).index);
        slots.message::<M>(index, slots.payload_of::<M>(index))
    }

    #[inline]
    fn straight(&self, place: usize) -> Option<(usize, usize)> {
        let stride = layout::slot_stride::<M>().filter(|_| place < self.count)?;
        let ring = self.receiver.core.positions();
        let to_lap = ring.capacity() as usize - self.taken(place).index;
        Some((to_lap.min(self.count - place), stride))
    }

    fn redelivered(&self, place: usize) -> u32 {
        self.taken(place).attempt as u32
    }

    fn acknowledge(&mut self) {
        if !self.receiver.is_inherited(self.me) {
            self.for_each(|taken| self.receiver.acknowledge::<M>(taken));
            self.receiver.freed();
        }
    }

    fn reject(&mut self) {
        if !self.receiver.is_inherited(self.me) {
            self.for_each(|taken| self.receiver.core.reject(taken));
            self.receiver.filled();
        }
    }
}
