//! Many senders, many receivers: any number of each, in any processes.
//!
//! Every message goes to one receiver. Handles are `Clone + Send + Sync` and take `&self`. Received messages and loans may be
//! held as long as you like and released in any order: each costs its slot and blocks nobody.
//!
//! ```
//! use ringmail::{Options, mpmc};
//!
//! let (tx, rx) = mpmc::channel::<[u8]>(&Options::new().capacity(8).max_len(64))?;
//! tx.send(b"one")?;
//! tx.send(b"two")?;
//! let one = rx.recv()?;
//! assert_eq!(&*rx.recv()?, b"two");
//! assert_eq!(&*one, b"one");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Order
//!
//! Messages of one sender arrive in the order of sends that had returned. A message that is [redelivered](Received::redelivered)
//! is late and says so.

use crate::attachment::{Attachment, Until};
use crate::error::*;
use crate::layout::Flavour;
use crate::loan::{self, Lent};
use crate::message::{self, Message};
use crate::open::{self, Kind};
use crate::options::Options;
use crate::owner::Owner;
use crate::received::{self, Hold, Run};
use crate::registry::Role;
use crate::ring::mpmc::{Claim, Core, Miss, Taken};
use crate::slots::Slots;
use crate::sync::{AtomicU64, Notes, Ordering::Relaxed, Private};
use crate::wait::{self, Look, Patience, System};
use smallvec::SmallVec;
use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zerocopy::KnownLayout;

/// The flavour as a type.
#[derive(Debug)]
pub enum Mpmc {}

impl Kind for Mpmc {
    const FLAVOUR: Flavour = Flavour::Mpmc;
}

/// An `mpmc` ring that this process has open: see [`Ring`](open::Ring).
pub type Ring<M> = open::Ring<M, Mpmc>;

/// A slot lent to be filled in place: see [`Loan`](loan::Loan).
pub type Loan<'a, M> = loan::Loan<'a, M, Slot<'a>>;

/// A message in place: see [`Received`](received::Received).
pub type Received<'a, M> = received::Received<'a, M, Held<'a>>;

/// A message in place that borrows no receiver.
pub type OwnedReceived<M> = received::Received<'static, M, OwnedHeld>;

/// Several messages in place: see [`Batch`](received::Batch).
pub type Batch<'a, M> = received::Batch<'a, M, HeldRun<'a, M>>;

/// A ring without a name and both its sides, for threads or for processes that are forked.
///
/// # Errors
///
/// As for [`Ring::anonymous`].
pub fn channel<M: Message + ?Sized>(options: &Options) -> Result<(Sender<M>, Receiver<M>), OpenError> {
    let ring = Ring::anonymous(options)?;
    Ok((ring.sender()?, ring.receiver()?))
}

impl<M: Message + ?Sized> Ring<M> {
    /// A new sender.
    ///
    /// # Errors
    ///
    /// [`JoinError::TooManyParticipants`] if this process takes no part yet and the table is full of live ones.
    pub fn sender(&self) -> Result<Sender<M>, JoinError> {
        let end = End::enter(&self.attachment, Role::Sender)?;
        Ok(Sender::new(end))
    }

    /// A new receiver.
    ///
    /// # Errors
    ///
    /// As for [`sender`](Self::sender).
    pub fn receiver(&self) -> Result<Receiver<M>, JoinError> {
        let end = End::enter(&self.attachment, Role::Receiver)?;
        Ok(Receiver { end, _message: PhantomData })
    }
}

/// One handle's end of the ring, sending or receiving.
#[derive(Debug)]
struct End {
    core: Core<Slots>,
    /// Where this handle believes the tail or the head to be.
    cursor: Private,
    /// Who this handle acts as; not what `marker` says, in a forked child that has not joined yet.
    me: Private,
    marker: NonNull<AtomicU64>,
    system: System,
    role: Role,
    misses: Private,
    /// Rejections counted by the ring when this handle last looked at every slot.
    rejected: Private,
    patience: Patience,
    attachment: Arc<Attachment>,
}

