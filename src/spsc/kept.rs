//! A message that is read over several calls: what a [`Received`](super::Received) is to one.
//!
//! That one borrows its receiver, and one that does not ([`into_owned`](super::Received::into_owned)) makes the
//! receiver keep a ledger. Here the receiver is kept together with the one message that it has handed out, so that
//! messages stay in order.

use super::Receiver;
use super::held::Held;
use crate::attachment::Until;
use crate::error::Stop;
use crate::message;
use crate::received::Hold;
use std::marker::PhantomData;
use std::ptr::NonNull;

/// A receiver, and a message that it holds.
#[derive(Debug)]
pub(crate) struct Kept {
    receiver: Receiver<[u8]>,
    message: Option<NonNull<[u8]>>,
}

// SAFETY: the pointer leads into the ring, which the receiver keeps mapped wherever it goes, and is used through it
// alone.
unsafe impl Send for Kept {}

impl Kept {
    pub(crate) fn new(receiver: Receiver<[u8]>) -> Self {
        Self { receiver, message: None }
    }

    /// The message that is held, if one is. One that was held before this process was forked is the parent's.
    #[inline]
    pub(crate) fn message(&self) -> Option<&[u8]> {
        let message = self.message.filter(|_| !self.is_inherited())?;
        // SAFETY: held, so nobody who follows the protocol writes it before it is released, which takes `self`
        // exclusively.
        Some(unsafe { message.as_ref() })
    }

    /// Whether the receiver came through a fork and has not been used since.
    pub(crate) fn is_inherited(&self) -> bool {
        self.receiver.desk.is_inherited()
    }

    /// Receives the next message. Blocks until there is one. One that is held is acknowledged.
    pub(crate) fn receive(&mut self) -> Result<(), Stop> {
        self.acknowledge();
        let index = self.receiver.desk.next(Until::Forever)?;
        let slots = self.receiver.desk.slots();
        let (start, len) = slots.message::<[u8]>(index, slots.payload(index));
        // SAFETY: the message is the receiver's until it is released, and bytes need no alignment.
        let message = len.and_then(|len| unsafe { message::view::<[u8]>(start, len) });
        match message {
            Some(message) => {
                self.message = Some(NonNull::from(message));
                Ok(())
            }
            None => {
                self.hold().acknowledge();
                Err(Stop::Corrupt)
            }
        }
    }

    /// Acknowledges the message that is held.
    #[inline]
    pub(crate) fn acknowledge(&mut self) {
        if self.message.take().is_some() {
            self.hold().acknowledge();
        }
    }

    /// Gives the message that is held back, to be received again.
    pub(crate) fn give_back(&mut self) {
        if self.message.take().is_some() {
            self.hold().reject();
        }
    }

    /// The receiver; who holds a message gives it back.
    pub(crate) fn into_receiver(mut self) -> Receiver<[u8]> {
        self.give_back();
        self.receiver
    }

    #[inline]
    fn hold(&mut self) -> Held<'_, [u8]> {
        Held { desk: &mut self.receiver.desk, _message: PhantomData }
    }
}
