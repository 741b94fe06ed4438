//! The sending side.

use super::back::{Back, resume};
use super::end::{End, Pass, backlog};
use super::{Loan, Slot};
use crate::attachment::{Attachment, Until};
use crate::error::*;
use crate::message::{self, Message};
use crate::ring::spsc::Producer;
use crate::slots::{Place, Slots};
use crate::sync::{Mutant, mutant};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zerocopy::KnownLayout;

/// The sending side.
///
/// Dropping it ends the stream, unless another takes the role first: the receiver gets what was sent, then `Disconnected`.
#[repr(align(128))]
pub struct Sender<M: Message + ?Sized> {
    pub(super) producer: Producer<Slots>,
    pub(super) pass: Pass,
    /// All that a message does not need. (Elsewhere, so that nothing that is called has a reference to the rest: see `ring::spsc`.)
    pub(super) back: Box<Back>,
    _message: PhantomData<fn(&M)>,
}

impl<M: Message + ?Sized> Sender<M> {
    pub(super) fn new(end: End) -> Self {
        let (producer, pass) = (resume(&end), end.pass());
        Self { producer, pass, back: Box::new(Back::new(end)), _message: PhantomData }
    }

    /// The slots of the ring.
    #[inline(always)]
    pub(super) fn slots(&self) -> &Slots {
        self.producer.shared()
    }

    /// Whether it came through a fork and has not been used since.
    pub(super) fn is_inherited(&self) -> bool {
        self.back.end.is_inherited()
    }

    /// What this process has of the ring.
    pub(super) fn attachment(&self) -> &Arc<Attachment> {
        &self.back.end.attachment
    }

    /// Sends a copy of `message`. Blocks while the ring is full; and, where many long messages wait already and receivers are quick, for
    /// a moment, so that they go round in the caches (2 ms at most for 1 MiB). [`try_send`](Self::try_send) never waits.
    ///
    /// # Errors
    ///
    /// [`Disconnected`](SendError::Disconnected) if the ring is closed, or full and the receiver has left or died;
    /// [`NoSpace`](SendError::NoSpace) if there is no memory for a long message (it does not wait for any: what others will
    /// acknowledge soon may be enough for a second try);
    /// [`TooLarge`](SendError::TooLarge) if the message is longer than [`Options::max_len`](crate::Options::max_len);
    /// [`Join`](SendError::Join) in a forked child while the parent keeps the role.
    #[inline(always)]
    pub fn send(&mut self, message: &M) -> Result<(), SendError> {
        Ok(self.put(message, Until::Forever)?)
    }

    /// Sends a copy of `message` if there is room. Never blocks.
    ///
    /// # Errors
    ///
    /// [`Full`](TrySendError::Full), and as for [`send`](Self::send).
    #[inline(always)]
    pub fn try_send(&mut self, message: &M) -> Result<(), TrySendError> {
        Ok(self.put(message, Until::Now)?)
    }

    /// Sends a copy of `message`. Blocks while the ring is full, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`Timeout`](SendTimeoutError::Timeout), and as for [`send`](Self::send).
    pub fn send_timeout(&mut self, message: &M, timeout: Duration) -> Result<(), SendTimeoutError> {
        Ok(self.put(message, Until::timeout(timeout))?)
    }

    /// Sends a copy of `message`. Blocks while the ring is full, until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As for [`send_timeout`](Self::send_timeout).
    pub fn send_deadline(&mut self, message: &M, deadline: Instant) -> Result<(), SendTimeoutError> {
        Ok(self.put(message, Until::Deadline(deadline))?)
    }

    /// The next slot, to be filled in place with a message of `len` trailing elements (bytes, for `[u8]`). Blocks while the
    /// ring is full.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    #[inline]
    pub fn loan(&mut self, len: usize) -> Result<Loan<'_, M>, SendError>
    where
        M: KnownLayout<PointerMetadata = usize>,
    {
        Ok(self.lend(message::size_with::<M>(len), Until::Forever)?)
    }

    /// The next slot, to be filled in place, if it is free. Never blocks.
    ///
    /// # Errors
    ///
    /// As for [`try_send`](Self::try_send).
    #[inline]
    pub fn try_loan(&mut self, len: usize) -> Result<Loan<'_, M>, TrySendError>
    where
        M: KnownLayout<PointerMetadata = usize>,
    {
        Ok(self.lend(message::size_with::<M>(len), Until::Now)?)
    }

