//! Messages that were handed out: one, one without its receiver, and several; and the desk that hands them out.

use super::Batch;
use super::end::{End, Tenure};
use crate::attachment::{Aim, Attachment, Until};
use crate::error::Stop;
use crate::layout;
use crate::ledger::{Handed, Ledger};
use crate::message::Message;
use crate::received::{Hold, Run};
use crate::registry::Role;
use crate::ring::spsc::{Consumer, acknowledge};
use crate::slots::Slots;
use crate::sync::Ordering::*;
use std::marker::PhantomData;
use std::sync::Arc;

/// The receiver without its message type, as its guards borrow it.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) end: End,
    pub(super) consumer: Consumer<Slots>,
    ledger: Option<Arc<Ledger>>,
    /// Whether messages are out in no simple order, so that the ledger is open.
    is_tangled: bool,
}

impl Desk {
    pub(super) fn new(end: End) -> Self {
        Self { consumer: Consumer::resume(end.slots, end.ring), end, ledger: None, is_tangled: false }
    }

    /// The next message to hand out, as position and slot.
    ///
    /// While a ledger is open or messages come again, the consumer is made to forget what it knows, so that one comparison
    /// guards the fast path against both.
    #[inline(always)]
    pub(super) fn next(&mut self, until: Until) -> Result<(Handed, usize), Stop> {
        if !self.end.is_inherited() {
            let known = self.consumer.peek_known();
            if let Some(index) = known.or_else(|| self.look()) {
                let start = self.consumer.position();
                return Ok((Handed { start, end: self.consumer.take(1), redelivered: 0 }, index));
            }
        }
        self.next_slow(until)
    }

    /// Lets `read` copy the next message out of its slot and acknowledges it, if one is waiting and comes in order.
    ///
    /// It is never noted as handed out: should the process die in the middle, nobody has seen it.
    #[inline(always)]
    pub(super) fn pass<T>(&mut self, read: impl FnOnce(&Slots, usize) -> T) -> Option<T> {
        if self.end.is_inherited() {
            return None;
        }
        let index = self.consumer.peek_known().or_else(|| self.look())?;
        let value = read(&self.end.slots, index);
        self.consumer.pass();
        self.end.freed();
        Some(value)
    }

    /// Looks at the shared tail for a message that comes in order.
    #[inline]
    fn look(&mut self) -> Option<usize> {
        if self.is_tangled {
            return None;
        }
        let index = self.consumer.peek()?;
        if self.consumer.is_again() {
            self.consumer.forget();
            return None;
        }
        Some(index)
    }

    /// As [`next`](Self::next), for whoever has looked in vain.
    #[cold]
    #[inline(never)]
    pub(super) fn next_slow(&mut self, until: Until) -> Result<(Handed, usize), Stop> {
        // The look that led here has seen everything, unless messages come out of line.
        let has_looked = !self.end.is_inherited() && !self.is_tangled && !self.consumer.is_again();
        let look = self.end.attachment.after_miss(Role::Receiver, &self.end.misses, until, has_looked)?;
        if self.end.is_inherited() {
            self.end.join(until)?;
            self.consumer = Consumer::resume(self.end.slots, self.end.ring);
            (self.ledger, self.is_tangled) = (None, false);
        }
        let position = self.consumer.position();
        self.is_tangled = self.is_tangled && !self.ledger.as_ref().is_some_and(|ledger| ledger.is_settled(position));
        let Self { end, consumer, ledger, is_tangled } = self;
        let ledger = ledger.as_ref().filter(|_| *is_tangled);
        let limit = u64::from(end.attachment.segment().header().redelivery);
        let attempt = |_| {
            loop {
                let handed = match ledger.and_then(|ledger| ledger.next_returned()) {
                    Some(handed) => handed,
                    None => {
                        if consumer.peek().is_none() {
                            return Err(Stop::NotNow);
                        }
                        let start = consumer.position();
                        // No follower of the protocol sends a lap beyond what is not done with.
                        if ledger.is_some_and(|ledger| end.ring.distance(ledger.floor(), start) >= end.ring.capacity())
                        {
                            consumer.forget();
                            return Err(Stop::Corrupt);
                        }
                        let handed = if consumer.is_again() {
                            Handed { start, redelivered: count_again(end, start), end: consumer.take_again() }
                        } else {
                            Handed { start, redelivered: 0, end: consumer.take(1) }
                        };
                        if ledger.is_some() || consumer.is_again() {
                            consumer.forget();
                        }
                        handed
                    }
                };
                let counters = &end.slots.control().counters.0;
                if handed.redelivered <= limit {
                    if handed.redelivered > 0 {
                        counters.adopted.fetch_add(1, Relaxed);
                    }
                    return Ok((handed, end.ring.index(handed.start)));
                }
                counters.dropped.fetch_add(1, Relaxed);
                settle::<[u8]>(end, ledger.map(|ledger| &**ledger), handed);
            }
        };
        end.attachment.persist(end.waiter(Aim::Message, position, look), until, attempt)
    }

    /// Whether messages are out in no simple order.
    #[inline]
    pub(super) fn is_tangled(&self) -> bool {
        self.is_tangled
    }

    /// The ledger while it is open.
    #[inline]
    fn open_ledger(&self) -> Option<&Ledger> {
        if self.is_tangled { self.ledger.as_deref() } else { None }
    }

    /// The ledger, opened for a message that will not simply be acknowledged next.
    pub(super) fn ledger_from(&mut self, floor: u64) -> &Arc<Ledger> {
        let ledger = self.ledger.get_or_insert_with(|| Arc::new(Ledger::new(floor)));
        if !self.is_tangled {
            ledger.reopen(floor);
            self.is_tangled = true;
            self.consumer.forget();
        }
        ledger
    }
}