// SAFETY: `marker` points into `attachment`, which is shared and outlives it; all else is atomics and plain numbers.
unsafe impl Send for End {}
// SAFETY: as above.
unsafe impl Sync for End {}

impl End {
    fn enter(attachment: &Arc<Attachment>, role: Role) -> Result<Self, JoinError> {
        let me = attachment.enter(role)?;
        Ok(Self::joined(attachment, role, me.bits()))
    }

    fn joined(attachment: &Arc<Attachment>, role: Role, me: u64) -> Self {
        Self {
            core: attachment.core(),
            cursor: Private::new(0),
            me: Private::new(me),
            marker: NonNull::from(attachment.registry().me()),
            system: attachment.system(),
            role,
            misses: Private::new(0),
            rejected: Private::new(0),
            patience: Patience::new(attachment.segment().header().spin_ns.into()),
            attachment: Arc::clone(attachment),
        }
    }

    /// Another handle of the same role. One that cannot join says so when it is used.
    fn another(&self) -> Self {
        let me = self.attachment.enter(self.role).map_or(0, Owner::bits);
        let end = Self::joined(&self.attachment, self.role, me);
        end.cursor.set(self.cursor.get());
        end
    }

    /// Who this handle acts as; joins first in a forked child.
    #[inline]
    fn me(&self) -> Result<Owner, Stop> {
        let me = self.me.get();
        // SAFETY: points into `self.attachment`.
        let marker = unsafe { self.marker.as_ref() };
        if marker.load(Relaxed) == me && me != 0 { Ok(Owner::from_bits(me)) } else { self.join() }
    }

    /// Whether what was claimed as `me` is another process's: its parent's, after a fork.
    #[inline]
    fn is_inherited(&self, me: u64) -> bool {
        // SAFETY: points into `self.attachment`.
        unsafe { self.marker.as_ref() }.load(Relaxed) != me
    }

    #[cold]
    #[inline(never)]
    fn join(&self) -> Result<Owner, Stop> {
        let me = self.attachment.enter(self.role).map_err(Stop::Join)?;
        self.me.set(me.bits());
        Ok(me)
    }

    /// After a commit, for the receivers. Returns whether the ring is closed.
    #[inline]
    fn filled(&self) -> bool {
        wait::after_publishing(&self.core.shared().control().filled.0, !self.system.membarrier, &self.system)
    }

    /// After an acknowledgement, for the senders.
    #[inline]
    fn freed(&self) {
        wait::after_publishing(&self.core.shared().control().freed.0, !self.system.membarrier, &self.system);
    }

    #[inline]
    fn claim(&self, until: Until) -> Result<Claim, Stop> {
        let me = self.me()?;
        match self.core.claim(&self.cursor, me, &*self.attachment) {
            Ok(claim) => Ok(claim),
            Err(Miss::Corrupt) => Err(Stop::Corrupt),
            Err(Miss::NotNow) => self.persist(until, |_| stopped(self.core.claim(&self.cursor, me, &*self.attachment))),
        }
    }

    #[inline]
    fn take(&self, until: Until) -> Result<Taken, Stop> {
        let me = self.me()?;
        match self.core.take(&self.cursor, me, &*self.attachment) {
            Ok(taken) => Ok(taken),
            Err(Miss::Corrupt) => Err(Stop::Corrupt),
            Err(Miss::NotNow) => self.persist(until, |look| self.take_or_search(me, look)),
        }
    }

    /// Takes the next message; if there is none, and it is time to or something was rejected, one of the dead's.
    fn take_or_search(&self, me: Owner, look: Look) -> Result<Taken, Stop> {
        let result = self.core.take(&self.cursor, me, &*self.attachment);
        let rejected = self.core.shared().control().counters.0.rejected.load(Relaxed);
        if result != Err(Miss::NotNow) || (look == Look::Glance && rejected == self.rejected.get()) {
            return stopped(result);
        }
        let found = self.core.sweep(me, &*self.attachment);
        if found.is_none() {
            self.rejected.set(rejected);
        }
        // The search may have freed slots.
        self.freed();
        found.map_or_else(|| stopped(self.core.take(&self.cursor, me, &*self.attachment)), Ok)
    }