    /// The next slot, to be filled in place. Blocks while the ring is full, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As for [`send_timeout`](Self::send_timeout).
    pub fn loan_timeout(&mut self, len: usize, timeout: Duration) -> Result<Loan<'_, M>, SendTimeoutError>
    where
        M: KnownLayout<PointerMetadata = usize>,
    {
        Ok(self.lend(message::size_with::<M>(len), Until::timeout(timeout))?)
    }

    /// The next slot, to be filled in place. Blocks while the ring is full, until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As for [`send_timeout`](Self::send_timeout).
    pub fn loan_deadline(&mut self, len: usize, deadline: Instant) -> Result<Loan<'_, M>, SendTimeoutError>
    where
        M: KnownLayout<PointerMetadata = usize>,
    {
        Ok(self.lend(message::size_with::<M>(len), Until::Deadline(deadline))?)
    }

    /// The next slot for a sized message, to be filled in place. What it holds before is left over or zero. Blocks while
    /// the ring is full.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    #[inline]
    pub fn loan_uninit(&mut self) -> Result<Loan<'_, M>, SendError>
    where
        M: Sized,
    {
        Ok(self.lend(Some(size_of::<M>()), Until::Forever)?)
    }

    /// The next slot for a sized message, to be filled in place, if it is free. Never blocks.
    ///
    /// # Errors
    ///
    /// As for [`try_send`](Self::try_send).
    #[inline]
    pub fn try_loan_uninit(&mut self) -> Result<Loan<'_, M>, TrySendError>
    where
        M: Sized,
    {
        Ok(self.lend(Some(size_of::<M>()), Until::Now)?)
    }

    /// The next slot for a sized message, to be filled in place. Blocks while the ring is full, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As for [`send_timeout`](Self::send_timeout).
    pub fn loan_uninit_timeout(&mut self, timeout: Duration) -> Result<Loan<'_, M>, SendTimeoutError>
    where
        M: Sized,
    {
        Ok(self.lend(Some(size_of::<M>()), Until::timeout(timeout))?)
    }

    /// The next slot for a sized message, to be filled in place. Blocks while the ring is full, until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As for [`send_timeout`](Self::send_timeout).
    pub fn loan_uninit_deadline(&mut self, deadline: Instant) -> Result<Loan<'_, M>, SendTimeoutError>
    where
        M: Sized,
    {
        Ok(self.lend(Some(size_of::<M>()), Until::Deadline(deadline))?)
    }

    /// Blocks until every message sent so far is acknowledged; for ever if `timeout` is `None`.
    ///
    /// Acknowledged means that the receiver is done with it, not merely that it has it.
    ///
    /// # Errors
    ///
    /// [`Timeout`](WaitAckedError::Timeout); [`Disconnected`](WaitAckedError::Disconnected) if messages are left and the
    /// receiver has left or died.
    #[inline]
    pub fn wait_acked(&mut self, timeout: Option<Duration>) -> Result<(), WaitAckedError> {
        Ok(self.back.wait_acked(self.producer.tail(), timeout)?)
    }

    /// Slots of the ring.
    pub fn capacity(&self) -> usize {
        self.producer.ring().capacity() as usize
    }

    /// Longest message in bytes.
    pub fn max_len(&self) -> usize {
        self.slots().max_len()
    }

    /// Messages sent and not acknowledged. If the receiver lives, they may have become fewer.
    pub fn len(&self) -> usize {
        backlog(&self.back.end)
    }

    /// Whether every message is acknowledged.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a message sent now would have to wait. If it says so, the receiver may change that at once; if not, nobody
    /// but this sender can.
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// Whether a message sent now finds room: as [`is_full`](Self::is_full), the other way round.
    pub fn has_space(&self) -> bool {
        !self.is_full()
    }

    #[inline(always)]
    pub(super) fn put(&mut self, message: &M, until: Until) -> Result<(), Stop> {
        if !self.slots().fits_in_slot(message) {
            return self.put_long(message, until);
        }
        // What is usual has a way of its own to the end. Where both met before it, numbers would change registers there for each message.
        if self.pass.is_good()
            && let Some(index) = self.producer.claim_known()
        {
            return self.put_into(index, message);
        }
        let index = self.claim(until)?;
        self.put_into(index, message)
    }

