//! The desk that hands messages out and takes them back: a receiver but for the type of its messages.
//!
//! As long as messages are handed out one after the other, and each is acknowledged before the next, a position says all; and since the
//! last one that was handed out is the one that a guard holds, the guard need not say which it is. What comes out of that
//! order (a rejected message, one that is kept while others come, one that a predecessor had) goes the long way, through
//! the [ledger](crate::ledger) and `Back::last`.

use super::end::{End, Pass};
use super::held::OwnedHeld;
use crate::attachment::{Aim, Until};
use crate::error::Stop;
use crate::ledger::{Handed, Ledger};
use crate::message::Message;
use crate::ring::position::Positions;
use crate::ring::spsc::{Consumer, Note, acknowledge};
use crate::slots::Slots;
use crate::sync::Ordering::*;
use crate::wait::Look;
use std::sync::Arc;

/// The receiver without its message type, as its guards borrow it.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) consumer: Consumer<Slots>,
    /// Not good while messages are out in no simple order, and the ledger is open: one comparison guards the fast path against that
    /// and a fork.
    pass: Pass,
    /// All that a message does not need. (Elsewhere, so that nothing that is called has a reference to the rest: see `ring::spsc`.)
    back: Box<Back>,
}

/// What a receiver seldom needs.
#[derive(Debug)]
#[repr(align(128))]
struct Back {
    end: End,
    /// Where in the ring whoever comes here goes on, and where he went on then.
    at: Note,
    ledger: Option<Arc<Ledger>>,
    /// Whether messages are out in no simple order, so that the ledger is open.
    is_tangled: bool,
    /// Messages before this position were handed out by a predecessor.
    again: u64,
    /// The last message that was handed out, if it came again or while the ledger was open.
    last: Handed,
}

impl Desk {
    pub(super) fn new(end: End) -> Self {
        let (consumer, pass) = (Consumer::resume(end.slots, end.ring), end.pass());
        let last = Handed { start: 0, end: 0, redelivered: 0 };
        let back = Back { end, at: Note::default(), ledger: None, is_tangled: false, again: consumer.again(), last };
        Self { consumer, pass, back: Box::new(back) }
    }

    /// The slots of the ring.
    #[inline(always)]
    pub(super) fn slots(&self) -> &Slots {
        self.consumer.shared()
    }

    /// What is seldom needed of the ring.
    #[inline]
    pub(super) fn end(&self) -> &End {
        &self.back.end
    }

    /// Whether the receiver came through a fork and has not been used since.
    pub(super) fn is_inherited(&self) -> bool {
        self.back.end.is_inherited()
    }

    /// The slot of the next message, which is handed out.
    ///
    /// While a ledger is open the pass is not good. While messages come again, the consumer is made to forget what it knows, so that
    /// what it knows comes for the first time.
    #[inline(always)]
    pub(super) fn next(&mut self, until: Until) -> Result<usize, Stop> {
        if self.pass.is_good() {
            let known = self.consumer.peek_known();
            if let Some(index) = known.or_else(|| self.look()) {
                self.consumer.take(1);
                return Ok(index);
            }
        }
        self.next_slow(until)
    }

    /// Lets `read` copy the next message out of its slot and acknowledges it, if one is waiting and comes in order.
    ///
    /// It is never noted as handed out: should the process die in the middle, nobody has seen it.
    #[inline(always)]
    pub(super) fn pass<T>(&mut self, read: impl Fn(&Slots, usize) -> T) -> Option<T> {
        if !self.pass.is_good() {
            return None;
        }
        // Two ways to the end: as in `Sender::put`.
        if let Some(index) = self.consumer.peek_known() {
            return Some(self.pass_by(index, read));
        }
        let index = self.look()?;
        Some(self.pass_by(index, read))
    }

    #[inline(always)]
    fn pass_by<T>(&mut self, index: usize, read: impl Fn(&Slots, usize) -> T) -> T {
        let value = read(self.consumer.shared(), index);
        self.consumer.pass();
        self.back.end.freed(self.slots());
        value
    }

    /// Looks at the shared tail for a message that comes in order.
    #[inline]
    fn look(&mut self) -> Option<usize> {
        let index = self.consumer.peek()?;
        if self.consumer.is_again() {
            self.consumer.forget();
            return None;
        }
        Some(index)
    }

    /// As [`next`](Self::next), for whoever has looked in vain.
    #[inline(always)]
    pub(super) fn next_slow(&mut self, until: Until) -> Result<usize, Stop> {
        // The look that led here has seen everything, unless messages come out of line.
        let has_looked = self.pass.is_good() && !self.consumer.is_again();
        let look = match until {
            Until::Now => self.back.after_try(has_looked, self.consumer.position()).ok_or(Stop::NotNow)?,
            _ => Look::Search,
        };
        self.consumer.leave(&self.back.at);
        let next = self.back.next(until, look);
        self.consumer.go_on(&self.back.at);
        next
    }

