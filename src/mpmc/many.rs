//! Sending many messages, one after the other.

use super::Sender;
use crate::attachment::Until;
use crate::error::*;
use crate::message::Message;
use std::borrow::Borrow;
use std::time::{Duration, Instant};

impl<M: Message + ?Sized> Sender<M> {
    /// Sends copies of all `messages`, in order. Blocks while the ring is full. Returns how many there were.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send); [`SendManyError::sent`] says how many messages were sent before.
    pub fn send_many<I>(&self, messages: I) -> Result<usize, SendManyError>
    where
        I: IntoIterator,
        I::Item: Borrow<M>,
    {
        Ok(self.put_many(messages, Until::Forever)?)
    }

    /// Sends copies of `messages`, in order, while there is room. Never blocks. Returns how many there were.
    ///
    /// # Errors
    ///
    /// [`Full`](TrySendError::Full) if there was no room for all: the first [`sent`](TrySendManyError::sent) were sent, and the next was taken out of
    /// the iterator. Otherwise as for [`send_many`](Self::send_many).
    pub fn try_send_many<I>(&self, messages: I) -> Result<usize, TrySendManyError>
    where
        I: IntoIterator,
        I::Item: Borrow<M>,
    {
        Ok(self.put_many(messages, Until::Now)?)
    }

    /// Sends copies of all `messages`, in order. Blocks while the ring is full, for at most `timeout` in all. Returns how many there were.
    ///
    /// # Errors
    ///
    /// [`Timeout`](SendTimeoutError::Timeout) if there was no room for all in time: the first [`sent`](SendManyTimeoutError::sent) were sent, and the
    /// next was taken out of the iterator. Otherwise as for [`send_many`](Self::send_many).
    pub fn send_many_timeout<I>(&self, messages: I, timeout: Duration) -> Result<usize, SendManyTimeoutError>
    where
        I: IntoIterator,
        I::Item: Borrow<M>,
    {
        Ok(self.put_many(messages, Until::timeout(timeout))?)
    }

    /// Sends copies of all `messages`, in order. Blocks while the ring is full, until `deadline` at most. Returns how many there were.
    ///
    /// # Errors
    ///
    /// As for [`send_many_timeout`](Self::send_many_timeout).
    pub fn send_many_deadline<I>(&self, messages: I, deadline: Instant) -> Result<usize, SendManyTimeoutError>
    where
        I: IntoIterator,
        I::Item: Borrow<M>,
    {
        Ok(self.put_many(messages, Until::Deadline(deadline))?)
    }

    /// Sends copies of all `messages`, in order: as [`send_many`](Self::send_many), which is as quick here. (An `spsc` ring copies whole runs.)
    ///
    /// # Errors
    ///
    /// As for [`send_many`](Self::send_many).
    pub fn send_slice(&self, messages: &[M]) -> Result<(), SendManyError>
    where
        M: Sized,
    {
        Ok(self.put_slice(messages, Until::Forever)?)
    }

    /// Sends copies of `messages`, in order, while there is room: as [`try_send_many`](Self::try_send_many). Never blocks.
    ///
    /// # Errors
    ///
    /// As for [`try_send_many`](Self::try_send_many).
    pub fn try_send_slice(&self, messages: &[M]) -> Result<(), TrySendManyError>
    where
        M: Sized,
    {
        Ok(self.put_slice(messages, Until::Now)?)
    }

    /// Sends copies of all `messages`, in order: as [`send_slice`](Self::send_slice), but blocks for at most `timeout` in all.
    ///
    /// # Errors
    ///
    /// As for [`send_many_timeout`](Self::send_many_timeout).
    pub fn send_slice_timeout(&self, messages: &[M], timeout: Duration) -> Result<(), SendManyTimeoutError>
    where
        M: Sized,
    {
        Ok(self.put_slice(messages, Until::timeout(timeout))?)
    }

