//! Messages that a receiver holds until it acknowledges them: the guards that both flavours hand out.

mod iter;

use self::iter::Iter;
use crate::error::Stop;
use crate::message::{self, Message};
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::NonNull;

/// What a flavour does with a message that was handed out.
///
/// Verbs take it by value, so that a guard which is received and dropped in one breath lives in registers: built in memory
/// it costs five stores a message, and while a contended store is under way only so many others fit behind it. That
/// alone took `spsc` from 260 to 40 million messages/s.
pub trait Hold: Sized {
    /// The same without a borrow.
    type Owned: Hold;
    /// Says that the message is done with, and frees its slot.
    fn acknowledge(self);
    /// Gives the message back, to be received again.
    fn reject(self);
    /// Does the one or, in a panic, the other.
    ///
    /// What drops a guard should be small enough that the compiler puts it into the caller's loop: a guard that is handed to
    /// it lies in memory, and so does all that the guard borrows.
    #[inline(always)]
    fn release(self) {
        if std::thread::panicking() { self.reject() } else { self.acknowledge() }
    }
    /// How often it was handed out before.
    fn redelivered(&self) -> u32;
    /// Keeps the mapping and the membership instead of borrowing the receiver.
    fn into_owned(self) -> Self::Owned;
}

/// A message, in place. Dropping it acknowledges it: the slot is free for another.
///
/// Dereferences to the message, which lies in shared memory and is not copied. Until it is acknowledged it counts against
/// the ring's capacity; if this process dies first, another receiver gets it (or, in an `spsc` ring, the successor).
///
/// If a panic drops it, it is rejected rather than acknowledged: whoever was working on it did not finish.
///
/// Senders that follow the protocol never touch a message that is held. A process that writes the segment out of line can,
/// at any time; where that must be feared, [`copy_into`](Self::copy_into) first and look afterwards.
#[must_use = "a message that is dropped is acknowledged"]
pub struct Received<'a, M: Message + ?Sized, H: Hold> {
    message: NonNull<M>,
    hold: ManuallyDrop<H>,
    _slot: PhantomData<&'a M>,
}

/// A message that borrows no receiver: see [`Received::into_owned`].
pub type OwnedReceived<M, H> = Received<'static, M, <H as Hold>::Owned>;

// SAFETY: a held message is read-only memory that stays in place until the guard goes.
unsafe impl<M: Message + ?Sized + Sync, H: Hold + Send> Send for Received<'_, M, H> {}
// SAFETY: as above.
unsafe impl<M: Message + ?Sized + Sync, H: Hold + Sync> Sync for Received<'_, M, H> {}

impl<'a, M: Message + ?Sized, H: Hold> Received<'a, M, H> {
    /// Hands out the `len` bytes at `start`. Bytes that cannot be a message are acknowledged and come to nothing.
    ///
    /// # Safety
    ///
    /// As for [`message::view`], until `hold` is acknowledged or rejected, neither of which has happened.
    #[inline]
    pub(crate) unsafe fn new(start: *const u8, len: Option<usize>, hold: H) -> Option<Self> {
        // SAFETY: by contract.
        match len.and_then(|len| unsafe { message::view::<M>(start, len) }) {
            Some(message) => {
                Some(Self { message: NonNull::from(message), hold: ManuallyDrop::new(hold), _slot: PhantomData })
            }
            None => {
                hold.acknowledge();
                None
            }
        }
    }

    /// Acknowledges the message, as dropping it does.
    #[inline]
    pub fn ack(self) {
        drop(self);
    }

    /// Gives the message back without having dealt with it: another receiver gets it, flagged as redelivered, or it is
    /// dropped, by the ring's [`Redelivery`](crate::Redelivery) policy. In an `spsc` ring the same receiver gets it next.
    pub fn reject(self) {
        self.into_hold().1.reject();
    }

    /// Takes the guard apart without acknowledging.
    #[inline]
    fn into_hold(self) -> (NonNull<M>, H) {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is not dropped, so the hold is taken once.
        (this.message, unsafe { ManuallyDrop::take(&mut this.hold) })
    }

    /// How many times this message was handed out before without being acknowledged: 0 for one that is fresh, and never
    /// said to be more than 15.
    #[inline]
    pub fn redelivered(&self) -> u32 {
        self.hold.redelivered()
    }

    /// Copies the message into `buffer`, as many bytes as both have, and returns the length of the message in bytes: what is
    /// longer than the buffer did not fit.
    ///
    /// Not a byte of the message is interpreted before it is copied.
    pub fn copy_into(&self, buffer: &mut M) -> usize {
        let len = size_of_val(&**self);
        let buffer = buffer.as_mut_bytes();
        let fits = len.min(buffer.len());
        // SAFETY: `len` bytes are readable while the message is held, and `buffer` is not in the ring's memory.
        unsafe { core::ptr::copy_nonoverlapping(self.message.as_ptr().cast::<u8>(), buffer.as_mut_ptr(), fits) };
        len
    }

    /// The same message without the borrow of its receiver: it can be stored, and sent to another thread.
    ///
    /// It keeps the ring mapped and this process in it; in an `spsc` ring also the role, which no successor gets before the
    /// last owned message is gone.
    pub fn into_owned(self) -> OwnedReceived<M, H> {
        let (message, hold) = self.into_hold();
        Received { message, hold: ManuallyDrop::new(hold.into_owned()), _slot: PhantomData }
    }
}

