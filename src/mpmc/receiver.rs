//! The receiving side.

use super::end::End;
use super::held::{Held, HeldRun};
use super::{Batch, Received};
use crate::attachment::Until;
use crate::error::*;
use crate::message::Message;
use crate::received::{self, Run};
use crate::ring::mpmc::Taken;
use crate::sync::{Mutant, mutant};
use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

/// The receiving side. Cloning it is cheap and gives each thread a handle of its own; one handle may also be shared.
#[repr(align(128))]
pub struct Receiver<M: Message + ?Sized> {
    pub(super) end: End,
    _message: PhantomData<fn(&M)>,
}

impl<M: Message + ?Sized> Receiver<M> {
    pub(super) fn new(end: End) -> Self {
        Self { end, _message: PhantomData }
    }

    /// The next message. Blocks while the ring is empty.
    ///
    /// # Errors
    ///
    /// [`Disconnected`](RecvError::Disconnected) if the ring is empty and closed, or empty and all senders have left or
    /// died (and there was one). A message that another receiver holds does not count: should it come back, whoever
    /// receives next gets it. Senders that must know use [`Sender::wait_acked`](super::Sender::wait_acked) before they leave.
    #[inline(always)]
    pub fn recv(&self) -> Result<Received<'_, M>, RecvError> {
        Ok(self.get(Until::Forever)?)
    }

    /// The next message, if one is waiting. Never blocks.
    ///
    /// # Errors
    ///
    /// [`Empty`](TryRecvError::Empty), and as for [`recv`](Self::recv).
    #[inline(always)]
    pub fn try_recv(&self) -> Result<Received<'_, M>, TryRecvError> {
        Ok(self.get(Until::Now)?)
    }

    /// The next message. Blocks while the ring is empty, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`Timeout`](RecvTimeoutError::Timeout), and as for [`recv`](Self::recv).
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Received<'_, M>, RecvTimeoutError> {
        Ok(self.get(Until::timeout(timeout))?)
    }

    /// The next message. Blocks while the ring is empty, until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As for [`recv_timeout`](Self::recv_timeout).
    pub fn recv_deadline(&self, deadline: Instant) -> Result<Received<'_, M>, RecvTimeoutError> {
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
    pub fn recv_copy(&self) -> Result<M, RecvError>
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
    pub fn try_recv_copy(&self) -> Result<M, TryRecvError>
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
    pub fn recv_copy_timeout(&self, timeout: Duration) -> Result<M, RecvTimeoutError>
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
    pub fn recv_copy_deadline(&self, deadline: Instant) -> Result<M, RecvTimeoutError>
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
    pub fn recv_into(&self, buffer: &mut M) -> Result<usize, RecvError> {
        Ok(received::copy_out(self.get(Until::Forever)?, buffer)?)
    }

    /// Copies the next message into `buffer`, if one is waiting: as [`recv_into`](Self::recv_into).
    ///
    /// # Errors
    ///
    /// [`Empty`](TryRecvError::Empty), and as for [`recv_into`](Self::recv_into).
    pub fn try_recv_into(&self, buffer: &mut M) -> Result<usize, TryRecvError> {
        Ok(received::copy_out(self.get(Until::Now)?, buffer)?)
    }

    /// Copies the next message into `buffer`: as [`recv_into`](Self::recv_into), but blocks for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`Timeout`](RecvTimeoutError::Timeout), and as for [`recv_into`](Self::recv_into).
    pub fn recv_into_timeout(&self, buffer: &mut M, timeout: Duration) -> Result<usize, RecvTimeoutError> {
        Ok(received::copy_out(self.get(Until::timeout(timeout))?, buffer)?)
    }

    /// Copies the next message into `buffer`: as [`recv_into`](Self::recv_into), but blocks until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As for [`recv_into_timeout`](Self::recv_into_timeout).
    pub fn recv_into_deadline(&self, buffer: &mut M, deadline: Instant) -> Result<usize, RecvTimeoutError> {
        Ok(received::copy_out(self.get(Until::Deadline(deadline))?, buffer)?)
    }

    /// The next messages, up to `max` (at least 1) of them: as many as are waiting. Blocks while there is none.
    ///
    /// A batch ends before a slot that a sender has claimed and not filled yet; one that begins with such a slot goes round it.
    ///
    /// # Errors
    ///
    /// As for [`recv`](Self::recv).
    pub fn recv_many(&self, max: usize) -> Result<Batch<'_, M>, RecvError> {
        Ok(self.get_many(max, Until::Forever)?)
    }

    /// The next messages, up to `max` (at least 1) of them, if any is waiting. Never blocks.
    ///
    /// # Errors
    ///
    /// As for [`try_recv`](Self::try_recv).
    pub fn try_recv_many(&self, max: usize) -> Result<Batch<'_, M>, TryRecvError> {
        Ok(self.get_many(max, Until::Now)?)
    }

    /// The next messages, up to `max` (at least 1) of them. Blocks while there is none, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As for [`recv_timeout`](Self::recv_timeout).
    pub fn recv_many_timeout(&self, max: usize, timeout: Duration) -> Result<Batch<'_, M>, RecvTimeoutError> {
        Ok(self.get_many(max, Until::timeout(timeout))?)
    }

    /// The next messages, up to `max` (at least 1) of them. Blocks while there is none, until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As for [`recv_timeout`](Self::recv_timeout).
    pub fn recv_many_deadline(&self, max: usize, deadline: Instant) -> Result<Batch<'_, M>, RecvTimeoutError> {
        Ok(self.get_many(max, Until::Deadline(deadline))?)
    }

    /// Messages until the end of the stream. Blocks for each; ends with the first error.
    pub fn iter(&self) -> impl Iterator<Item = Received<'_, M>> {
        std::iter::from_fn(|| self.recv().ok())
    }

    /// The messages that are waiting. Never blocks.
    pub fn try_iter(&self) -> impl Iterator<Item = Received<'_, M>> {
        std::iter::from_fn(|| self.try_recv().ok())
    }

    /// Slots of the ring.
    pub fn capacity(&self) -> usize {
        self.end.core.positions().capacity() as usize
    }

    /// Longest message in bytes.
    pub fn max_len(&self) -> usize {
        self.end.core.shared().max_len()
    }

    /// Messages sent and not acknowledged, held ones included. Looks at every slot, and others go on meanwhile.
    pub fn len(&self) -> usize {
        self.end.core.backlog() as usize
    }

    /// Whether every message is acknowledged. If it says so, a sender may change that at once.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline(always)]
    fn pull(&self, until: Until) -> Result<M, Stop>
    where
        M: Sized,
    {
        if self.end.core.shared().have_bodies_for::<M>() {
            return received::copy(self.get(until)?);
        }
        let taken = self.end.take::<M>(until)?;
        let slots = self.end.core.shared();
        // SAFETY: a slot of this ring.
        let value = unsafe { slots.read::<M>(slots.payload_of::<M>(taken.index)) };
        self.end.acknowledge::<M>(taken);
        self.end.freed();
        Ok(value)
    }

    #[inline(always)]
    fn get(&self, until: Until) -> Result<Received<'_, M>, Stop> {
        let taken = self.end.take::<M>(until)?;
        if mutant(Mutant::AcknowledgeFirst) {
            self.end.acknowledge::<M>(taken);
            self.end.freed();
        }
        self.hand_out(taken)
    }

    /// What was taken, as its guard.
    #[inline(always)]
    pub(super) fn hand_out(&self, taken: Taken) -> Result<Received<'_, M>, Stop> {
        let slots = self.end.core.shared();
        let (start, len) = slots.message::<M>(taken.index, slots.payload_of::<M>(taken.index));
        let held = Held { receiver: &self.end, taken, me: self.end.me.get(), _message: PhantomData };
        // SAFETY: the message is this receiver's until `held` is released, and aligned for `M`.
        let message = unsafe { Received::new(start, len, held) };
        message.ok_or(Stop::Corrupt)
    }

    fn get_many(&self, max: usize, until: Until) -> Result<Batch<'_, M>, Stop> {
        if !matches!(until, Until::Now) {
            self.end.rest_before_batch(max);
        }
        let first = self.end.take::<M>(until)?;
        self.run_from(first, max)
    }

    /// The message that was taken, and those that wait after it.
    pub(super) fn run_from(&self, first: Taken, max: usize) -> Result<Batch<'_, M>, Stop> {
        let me = self.end.me()?;
        // A peer out of line might feed it for ever.
        let most = max.clamp(1, self.capacity());
        let is_round = self.end.core.is_before(&self.end.cursor, first);
        let (start, count) = self.end.take_run::<M>(first, most, me);
        let mut run = HeldRun::new(&self.end, start, count, me);
        if count == 0 {
            run.others.push(first);
        }
        while run.len() < most {
            let Some(taken) = self.end.take_more(me, is_round) else { break };
            run.others.push(taken);
        }
        // SAFETY: the messages are this receiver's until the run is released, and aligned for `M`.
        Ok(unsafe { Batch::new(run) })
    }
}

impl<M: Message + ?Sized> Clone for Receiver<M> {
    fn clone(&self) -> Self {
        Self { end: self.end.another(), _message: PhantomData }
    }
}

impl<M: Message + ?Sized> fmt::Debug for Receiver<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}
