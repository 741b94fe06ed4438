//! The receiving side.

use super::desk::Desk;
use super::end::{End, backlog};
use super::held::{Held, HeldRun};
use super::{Batch, OwnedReceived, Received};
use crate::attachment::Until;
use crate::error::*;
use crate::message::Message;
use crate::received;
use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

/// The receiving side.
#[repr(align(128))]
pub struct Receiver<M: Message + ?Sized> {
    pub(super) desk: Desk,
    _message: PhantomData<fn(&M)>,
}

impl<M: Message + ?Sized> Receiver<M> {
    pub(super) fn new(end: End) -> Self {
        Self { desk: Desk::new(end), _message: PhantomData }
    }

    /// The next message. Blocks while the ring is empty.
    ///
    /// # Errors
    ///
    /// [`Disconnected`](RecvError::Disconnected) if the ring is empty and closed, or empty and the sender has left or died
    /// (and there was one; owned messages that are still out do not count); [`Join`](RecvError::Join) in a forked child while the parent keeps the role.
    #[inline(always)]
    pub fn recv(&mut self) -> Result<Received<'_, M>, RecvError> {
        Ok(self.get(Until::Forever)?)
    }

    /// The next message, if one is waiting. Never blocks.
    ///
    /// # Errors
    ///
    /// [`Empty`](TryRecvError::Empty), and as for [`recv`](Self::recv).
    #[inline(always)]
    pub fn try_recv(&mut self) -> Result<Received<'_, M>, TryRecvError> {
        Ok(self.get(Until::Now)?)
    }

    /// The next message. Blocks while the ring is empty, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`Timeout`](RecvTimeoutError::Timeout), and as for [`recv`](Self::recv).
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Received<'_, M>, RecvTimeoutError> {
        Ok(self.get(Until::timeout(timeout))?)
    }

    /// The next message. Blocks while the ring is empty, until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As for [`recv_timeout`](Self::recv_timeout).
    pub fn recv_deadline(&mut self, deadline: Instant) -> Result<Received<'_, M>, RecvTimeoutError> {
        Ok(self.get(Until::Deadline(deadline))?)
    }

    /// The next message by value, acknowledged at once. Blocks while the ring is empty.
    ///
    /// The quickest way to receive small messages: there is no guard to keep.
    ///
    /// # Errors
    ///
    /// As for [`recv`](Self::recv).
    #[inline(always)]
    pub fn recv_copy(&mut self) -> Result<M, RecvError>
    where
        M: Sized,
    {
        Ok(self.pull(Until::Forever)?)
    }

    /// The next message by value, acknowledged at once, if one is waiting. Never blocks.
    ///
    /// # Errors
    ///
    /// As for [`try_recv`](Self::try_recv).
    #[inline(always)]
    pub fn try_recv_copy(&mut self) -> Result<M, TryRecvError>
    where
        M: Sized,
    {
        Ok(self.pull(Until::Now)?)
    }

    /// The next message by value, acknowledged at once. Blocks while the ring is empty, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As for [`recv_timeout`](Self::recv_timeout).
    pub fn recv_copy_timeout(&mut self, timeout: Duration) -> Result<M, RecvTimeoutError>
    where
        M: Sized,
    {
        Ok(self.pull(Until::timeout(timeout))?)
    }

    /// The next message by value, acknowledged at once. Blocks while the ring is empty, until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As for [`recv_timeout`](Self::recv_timeout).
    pub fn recv_copy_deadline(&mut self, deadline: Instant) -> Result<M, RecvTimeoutError>
    where
        M: Sized,
    {
        Ok(self.pull(Until::Deadline(deadline))?)
    }

    /// Copies the next message into `buffer` and acknowledges it; returns its length in bytes. Blocks while the ring is
    /// empty.
    ///
    /// Nothing in the message is interpreted before it is copied: this is the way to receive from a process that is not
    /// trusted to leave it alone meanwhile.
    ///
    /// # Errors
    ///
    /// [`TooLarge`](RecvError::TooLarge) if the buffer is shorter; the message is then [rejected](Received::reject), so it comes
    /// again as far as the redelivery policy allows. Otherwise as for [`recv`](Self::recv).
    pub fn recv_into(&mut self, buffer: &mut M) -> Result<usize, RecvError> {
        Ok(received::copy_out(self.get(Until::Forever)?, buffer)?)
    }

    /// Copies the next message into `buffer`, if one is waiting: as [`recv_into`](Self::recv_into).
    ///
    /// # Errors
    ///
    /// [`Empty`](TryRecvError::Empty), and as for [`recv_into`](Self::recv_into).
    pub fn try_recv_into(&mut self, buffer: &mut M) -> Result<usize, TryRecvError> {
        Ok(received::copy_out(self.get(Until::Now)?, buffer)?)
    }

    /// Copies the next message into `buffer`: as [`recv_into`](Self::recv_into), but blocks for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`Timeout`](RecvTimeoutError::Timeout), and as for [`recv_into`](Self::recv_into).
    pub fn recv_into_timeout(&mut self, buffer: &mut M, timeout: Duration) -> Result<usize, RecvTimeoutError> {
        Ok(received::copy_out(self.get(Until::timeout(timeout))?, buffer)?)
    }

    /// Copies the next message into `buffer`: as [`recv_into`](Self::recv_into), but blocks until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As for [`recv_into_timeout`](Self::recv_into_timeout).
    pub fn recv_into_deadline(&mut self, buffer: &mut M, deadline: Instant) -> Result<usize, RecvTimeoutError> {
        Ok(received::copy_out(self.get(Until::Deadline(deadline))?, buffer)?)
    }

    /// The next messages, up to `max` (at least 1) of them: as many as are waiting. Blocks while there is none. They are
    /// acknowledged together, with one store.
    ///
    /// # Errors
    ///
    /// As for [`recv`](Self::recv).
    #[inline]
    pub fn recv_many(&mut self, max: usize) -> Result<Batch<'_, M>, RecvError> {
        Ok(self.get_many(max, Until::Forever)?)
    }

    /// The next messages, up to `max` (at least 1) of them, if any is waiting. Never blocks.
    ///
    /// # Errors
    ///
    /// As for [`try_recv`](Self::try_recv).
    #[inline]
    pub fn try_recv_many(&mut self, max: usize) -> Result<Batch<'_, M>, TryRecvError> {
        Ok(self.get_many(max, Until::Now)?)
    }

    /// The next messages, up to `max` (at least 1) of them. Blocks while there is none, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As for [`recv_timeout`](Self::recv_timeout).
    pub fn recv_many_timeout(&mut self, max: usize, timeout: Duration) -> Result<Batch<'_, M>, RecvTimeoutError> {
        Ok(self.get_many(max, Until::timeout(timeout))?)
    }

    /// The next messages, up to `max` (at least 1) of them. Blocks while there is none, until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As for [`recv_timeout`](Self::recv_timeout).
    pub fn recv_many_deadline(&mut self, max: usize, deadline: Instant) -> Result<Batch<'_, M>, RecvTimeoutError> {
        Ok(self.get_many(max, Until::Deadline(deadline))?)
    }

    /// Messages until the end of the stream, each without a borrow of the receiver. Blocks for each; ends with the first
    /// error.
    pub fn iter(&mut self) -> impl Iterator<Item = OwnedReceived<M>> {
        std::iter::from_fn(|| self.recv().ok().map(Received::into_owned))
    }

    /// The messages that are waiting, each without a borrow of the receiver. Never blocks.
    pub fn try_iter(&mut self) -> impl Iterator<Item = OwnedReceived<M>> {
        std::iter::from_fn(|| self.try_recv().ok().map(Received::into_owned))
    }

    /// Slots of the ring.
    pub fn capacity(&self) -> usize {
        self.desk.consumer.ring().capacity() as usize
    }

    /// Longest message in bytes.
    pub fn max_len(&self) -> usize {
        self.desk.slots().max_len()
    }

    /// Messages sent and not acknowledged, held ones included. If the sender lives, they may have become more.
    pub fn len(&self) -> usize {
        backlog(self.desk.end())
    }

    /// Whether every message is acknowledged. If it says so, the sender may change that at once.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline(always)]
    fn pull(&mut self, until: Until) -> Result<M, Stop>
    where
        M: Sized,
    {
        if self.desk.slots().have_bodies_for::<M>() {
            return received::copy(self.get(until)?);
        }
        // SAFETY: `index` is a slot of this ring.
        match self.desk.pass(|slots, index| unsafe { slots.read::<M>(slots.bare_payload::<M>(index)) }) {
            Some(value) => Ok(value),
            None => self.pull_slow(until),
        }
    }

    #[inline(always)]
    fn pull_slow(&mut self, until: Until) -> Result<M, Stop>
    where
        M: Sized,
    {
        // (Not by `get`, which would look again; and not by a guard, which would be handed to somebody.)
        let index = self.desk.next_slow(until)?;
        let slots = self.desk.slots();
        // SAFETY: `index` is a slot of this ring.
        let value = unsafe { slots.read::<M>(slots.bare_payload::<M>(index)) };
        self.desk.settle::<M>();
        Ok(value)
    }

    #[inline(always)]
    fn get(&mut self, until: Until) -> Result<Received<'_, M>, Stop> {
        let index = self.desk.next(until)?;
        self.hand_out(index)
    }

    /// What the desk has handed out, as its guard.
    #[inline(always)]
    pub(super) fn hand_out(&mut self, index: usize) -> Result<Received<'_, M>, Stop> {
        let slots = self.desk.slots();
        let (start, len) = slots.message::<M>(index, slots.bare_payload::<M>(index));
        let held = Held { desk: &mut self.desk, _message: PhantomData };
        // SAFETY: the message is the receiver's until `held` is released, and aligned for `M`.
        let message = unsafe { Received::new(start, len, held) };
        message.ok_or(Stop::Corrupt)
    }

    #[inline]
    fn get_many(&mut self, max: usize, until: Until) -> Result<Batch<'_, M>, Stop> {
        self.desk.next(until)?;
        Ok(self.run_of(max))
    }

    /// The message that was handed out, and those that wait after it.
    #[inline(always)]
    pub(super) fn run_of(&mut self, max: usize) -> Batch<'_, M> {
        let desk = &mut self.desk;
        let start = desk.last_start();
        let mut count = 1;
        // What came out of line comes alone.
        let most = (max as u64).min(desk.consumer.ring().capacity());
        if most > 1 && desk.is_in_order() {
            let more = desk.consumer.backlog(most - 1).min(most - 1);
            if more > 0 {
                desk.consumer.take(more);
                count += more as usize;
            }
        }
        let run = HeldRun { desk, start, count, _message: PhantomData };
        // SAFETY: the messages are the receiver's until the run is released, and aligned for `M`.
        unsafe { Batch::new(run) }
    }
}

impl<M: Message + ?Sized> fmt::Debug for Receiver<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}
