//! Messages that were handed out: one, one without its receiver, and several.

use super::Batch;
use super::desk::Desk;
use super::end::Tenure;
use crate::attachment::Attachment;
use crate::layout;
use crate::ledger::{Handed, Ledger};
use crate::message::Message;
use crate::received::{Hold, Run};
use crate::registry::Role;
use crate::sync::Ordering::*;
use std::marker::PhantomData;
use std::sync::Arc;

/// A message as the receiver holds it: the last that it handed out.
#[derive(Debug)]
pub struct Held<'a, M: ?Sized> {
    pub(super) desk: &'a mut Desk,
    pub(super) _message: PhantomData<fn(&M)>,
}

impl<M: Message + ?Sized> Hold for Held<'_, M> {
    type Owned = OwnedHeld;

    #[inline(always)]
    fn acknowledge(self) {
        self.desk.settle::<M>();
    }

    #[inline(always)]
    fn reject(self) {
        self.desk.reject(1);
    }

    #[inline(always)]
    fn release(self) {
        self.desk.release::<M>(1);
    }

    #[inline]
    fn redelivered(&self) -> u32 {
        self.desk.redelivered()
    }

    #[inline]
    fn into_owned(self) -> OwnedHeld {
        self.desk.own()
    }
}

/// A message held without its receiver.
#[derive(Debug)]
pub struct OwnedHeld {
    pub(super) ledger: Arc<Ledger>,
    pub(super) me: u64,
    pub(super) handed: Handed,
    /// Keeps the role from a successor, who would hand this very message out.
    pub(super) _tenure: Arc<Tenure>,
    pub(super) attachment: Arc<Attachment>,
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
            self.ledger.settle(self.handed, |floor| self.attachment.acknowledge_before(floor));
            self.attachment.announce(Role::Sender);
        }
    }

    fn reject(self) {
        if !self.is_inherited() {
            self.attachment.slots().control().counters.0.rejected.fetch_add(1, Relaxed);
            self.ledger.give_back(self.handed);
            self.attachment.announce(Role::Receiver);
        }
    }

    fn redelivered(&self) -> u32 {
        self.handed.redelivered as u32
    }

    fn into_owned(self) -> Self {
        self
    }
}

/// Several messages as the receiver holds them, a run of positions: the last that it handed out.
#[derive(Debug)]
pub struct HeldRun<'a, M: Message + ?Sized> {
    pub(super) desk: &'a mut Desk,
    pub(super) start: u64,
    pub(super) count: usize,
    pub(super) _message: PhantomData<fn(&M)>,
}

impl<M: Message + ?Sized> HeldRun<'_, M> {
    #[inline]
    fn position(&self, place: usize) -> u64 {
        self.desk.consumer.ring().advance(self.start, place as u64)
    }
}

impl<M: Message> Batch<'_, M> {
    /// The messages as two slices, up to the end of a lap and from the start of the next (often empty); `None` where slots
    /// are farther apart than messages: their size is no power of two from 8 to 64 and no multiple of 64 bytes.
    #[inline]
    pub fn as_slices(&self) -> Option<(&[M], &[M])> {
        let run = self.run();
        let ring = run.desk.consumer.ring();
        let first = ring.index(run.start);
        let straight = run.count.min(ring.capacity() as usize - first);
        // SAFETY: this batch holds them.
        let before = unsafe { run.desk.slots().read_run(first, straight) }?;
        // SAFETY: as above.
        let after = unsafe { run.desk.slots().read_run(0, run.count - straight) }?;
        Some((before, after))
    }
}

impl<M: Message + ?Sized> Run for HeldRun<'_, M> {
    #[inline]
    fn len(&self) -> usize {
        self.count
    }

    #[inline]
    fn at(&self, place: usize) -> (*const u8, Option<usize>) {
        let index = self.desk.consumer.ring().index(self.position(place));
        let slots = self.desk.slots();
        slots.message::<M>(index, slots.bare_payload::<M>(index))
    }

    #[inline]
    fn straight(&self, place: usize) -> Option<(usize, usize)> {
        // Known when `M` is, which makes vectors of a loop over them.
        let stride = layout::bare_stride::<M>()?;
        let ring = self.desk.consumer.ring();
        let to_lap = ring.capacity() as usize - ring.index(self.position(place));
        Some((to_lap.min(self.count - place), stride))
    }

    fn redelivered(&self, place: usize) -> u32 {
        // What came out of line came alone.
        if place == 0 { self.desk.redelivered() } else { 0 }
    }

    #[inline(always)]
    fn acknowledge(&mut self) {
        self.desk.settle::<M>();
    }

    #[inline(always)]
    fn reject(&mut self) {
        self.desk.reject(self.count);
    }

    #[inline(always)]
    fn release(&mut self) {
        self.desk.release::<M>(self.count);
    }
}
