//! A slot that a sender fills in place: the guard that both flavours hand out.

use crate::error::{SendError, Stop};
use crate::layout;
use crate::message::{self, Message};
use crate::slots;
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// What a flavour does with a slot that was lent.
pub trait Lent {
    /// Publishes the first `len` bytes of the slot as a message: all that was lent, or what it was [shortened](Self::shorten) to.
    fn commit(&mut self, len: usize) -> Result<(), Stop>;
    /// Gives back what the first `len` bytes do not need, of the `lent` ones, before they are published.
    fn shorten(&mut self, lent: usize, len: usize);
    /// Gives the slot back unused, in which `lent` bytes were lent.
    fn abort(&mut self, lent: usize);
}

/// A slot of the ring, lent to be filled in place and then [committed](Self::commit).
///
/// Dereferences to the message. What stands in it before it is filled is left over from an earlier message or zero: any
/// bytes are a valid message, but not a meaningful one. Dropping a loan gives the slot back and sends nothing, also when a
/// panic drops it.
///
/// In an `mpmc` ring a loan costs its slot while it is held and blocks nobody. One that is dropped has used up its place in the
/// order: until the messages sent before it are received, the ring holds one less. Messages of loans that one sender held at the
/// same time come in no promised order among themselves. In an `spsc` ring there is one at a time.
/// If the process dies, the slot is freed by whoever meets it.
#[must_use = "a loan that is dropped sends nothing"]
pub struct Loan<'a, M: Message + ?Sized, L: Lent> {
    message: NonNull<M>,
    lent: L,
    _slot: PhantomData<&'a mut M>,
}

// SAFETY: a loan is the only way to its slot, like a mutable reference.
unsafe impl<M: Message + ?Sized + Send, L: Lent + Send> Send for Loan<'_, M, L> {}
// SAFETY: as for a mutable reference.
unsafe impl<M: Message + ?Sized + Sync, L: Lent + Sync> Sync for Loan<'_, M, L> {}

impl<'a, M: Message + ?Sized, L: Lent> Loan<'a, M, L> {
    /// Lends the `len` bytes at `start`; gives the slot back where no message has that length.
    ///
    /// # Safety
    ///
    /// As for [`message::view_mut`], until `lent` is committed or aborted, neither of which has happened.
    pub(crate) unsafe fn new(start: *mut u8, len: usize, mut lent: L) -> Result<Self, Stop> {
        // SAFETY: by contract.
        match unsafe { message::view_mut::<M>(start, len) } {
            Some(message) => Ok(Self { message: NonNull::from(message), lent, _slot: PhantomData }),
            None => {
                lent.abort(len);
                Err(Stop::Corrupt)
            }
        }
    }

    /// Sends the message, all of it. Never blocks.
    ///
    /// # Errors
    ///
    /// [`SendError::Disconnected`] if the ring was closed meanwhile; the message is then not sent (in an `spsc` ring a receiver
    /// that is still draining may get it all the same).
    #[inline]
    pub fn commit(self) -> Result<(), SendError> {
        let len = size_of_val(&*self);
        Ok(self.publish(len)?)
    }

    /// Fills the slot with a copy of `message`, which is as long as it, and sends it.
    pub(crate) fn fill(self, message: &M) -> Result<(), Stop> {
        self.fill_parts(&[message])
    }

    /// Fills the slot with copies of `parts`, which together are as long as it, and sends it.
    pub(crate) fn fill_parts(mut self, parts: &[&M]) -> Result<(), Stop> {
        let mut rest = self.as_mut_bytes();
        let len = rest.len();
        for part in parts {
            let bytes = part.as_bytes();
            let (here, after) = rest.split_at_mut(bytes.len());
            // SAFETY: the slot was lent for so many bytes and more.
            unsafe { slots::copy_in(bytes, here.as_mut_ptr()) };
            rest = after;
        }
        debug_assert!(rest.is_empty());
        self.publish(len)
    }

    /// Sends the first `len` bytes, no more than were lent.
    #[inline(always)]
    pub(crate) fn publish(self, len: usize) -> Result<(), Stop> {
        let mut this = ManuallyDrop::new(self);
        this.lent.commit(len)
    }
}

impl<M: Message + ?Sized + zerocopy::KnownLayout<PointerMetadata = usize>, L: Lent> Loan<'_, M, L> {
    /// Sends the first `elements` trailing elements (bytes, for `[u8]`): for when the length is known only after filling.
    ///
    /// # Errors
    ///
    /// [`SendError::TooLarge`] if that is more than was lent, in bytes; [`SendError::Disconnected`] if the ring was closed
    /// meanwhile. In both cases nothing is sent.
    #[inline]
    pub fn commit_len(mut self, elements: usize) -> Result<(), SendError> {
        let max = size_of_val(&*self);
        let len = message::size_with::<M>(elements).unwrap_or(usize::MAX);
        if len > max {
            return Err(SendError::TooLarge { len, max });
        }
        // What is no longer than a page lies in one piece wherever it lies.
        if max > layout::PAGE as usize && len < max {
            self.lent.shorten(max, len);
        }
        Ok(self.publish(len)?)
    }
}

impl<M: Message, L: Lent> Loan<'_, M, L> {
    /// Fills the slot with `value` and sends it.
    ///
    /// # Errors
    ///
    /// As for [`commit`](Self::commit).
    #[inline]
    pub fn write(mut self, value: M) -> Result<(), SendError> {
        *self = value;
        self.commit()
    }
}

impl<M: Message + ?Sized, L: Lent> Deref for Loan<'_, M, L> {
    type Target = M;

    #[inline]
    fn deref(&self) -> &M {
        // SAFETY: the slot is lent to this guard alone until it is committed or dropped.
        unsafe { self.message.as_ref() }
    }
}

impl<M: Message + ?Sized, L: Lent> DerefMut for Loan<'_, M, L> {
    #[inline]
    fn deref_mut(&mut self) -> &mut M {
        // SAFETY: as above, and borrowed mutably.
        unsafe { self.message.as_mut() }
    }
}

impl<M: Message + ?Sized, L: Lent> Drop for Loan<'_, M, L> {
    #[inline]
    fn drop(&mut self) {
        let lent = size_of_val(&**self);
        self.lent.abort(lent);
    }
}

impl<M: Message + ?Sized + fmt::Debug, L: Lent> fmt::Debug for Loan<'_, M, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Loan").field(&&**self).finish()
    }
}
