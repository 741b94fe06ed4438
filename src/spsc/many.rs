//! Sending many messages: copied, or made, in runs that are published with one store each.

use super::Sender;
use crate::attachment::Until;
use crate::error::*;
use crate::message::Message;
use std::borrow::Borrow;
use std::time::{Duration, Instant};

impl<M: Message + ?Sized> Sender<M> {
    /// Sends copies of all `messages`, in order. Blocks while the ring is full. Returns how many there were.
    ///
    /// They are published a run at a time, with one store: when the free slots are filled, and at the end; one that is too long for a slot
    /// is a run of its own. So none can be received before either; an iterator that yields slowly should be sent one by one. If it panics,
    /// what it yielded since the last run was published is not sent. It must not fork and go on in the child, which would write where the
    /// parent has sent messages since.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send); [`SendManyError::sent`] says how many messages were sent before.
    #[inline]
    pub fn send_many<I>(&mut self, messages: I) -> Result<usize, SendManyError>
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
    #[inline]
    pub fn try_send_many<I>(&mut self, messages: I) -> Result<usize, TrySendManyError>
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
    pub fn send_many_timeout<I>(&mut self, messages: I, timeout: Duration) -> Result<usize, SendManyTimeoutError>
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
    pub fn send_many_deadline<I>(&mut self, messages: I, deadline: Instant) -> Result<usize, SendManyTimeoutError>
    where
        I: IntoIterator,
        I::Item: Borrow<M>,
    {
        Ok(self.put_many(messages, Until::Deadline(deadline))?)
    }

    /// Sends copies of all `messages`, in order, a run at a time. Blocks while the ring is full.
    ///
    /// As [`send_many`](Self::send_many), but copied in whole runs where the slots of the ring lie as densely as the slice:
    /// the quickest way to send many small messages.
    ///
    /// # Errors
    ///
    /// As for [`send_many`](Self::send_many).
    #[inline]
    pub fn send_slice(&mut self, messages: &[M]) -> Result<(), SendManyError>
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
    #[inline]
    pub fn try_send_slice(&mut self, messages: &[M]) -> Result<(), TrySendManyError>
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
    pub fn send_slice_timeout(&mut self, messages: &[M], timeout: Duration) -> Result<(), SendManyTimeoutError>
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
    pub fn send_slice_deadline(&mut self, messages: &[M], deadline: Instant) -> Result<(), SendManyTimeoutError>
    where
        M: Sized,
    {
        Ok(self.put_slice(messages, Until::Deadline(deadline))?)
    }

    /// Sends `count` messages, each made in its slot: `fill` gets the number of the message among them, from 0 on, and what lies in
    /// the slot, left over or zero. Blocks while the ring is full.
    ///
    /// The quickest way to send many messages of hundreds of bytes: nothing is copied. They are published a run at a time, as those of
    /// [`send_many`](Self::send_many) are: when the free slots are filled, where they begin again, and at the end; each alone, where they are too
    /// long for a slot. If `fill` panics, what it filled since the last run was published is not sent.
    ///
    /// # Errors
    ///
    /// As for [`send_many`](Self::send_many).
    ///
    /// ```
    /// # let (mut tx, mut rx) = ringmail::spsc::channel::<[u64; 128]>(&ringmail::Options::new())?;
    /// tx.fill_many(3, |number, row| row.fill(number as u64))?;
    /// assert_eq!(*rx.recv()?, [0; 128]);
    /// assert_eq!(*rx.recv()?, [1; 128]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn fill_many(&mut self, count: usize, fill: impl FnMut(usize, &mut M)) -> Result<(), SendManyError>
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
    pub fn try_fill_many(&mut self, count: usize, fill: impl FnMut(usize, &mut M)) -> Result<(), TrySendManyError>
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
        &mut self,
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
        &mut self,
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
    fn put_many<I>(&mut self, messages: I, until: Until) -> Result<usize, Halt>
    where
        I: IntoIterator,
        I::Item: Borrow<M>,
    {
        let mut messages = messages.into_iter();
        let mut sent = 0;
        while let Some(first) = messages.next() {
            let halt = |sent| move |stop| Halt { sent, stop };
            let more = messages.size_hint().0;
            let room = self.room(more, until).map_err(halt(sent))?;
            let run = room.min((more as u64).saturating_add(1)) as usize;
            self.slots().foresee_run::<M>(self.producer.slot(0), run);
            let (filled, long) = self.fill(first, &mut messages, room);
            if filled > 0 {
                self.publish(filled).map_err(halt(sent))?;
                sent += filled as usize;
            }
            if let Some(long) = long {
                self.put(long.borrow(), until).map_err(halt(sent))?;
                sent += 1;
            }
        }
        Ok(sent)
    }