    /// Sends a message that fits into the claimed slot.
    #[inline(always)]
    fn put_into(&mut self, index: usize, message: &M) -> Result<(), Stop> {
        let position = self.producer.tail();
        if mutant(Mutant::PublishFirst) {
            self.producer.commit_one(position);
        }
        let payload = self.slots().bare_payload::<M>(index);
        // SAFETY: the slot is the sender's and the length was checked.
        unsafe { self.slots().write(index, payload, message) };
        self.slots().foresee_line::<M>(payload);
        self.producer.commit_one(position);
        self.announce()
    }

    /// The next slot.
    #[inline(always)]
    pub(super) fn claim(&mut self, until: Until) -> Result<usize, Stop> {
        if self.pass.is_good()
            && let Some(index) = self.producer.claim()
        {
            return Ok(index);
        }
        let look = self.back.end.after_miss(until, self.pass.is_good())?;
        self.seldom(|back| back.claim(until, look))
    }

    /// Lets the back do what is seldom done, and goes on where it left off.
    #[inline(always)]
    fn seldom<T>(&mut self, work: impl FnOnce(&mut Back) -> T) -> T {
        self.producer.leave(&self.back.at);
        let done = work(&mut self.back);
        self.producer.go_on(&self.back.at);
        done
    }

    /// Commits the next slot and wakes the receiver.
    #[inline(always)]
    pub(super) fn publish_one(&mut self) -> Result<(), Stop> {
        self.producer.commit_one(self.producer.tail());
        self.announce()
    }

    /// Commits filled slots and wakes the receiver.
    #[inline]
    pub(super) fn publish(&mut self, count: u64) -> Result<(), Stop> {
        // Whoever made the messages may have forked.
        if !self.pass.is_good() {
            return Err(Stop::Join(JoinError::Inherited));
        }
        self.producer.commit(count);
        self.announce()
    }

    /// Wakes the receiver after a commit.
    #[inline(always)]
    fn announce(&mut self) -> Result<(), Stop> {
        if !self.back.end.filled(self.slots()) {
            return Ok(());
        }
        self.producer.end();
        self.back.after_close(self.producer.tail())
    }

    /// Sends what is too long for a slot, or for the ring.
    #[inline(never)]
    fn put_long(&mut self, message: &M, until: Until) -> Result<(), Stop> {
        self.lend(Some(size_of_val(message)), until)?.fill(message)
    }

    #[inline]
    pub(super) fn lend(&mut self, len: Option<usize>, until: Until) -> Result<Loan<'_, M>, Stop> {
        let len = len.unwrap_or(usize::MAX);
        let (start, place) = self.claim_place(len, until)?;
        let slot = self.slot(place);
        // SAFETY: the slot is the sender's, and there is room for `len` bytes at `start`, aligned for `M`.
        unsafe { Loan::new(start, len, slot) }
    }

    /// The next slot, and where a message of `len` bytes goes that is sent from it.
    #[inline]
    pub(super) fn claim_place(&mut self, len: usize, until: Until) -> Result<(*mut u8, Place), Stop> {
        if len <= self.slots().inline_len() {
            let index = self.claim(until)?;
            let payload = self.slots().bare_payload::<M>(index);
            self.slots().foresee_line::<M>(payload);
            Ok((payload, Place::SLOT))
        } else {
            let body = self.seldom(|back| back.claim_long(len, until))?;
            Ok((self.slots().body_start(body), Place::in_body(body)))
        }
    }

    /// The slot at the tail with the place that was claimed with it, to be committed.
    #[inline]
    pub(super) fn slot(&mut self, place: Place) -> Slot<'_, M> {
        Slot { sender: self, place }
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
    /// # let (mut tx, mut rx) = ringmail::spsc::channel::<[u8]>(&ringmail::Options::new())?;
    /// tx.send_parts(&[b"head", b"er and ", b"payload"])?;
    /// assert_eq!(&*rx.recv()?, b"header and payload");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send_parts(&mut self, parts: &[&[T]]) -> Result<(), SendError> {
        Ok(self.put_parts(parts, Until::Forever)?)
    }

    /// Sends one message that is put together from `parts`, if there is room. Never blocks.
    ///
    /// # Errors
    ///
    /// As for [`try_send`](Self::try_send).
    pub fn try_send_parts(&mut self, parts: &[&[T]]) -> Result<(), TrySendError> {
        Ok(self.put_parts(parts, Until::Now)?)
    }

    /// Sends one message that is put together from `parts`. Blocks while the ring is full, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As for [`send_timeout`](Self::send_timeout).
    pub fn send_parts_timeout(&mut self, parts: &[&[T]], timeout: Duration) -> Result<(), SendTimeoutError> {
        Ok(self.put_parts(parts, Until::timeout(timeout))?)
    }

    /// Sends one message that is put together from `parts`. Blocks while the ring is full, until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As for [`send_timeout`](Self::send_timeout).
    pub fn send_parts_deadline(&mut self, parts: &[&[T]], deadline: Instant) -> Result<(), SendTimeoutError> {
        Ok(self.put_parts(parts, Until::Deadline(deadline))?)
    }

    fn put_parts(&mut self, parts: &[&[T]], until: Until) -> Result<(), Stop> {
        let len = parts.iter().try_fold(0, |len: usize, part| len.checked_add(size_of_val(*part)));
        self.lend(len, until)?.fill_parts(parts)
    }
}

