//! The sending side.

use super::Loan;
use super::end::End;
use crate::attachment::{Aim, Until};
use crate::error::*;
use crate::loan::Lent;
use crate::message::{self, Message};
use crate::pace::Pace;
use crate::ring::body::Rotation;
use crate::ring::mpmc::Claim;
use crate::slots::Place;
use crate::sync::{Mutant, Notes, Private, mutant};
use crate::wait::{self, Look};
use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, Instant};
use zerocopy::KnownLayout;

/// The sending side. Cloning it is cheap and gives each thread a handle of its own; one handle may also be shared.
///
/// Dropping the last sender of the last process ends the stream: receivers get what was sent, then `Disconnected`.
#[repr(align(128))]
pub struct Sender<M: Message + ?Sized> {
    pub(super) end: End,
    /// In which lap this handle last sent into each slot, counted from `base`.
    sent: Notes,
    base: u32,
    /// Which bodies this handle goes round in.
    rotation: Rotation,
    /// How this handle waited for receivers to take long messages, and up to where they had taken them.
    pace: Pace,
    taken: Private,
    _message: PhantomData<fn(&M)>,
}

impl<M: Message + ?Sized> Sender<M> {
    pub(super) fn new(end: End) -> Self {
        let positions = end.core.positions();
        // Half the laps that a note can tell away: slots never sent into match no lap for as long.
        let base = (positions.lap(end.core.tail()) as u32).wrapping_sub(1 << 31);
        let rotation = Rotation::default();
        let taken = Private::new(end.cursor.get());
        let sent = Notes::new(positions.capacity() as usize);
        Self { end, sent, base, rotation, pace: Pace::default(), taken, _message: PhantomData }
    }

    /// Sends a copy of `message`. Blocks while the ring is full; and, where many long messages wait already and receivers are quick, for
    /// a moment, so that they go round in the caches (2 ms at most for 1 MiB). [`try_send`](Self::try_send) never waits.
    ///
    /// # Errors
    ///
    /// [`Disconnected`](SendError::Disconnected) if the ring is closed, or full and all receivers have left or died;
    /// [`NoSpace`](SendError::NoSpace) if there is no memory for a long message (it does not wait for any: what others will
    /// acknowledge soon may be enough for a second try);
    /// [`TooLarge`](SendError::TooLarge) if the message is longer than [`Options::max_len`](crate::Options::max_len).
    #[inline(always)]
    pub fn send(&self, message: &M) -> Result<(), SendError> {
        Ok(self.put(message, Until::Forever)?)
    }

    /// Sends a copy of `message` if there is room. Never blocks.
    ///
    /// # Errors
    ///
    /// [`Full`](TrySendError::Full), and as for [`send`](Self::send).
    #[inline(always)]
    pub fn try_send(&self, message: &M) -> Result<(), TrySendError> {
        Ok(self.put(message, Until::Now)?)
    }

    /// Sends a copy of `message`. Blocks while the ring is full, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`Timeout`](SendTimeoutError::Timeout), and as for [`send`](Self::send).
    pub fn send_timeout(&self, message: &M, timeout: Duration) -> Result<(), SendTimeoutError> {
        Ok(self.put(message, Until::timeout(timeout))?)
    }

    /// Sends a copy of `message`. Blocks while the ring is full, until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As for [`send_timeout`](Self::send_timeout).
    pub fn send_deadline(&self, message: &M, deadline: Instant) -> Result<(), SendTimeoutError> {
        Ok(self.put(message, Until::Deadline(deadline))?)
    }

    /// A free slot, to be filled in place with a message of `len` trailing elements (bytes, for `[u8]`). Blocks while the
    /// ring is full.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    #[inline]
    pub fn loan(&self, len: usize) -> Result<Loan<'_, M>, SendError>
    where
        M: KnownLayout<PointerMetadata = usize>,
    {
        Ok(self.lend(message::size_with::<M>(len), Until::Forever)?)
    }

    /// A free slot, to be filled in place, if there is one. Never blocks.
    ///
    /// # Errors
    ///
    /// As for [`try_send`](Self::try_send).
    #[inline]
    pub fn try_loan(&self, len: usize) -> Result<Loan<'_, M>, TrySendError>
    where
        M: KnownLayout<PointerMetadata = usize>,
    {
        Ok(self.lend(message::size_with::<M>(len), Until::Now)?)
    }

