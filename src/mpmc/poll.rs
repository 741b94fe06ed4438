//! Waiting as a task does: the verbs for asynchronous programs, of any runtime.

use super::end::End;
use super::{Batch, Loan, Received, Receiver, Sender};
use crate::attachment::Until;
use crate::error::{RecvError, SendError, Stop};
use crate::message::{self, Message};
use crate::reactor::Waiting;
use crate::ring::mpmc::Taken;
use crate::wait::Look;
use std::future::poll_fn;
use std::task::{Context, Poll};
use zerocopy::KnownLayout;

impl End {
    fn poll<T>(
        &self,
        context: &mut Context<'_>,
        waiting: &mut Waiting,
        attempt: impl FnMut(Look) -> Result<T, Stop>,
    ) -> Poll<Result<T, Stop>> {
        self.attachment.poll((self.role, self.cursor.get()), waiting, context, attempt)
    }
}

impl<M: Message + ?Sized> Receiver<M> {
    /// The next message, without a thread that waits for it. Cancelling it, by dropping the future, loses no message.
    ///
    /// It needs no particular runtime: one thread of this process sleeps for all its tasks. It does not spin, and
    /// wakes every task that waits for the ring, the longest waiting first.
    ///
    /// # Errors
    ///
    /// As for [`recv`](Self::recv), as soon.
    ///
    /// ```
    /// # use std::{future::Future, pin::pin, sync::Arc, task::{Context, Poll, Wake, Waker}, thread};
    /// # struct Unpark(thread::Thread);
    /// # impl Wake for Unpark { fn wake(self: Arc<Self>) { self.0.unpark() } }
    /// # fn block_on<T>(future: impl Future<Output = T>) -> T {
    /// #     let (mut future, waker) = (pin!(future), Waker::from(Arc::new(Unpark(thread::current()))));
    /// #     loop {
    /// #         if let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(&waker)) { return done }
    /// #         thread::park();
    /// #     }
    /// # }
    /// let (tx, rx) = ringmail::mpmc::channel::<u64>(&ringmail::Options::new())?;
    /// let sender = thread::spawn(move || tx.send(&7));
    /// block_on(async {
    ///     assert_eq!(*rx.recv_async().await?, 7);
    ///     assert!(rx.recv_async().await.unwrap_err().is_disconnected());
    ///     Ok::<(), ringmail::RecvError>(())
    /// })?;
    /// # sender.join().unwrap()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn recv_async(&self) -> Result<Received<'_, M>, RecvError> {
        let mut waiting = Waiting::new();
        poll_fn(|context| self.poll_recv(context, &mut waiting)).await
    }

    /// The next messages, up to `max` (at least 1) of them, as many as are waiting, without a thread that waits for
    /// the first: as [`recv_async`](Self::recv_async).
    ///
    /// # Errors
    ///
    /// As for [`recv`](Self::recv).
    pub async fn recv_many_async(&self, max: usize) -> Result<Batch<'_, M>, RecvError> {
        let mut waiting = Waiting::new();
        let first = poll_fn(|context| self.poll_take(context, &mut waiting)).await?;
        Ok(self.run_from(first, max)?)
    }

    /// The next message, or a place among those who are woken when there may be one: what
    /// [`recv_async`](Self::recv_async) is made of.
    ///
    /// # Errors
    ///
    /// As for [`recv`](Self::recv).
    pub fn poll_recv(
        &self,
        context: &mut Context<'_>,
        waiting: &mut Waiting,
    ) -> Poll<Result<Received<'_, M>, RecvError>> {
        self.poll_take(context, waiting).map(|taken| Ok(self.hand_out(taken?)?))
    }

    fn poll_take(&self, context: &mut Context<'_>, waiting: &mut Waiting) -> Poll<Result<Taken, Stop>> {
        match self.end.take::<M>(Until::Now) {
            Err(Stop::NotNow) => self.end.poll(context, waiting, |look| self.end.take_or_search(self.end.me()?, look)),
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
    /// As for [`send`](Self::send), as soon.
    pub async fn send_async(&self, message: &M) -> Result<(), SendError> {
        let mut waiting = Waiting::new();
        poll_fn(|context| self.poll_send(message, context, &mut waiting)).await
    }

    /// A free slot, to be filled in place with a message of `len` trailing elements, without a thread that waits for one.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    pub async fn loan_async(&self, len: usize) -> Result<Loan<'_, M>, SendError>
    where
        M: KnownLayout<PointerMetadata = usize>,
    {
        let mut waiting = Waiting::new();
        poll_fn(|context| self.poll_loan(len, context, &mut waiting)).await
    }

    /// Sends a copy of `message`, or takes a place among those who are woken when there may be room: what
    /// [`send_async`](Self::send_async) is made of.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    pub fn poll_send(
        &self,
        message: &M,
        context: &mut Context<'_>,
        waiting: &mut Waiting,
    ) -> Poll<Result<(), SendError>> {
        self.poll_lend(Some(size_of_val(message)), context, waiting).map(|loan| Ok(loan?.fill(message)?))
    }

    /// A free slot of `len` trailing elements, or a place among those who are woken when there may be one: what
    /// [`loan_async`](Self::loan_async) is made of.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    pub fn poll_loan(
        &self,
        len: usize,
        context: &mut Context<'_>,
        waiting: &mut Waiting,
    ) -> Poll<Result<Loan<'_, M>, SendError>>
    where
        M: KnownLayout<PointerMetadata = usize>,
    {
        self.poll_lend(message::size_with::<M>(len), context, waiting).map(|loan| Ok(loan?))
    }

    fn poll_lend(
        &self,
        len: Option<usize>,
        context: &mut Context<'_>,
        waiting: &mut Waiting,
    ) -> Poll<Result<Loan<'_, M>, Stop>> {
        match self.lend(len, Until::Now) {
            Err(Stop::NotNow) => self.end.poll(context, waiting, |_| self.lend(len, Until::Now)),
            done => {
                waiting.leave();
                Poll::Ready(done)
            }
        }
    }
}
