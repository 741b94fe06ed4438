//! The ring of one sender and one receiver.
//!
//! # Why it holds
//!
//! Two positions are shared: `tail`, written by the sender alone, and `head`, written by the receiver alone. Slots from
//! `head` up to `tail` hold messages and are the receiver's; the others are the sender's. The sender fills a slot and then
//! stores `tail` with Release: that one store is the commit, and what a receiver reads after its Acquire load of `tail`
//! is the whole message. The receiver reads and then stores `head` with Release: that one store is the acknowledgement,
//! and a sender that sees it by its Acquire load may overwrite. Neither store needs to read first, because nobody else
//! writes that word.
//!
//! With a single store as commit point there is nothing to repair after a death. A successor in the role, whom the kernel
//! lets in only when the predecessor is gone, loads *its own* position and goes on: a half-filled slot lies at `tail` and
//! is overwritten; an unacknowledged message lies at `head` and is read again. `taken` says that it was handed out before.
//!
//! # Why it is fast
//!
//! Each side keeps a copy of the other's position and reads the shared one only when the ring seems full or empty, so a
//! cache line moves once a run rather than once a message. Both copies are one comparison away: the sender keeps the
//! position at which the ring *would* be full (`limit`, the other's head plus a lap).
//!
//! What changes of an end is a handful of numbers ([`Sending`], [`Receiving`]): a loop over messages keeps them in registers, and a
//! message is two stores, itself and the position. Nothing that is called in that loop may have a reference to an end; what is
//! seldom done goes on from a [note](Note) of its place, and leaves the new one there.

use super::position::Positions;
use crate::sync::{AtomicU64, Mutant, Ordering::*, Private, mutant};

/// Where the shared words of an spsc ring are.
pub trait Shared {
    /// Position of the next message to be sent.
    fn tail(&self) -> &AtomicU64;
    /// Position of the first message not acknowledged.
    fn head(&self) -> &AtomicU64;
    /// Position after the last message handed out.
    fn taken(&self) -> &AtomicU64;
}

/// Where the sender is: all of its end that changes.
#[derive(Clone, Copy, Debug)]
pub struct Sending {
    /// The shared `tail`, which nobody else writes.
    tail: u64,
    /// Where its lap ends.
    lap_end: u64,
    /// Where the ring is full, as far as this side knows: never too far.
    limit: u64,
    /// Nothing may be sent any more.
    ended: bool,
}

impl Place for Sending {
    #[inline]
    fn numbers(self) -> [u64; 4] {
        [self.tail, self.lap_end, self.limit, self.ended.into()]
    }

    #[inline]
    fn from_numbers([tail, lap_end, limit, ended]: [u64; 4]) -> Self {
        Self { tail, lap_end, limit, ended: ended != 0 }
    }
}

/// One side's end of the ring, and where it is.
#[derive(Clone, Debug)]
pub struct End<S, At> {
    shared: S,
    ring: Positions,
    at: At,
}

/// Where an end is, as numbers.
pub trait Place: Copy {
    /// It as numbers.
    fn numbers(self) -> [u64; 4];
    /// It from its numbers.
    fn from_numbers(numbers: [u64; 4]) -> Self;
}

/// Where an end went on, for whoever goes on from there.
///
/// Its numbers are written and read one by one, which the compiler must leave so because they are atomic. As a struct they would be read by
/// two and two; and a processor that has just stored one of the two cannot read both before all that it ever stored is in
/// its cache, the line included that the other side looks at.
#[derive(Debug, Default)]
pub struct Note([Private; 4]);

impl Note {
    #[inline]
    fn place<At: Place>(&self) -> At {
        At::from_numbers(self.0.each_ref().map(Private::get_alone))
    }
}

impl<S, At: Place> End<S, At> {
    /// An end that goes on where another [left](Self::leave) off.
    #[inline]
    pub fn going_on(shared: S, ring: Positions, note: &Note) -> Self {
        Self { shared, ring, at: note.place() }
    }

    /// Leaves a note of where it is.
    #[inline]
    pub fn leave(&self, note: &Note) {
        note.0.iter().zip(self.at.numbers()).for_each(|(private, number)| private.set_alone(number));
    }

    /// Goes on where another left off.
    #[inline]
    pub fn go_on(&mut self, note: &Note) {
        self.at = note.place();
    }
}

impl<S, At> End<S, At> {
    /// Where the shared words are.
    #[inline]
    pub fn shared(&self) -> &S {
        &self.shared
    }

    /// The position arithmetic.
    #[inline]
    pub fn ring(&self) -> Positions {
        self.ring
    }
}

/// The sender's end.
pub type Producer<S> = End<S, Sending>;

impl<S: Shared> Producer<S> {
    /// Takes the role over from whoever had it: reads its own position, guesses nothing.
    pub fn resume(shared: S, ring: Positions) -> Self {
        let tail = ring.sound(shared.tail().load(Acquire));
        let at = Sending { tail, lap_end: ring.lap_end(tail), limit: tail, ended: false };
        Self { shared, ring, at }
    }