    /// Sends copies of all `messages`, in order: as [`send_slice`](Self::send_slice), but blocks until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As for [`send_many_timeout`](Self::send_many_timeout).
    pub fn send_slice_deadline(&self, messages: &[M], deadline: Instant) -> Result<(), SendManyTimeoutError>
    where
        M: Sized,
    {
        Ok(self.put_slice(messages, Until::Deadline(deadline))?)
    }

    /// Sends `count` messages, each made in its slot: `fill` gets the number of the message among them, from 0 on, and what lies in
    /// the slot, left over or zero. Blocks while the ring is full. If `fill` panics, the message that it was filling is not sent.
    ///
    /// # Errors
    ///
    /// As for [`send_many`](Self::send_many).
    ///
    /// ```
    /// # let (tx, rx) = ringmail::mpmc::channel::<[u64; 128]>(&ringmail::Options::new())?;
    /// tx.fill_many(3, |number, row| row.fill(number as u64))?;
    /// assert_eq!(*rx.recv()?, [0; 128]);
    /// assert_eq!(*rx.recv()?, [1; 128]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn fill_many(&self, count: usize, fill: impl FnMut(usize, &mut M)) -> Result<(), SendManyError>
    where
        M: Sized,
    {
        Ok(self.put_filled(count, fill, Until::Forever)?)
    }

    /// Sends `count` messages, each made in its slot: as [`fill_many`](Self::fill_many), while there is room. Never blocks.
    ///
    /// # Errors
    ///
    /// As for [`try_send_many`](Self::try_send_many), but for the iterator.
    pub fn try_fill_many(&self, count: usize, fill: impl FnMut(usize, &mut M)) -> Result<(), TrySendManyError>
    where
        M: Sized,
    {
        Ok(self.put_filled(count, fill, Until::Now)?)
    }

    /// Sends `count` messages, each made in its slot: as [`fill_many`](Self::fill_many), but blocks for at most `timeout` in all.
    ///
    /// # Errors
    ///
    /// As for [`send_many_timeout`](Self::send_many_timeout).
    pub fn fill_many_timeout(
        &self,
        count: usize,
        fill: impl FnMut(usize, &mut M),
        timeout: Duration,
    ) -> Result<(), SendManyTimeoutError>
    where
        M: Sized,
    {
        Ok(self.put_filled(count, fill, Until::timeout(timeout))?)
    }

    /// Sends `count` messages, each made in its slot: as [`fill_many`](Self::fill_many), but blocks until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As for [`send_many_timeout`](Self::send_many_timeout).
    pub fn fill_many_deadline(
        &self,
        count: usize,
        fill: impl FnMut(usize, &mut M),
        deadline: Instant,
    ) -> Result<(), SendManyTimeoutError>
    where
        M: Sized,
    {
        Ok(self.put_filled(count, fill, Until::Deadline(deadline))?)
    }

    #[inline(always)]
    fn put_many<I>(&self, messages: I, until: Until) -> Result<usize, Halt>
    where
        I: IntoIterator,
        I::Item: Borrow<M>,
    {
        let mut sent = 0;
        for message in messages {
            self.put(message.borrow(), until).map_err(|stop| Halt { sent, stop })?;
            sent += 1;
        }
        Ok(sent)
    }

    fn put_slice(&self, messages: &[M], until: Until) -> Result<(), Halt>
    where
        M: Sized,
    {
        self.put_many(messages, until).map(|_| ())
    }

    #[inline(always)]
    fn put_filled(&self, count: usize, mut fill: impl FnMut(usize, &mut M), until: Until) -> Result<(), Halt>
    where
        M: Sized,
    {
        for sent in 0..count {
            let halt = |stop| Halt { sent, stop };
            let mut loan = self.lend(Some(size_of::<M>()), until).map_err(halt)?;
            fill(sent, &mut loan);
            loan.publish(size_of::<M>()).map_err(halt)?;
        }
        Ok(())
    }
}