    fn persist<T>(&self, until: Until, attempt: impl FnMut(Look) -> Result<T, Stop>) -> Result<T, Stop> {
        self.attachment.persist(self.role, until, &self.patience, &self.misses, attempt)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if self.me.get() != 0 {
            self.attachment.leave(self.role, Owner::from_bits(self.me.get()));
        }
    }
}

/// A miss as the reason to stop.
#[inline]
fn stopped<T>(result: Result<T, Miss>) -> Result<T, Stop> {
    result.map_err(|miss| match miss {
        Miss::NotNow => Stop::NotNow,
        Miss::Corrupt => Stop::Corrupt,
    })
}

/// The sending side. Cloning it is cheap and gives each thread a handle of its own; one handle may also be shared.
///
/// Dropping the last sender of the last process ends the stream: receivers get what was sent, then `Disconnected`.
pub struct Sender<M: Message + ?Sized> {
    end: End,
    /// In which lap this handle last sent into each slot, counted from `base`.
    sent: Notes,
    base: u32,
    _message: PhantomData<fn(&M)>,
}

impl<M: Message + ?Sized> Sender<M> {
    fn new(end: End) -> Self {
        let positions = end.core.positions();
        // Half the laps that a note can tell away: slots never sent into match no lap for as long.
        let base = (positions.lap(end.core.tail()) as u32).wrapping_sub(1 << 31);
        Self { sent: Notes::new(positions.capacity() as usize), end, base, _message: PhantomData }
    }

    /// Sends a copy of `message`. Blocks while the ring is full.
    ///
    /// # Errors
    ///
    /// [`Disconnected`](SendError::Disconnected) if the ring is closed, or full and all receivers have left or died;
    /// [`TooLarge`](SendError::TooLarge) if the message is longer than [`Options::max_len`].
    #[inline]
    pub fn send(&self, message: &M) -> Result<(), SendError> {
        Ok(self.put(message, Until::Forever)?)
    }

    /// Sends a copy of `message` if there is room. Never blocks.
    ///
    /// # Errors
    ///
    /// [`Full`](TrySendError::Full), and as for [`send`](Self::send).
    #[inline]
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
        let mut sent = 0;
        for message in messages {
            let fail = |stop: Stop| SendManyError { sent, error: stop.into() };
            self.put(message.borrow(), Until::Forever).map_err(fail)?;
            sent += 1;
        }
        Ok(sent)
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
        let tail = core.positions().lap(core.tail());
        let acked = |_| {
            while index < core.positions().capacity() as usize {
                // The note has 32 bits; the lap it means is the one nearest to the tail's.
                let behind = (tail as u32).wrapping_sub(self.sent.get(index).wrapping_add(self.base)) as i32;
                if core.is_unacknowledged(index, tail.wrapping_sub(behind as u64)) {
                    return Err(Stop::NotNow);
                }
                index += 1;
            }
            Ok(())
        };
        Ok(self.end.persist(until, acked)?)
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

    #[inline]
    fn fits(&self, message: &M) -> Result<(), Stop> {
        let (len, max) = (size_of_val(message), self.end.core.shared().max_len());
        if const { message::is_sized::<M>() } || len <= max { Ok(()) } else { Err(Stop::TooLarge { len, max }) }
    }

    #[inline]
    fn put(&self, message: &M, until: Until) -> Result<(), Stop> {
        self.fits(message)?;
        let claim = self.end.claim(until)?;
        // SAFETY: the slot is claimed and the length was checked.
        unsafe { self.end.core.shared().write(claim.index, message) };
        self.publish(claim)
    }