    /// A free slot, to be filled in place. Blocks while the ring is full, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As for [`send_timeout`](Self::send_timeout).
    pub fn loan_timeout(&self, len: usize, timeout: Duration) -> Result<Loan<'_, M>, SendTimeoutError>
    where
        M: KnownLayout<PointerMetadata = usize>,
    {
        Ok(self.lend(message::size_with::<M>(len), Until::timeout(timeout))?)
    }

    /// A free slot, to be filled in place. Blocks while the ring is full, until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As for [`send_timeout`](Self::send_timeout).
    pub fn loan_deadline(&self, len: usize, deadline: Instant) -> Result<Loan<'_, M>, SendTimeoutError>
    where
        M: KnownLayout<PointerMetadata = usize>,
    {
        Ok(self.lend(message::size_with::<M>(len), Until::Deadline(deadline))?)
    }

    /// A free slot for a sized message, to be filled in place. What it holds before is left over or zero. Blocks while the
    /// ring is full.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    #[inline]
    pub fn loan_uninit(&self) -> Result<Loan<'_, M>, SendError>
    where
        M: Sized,
    {
        Ok(self.lend(Some(size_of::<M>()), Until::Forever)?)
    }

    /// A free slot for a sized message, to be filled in place, if there is one. Never blocks.
    ///
    /// # Errors
    ///
    /// As for [`try_send`](Self::try_send).
    #[inline]
    pub fn try_loan_uninit(&self) -> Result<Loan<'_, M>, TrySendError>
    where
        M: Sized,
    {
        Ok(self.lend(Some(size_of::<M>()), Until::Now)?)
    }

    /// A free slot for a sized message, to be filled in place. Blocks while the ring is full, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As for [`send_timeout`](Self::send_timeout).
    pub fn loan_uninit_timeout(&self, timeout: Duration) -> Result<Loan<'_, M>, SendTimeoutError>
    where
        M: Sized,
    {
        Ok(self.lend(Some(size_of::<M>()), Until::timeout(timeout))?)
    }

    /// A free slot for a sized message, to be filled in place. Blocks while the ring is full, until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As for [`send_timeout`](Self::send_timeout).
    pub fn loan_uninit_deadline(&self, deadline: Instant) -> Result<Loan<'_, M>, SendTimeoutError>
    where
        M: Sized,
    {
        Ok(self.lend(Some(size_of::<M>()), Until::Deadline(deadline))?)
    }

    /// Blocks until every message that this very handle sent is acknowledged; for ever if `timeout` is `None`.
    ///
    /// Acknowledged means that a receiver is done with it, not merely that it has it.
    ///
    /// # Errors
    ///
    /// [`Timeout`](WaitAckedError::Timeout); [`Disconnected`](WaitAckedError::Disconnected) if messages are left and all
    /// receivers have left or died.
    pub fn wait_acked(&self, timeout: Option<Duration>) -> Result<(), WaitAckedError> {
        let until = timeout.map_or(Until::Forever, Until::timeout);
        let (core, mut index) = (&self.end.core, 0);
        let mut acked = || {
            while index < core.positions().capacity() as usize {
                if core.is_unacknowledged(index, self.sent.get(index).wrapping_add(self.base)) {
                    return None;
                }
                index += 1;
            }
            Some(())
        };
        if acked().is_none() {
            self.end.persist(Aim::Acknowledgement, Look::Search, until, acked, |_| Err(Stop::NotNow))?;
        }
        Ok(())
    }

    /// Slots of the ring.
    pub fn capacity(&self) -> usize {
        self.end.core.positions().capacity() as usize
    }

    /// Longest message in bytes.
    pub fn max_len(&self) -> usize {
        self.end.core.shared().max_len()
    }

    /// Messages sent and not acknowledged. Looks at every slot, and others go on meanwhile.
    pub fn len(&self) -> usize {
        self.end.core.backlog() as usize
    }

    /// Whether every message is acknowledged. If it says so, another sender may change that at once.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a message sent now would have to wait. If it says not, another sender may change that at once.
    pub fn is_full(&self) -> bool {
        !self.has_space()
    }

