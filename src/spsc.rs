//! One sender, one receiver: the fastest way from one process to another.
//!
//! Each role belongs to one handle in one process; the kernel sees to it, and hands it on when its holder dies. Handles
//! take `&mut self`, are `Send` and not `Clone`. A slot is nothing but the payload: no state word, no read-modify-write.
//!
//! ```
//! use ringmail::{Options, spsc};
//!
//! let (mut tx, mut rx) = spsc::channel::<u64>(&Options::new().capacity(8))?;
//! tx.send(&7)?;
//! assert_eq!(*rx.recv()?, 7);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # When a role changes hands
//!
//! A sender or receiver that takes over carries on where its predecessor stopped: a message that was being filled is
//! forgotten, one that was received and not acknowledged is [received again](Received::redelivered).

use crate::attachment::{Attachment, Until};
use crate::error::*;
use crate::layout::Flavour;
use crate::ledger::{Handed, Ledger};
use crate::loan::{self, Lent};
use crate::message::{self, Message};
use crate::open::{self, Kind};
use crate::options::Options;
use crate::owner::Owner;
use crate::received::{self, Hold, Run};
use crate::registry::Role;
use crate::ring::position::Positions;
use crate::ring::spsc::{Consumer, Producer, Shared, acknowledge};
use crate::slots::{self, Slots};
use crate::sync::{AtomicU64, Ordering::*, Private};
use crate::wait::{self, Patience, System};
use std::borrow::Borrow;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zerocopy::KnownLayout;

/// The flavour as a type.
#[derive(Debug)]
pub enum Spsc {}

impl Kind for Spsc {
    const FLAVOUR: Flavour = Flavour::Spsc;
}

/// An `spsc` ring that this process has open: see [`Ring`](open::Ring).
pub type Ring<M> = open::Ring<M, Spsc>;

/// The next slot, lent to be filled in place: see [`Loan`](loan::Loan).
pub type Loan<'a, M> = loan::Loan<'a, M, Slot<'a>>;

/// A message in place: see [`Received`](received::Received).
pub type Received<'a, M> = received::Received<'a, M, Held<'a>>;

/// A message in place that borrows no receiver.
pub type OwnedReceived<M> = received::Received<'static, M, OwnedHeld>;

/// Several messages in place: see [`Batch`](received::Batch).
pub type Batch<'a, M> = received::Batch<'a, M, HeldRun<'a, M>>;

/// A ring without a name and both its sides, for threads.
///
/// For a child that is forked, create a [`Ring::anonymous`] before and take each side in the process that uses it: a role
/// belongs to one process.
///
/// # Errors
///
/// As for [`Ring::anonymous`].
pub fn channel<M: Message + ?Sized>(options: &Options) -> Result<(Sender<M>, Receiver<M>), OpenError> {
    let ring = Ring::anonymous(options)?;
    Ok((ring.sender()?, ring.receiver()?))
}

impl<M: Message + ?Sized> Ring<M> {
    /// The sender.
    ///
    /// # Errors
    ///
    /// [`JoinError::RoleTaken`] while a live process has it, also this one; [`JoinError::TooManyParticipants`].
    pub fn sender(&self) -> Result<Sender<M>, JoinError> {
        let end = End::enter(&self.attachment, Role::Sender)?;
        let producer = Producer::resume(end.slots, end.ring);
        Ok(Sender { end, producer, _message: PhantomData })
    }

    /// The receiver.
    ///
    /// # Errors
    ///
    /// As for [`sender`](Self::sender).
    pub fn receiver(&self) -> Result<Receiver<M>, JoinError> {
        let end = End::enter(&self.attachment, Role::Receiver)?;
        let consumer = Consumer::resume(end.slots, end.ring);
        Ok(Receiver { desk: Desk { end, consumer, ledger: None }, _message: PhantomData })
    }
}

/// One handle's end of the ring, sending or receiving.
#[derive(Debug)]
struct End {
    slots: Slots,
    ring: Positions,
    /// Who this handle acts as; not what `marker` says, in a forked child.
    me: u64,
    marker: NonNull<AtomicU64>,
    system: System,
    role: Role,
    misses: Private,
    patience: Patience,
    attachment: Arc<Attachment>,
    /// A role has one user at a time.
    _not_sync: PhantomData<Cell<()>>,
}