    /// The slot for the next message, or `None` when the ring is full.
    #[inline]
    pub fn claim(&mut self) -> Option<usize> {
        if self.at.tail == self.at.limit && !self.refresh() {
            return None;
        }
        Some(self.ring.index(self.at.tail))
    }

    /// The slot for the next message, if it is known to be free without a look at the shared head.
    #[inline]
    pub fn claim_known(&self) -> Option<usize> {
        (self.at.tail != self.at.limit).then(|| self.ring.index(self.at.tail))
    }

    /// How many messages fit now, looking at the shared head only if fewer than `wanted` are known to.
    #[inline]
    pub fn room(&mut self, wanted: u64) -> u64 {
        let known = self.ring.distance(self.at.tail, self.at.limit);
        if known >= wanted || !self.refresh() {
            return known;
        }
        self.ring.distance(self.at.tail, self.at.limit)
    }

    /// The position of the first message that the receiver has not taken, as far as this side knows, if so many wait for it. (What
    /// is acknowledged at once was never noted as taken.)
    pub fn waiting(&mut self, many: u64) -> Option<u64> {
        let capacity = self.ring.capacity();
        // It may have come further since, so it is asked.
        let room = self.room(capacity.saturating_sub(many) + 1);
        let unacknowledged = capacity - room.min(capacity);
        if unacknowledged < many {
            return None;
        }
        let taken = self.ring.sound(self.shared.taken().load(Relaxed));
        let waiting = self.ring.distance(taken, self.at.tail).min(unacknowledged);
        (waiting >= many).then(|| self.ring.advance(self.at.limit, unacknowledged - waiting))
    }

    /// The slot of the message `ahead` places after the next one, within the room.
    #[inline]
    pub fn slot(&self, ahead: u64) -> usize {
        self.ring.index(self.ring.advance(self.at.tail, ahead))
    }

    /// Commits the message in the claimed slot. `position` is [`tail`](Self::tail), which a caller that has just written
    /// the slot knows and the compiler, for whom that write might have changed it, does not.
    #[inline]
    pub fn commit_one(&mut self, position: u64) {
        let mut next = position.wrapping_add(1);
        // A branch, predicted away: each position is computed from the last, and that chain is what bounds a side that finds
        // its cache lines at hand.
        if next == self.at.lap_end {
            (next, self.at.lap_end) = self.ring.begin_lap(next);
        }
        self.publish(next);
    }

    /// Commits the next `count` messages, which lie in the slots from the claimed one on. `count` is within the room.
    #[inline]
    pub fn commit(&mut self, count: u64) {
        let tail = self.ring.advance(self.at.tail, count);
        self.at.lap_end = self.ring.lap_end(tail);
        self.publish(tail);
    }

    #[inline]
    fn publish(&mut self, tail: u64) {
        self.at.tail = tail;
        self.shared.tail().store(tail, Release);
    }

    /// Looks at the shared head. A head that is not within a lap behind the tail, or goes back, is corrupt and changes nothing:
    /// room that a caller was told of stays.
    #[inline]
    fn refresh(&mut self) -> bool {
        if self.at.ended {
            return false;
        }
        let head = self.shared.head().load(Acquire);
        let limit = head.wrapping_add(self.ring.one_lap());
        let known = self.at.limit.wrapping_sub(self.at.tail);
        if self.ring.is_within_lap(self.at.tail, limit) && limit.wrapping_sub(self.at.tail) > known {
            self.at.limit = limit;
        }
        self.at.tail != self.at.limit
    }

    /// Makes every further [`claim`](Self::claim) fail: the stream has ended.
    pub fn end(&mut self) {
        self.at.limit = self.at.tail;
        self.at.ended = true;
    }

    /// Position after the last committed message.
    #[inline]
    pub fn tail(&self) -> u64 {
        self.at.tail
    }

    /// The shared head is there, or further: all messages before it are acknowledged, and this side saw that. (A sender that has not
    /// looked yet knows it of those that its predecessor wrote over.)
    #[inline]
    pub fn known_head(&self) -> u64 {
        let known = self.at.limit.wrapping_sub(self.ring.one_lap());
        if mutant(Mutant::KnownTooFar) { self.ring.next(known) } else { known }
    }
}

/// Where the receiver is: all of its end that changes.
#[derive(Clone, Copy, Debug)]
pub struct Receiving {
    /// Position of the next message to be handed out.
    next: u64,
    /// Where its lap ends.
    lap_end: u64,
    /// Where the ring is empty, as far as this side knows: never too far.
    limit: u64,
    /// Messages before this position were handed out by a predecessor.
    again: u64,
}

impl Place for Receiving {
    #[inline]
    fn numbers(self) -> [u64; 4] {
        [self.next, self.lap_end, self.limit, self.again]
    }

    #[inline]
    fn from_numbers([next, lap_end, limit, again]: [u64; 4]) -> Self {
        Self { next, lap_end, limit, again }
    }
}

/// The receiver's end.
pub type Consumer<S> = End<S, Receiving>;