    /// Whether a message sent now would find room: as [`is_full`](Self::is_full), the other way round.
    pub fn has_space(&self) -> bool {
        self.end.core.has_space()
    }

    #[inline(always)]
    pub(super) fn put(&self, message: &M, until: Until) -> Result<(), Stop> {
        if !self.end.core.shared().fits_in_slot(message) {
            return self.put_long(message, until);
        }
        let claim = self.end.claim::<M>(until)?;
        if mutant(Mutant::PublishFirst) {
            self.end.commit::<M>(claim);
        }
        let slots = self.end.core.shared();
        // SAFETY: the slot is claimed and the length was checked.
        unsafe { slots.write(claim.index, slots.payload_of::<M>(claim.index), message) };
        self.publish(claim)
    }

    /// Sends what is too long for a slot, or for the ring.
    #[inline(never)]
    fn put_long(&self, message: &M, until: Until) -> Result<(), Stop> {
        self.lend(Some(size_of_val(message)), until)?.fill(message)
    }

    #[inline(always)]
    pub(super) fn lend(&self, len: Option<usize>, until: Until) -> Result<Loan<'_, M>, Stop> {
        let slots = self.end.core.shared();
        let len = len.unwrap_or(usize::MAX);
        let (claim, start, place) = if len <= slots.inline_len() {
            let claim = self.claim_open(until)?;
            (claim, slots.payload_of::<M>(claim.index), Place::SLOT)
        } else {
            let (claim, body) = self.claim_long(len, until)?;
            (claim, slots.body_start(body), Place::in_body(body))
        };
        let slot = Slot { sender: self, claim, me: self.end.me.get(), place };
        // SAFETY: the slot is claimed, and there is room for `len` bytes at `start`, aligned for `M`.
        unsafe { Loan::new(start, len, slot) }
    }

    /// Claims a slot, and a body for what is too long for it.
    #[cold]
    #[inline(never)]
    fn claim_long(&self, len: usize, until: Until) -> Result<(Claim, usize), Stop> {
        let attachment = &self.end.attachment;
        let max = self.max_len();
        if len > max {
            return Err(Stop::TooLarge { len, max });
        }
        let me = self.end.me()?;
        attachment.bodies().expect(&self.rotation, len, me)?;
        attachment.keep_pace(&self.pace, len, until, |most| self.end.core.waiting(&self.taken, &self.end.cursor, most));
        let claim = self.claim_open(until)?;
        let position = self.end.core.positions().at(claim.lap, claim.index);
        let body = attachment.bodies().obtain(&self.rotation, position, len, me).inspect_err(|_| {
            self.end.core.abort(claim);
            self.end.freed();
        })?;
        Ok((claim, body))
    }

    /// Claims a slot, in a ring that is not closed.
    #[inline(always)]
    fn claim_open(&self, until: Until) -> Result<Claim, Stop> {
        if wait::is_closed(&self.end.core.shared().control().filled.0) {
            return Err(Stop::Disconnected);
        }
        self.end.claim::<M>(until)
    }

    /// Commits a filled slot, notes that it was this handle's, and wakes receivers.
    #[inline(always)]
    fn publish(&self, claim: Claim) -> Result<(), Stop> {
        let end = &self.end;
        if mutant(Mutant::WakeFirst) {
            end.filled();
            end.commit::<M>(claim);
            return Ok(());
        }
        end.commit::<M>(claim);
        self.sent.set(claim.index, (claim.lap as u32).wrapping_sub(self.base));
        if end.filled() { withdraw(end, claim) } else { Ok(()) }
    }
}

/// A message committed into a closed ring: taken back, unless a receiver was quicker.
#[cold]
fn withdraw(end: &End, claim: Claim) -> Result<(), Stop> {
    if end.core.retract(claim) {
        end.freed();
        end.attachment.tidy_up_after_retreat();
        return Err(Stop::Disconnected);
    }
    Ok(())
}

impl<M: Message + ?Sized> Clone for Sender<M> {
    fn clone(&self) -> Self {
        Self::new(self.end.another())
    }
}