// SAFETY: `marker` points into `attachment`, which is shared and outlives it; all else is plain numbers.
unsafe impl Send for End {}

impl End {
    fn enter(attachment: &Arc<Attachment>, role: Role) -> Result<Self, JoinError> {
        let me = attachment.enter(role)?;
        let header = attachment.segment().header();
        Ok(Self {
            slots: attachment.slots(),
            ring: slots::positions(header),
            me: me.bits(),
            marker: NonNull::from(attachment.registry().me()),
            system: attachment.system(),
            role,
            misses: Private::new(0),
            patience: Patience::new(header.spin_ns.into()),
            attachment: Arc::clone(attachment),
            _not_sync: PhantomData,
        })
    }

    /// Whether this handle came through a fork, so that the role is not this process's.
    #[inline]
    fn is_inherited(&self) -> bool {
        // SAFETY: points into `self.attachment`.
        unsafe { self.marker.as_ref() }.load(Relaxed) != self.me
    }

    /// Takes the role on in a forked child. While the parent has it, waits a while: it may be about to drop its copy.
    #[cold]
    #[inline(never)]
    fn join(&mut self, until: Until) -> Result<(), Stop> {
        let patience = Instant::now() + Duration::from_secs(1);
        loop {
            match self.attachment.enter(self.role) {
                Ok(me) => {
                    self.me = me.bits();
                    return Ok(());
                }
                Err(error) => {
                    let now = Instant::now();
                    let give_up = match until {
                        Until::Now => true,
                        Until::Deadline(deadline) => now >= deadline.min(patience),
                        Until::Forever => now >= patience,
                    };
                    if give_up || !error.is_role_taken() {
                        return Err(Stop::Join(error));
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        }
    }

    /// After a commit, for the receiver. Returns whether the ring is closed.
    #[inline]
    fn filled(&self) -> bool {
        wait::after_publishing(&self.slots.control().filled.0, !self.system.membarrier, &self.system)
    }

    /// After an acknowledgement, for the sender.
    #[inline]
    fn freed(&self) {
        wait::after_publishing(&self.slots.control().freed.0, !self.system.membarrier, &self.system);
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.attachment.leave(self.role, Owner::from_bits(self.me));
    }
}

/// The sending side.
///
/// Dropping it ends the stream, unless another takes the role first: the receiver gets what was sent, then `Disconnected`.
pub struct Sender<M: Message + ?Sized> {
    end: End,
    producer: Producer<Slots>,
    _message: PhantomData<fn(&M)>,
}

impl<M: Message + ?Sized> Sender<M> {
    /// Sends a copy of `message`. Blocks while the ring is full.
    ///
    /// # Errors
    ///
    /// [`Disconnected`](SendError::Disconnected) if the ring is closed, or full and the receiver has left or died;
    /// [`TooLarge`](SendError::TooLarge) if the message is longer than [`Options::max_len`];
    /// [`Join`](SendError::Join) in a forked child while the parent keeps the role.
    #[inline]
    pub fn send(&mut self, message: &M) -> Result<(), SendError> {
        Ok(self.put(message, Until::Forever)?)
    }

    /// Sends a copy of `message` if there is room. Never blocks.
    ///
    /// # Errors
    ///
    /// [`Full`](TrySendError::Full), and as for [`send`](Self::send).
    #[inline]
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

    /// Sends copies of all `messages`, in order. Blocks while the ring is full. Returns how many there were.
    ///
    /// They are published a run at a time, with one store: when the free slots are filled, and at the end. So none can be
    /// received before either; an iterator that yields slowly should be sent one by one.
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
        let mut messages = messages.into_iter();
        let mut sent = 0;
        loop {
            let room = match self.room(&messages) {
                Ok(room) => room,
                Err(stop) => return Err(SendManyError { sent, error: stop.into() }),
            };
            let mut run = Filled { sender: self, count: 0 };
            let stop = run.fill(&mut messages, room);
            let published = run.count;
            drop(run);
            sent += published as usize;
            if let Err(stop) = stop {
                return Err(SendManyError { sent, error: stop.into() });
            }
            if published < room {
                return Ok(sent);
            }
        }
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

    /// Blocks until every message sent so far is acknowledged; for ever if `timeout` is `None`.
    ///
    /// Acknowledged means that the receiver is done with it, not merely that it has it.
    ///
    /// # Errors
    ///
    /// [`Timeout`](WaitAckedError::Timeout); [`Disconnected`](WaitAckedError::Disconnected) if messages are left and the
    /// receiver has left or died.
    pub fn wait_acked(&mut self, timeout: Option<Duration>) -> Result<(), WaitAckedError> {
        let until = timeout.map_or(Until::Forever, Until::timeout);
        let (end, producer) = (&self.end, &self.producer);
        let acked = |_| if producer.is_acknowledged(producer.tail()) { Ok(()) } else { Err(Stop::NotNow) };
        Ok(end.attachment.persist(end.role, until, &end.patience, &end.misses, acked)?)
    }

    /// Slots of the ring.
    pub fn capacity(&self) -> usize {
        self.end.ring.capacity() as usize
    }

    /// Longest message in bytes.
    pub fn max_len(&self) -> usize {
        self.end.slots.max_len()
    }

    /// Messages sent and not acknowledged. If the receiver lives, they may have become fewer.
    pub fn len(&self) -> usize {
        backlog(&self.end)
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

    #[inline]
    fn fits(&self, message: &M) -> Result<(), Stop> {
        let (len, max) = (size_of_val(message), self.end.slots.max_len());
        if const { message::is_sized::<M>() } || len <= max { Ok(()) } else { Err(Stop::TooLarge { len, max }) }
    }

    #[inline]
    fn put(&mut self, message: &M, until: Until) -> Result<(), Stop> {
        self.fits(message)?;
        let index = self.claim(until)?;
        // SAFETY: the slot is the sender's and the length was checked.
        unsafe { self.end.slots.write(index, message) };
        self.publish(1)
    }

    /// The next slot.
    #[inline]
    fn claim(&mut self, until: Until) -> Result<usize, Stop> {
        if !self.end.is_inherited()
            && let Some(index) = self.producer.claim()
        {
            return Ok(index);
        }
        self.claim_slow(until)
    }

    #[cold]
    #[inline(never)]
    fn claim_slow(&mut self, until: Until) -> Result<usize, Stop> {
        if self.end.is_inherited() {
            self.end.join(until)?;
            self.producer = Producer::resume(self.end.slots, self.end.ring);
        }
        let (end, producer) = (&self.end, &mut self.producer);
        if end.attachment.is_closed() {
            return Err(Stop::Disconnected);
        }
        let attempt = |_| producer.claim().ok_or(Stop::NotNow);
        end.attachment.persist(end.role, until, &end.patience, &end.misses, attempt)
    }

    /// Commits filled slots and wakes the receiver.
    #[inline]
    fn publish(&mut self, count: u64) -> Result<(), Stop> {
        self.producer.commit(count);
        if self.end.filled() { self.after_close() } else { Ok(()) }
    }

    /// A message committed into a closed ring: received all the same, or not, but no further one will be.
    #[cold]
    fn after_close(&mut self) -> Result<(), Stop> {
        self.producer.forget();
        if self.producer.is_acknowledged(self.producer.tail()) { Ok(()) } else { Err(Stop::Disconnected) }
    }

    /// Free slots for what `messages` will yield, at least one if it yields at all.
    #[inline]
    fn room<I: Iterator>(&mut self, messages: &I) -> Result<u64, Stop> {
        let (least, most) = messages.size_hint();
        if most == Some(0) {
            return Ok(1);
        }
        if self.end.is_inherited() || self.producer.claim().is_none() {
            self.claim_slow(Until::Forever)?;
        }
        Ok(self.producer.room(least.max(1) as u64))
    }

    fn lend(&mut self, len: Option<usize>, until: Until) -> Result<Loan<'_, M>, Stop> {
        let max = self.end.slots.max_len();
        let len = len.unwrap_or(usize::MAX);
        if len > max {
            return Err(Stop::TooLarge { len, max });
        }
        let index = self.claim(until)?;
        let start = self.end.slots.payload(index);
        let slot = Slot { end: &self.end, producer: &mut self.producer, index, sized: message::is_sized::<M>() };
        // SAFETY: the slot is the sender's, has room for `len` bytes and is aligned for `M`.
        unsafe { Loan::new(start, len, slot) }
    }
}

/// Slots filled and not published yet; published when this goes, so also when the iterator that yields them panics.
struct Filled<'a, M: Message + ?Sized> {
    sender: &'a mut Sender<M>,
    count: u64,
}

impl<M: Message + ?Sized> Filled<'_, M> {
    #[inline]
    fn fill<I: Iterator>(&mut self, messages: &mut I, room: u64) -> Result<(), Stop>
    where
        I::Item: Borrow<M>,
    {
        while self.count < room {
            // Up to the end of the lap the slots follow each other.
            let index = self.sender.producer.slot(self.count);
            let straight = (room - self.count).min(self.sender.end.ring.capacity() - index as u64);
            for ahead in 0..straight {
                let Some(message) = messages.next() else { return Ok(()) };
                let message = message.borrow();
                self.sender.fits(message)?;
                // SAFETY: the slot is the sender's, within the room, and the length was checked.
                unsafe { self.sender.end.slots.write(index + ahead as usize, message) };
                self.count += 1;
            }
        }
        Ok(())
    }
}

impl<M: Message + ?Sized> Drop for Filled<'_, M> {
    #[inline]
    fn drop(&mut self) {
        if self.count > 0 {
            // A ring closed meanwhile is noticed by the next claim.
            let _ = self.sender.publish(self.count);
        }
    }
}