impl<S: Shared> Consumer<S> {
    /// Takes the role over from whoever had it: the first message not acknowledged is the next.
    pub fn resume(shared: S, ring: Positions) -> Self {
        let next = ring.sound(shared.head().load(Acquire));
        let taken = shared.taken().load(Acquire);
        let again = if ring.is_within_lap(next, taken) { taken } else { next };
        let at = Receiving { next, lap_end: ring.lap_end(next), limit: next, again };
        Self { shared, ring, at }
    }

    /// The slot of the next message, or `None` when the ring is empty.
    #[inline]
    pub fn peek(&mut self) -> Option<usize> {
        if self.at.next == self.at.limit && !self.refresh() {
            return None;
        }
        Some(self.ring.index(self.at.next))
    }

    /// The slot of the next message, if it is known without a look at the shared tail.
    #[inline]
    pub fn peek_known(&self) -> Option<usize> {
        (self.at.next != self.at.limit).then(|| self.ring.index(self.at.next))
    }

    /// Makes the next message unknown, so that whoever asks must look.
    pub fn forget(&mut self) {
        self.at.limit = self.at.next;
    }

    /// How many messages are waiting, looking at the shared tail only if fewer than `wanted` are known to.
    #[inline]
    pub fn backlog(&mut self, wanted: u64) -> u64 {
        let known = self.ring.distance(self.at.next, self.at.limit);
        if known >= wanted || !self.refresh() {
            return known;
        }
        self.ring.distance(self.at.next, self.at.limit)
    }

    /// Hands out the next `count` messages, of which none was handed out before: they stay the receiver's until
    /// acknowledged. Returns the position after them.
    #[inline]
    pub fn take(&mut self, count: u64) -> u64 {
        if count == 1 {
            self.step();
        } else {
            self.at.next = self.ring.advance(self.at.next, count);
            self.at.lap_end = self.ring.lap_end(self.at.next);
        }
        self.shared.taken().store(self.at.next, Relaxed);
        self.at.next
    }

    /// Hands out the next message, which a predecessor [was handed](Self::is_again). The shared note of what was handed out
    /// stays as it is, so that the next successor knows too. Returns the position after it.
    pub fn take_again(&mut self) -> u64 {
        self.step();
        self.at.next
    }

    /// One position further.
    #[inline]
    fn step(&mut self) {
        self.at.next = self.at.next.wrapping_add(1);
        if self.at.next == self.at.lap_end {
            (self.at.next, self.at.lap_end) = self.ring.begin_lap(self.at.next);
        }
    }

    /// Hands out and acknowledges the next message in one step: it was copied already.
    #[inline]
    pub fn pass(&mut self) {
        self.step();
        acknowledge(&self.shared, self.at.next);
    }

    /// Whether the next message was handed out before.
    #[inline]
    pub fn is_again(&self) -> bool {
        Positions::is_after(self.at.again, self.at.next)
    }

    /// Messages before this position were handed out by a predecessor.
    #[inline]
    pub fn again(&self) -> u64 {
        self.at.again
    }

    /// Position of the next message to be handed out.
    #[inline]
    pub fn position(&self) -> u64 {
        self.at.next
    }

    /// Looks at the shared tail. A tail that is not within a lap ahead of the head, or goes back, is corrupt and changes nothing.
    #[inline]
    fn refresh(&mut self) -> bool {
        let tail = self.shared.tail().load(Acquire);
        let known = self.at.limit.wrapping_sub(self.at.next);
        if self.ring.is_within_lap(self.at.next, tail) && tail.wrapping_sub(self.at.next) > known {
            self.at.limit = tail;
        }
        self.at.next != self.at.limit
    }
}

/// Whether a message at `position` is in the ring, from `head` on, and before `end` if that is known: the position at which
/// its only sender is. Of positions the low [`POSITION_BITS`](super::body::POSITION_BITS) count.
pub fn is_current(position: u64, head: u64, end: Option<u64>) -> bool {
    const MASK: u64 = (1 << super::body::POSITION_BITS) - 1;
    let ahead = position.wrapping_sub(head) & MASK;
    match end {
        Some(end) => ahead < end.wrapping_sub(head) & MASK,
        None => ahead <= MASK / 2,
    }
}

/// As [`is_current`], for the only sender, who is at `end` and [knows](Producer::known_head) that the head is at `known` or further.
pub fn is_current_beyond(shared: &impl Shared, position: u64, known: u64, end: u64) -> bool {
    // Mostly what is known says enough; the shared word is the receiver's, who writes it for each message.
    is_current(position, known, Some(end)) && is_current(position, shared.head().load(Acquire), Some(end))
}

/// Whether everything before `position` is acknowledged.
pub fn is_acknowledged(shared: &impl Shared, position: u64) -> bool {
    !Positions::is_after(position, shared.head().load(Acquire))
}

/// Acknowledges every message before `position`: for the receiver, and for what it handed out.
#[inline]
pub fn acknowledge(shared: &impl Shared, position: u64) {
    shared.head().store(position, Release);
}