    #[inline(always)]
    fn put_slice(&mut self, messages: &[M], until: Until) -> Result<(), Halt>
    where
        M: Sized,
    {
        if self.slots().have_bodies_for::<M>() {
            return self.put_many(messages, until).map(|_| ());
        }
        let mut sent = 0;
        while sent < messages.len() {
            let halt = |stop| Halt { sent, stop };
            let (index, run) = self.straight_room(messages.len() - sent, until).map_err(halt)?;
            let run = &messages[sent..][..run];
            // SAFETY: the slots from `index` on are the sender's for so many messages, without the end of the lap between.
            unsafe { self.slots().write_run(index, run) };
            self.publish(run.len() as u64).map_err(halt)?;
            sent += run.len();
        }
        Ok(())
    }

    #[inline(always)]
    fn put_filled(&mut self, count: usize, mut fill: impl FnMut(usize, &mut M), until: Until) -> Result<(), Halt>
    where
        M: Sized,
    {
        if self.slots().have_bodies_for::<M>() {
            for sent in 0..count {
                let halt = |stop| Halt { sent, stop };
                let mut loan = self.lend(Some(size_of::<M>()), until).map_err(halt)?;
                fill(sent, &mut loan);
                loan.publish(size_of::<M>()).map_err(halt)?;
            }
            return Ok(());
        }
        let mut sent = 0;
        while sent < count {
            let halt = |stop| Halt { sent, stop };
            let (index, run) = self.straight_room(count - sent, until).map_err(halt)?;
            for ahead in 0..run {
                if !self.pass.is_good() {
                    // Whoever made the last one forked here: of the slots that follow, the parent may have sent messages by now.
                    return Err(halt(Stop::Join(JoinError::Inherited)));
                }
                let payload = self.slots().bare_payload::<M>(index + ahead).cast::<M>();
                // SAFETY: the slot is the sender's, aligned for `M`, and any bytes are a value of it.
                fill(sent + ahead, unsafe { &mut *payload });
            }
            self.publish(run as u64).map_err(halt)?;
            sent += run;
        }
        Ok(())
    }

    /// Free slots, at least one, for a message and `more` after it. Waits while the ring is full.
    #[inline]
    fn room(&mut self, more: usize, until: Until) -> Result<u64, Stop> {
        self.claim(until)?;
        Ok(self.producer.room((more as u64).saturating_add(1)))
    }

    /// The next slot, and how many from there on are free and follow each other, up to `count`; at least one. Waits while the ring is
    /// full.
    #[inline]
    fn straight_room(&mut self, count: usize, until: Until) -> Result<(usize, usize), Stop> {
        let room = self.room(count - 1, until)?;
        let index = self.producer.slot(0);
        let to_lap = self.producer.ring().capacity() as usize - index;
        let run = to_lap.min(count).min(room as usize);
        self.slots().foresee_run::<M>(index, run);
        Ok((index, run))
    }

    /// Fills up to `room` slots, from `first` on, up to a message that is too long for a slot: says how many, and which that is.
    ///
    /// (The first message is written before the loop and not by it, so that the compiler makes vectors of the rest.)
    #[inline]
    fn fill<T: Borrow<M>>(&self, first: T, rest: &mut impl Iterator<Item = T>, room: u64) -> (u64, Option<T>) {
        let slots = *self.slots();
        let write = |index, message: &M| {
            // SAFETY: the slot is the sender's, within the room, and the length was checked.
            unsafe { slots.write(index, slots.bare_payload::<M>(index), message) };
        };
        // Borrowed once each: what is borrowed a second time may be another.
        let message = first.borrow();
        if !slots.fits_in_slot(message) {
            return (0, Some(first));
        }
        write(self.producer.slot(0), message);
        let mut count = 1;
        while count < room {
            // Up to the end of the lap the slots follow each other.
            let start = self.producer.slot(count);
            let straight = (room - count).min(self.producer.ring().capacity() - start as u64);
            for ahead in 0..straight {
                let Some(next) = rest.next() else { return (count + ahead, None) };
                let message = next.borrow();
                if !slots.fits_in_slot(message) {
                    return (count + ahead, Some(next));
                }
                write(start + ahead as usize, message);
            }
            count += straight;
        }
        (count, None)
    }
}