impl<M: Message + ?Sized> fmt::Debug for Sender<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}

/// Messages not acknowledged.
fn backlog(end: &End) -> usize {
    // Head first: read the other way round, it could have overtaken the tail.
    let head = end.ring.sound(end.slots.head().load(Acquire));
    let tail = end.ring.sound(end.slots.tail().load(Acquire));
    end.ring.distance(head, tail).min(end.ring.capacity()) as usize
}

/// The slot at the tail, as a loan has it.
#[derive(Debug)]
pub struct Slot<'a> {
    end: &'a End,
    producer: &'a mut Producer<Slots>,
    index: usize,
    sized: bool,
}

impl Lent for Slot<'_> {
    #[inline]
    fn commit(&mut self, len: usize) -> Result<(), Stop> {
        if self.end.is_inherited() {
            return Err(Stop::Join(JoinError::Inherited));
        }
        if !self.sized {
            self.end.slots.store_len(self.index, len);
        }
        self.producer.commit(1);
        if self.end.filled() {
            self.producer.forget();
            if !self.producer.is_acknowledged(self.producer.tail()) {
                return Err(Stop::Disconnected);
            }
        }
        Ok(())
    }

    fn abort(&mut self) {
        // Nothing was said of the slot yet: the next message simply overwrites it.
    }
}