    fn lend(&self, len: Option<usize>, until: Until) -> Result<Loan<'_, M>, Stop> {
        let max = self.end.core.shared().max_len();
        let len = len.unwrap_or(usize::MAX);
        if len > max {
            return Err(Stop::TooLarge { len, max });
        }
        if wait::is_closed(&self.end.core.shared().control().filled.0) {
            return Err(Stop::Disconnected);
        }
        let claim = self.end.claim(until)?;
        let me = self.end.me.get();
        let slot =
            Slot { sender: &self.end, notes: (&self.sent, self.base), claim, me, sized: message::is_sized::<M>() };
        // SAFETY: the slot is claimed, has room for `len` bytes and is aligned for `M`.
        unsafe { Loan::new(self.end.core.shared().payload(claim.index), len, slot) }
    }

    #[inline]
    fn publish(&self, claim: Claim) -> Result<(), Stop> {
        publish(&self.end, (&self.sent, self.base), claim)
    }
}

/// Commits a filled slot, notes that it was this handle's, and wakes receivers.
#[inline]
fn publish(end: &End, notes: (&Notes, u32), claim: Claim) -> Result<(), Stop> {
    end.core.commit(claim);
    notes.0.set(claim.index, (claim.lap as u32).wrapping_sub(notes.1));
    if end.filled() { withdraw(end, claim) } else { Ok(()) }
}

/// A message committed into a closed ring: taken back, unless a receiver was quicker.
#[cold]
fn withdraw(end: &End, claim: Claim) -> Result<(), Stop> {
    if end.core.retract(claim) {
        end.freed();
        return Err(Stop::Disconnected);
    }
    Ok(())
}

impl<M: Message + ?Sized> Clone for Sender<M> {
    fn clone(&self) -> Self {
        Self::new(self.end.another())
    }
}

impl<M: Message + ?Sized> fmt::Debug for Sender<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}

/// A claimed slot, as a loan has it.
#[derive(Debug)]
pub struct Slot<'a> {
    sender: &'a End,
    notes: (&'a Notes, u32),
    claim: Claim,
    me: u64,
    sized: bool,
}

impl Lent for Slot<'_> {
    #[inline]
    fn commit(&mut self, len: usize) -> Result<(), Stop> {
        if self.sender.is_inherited(self.me) {
            return Err(Stop::Join(JoinError::Inherited));
        }
        if !self.sized {
            self.sender.core.shared().store_len(self.claim.index, len);
        }
        publish(self.sender, self.notes, self.claim)
    }

    fn abort(&mut self) {
        if !self.sender.is_inherited(self.me) {
            self.sender.core.abort(self.claim);
            self.sender.freed();
        }
    }
}

/// The receiving side. Cloning it is cheap and gives each thread a handle of its own; one handle may also be shared.
pub struct Receiver<M: Message + ?Sized> {
    end: End,
    _message: PhantomData<fn(&M)>,
}

impl<M: Message + ?Sized> Receiver<M> {
    /// The next message. Blocks while the ring is empty.
    ///
    /// # Errors
    ///
    /// [`Disconnected`](RecvError::Disconnected) if the ring is empty and closed, or empty and all senders have left or
    /// died (and there was one). A message that another receiver holds does not count: should it come back, whoever
    /// receives next gets it. Senders that must know use [`Sender::wait_acked`] before they leave.
    #[inline]
    pub fn recv(&self) -> Result<Received<'_, M>, RecvError> {
        Ok(self.get(Until::Forever)?)
    }

    /// The next message, if one is waiting. Never blocks.
    ///
    /// # Errors
    ///
    /// [`Empty`](TryRecvError::Empty), and as for [`recv`](Self::recv).
    #[inline]
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

    /// Copies the next message into `buffer` and acknowledges it; returns its length in bytes. Blocks while the ring is
    /// empty.
    ///
    /// Nothing in the message is interpreted before it is copied: this is the way to receive from a process that is not
    /// trusted to leave it alone meanwhile.
    ///
    /// # Errors
    ///
    /// [`TooLarge`](RecvError::TooLarge) if the buffer is shorter; the message is then [rejected](Received::reject), so not
    /// lost. Otherwise as for [`recv`](Self::recv).
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

    /// The next messages, up to `max` (at least 1) of them: as many as are waiting. Blocks while there is none.
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

    #[inline]
    fn get(&self, until: Until) -> Result<Received<'_, M>, Stop> {
        let taken = self.end.take(until)?;
        let slots = self.end.core.shared();
        let held = Held { receiver: &self.end, taken, me: self.end.me.get() };
        // SAFETY: the message is this receiver's until `held` is released, and aligned for `M`.
        let message = unsafe { Received::new(slots.payload(taken.index), slots.len::<M>(taken.index), held) };
        message.ok_or(Stop::Corrupt)
    }

    fn get_many(&self, max: usize, until: Until) -> Result<Batch<'_, M>, Stop> {
        let first = self.end.take(until)?;
        let me = self.end.me()?;
        let mut run = HeldRun { receiver: &self.end, taken: SmallVec::new(), me: me.bits(), _message: PhantomData };
        run.taken.push(first);
        while run.taken.len() < max.max(1)
            && let Ok(taken) = self.end.core.take(&self.end.cursor, me, &*self.end.attachment)
        {
            run.taken.push(taken);
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

/// A message as a receiver holds it.
#[derive(Debug)]
pub struct Held<'a> {
    receiver: &'a End,
    taken: Taken,
    me: u64,
}