    /// Acknowledges what was handed out last, of type `M` or another that may be longer.
    #[inline(always)]
    pub(super) fn settle<M: Message + ?Sized>(&mut self) {
        if self.pass.is_good() { self.acknowledge::<M>() } else { self.back.untangle() }
    }

    /// Acknowledges what was handed out last, `count` messages; gives it back in a panic.
    #[inline(always)]
    pub(super) fn release<M: Message + ?Sized>(&mut self, count: usize) {
        if self.pass.is_good() && !std::thread::panicking() {
            self.acknowledge::<M>();
        } else if self.back.release(self.consumer.position(), count) {
            self.consumer.forget();
        }
    }

    /// Acknowledges what was handed out last, in order.
    #[inline(always)]
    fn acknowledge<M: Message + ?Sized>(&self) {
        let end = self.consumer.position();
        if self.slots().have_bodies_for::<M>() {
            self.back.end.attachment.acknowledge_before(end);
        } else {
            acknowledge(self.slots(), end);
        }
        self.back.end.freed(self.slots());
    }

    /// Gives back what was handed out last: `count` messages.
    #[inline(always)]
    pub(super) fn reject(&mut self, count: usize) {
        if self.back.reject(self.consumer.position(), count) {
            self.consumer.forget();
        }
    }

    /// What was handed out last, for whoever keeps it without the receiver.
    #[inline(always)]
    pub(super) fn own(&mut self) -> OwnedHeld {
        let held = self.back.own(self.consumer.position());
        self.consumer.forget();
        held
    }

    /// Whether what was handed out last came in order, and for the first time.
    #[inline]
    pub(super) fn is_in_order(&self) -> bool {
        !self.back.is_tangled && Positions::is_after(self.consumer.position(), self.consumer.again())
    }

    /// The position of the one message that was handed out last.
    #[inline]
    pub(super) fn last_start(&self) -> u64 {
        match self.is_in_order() {
            true => self.consumer.ring().retreat(self.consumer.position(), 1),
            false => self.back.last.start,
        }
    }

    /// How often what was handed out last was handed out before.
    #[inline]
    pub(super) fn redelivered(&self) -> u32 {
        if self.is_in_order() { 0 } else { self.back.last.redelivered as u32 }
    }
}

impl Back {
    /// How a try goes on that missed at `position`: see [`End::after_miss`]. Asks for that message's lines, for the next try.
    #[cold]
    #[inline(never)]
    fn after_try(&self, has_looked: bool, position: u64) -> Option<Look> {
        self.end.slots.expect(self.end.ring.index(position));
        self.end.after_try(has_looked)
    }

    #[cold]
    #[inline(never)]
    fn next(&mut self, until: Until, look: Look) -> Result<usize, Stop> {
        let mut consumer = Consumer::going_on(self.end.slots, self.end.ring, &self.at);
        let next = self.next_by(&mut consumer, until, look);
        consumer.leave(&self.at);
        next
    }

    fn next_by(&mut self, consumer: &mut Consumer<Slots>, until: Until, look: Look) -> Result<usize, Stop> {
        let is_inherited = self.end.is_inherited();
        let has_looked = !is_inherited && !self.is_tangled && !consumer.is_again();
        if is_inherited {
            self.end.join(until)?;
            *consumer = Consumer::resume(self.end.slots, self.end.ring);
            (self.ledger, self.is_tangled, self.again) = (None, false, consumer.again());
        }
        let position = consumer.position();
        if self.is_tangled && self.ledger.as_ref().is_some_and(|ledger| ledger.is_settled(position)) {
            self.is_tangled = false;
            self.end.pass().give(true);
        }
        let end = &self.end;
        let ledger = self.ledger.as_deref().filter(|_| self.is_tangled);
        let last = &mut self.last;
        let waiter = end.waiter(Aim::Message, position, look);
        if ledger.is_some() || consumer.is_again() {
            // Nobody has looked yet.
            return match next_out_of_order(end, ledger, consumer, last) {
                Err(Stop::NotNow) => {
                    let next = |_| next_out_of_order(end, ledger, consumer, last);
                    end.attachment.persist(waiter, until, || None, next)
                }
                done => done,
            };
        }
        let mut next = || {
            let Some(index) = consumer.peek() else {
                consumer.shared().expect(consumer.ring().index(consumer.position()));
                return None;
            };
            consumer.take(1);
            Some(index)
        };
        if !has_looked && let Some(index) = next() {
            return Ok(index);
        }
        end.attachment.persist(waiter, until, next, |_| Err(Stop::NotNow))
    }