/// The receiving side.
pub struct Receiver<M: Message + ?Sized> {
    desk: Desk,
    _message: PhantomData<fn(&M)>,
}

/// The receiver without its message type, as its guards borrow it.
#[derive(Debug)]
struct Desk {
    end: End,
    consumer: Consumer<Slots>,
    /// Present while messages are out in no simple order.
    ledger: Option<Arc<Ledger>>,
}

impl Desk {
    /// The next message to hand out, as position and slot.
    #[inline]
    fn next(&mut self, until: Until) -> Result<(Handed, usize), Stop> {
        if !self.end.is_inherited()
            && self.ledger.is_none()
            && let Some(index) = self.consumer.peek()
            && !self.consumer.is_again()
        {
            let start = self.consumer.position();
            return Ok((Handed { start, end: self.consumer.take(1), redelivered: 0 }, index));
        }
        self.next_slow(until)
    }

    #[cold]
    #[inline(never)]
    fn next_slow(&mut self, until: Until) -> Result<(Handed, usize), Stop> {
        if self.end.is_inherited() {
            self.end.join(until)?;
            self.consumer = Consumer::resume(self.end.slots, self.end.ring);
            self.ledger = None;
        }
        if self.ledger.as_ref().is_some_and(|ledger| ledger.is_settled(self.consumer.position())) {
            self.ledger = None;
        }
        let Self { end, consumer, ledger } = self;
        let limit = end.attachment.segment().header().redelivery;
        let attempt = |_| {
            loop {
                let handed = match ledger.as_ref().and_then(|ledger| ledger.next_returned()) {
                    Some(handed) => handed,
                    None => {
                        consumer.peek().ok_or(Stop::NotNow)?;
                        let start = consumer.position();
                        let redelivered = if consumer.is_again() { count_again(end, start) } else { 0 };
                        Handed { start, end: consumer.take(1), redelivered }
                    }
                };
                let counters = &end.slots.control().counters.0;
                if handed.redelivered <= limit {
                    if handed.redelivered > 0 {
                        counters.adopted.fetch_add(1, Relaxed);
                    }
                    return Ok((handed, end.ring.index(handed.start)));
                }
                counters.dropped.fetch_add(1, Relaxed);
                settle(end, ledger.as_deref(), handed);
            }
        };
        end.attachment.persist(end.role, until, &end.patience, &end.misses, attempt)
    }