/// Copies a sized message out and acknowledges it.
pub(crate) fn copy<M: Message, H: Hold>(message: Received<'_, M, H>) -> Result<M, Stop> {
    let mut value = M::new_zeroed();
    copy_out(message, &mut value)?;
    Ok(value)
}

/// Copies a message out and acknowledges it; one that does not fit is given back.
pub(crate) fn copy_out<M: Message + ?Sized, H: Hold>(
    message: Received<'_, M, H>,
    buffer: &mut M,
) -> Result<usize, Stop> {
    let max = size_of_val(buffer);
    let len = message.copy_into(buffer);
    let (_, hold) = message.into_hold();
    if len <= max {
        // In a panic too: the caller has it.
        hold.acknowledge();
        return Ok(len);
    }
    hold.reject();
    Err(Stop::TooLarge { len, max })
}

impl<M: Message + ?Sized, H: Hold> Deref for Received<'_, M, H> {
    type Target = M;

    #[inline(always)]
    fn deref(&self) -> &M {
        // SAFETY: the slot is held by this guard, and nobody who follows the protocol writes it.
        unsafe { self.message.as_ref() }
    }
}

impl<M: Message + ?Sized, H: Hold> Drop for Received<'_, M, H> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: taken once, since a guard is dropped once.
        unsafe { ManuallyDrop::take(&mut self.hold) }.release();
    }
}

impl<M: Message + ?Sized + fmt::Debug, H: Hold> fmt::Debug for Received<'_, M, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Received").field(&&**self).finish()
    }
}

/// What a flavour does with several messages handed out together.
pub trait Run {
    /// How many there are.
    fn len(&self) -> usize;
    /// Where the message at `place` lies, and how long it is if it can be a message.
    fn at(&self, place: usize) -> (*const u8, Option<usize>);
    /// How many messages from `place` on lie at equal distances, each as long as the type says, and that distance in bytes; `None` where
    /// the next must be looked up.
    fn straight(&self, place: usize) -> Option<(usize, usize)>;
    /// How often the message at `place` was handed out before.
    fn redelivered(&self, place: usize) -> u32;
    /// Acknowledges all.
    fn acknowledge(&mut self);
    /// Gives all back.
    fn reject(&mut self);
    /// Does the one or, in a panic, the other: as [`Hold::release`].
    #[inline(always)]
    fn release(&mut self) {
        if std::thread::panicking() { self.reject() } else { self.acknowledge() }
    }
}

/// Several messages, in place and in order. Dropping the batch acknowledges all of them; if a panic drops it, all are
/// rejected.
#[must_use = "a batch that is dropped is acknowledged"]
pub struct Batch<'a, M: Message + ?Sized, R: Run> {
    run: R,
    _slots: PhantomData<&'a M>,
}

// SAFETY: as for `Received`.
unsafe impl<M: Message + ?Sized + Sync, R: Run + Send> Send for Batch<'_, M, R> {}
// SAFETY: as for `Received`.
unsafe impl<M: Message + ?Sized + Sync, R: Run + Sync> Sync for Batch<'_, M, R> {}

impl<'a, M: Message + ?Sized, R: Run> Batch<'a, M, R> {
    /// Hands out a run.
    ///
    /// # Safety
    ///
    /// As for [`message::view`], for each place, until the run is acknowledged or rejected, neither of which has happened.
    pub(crate) unsafe fn new(run: R) -> Self {
        Self { run, _slots: PhantomData }
    }

    /// The flavour's part.
    #[inline]
    pub(crate) fn run(&self) -> &R {
        &self.run
    }

    /// How many messages there are: at least one.
    #[inline]
    pub fn len(&self) -> usize {
        self.run.len()
    }

    /// Whether there are none: never.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The message at `place`, from 0; `None` beyond the end, and where the bytes there cannot be a message.
    #[inline]
    pub fn get(&self, place: usize) -> Option<&M> {
        if place >= self.run.len() {
            return None;
        }
        let (start, len) = self.run.at(place);
        // SAFETY: held by this guard; see `new`.
        len.and_then(|len| unsafe { message::view(start, len) })
    }

    /// The messages, first to last. Quickest where the iterator runs by itself (`for_each`, `sum`, `fold`): small messages
    /// are then read in vectors.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = &M> {
        // SAFETY: held by this guard; see `new`.
        unsafe { Iter::new(&self.run) }
    }

    /// How many times the message at `place` was handed out before: as [`Received::redelivered`].
    pub fn redelivered(&self, place: usize) -> u32 {
        if place < self.run.len() { self.run.redelivered(place) } else { 0 }
    }

    /// Acknowledges all messages, as dropping the batch does.
    #[inline]
    pub fn ack(self) {
        drop(self);
    }

    /// Gives all messages back: see [`Received::reject`].
    pub fn reject(self) {
        let mut this = std::mem::ManuallyDrop::new(self);
        this.run.reject();
        // SAFETY: `this` is not dropped, so the run is dropped once.
        unsafe { std::ptr::drop_in_place(&raw mut this.run) };
    }
}

impl<M: Message + ?Sized, R: Run> Drop for Batch<'_, M, R> {
    #[inline(always)]
    fn drop(&mut self) {
        self.run.release();
    }
}

impl<M: Message + ?Sized + fmt::Debug, R: Run> fmt::Debug for Batch<'_, M, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