impl<T> Sender<[T]>
where
    [T]: Message + KnownLayout<PointerMetadata = usize>,
    T: Copy,
{
    /// Sends one message that is put together from `parts`: each is copied once, straight into the ring. Blocks while the ring
    /// is full.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    ///
    /// ```
    /// # let (tx, rx) = ringmail::mpmc::channel::<[u8]>(&ringmail::Options::new())?;
    /// tx.send_parts(&[b"head", b"er and ", b"payload"])?;
    /// assert_eq!(&*rx.recv()?, b"header and payload");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send_parts(&self, parts: &[&[T]]) -> Result<(), SendError> {
        Ok(self.put_parts(parts, Until::Forever)?)
    }

    /// Sends one message that is put together from `parts`, if there is room. Never blocks.
    ///
    /// # Errors
    ///
    /// As for [`try_send`](Self::try_send).
    pub fn try_send_parts(&self, parts: &[&[T]]) -> Result<(), TrySendError> {
        Ok(self.put_parts(parts, Until::Now)?)
    }

    /// Sends one message that is put together from `parts`. Blocks while the ring is full, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As for [`send_timeout`](Self::send_timeout).
    pub fn send_parts_timeout(&self, parts: &[&[T]], timeout: Duration) -> Result<(), SendTimeoutError> {
        Ok(self.put_parts(parts, Until::timeout(timeout))?)
    }

    /// Sends one message that is put together from `parts`. Blocks while the ring is full, until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As for [`send_timeout`](Self::send_timeout).
    pub fn send_parts_deadline(&self, parts: &[&[T]], deadline: Instant) -> Result<(), SendTimeoutError> {
        Ok(self.put_parts(parts, Until::Deadline(deadline))?)
    }

    fn put_parts(&self, parts: &[&[T]], until: Until) -> Result<(), Stop> {
        let len = parts.iter().try_fold(0, |len: usize, part| len.checked_add(size_of_val(*part)));
        self.lend(len, until)?.fill_parts(parts)
    }
}

impl<M: Message + ?Sized> fmt::Debug for Sender<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}

/// A claimed slot, as a loan has it.
#[derive(Debug)]
pub struct Slot<'a, M: Message + ?Sized> {
    sender: &'a Sender<M>,
    claim: Claim,
    me: u64,
    place: Place,
}

impl<M: Message + ?Sized> Lent for Slot<'_, M> {
    #[inline(always)]
    fn commit(&mut self, len: usize) -> Result<(), Stop> {
        let end = &self.sender.end;
        if end.is_inherited(self.me) {
            return Err(Stop::Join(JoinError::Inherited));
        }
        self.place.describe::<M>(end.core.shared(), self.claim.index, len);
        self.sender.publish(self.claim)
    }

    fn shorten(&mut self, lent: usize, len: usize) {
        let end = &self.sender.end;
        if !end.is_inherited(self.me) {
            end.attachment.shorten_place(self.place, lent, len);
        }
    }

    fn abort(&mut self, lent: usize) {
        let end = &self.sender.end;
        if !end.is_inherited(self.me) {
            end.attachment.leave_place(self.place, lent, || end.core.abort(self.claim));
            end.freed();
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Options;
    use crate::sync::Private;

    #[test]
    fn waiting_is_what_nobody_has_taken() {
        let (tx, rx) = crate::mpmc::channel::<u64>(&Options::new().capacity(5)).unwrap();
        let taken = Private::new(0);
        let core = &tx.end.core;
        let waiting = |many| core.waiting(&taken, &tx.end.cursor, many).map(|at| core.positions().count(at));
        for lap in 0..4 {
            let first = 5 * lap;
            assert_eq!(waiting(1), None);
            (0..4).for_each(|message| tx.try_send(&message).unwrap());
            assert_eq!((waiting(4), waiting(5)), (Some(first), None));
            let held = rx.try_recv().unwrap();
            assert_eq!((waiting(3), waiting(4)), (Some(first + 1), None));
            drop(held);
            tx.try_send(&4).unwrap();
            assert_eq!((waiting(4), waiting(5)), (Some(first + 1), None));
            assert_eq!(rx.try_iter().count(), 4);
        }
        // Somebody who knew nothing of the last laps.
        taken.set(0);
        assert_eq!(waiting(1), None);
    }
}