    /// The ledger, opened for a message that will not simply be acknowledged next.
    fn ledger_from(&mut self, floor: u64) -> &Arc<Ledger> {
        self.ledger.get_or_insert_with(|| Arc::new(Ledger::new(floor)))
    }
}

/// Counts a delivery to a successor of a message that was out before.
fn count_again(end: &End, start: u64) -> u32 {
    let taken = &end.slots.control().taken.0;
    let attempts = if taken.again.load(Relaxed) == start { taken.attempts.load(Relaxed) } else { 0 };
    let attempts = attempts.saturating_add(1).min(15);
    taken.again.store(start, Relaxed);
    taken.attempts.store(attempts, Relaxed);
    attempts as u32
}

/// Acknowledges one message.
#[inline]
fn settle(end: &End, ledger: Option<&Ledger>, handed: Handed) {
    match ledger {
        None => acknowledge(&end.slots, handed.end),
        Some(ledger) => ledger.settle(handed, |floor| acknowledge(&end.slots, floor)),
    }
    end.freed();
}

impl<M: Message + ?Sized> Receiver<M> {
    /// The next message. Blocks while the ring is empty.
    ///
    /// # Errors
    ///
    /// [`Disconnected`](RecvError::Disconnected) if the ring is empty and closed, or empty and the sender has left or died
    /// (and there was one); [`Join`](RecvError::Join) in a forked child while the parent keeps the role.
    #[inline]
    pub fn recv(&mut self) -> Result<Received<'_, M>, RecvError> {
        Ok(self.get(Until::Forever)?)
    }

    /// The next message, if one is waiting. Never blocks.
    ///
    /// # Errors
    ///
    /// [`Empty`](TryRecvError::Empty), and as for [`recv`](Self::recv).
    #[inline]
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
        self.desk.end.ring.capacity() as usize
    }

    /// Longest message in bytes.
    pub fn max_len(&self) -> usize {
        self.desk.end.slots.max_len()
    }

    /// Messages sent and not acknowledged, held ones included. If the sender lives, they may have become more.
    pub fn len(&self) -> usize {
        backlog(&self.desk.end)
    }

    /// Whether every message is acknowledged. If it says so, the sender may change that at once.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    fn get(&mut self, until: Until) -> Result<Received<'_, M>, Stop> {
        let (handed, index) = self.desk.next(until)?;
        let slots = self.desk.end.slots;
        let held = Held { desk: &mut self.desk, handed };
        // SAFETY: the message is the receiver's until `held` is released, and aligned for `M`.
        let message = unsafe { Received::new(slots.payload(index), slots.len::<M>(index), held) };
        message.ok_or(Stop::Corrupt)
    }

    #[inline]
    fn get_many(&mut self, max: usize, until: Until) -> Result<Batch<'_, M>, Stop> {
        let desk = &mut self.desk;
        let (first, _) = desk.next(until)?;
        let mut end = first.end;
        let mut count = 1;
        // What came out of line comes alone.
        if max > 1 && first.redelivered == 0 && desk.ledger.is_none() {
            let more = desk.consumer.backlog(max as u64 - 1).min(max as u64 - 1);
            if more > 0 {
                end = desk.consumer.take(more);
                count += more as usize;
            }
        }
        let run = HeldRun { desk, first, end, count, _message: PhantomData };
        // SAFETY: the messages are the receiver's until the run is released, and aligned for `M`.
        Ok(unsafe { Batch::new(run) })
    }
}