/// Counts a delivery to a successor of a message that was out before.
fn count_again(end: &End, start: u64) -> u64 {
    let taken = &end.slots.control().taken.0;
    if taken.again.load(Relaxed) != start {
        // In this order: whoever dies in between leaves a count that is too low, never another message's.
        taken.attempts.store(0, Release);
        taken.again.store(start, Release);
    }
    let attempts = taken.attempts.load(Relaxed).saturating_add(1).min(15);
    taken.attempts.store(attempts, Release);
    attempts
}

/// Acknowledges one message, of type `M` or another that may be longer.
#[inline(always)]
fn settle<M: Message + ?Sized>(end: &End, ledger: Option<&Ledger>, handed: Handed) {
    match ledger {
        None if end.slots.have_bodies_for::<M>() => end.attachment.acknowledge_before(handed.end),
        None => acknowledge(&end.slots, handed.end),
        Some(ledger) => untangle(end, ledger, handed.start, handed.end),
    }
    end.freed();
}

/// Acknowledges one message of several that are out. (By single values: a struct would be built in memory by every caller.)
#[cold]
#[inline(never)]
fn untangle(end: &End, ledger: &Ledger, start: u64, after: u64) {
    let handed = Handed { start, end: after, redelivered: 0 };
    ledger.settle(handed, |floor| end.attachment.acknowledge_before(floor));
}

/// A message as the receiver holds it.
#[derive(Debug)]
pub struct Held<'a, M: ?Sized> {
    pub(super) desk: &'a mut Desk,
    pub(super) handed: Handed,
    pub(super) _message: PhantomData<fn(&M)>,
}

impl<M: Message + ?Sized> Hold for Held<'_, M> {
    type Owned = OwnedHeld;

    #[inline(always)]
    fn acknowledge(self) {
        if !self.desk.end.is_inherited() {
            settle::<M>(&self.desk.end, self.desk.open_ledger(), self.handed);
        }
    }

    #[cold]
    #[inline(never)]
    fn reject(self) {
        if !self.desk.end.is_inherited() {
            self.desk.end.slots.control().counters.0.rejected.fetch_add(1, Relaxed);
            let handed = self.handed;
            self.desk.ledger_from(handed.start).give_back(handed);
        }
    }

    #[inline]
    fn redelivered(&self) -> u32 {
        self.handed.redelivered as u32
    }

    fn into_owned(self) -> OwnedHeld {
        let ledger = Arc::clone(self.desk.ledger_from(self.handed.start));
        let end = &self.desk.end;
        let (attachment, tenure) = (Arc::clone(&end.attachment), Arc::clone(&end.tenure));
        OwnedHeld { ledger, me: end.me, handed: self.handed, _tenure: tenure, attachment }
    }
}

/// A message held without its receiver.
#[derive(Debug)]
pub struct OwnedHeld {
    ledger: Arc<Ledger>,
    me: u64,
    handed: Handed,
    /// Keeps the role from a successor, who would hand this very message out.
    _tenure: Arc<Tenure>,
    attachment: Arc<Attachment>,
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

/// Several messages as the receiver holds them: a run of positions.
#[derive(Debug)]
pub struct HeldRun<'a, M: Message + ?Sized> {
    pub(super) desk: &'a mut Desk,
    pub(super) first: Handed,
    pub(super) end: u64,
    pub(super) count: usize,
    pub(super) _message: PhantomData<fn(&M)>,
}

impl<M: Message + ?Sized> HeldRun<'_, M> {
    #[inline]
    fn position(&self, place: usize) -> u64 {
        self.desk.end.ring.advance(self.first.start, place as u64)
    }
}

impl<M: Message> Batch<'_, M> {
    /// The messages as two slices, up to the end of a lap and from the start of the next (often empty); `None` where slots
    /// are farther apart than messages: their size is no power of two up to 64 and no multiple of 64 bytes.
    #[inline]
    pub fn as_slices(&self) -> Option<(&[M], &[M])> {
        let run = self.run();
        let ring = run.desk.end.ring;
        let first = ring.index(run.first.start);
        let straight = run.count.min(ring.capacity() as usize - first);
        // SAFETY: this batch holds them.
        let before = unsafe { run.desk.end.slots.read_run(first, straight) }?;
        // SAFETY: as above.
        let after = unsafe { run.desk.end.slots.read_run(0, run.count - straight) }?;
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
        let index = self.desk.end.ring.index(self.position(place));
        let slots = &self.desk.end.slots;
        slots.message::<M>(index, slots.bare_payload::<M>(index))
    }

    #[inline]
    fn straight(&self, place: usize) -> Option<(usize, usize)> {
        // Known when `M` is, which makes vectors of a loop over them.
        let stride = layout::bare_stride::<M>()?;
        let ring = self.desk.end.ring;
        let to_lap = ring.capacity() as usize - ring.index(self.position(place));
        Some((to_lap.min(self.count - place), stride))
    }

    fn redelivered(&self, place: usize) -> u32 {
        if place == 0 { self.first.redelivered as u32 } else { 0 }
    }

    #[inline(always)]
    fn acknowledge(&mut self) {
        if !self.desk.end.is_inherited() {
            let all = Handed { end: self.end, ..self.first };
            settle::<M>(&self.desk.end, self.desk.open_ledger(), all);
        }
    }

    fn reject(&mut self) {
        if self.desk.end.is_inherited() {
            return;
        }
        self.desk.end.slots.control().counters.0.rejected.fetch_add(self.count as u64, Relaxed);
        for place in 0..self.count {
            let start = self.position(place);
            let end = self.desk.end.ring.next(start);
            let handed = Handed { start, end, redelivered: self.first.redelivered };
            self.desk.ledger_from(self.first.start).give_back(handed);
        }
    }
}