    /// Acknowledges what was handed out last while the ledger was open; nothing, in a forked child.
    #[cold]
    #[inline(never)]
    fn untangle(&self) {
        debug_assert!(self.is_tangled || self.end.is_inherited(), "no other reason to come here");
        if let Some(ledger) = &self.ledger
            && self.is_tangled
            && !self.end.is_inherited()
        {
            settle(&self.end, ledger, self.last);
            self.end.freed(&self.end.slots);
        }
    }

    /// As [`untangle`](Self::untangle) or, in a panic, [`reject`](Self::reject).
    #[cold]
    #[inline(never)]
    fn release(&mut self, next: u64, count: usize) -> bool {
        if std::thread::panicking() {
            return self.reject(next, count);
        }
        self.untangle();
        false
    }

    /// Gives back what was handed out last: `count` messages before `next`. Returns whether the ledger is open now. (By single
    /// numbers, few of them: what drops a guard must stay small.)
    #[cold]
    #[inline(never)]
    fn reject(&mut self, next: u64, count: usize) -> bool {
        if self.end.is_inherited() {
            return false;
        }
        self.end.slots.control().counters.0.rejected.fetch_add(count as u64, Relaxed);
        let Handed { mut start, redelivered, .. } = self.last_before(next, count);
        let ring = self.end.ring;
        let ledger = self.open(start);
        for _ in 0..count {
            let end = ring.next(start);
            ledger.give_back(Handed { start, end, redelivered });
            start = end;
        }
        true
    }

    /// The message that was handed out last, before `next`, for whoever keeps it without the receiver.
    #[cold]
    #[inline(never)]
    fn own(&mut self, next: u64) -> OwnedHeld {
        let handed = self.last_before(next, 1);
        let ledger = Arc::clone(self.open(handed.start));
        let (attachment, tenure) = (Arc::clone(&self.end.attachment), Arc::clone(&self.end.tenure));
        OwnedHeld { ledger, me: self.end.me, handed, _tenure: tenure, attachment }
    }

    /// The first of `count` messages that were handed out last, before `next` if they came in order.
    fn last_before(&self, next: u64, count: usize) -> Handed {
        if self.is_tangled || !Positions::is_after(next, self.again) {
            return self.last;
        }
        let start = self.end.ring.retreat(next, count as u64);
        Handed { start, end: self.end.ring.next(start), redelivered: 0 }
    }

    /// The ledger, opened for a message that will not simply be acknowledged next.
    fn open(&mut self, floor: u64) -> &Arc<Ledger> {
        let ledger = self.ledger.get_or_insert_with(|| Arc::new(Ledger::new(floor)));
        if !self.is_tangled {
            ledger.reopen(floor);
            self.is_tangled = true;
            self.end.pass().give(false);
        }
        ledger
    }
}

/// The slot of the next message, of those that were given back first, and which it is; `NotNow` if there is none.
#[cold]
#[inline(never)]
fn next_out_of_order(
    end: &End,
    ledger: Option<&Ledger>,
    consumer: &mut Consumer<Slots>,
    last: &mut Handed,
) -> Result<usize, Stop> {
    let limit = u64::from(end.attachment.segment().header().redelivery);
    loop {
        let handed = match ledger.and_then(|ledger| ledger.next_returned()) {
            Some(handed) => handed,
            None => next_known_to(end, ledger, consumer)?,
        };
        let counters = &end.slots.control().counters.0;
        if handed.redelivered <= limit {
            if handed.redelivered > 0 {
                counters.adopted.fetch_add(1, Relaxed);
            }
            *last = handed;
            return Ok(end.ring.index(handed.start));
        }
        counters.dropped.fetch_add(1, Relaxed);
        match ledger {
            Some(ledger) => settle(end, ledger, handed),
            None => end.attachment.acknowledge_before(handed.end),
        }
        end.freed(&end.slots);
    }
}

/// The next message of the ring, for whoever has a ledger open or meets those that a predecessor had.
fn next_known_to(end: &End, ledger: Option<&Ledger>, consumer: &mut Consumer<Slots>) -> Result<Handed, Stop> {
    consumer.peek().ok_or(Stop::NotNow)?;
    let start = consumer.position();
    // No follower of the protocol sends a lap beyond what is not done with.
    if ledger.is_some_and(|ledger| end.ring.distance(ledger.floor(), start) >= end.ring.capacity()) {
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
    Ok(handed)
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

/// Acknowledges one message of several that are out.
fn settle(end: &End, ledger: &Ledger, handed: Handed) {
    ledger.settle(handed, |floor| end.attachment.acknowledge_before(floor));
}