impl<M: Message + ?Sized> fmt::Debug for Receiver<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}

/// A message as the receiver holds it.
#[derive(Debug)]
pub struct Held<'a> {
    desk: &'a mut Desk,
    handed: Handed,
}

impl Hold for Held<'_> {
    type Owned = OwnedHeld;

    #[inline]
    fn acknowledge(&mut self) {
        if !self.desk.end.is_inherited() {
            settle(&self.desk.end, self.desk.ledger.as_deref(), self.handed);
        }
    }

    fn reject(&mut self) {
        if !self.desk.end.is_inherited() {
            self.desk.end.slots.control().counters.0.rejected.fetch_add(1, Relaxed);
            let handed = self.handed;
            self.desk.ledger_from(handed.start).give_back(handed);
        }
    }

    #[inline]
    fn redelivered(&self) -> u32 {
        self.handed.redelivered
    }

    fn into_owned(self) -> OwnedHeld {
        let ledger = Arc::clone(self.desk.ledger_from(self.handed.start));
        let (attachment, me) = (Arc::clone(&self.desk.end.attachment), self.desk.end.me);
        OwnedHeld { attachment, ledger, me, handed: self.handed }
    }
}

/// A message held without its receiver.
#[derive(Debug)]
pub struct OwnedHeld {
    attachment: Arc<Attachment>,
    ledger: Arc<Ledger>,
    me: u64,
    handed: Handed,
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
            let slots = self.attachment.slots();
            self.ledger.settle(self.handed, |floor| acknowledge(&slots, floor));
            self.attachment.announce(Role::Sender);
        }
    }

    fn reject(&mut self) {
        if !self.is_inherited() {
            self.attachment.slots().control().counters.0.rejected.fetch_add(1, Relaxed);
            self.ledger.give_back(self.handed);
            self.attachment.announce(Role::Receiver);
        }
    }

    fn redelivered(&self) -> u32 {
        self.handed.redelivered
    }

    fn into_owned(self) -> Self {
        self
    }
}

/// Several messages as the receiver holds them: a run of positions.
#[derive(Debug)]
pub struct HeldRun<'a, M: Message + ?Sized> {
    desk: &'a mut Desk,
    first: Handed,
    end: u64,
    count: usize,
    _message: PhantomData<fn(&M)>,
}

impl<M: Message + ?Sized> HeldRun<'_, M> {
    #[inline]
    fn position(&self, place: usize) -> u64 {
        self.desk.end.ring.advance(self.first.start, place as u64)
    }
}

impl<M: Message + ?Sized> Run for HeldRun<'_, M> {
    #[inline]
    fn len(&self) -> usize {
        self.count
    }

    #[inline]
    fn at(&self, place: usize) -> (*const u8, Option<usize>) {
        let index = self.desk.end.ring.index(self.position(place));
        (self.desk.end.slots.payload(index), self.desk.end.slots.len::<M>(index))
    }

    fn redelivered(&self, place: usize) -> u32 {
        if place == 0 { self.first.redelivered } else { 0 }
    }

    #[inline]
    fn acknowledge(&mut self) {
        if !self.desk.end.is_inherited() {
            let all = Handed { end: self.end, ..self.first };
            settle(&self.desk.end, self.desk.ledger.as_deref(), all);
        }
    }

    fn reject(&mut self) {
        if self.desk.end.is_inherited() {
            return;
        }
        self.desk.end.slots.control().counters.0.rejected.fetch_add(self.count as u64, Relaxed);
        for place in 0..self.count {
            let start = self.position(place);
            let end = self.desk.end.ring.next(start);
            let handed = Handed { start, end, redelivered: self.first.redelivered };
            self.desk.ledger_from(self.first.start).give_back(handed);
        }
    }
}
