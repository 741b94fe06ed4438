//! Waiting as a task does: the verbs for asynchronous programs, of any runtime.

use super::{Batch, Loan, Received, Receiver, Sender};
use crate::attachment::Until;
use crate::error::{RecvError, SendError, Stop};
use crate::message::{self, Message};
use crate::reactor::Waiting;
use crate::registry::Role;
use crate::slots::Place;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use zerocopy::KnownLayout;

impl<M: Message + ?Sized> Receiver<M> {
    /// The next message, without a thread that waits for it. Cancelling it, by dropping the future, loses no message.
    ///
    /// It needs no particular runtime: one thread of this process sleeps for all its tasks. It does not spin.
    ///
    /// # Errors
    ///
    /// As for [`recv`](Self::recv), as soon; [`Join`](RecvError::Join) in a forked child while the parent keeps the
    /// role, at once.
    pub async fn recv_async(&mut self) -> Result<Received<'_, M>, RecvError> {
        let mut waiting = Waiting::new();
        let index = poll_fn(|context| self.poll_next(context, &mut waiting)).await?;
        Ok(self.hand_out(index)?)
    }

    /// The next messages, up to `max` (at least 1) of them, as many as are waiting, without a thread that waits for
    /// the first: as [`recv_async`](Self::recv_async).
    ///
    /// # Errors
    ///
    /// As for [`recv`](Self::recv).
    pub async fn recv_many_async(&mut self, max: usize) -> Result<Batch<'_, M>, RecvError> {
        let mut waiting = Waiting::new();
        poll_fn(|context| self.poll_next(context, &mut waiting)).await?;
        Ok(self.run_of(max))
    }

    /// The next message, or a place among those who are woken when there may be one: what
    /// [`recv_async`](Self::recv_async) is made of.
    ///
    /// # Errors
    ///
    /// As for [`recv_async`](Self::recv_async).
    pub fn poll_recv(
        &mut self,
        context: &mut Context<'_>,
        waiting: &mut Waiting,
    ) -> Poll<Result<Received<'_, M>, RecvError>> {
        self.poll_next(context, waiting).map(|next| Ok(self.hand_out(next?)?))
    }

    fn poll_next(&mut self, context: &mut Context<'_>, waiting: &mut Waiting) -> Poll<Result<usize, Stop>> {
        let desk = &mut self.desk;
        match desk.next(Until::Now) {
            Err(Stop::NotNow) => {
                let attachment = Arc::clone(&desk.end().attachment);
                let at = (Role::Receiver, desk.consumer.position());
                attachment.poll(at, waiting, context, |_| desk.next(Until::Now))
            }
            done => {
                waiting.leave();
                Poll::Ready(done)
            }
        }
    }
}

impl<M: Message + ?Sized> Sender<M> {
    /// Sends a copy of `message`, without a thread that waits for room. Cancelled, by dropping the future, it sends
    /// nothing.
    ///
    /// It needs no particular runtime, as [`Receiver::recv_async`].
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), as soon; [`Join`](SendError::Join) in a forked child while the parent keeps the
    /// role, at once.
    pub async fn send_async(&mut self, message: &M) -> Result<(), SendError> {
        let mut waiting = Waiting::new();
        poll_fn(|context| self.poll_send(message, context, &mut waiting)).await
    }

    /// The next slot, to be filled in place with a message of `len` trailing elements, without a thread that waits
    /// for it.
    ///
    /// # Errors
    ///
    /// As for [`send_async`](Self::send_async).
    pub async fn loan_async(&mut self, len: usize) -> Result<Loan<'_, M>, SendError>
    where
        M: KnownLayout<PointerMetadata = usize>,
    {
        let mut waiting = Waiting::new();
        let len = message::size_with::<M>(len).unwrap_or(usize::MAX);
        let place = poll_fn(|context| self.poll_place(len, context, &mut waiting)).await?;
        Ok(self.lend_at(len, place)?)
    }

    /// Sends a copy of `message`, or takes a place among those who are woken when there may be room: what
    /// [`send_async`](Self::send_async) is made of.
    ///
    /// # Errors
    ///
    /// As for [`send_async`](Self::send_async).
    pub fn poll_send(
        &mut self,
        message: &M,
        context: &mut Context<'_>,
        waiting: &mut Waiting,
    ) -> Poll<Result<(), SendError>> {
        let len = size_of_val(message);
        self.poll_place(len, context, waiting).map(|place| Ok(self.lend_at(len, place?)?.fill(message)?))
    }

    /// The next slot for `len` trailing elements, or a place among those who are woken when there may be one: what
    /// [`loan_async`](Self::loan_async) is made of.
    ///
    /// # Errors
    ///
    /// As for [`send_async`](Self::send_async).
    pub fn poll_loan(
        &mut self,
        len: usize,
        context: &mut Context<'_>,
        waiting: &mut Waiting,
    ) -> Poll<Result<Loan<'_, M>, SendError>>
    where
        M: KnownLayout<PointerMetadata = usize>,
    {
        let len = message::size_with::<M>(len).unwrap_or(usize::MAX);
        self.poll_place(len, context, waiting).map(|place| Ok(self.lend_at(len, place?)?))
    }

    fn poll_place(
        &mut self,
        len: usize,
        context: &mut Context<'_>,
        waiting: &mut Waiting,
    ) -> Poll<Result<(*mut u8, Place), Stop>> {
        match self.claim_place(len, Until::Now) {
            Err(Stop::NotNow) => {
                let attachment = Arc::clone(self.attachment());
                attachment.poll((Role::Sender, 0), waiting, context, |_| self.claim_place(len, Until::Now))
            }
            done => {
                waiting.leave();
                Poll::Ready(done)
            }
        }
    }

    fn lend_at(&mut self, len: usize, (start, place): (*mut u8, Place)) -> Result<Loan<'_, M>, Stop> {
        let slot = self.slot(place);
        // SAFETY: the slot is the sender's, and there is room for `len` bytes at `start`, aligned for `M`.
        unsafe { Loan::new(start, len, slot) }
    }
}
