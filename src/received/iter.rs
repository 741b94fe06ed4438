//! The messages of a batch, one after the other.
//!
//! Small messages cost less than a loop around them does, so there are two loops here. Whoever asks for each message has one that
//! moves a pointer. Whoever lets the iterator run (`fold`, and all that is made of it) has one over each stretch of slots that
//! follow each other, in which the compiler finds vectors: on one core it halved the time that a message of 8 bytes took.

use super::Run;
use crate::message::{self, Message};
use std::marker::PhantomData;

/// Iterates over the messages of a run.
pub struct Iter<'a, M: ?Sized, R> {
    run: &'a R,
    /// The first message after this stretch.
    place: usize,
    /// How many are left of this stretch, where the first of them lies, and how far apart they are.
    left: usize,
    next: *const u8,
    stride: usize,
    _messages: PhantomData<&'a M>,
}

impl<'a, M: Message + ?Sized, R: Run> Iter<'a, M, R> {
    /// # Safety
    ///
    /// The messages of `run` are held for `'a`, as [`message::view`] wants them.
    #[inline]
    pub unsafe fn new(run: &'a R) -> Self {
        Self { run, place: 0, left: 0, next: std::ptr::null(), stride: 0, _messages: PhantomData }
    }

    /// Enters the next stretch. `None` where there is none; `Some(None)` where it is but one message that cannot be one.
    #[inline(always)]
    fn enter(&mut self) -> Option<Option<&'a M>> {
        let place = self.place;
        if place >= self.run.len() {
            return None;
        }
        let (start, len) = self.run.at(place);
        let (count, stride) = self.run.straight(place).unwrap_or((1, 0));
        (self.place, self.left) = (place + count, count - 1);
        (self.next, self.stride) = (start.wrapping_add(stride), stride);
        // SAFETY: held, see `new`.
        Some(len.and_then(|len| unsafe { message::view(start, len) }))
    }

    /// The message at `start`, within a stretch.
    #[inline(always)]
    fn view(start: *const u8) -> Option<&'a M> {
        // SAFETY: in a stretch all messages are as long as the type says, and held, see `new`.
        unsafe { message::view(start, message::size_with::<M>(0)?) }
    }
}

impl<'a, M: Message + ?Sized, R: Run> Iterator for Iter<'a, M, R> {
    type Item = &'a M;

    #[inline]
    fn next(&mut self) -> Option<&'a M> {
        if self.left > 0 {
            let start = self.next;
            (self.next, self.left) = (start.wrapping_add(self.stride), self.left - 1);
            return Self::view(start);
        }
        loop {
            if let Some(message) = self.enter()? {
                return Some(message);
            }
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left + self.run.len().saturating_sub(self.place)))
    }

    #[inline]
    fn fold<B, F: FnMut(B, &'a M) -> B>(mut self, init: B, mut f: F) -> B {
        let mut folded = init;
        loop {
            for ahead in 0..self.left {
                if let Some(message) = Self::view(self.next.wrapping_add(ahead * self.stride)) {
                    folded = f(folded, message);
                }
            }
            self.left = 0;
            match self.enter() {
                Some(Some(message)) => folded = f(folded, message),
                Some(None) => {}
                None => return folded,
            }
        }
    }
}