impl Hold for Held<'_> {
    type Owned = OwnedHeld;

    #[inline]
    fn acknowledge(&mut self) {
        if !self.receiver.is_inherited(self.me) {
            self.receiver.core.acknowledge(self.taken);
            self.receiver.freed();
        }
    }

    fn reject(&mut self) {
        if !self.receiver.is_inherited(self.me) {
            self.receiver.core.reject(self.taken);
            self.receiver.filled();
        }
    }

    #[inline]
    fn redelivered(&self) -> u32 {
        self.taken.attempt
    }

    fn into_owned(self) -> OwnedHeld {
        OwnedHeld { attachment: Arc::clone(&self.receiver.attachment), taken: self.taken, me: self.me }
    }
}

/// A message held without its receiver.
#[derive(Debug)]
pub struct OwnedHeld {
    attachment: Arc<Attachment>,
    taken: Taken,
    me: u64,
}

impl OwnedHeld {
    fn is_inherited(&self) -> bool {
        self.attachment.registry().me().load(Relaxed) != self.me
    }
}

impl Hold for OwnedHeld {
    type Owned = Self;

    fn acknowledge(&mut self) {
        if !self.is_inherited() {
            self.attachment.core().acknowledge(self.taken);
            self.attachment.announce(Role::Sender);
        }
    }

    fn reject(&mut self) {
        if !self.is_inherited() {
            self.attachment.core().reject(self.taken);
            self.attachment.announce(Role::Receiver);
        }
    }

    fn redelivered(&self) -> u32 {
        self.taken.attempt
    }

    fn into_owned(self) -> Self {
        self
    }
}

/// Several messages as a receiver holds them.
#[derive(Debug)]
pub struct HeldRun<'a, M: Message + ?Sized> {
    receiver: &'a End,
    taken: SmallVec<[Taken; 32]>,
    me: u64,
    _message: PhantomData<fn(&M)>,
}

impl<M: Message + ?Sized> Run for HeldRun<'_, M> {
    #[inline]
    fn len(&self) -> usize {
        self.taken.len()
    }

    #[inline]
    fn at(&self, place: usize) -> (*const u8, Option<usize>) {
        let slots = self.receiver.core.shared();
        let index = self.taken[place].index;
        (slots.payload(index), slots.len::<M>(index))
    }

    fn redelivered(&self, place: usize) -> u32 {
        self.taken[place].attempt
    }

    fn acknowledge(&mut self) {
        if !self.receiver.is_inherited(self.me) {
            self.taken.iter().for_each(|&taken| self.receiver.core.acknowledge(taken));
            self.receiver.freed();
        }
    }

    fn reject(&mut self) {
        if !self.receiver.is_inherited(self.me) {
            self.taken.iter().for_each(|&taken| self.receiver.core.reject(taken));
            self.receiver.filled();
        }
    }
}