impl<M: Message + ?Sized> fmt::Debug for Sender<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::Options;
    use crate::ring::position::Positions;
    use crate::ring::spsc::{Producer, Shared, is_current, is_current_beyond};
    use crate::sync::{AtomicU64, Ordering::*};

    /// The words of a ring, and nothing else of it.
    struct Words([AtomicU64; 3]);

    impl Shared for &Words {
        fn tail(&self) -> &AtomicU64 {
            &self.0[0]
        }

        fn head(&self) -> &AtomicU64 {
            &self.0[1]
        }

        fn taken(&self) -> &AtomicU64 {
            &self.0[2]
        }
    }

    #[test]
    fn the_known_head_is_the_one_last_seen() {
        let ring = Positions::new(5);
        let last_lap = u64::MAX / ring.one_lap();
        // Somewhere, from the first position on, and to where positions begin again at zero.
        for start in [ring.at(7, 3), 0, ring.at(last_lap, 2), ring.at(last_lap, 4)] {
            let mut head = ring.retreat(start, 2);
            let words = Words([start, head, head].map(AtomicU64::new));
            let mut producer = Producer::resume(&words, ring);
            assert_eq!(producer.known_head(), ring.retreat(start, 5), "a lap behind, until it looks");
            for lap in 0..9 {
                let behind = ring.distance(head, producer.tail());
                assert!(producer.claim().is_some());
                assert_eq!(producer.known_head(), head);
                producer.commit(5 - behind);
                assert!(producer.claim().is_none());
                assert_eq!(producer.known_head(), head);
                // The receiver goes on: that is known once the sender has looked, and makes no difference.
                let (known, end) = (head, producer.tail());
                head = ring.advance(head, 1 + lap % 5);
                words.0[1].store(head, Relaxed);
                assert_eq!(producer.known_head(), known);
                for position in (0..20).map(|back| end.wrapping_add(2).wrapping_sub(back)) {
                    let is_current = is_current(position, head, Some(end));
                    assert_eq!(
                        is_current_beyond(&&words, position, known, end),
                        is_current,
                        "{position} of {head}..{end}"
                    );
                }
            }
            assert!(producer.claim().is_some());
            assert_eq!(producer.known_head(), head);
            producer.end();
            let least = ring.retreat(producer.tail(), 5);
            assert_eq!((producer.known_head(), producer.claim()), (least, None), "no more than anybody knows");
            assert_eq!(Producer::resume(&words, ring).known_head(), least);
        }
    }

    #[test]
    fn waiting_is_what_is_not_acknowledged() {
        let (mut tx, mut rx) = crate::spsc::channel::<u64>(&Options::new().capacity(5)).unwrap();
        for _ in 0..4 {
            assert_eq!(tx.producer.waiting(1), None);
            (0..4).for_each(|message| tx.try_send(&message).unwrap());
            let at = tx.producer.waiting(4);
            assert!(at.is_some() && tx.producer.waiting(5).is_none());
            drop(rx.try_recv().unwrap());
            assert_eq!(tx.producer.waiting(4), None);
            let later = tx.producer.waiting(3);
            assert!(later.is_some() && later != at);
            assert_eq!(rx.try_iter().count(), 3);
        }
    }
}
