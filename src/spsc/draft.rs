//! A message that is filled over several calls: what a loan is to one.
//!
//! A loan borrows its sender for as long as it is filled. Here the sender is kept together with its next slot instead.
//! The slot stays the sender's until it sends something else, which nobody but this module can make it do.
//!
//! What is filled and not committed is nobody's: it lies at the tail, where the next message overwrites it, whoever
//! sends that.

use super::Sender;
use crate::attachment::Until;
use crate::error::Stop;
use crate::loan::Lent;
use crate::slots::{self, Place};
use std::ptr::NonNull;

/// A sender, and a message that it has begun.
#[derive(Debug)]
pub(crate) struct Draft {
    sender: Sender<[u8]>,
    page: Option<Page>,
}

/// Where the message goes.
#[derive(Debug)]
struct Page {
    start: NonNull<u8>,
    len: usize,
    filled: usize,
    place: Place,
}

// SAFETY: `start` points into the ring, which the sender keeps mapped wherever it goes, and is used through the sender
// alone.
unsafe impl Send for Draft {}

impl Draft {
    pub(crate) fn new(sender: Sender<[u8]>) -> Self {
        Self { sender, page: None }
    }

    /// The longest message.
    pub(crate) fn max_len(&self) -> usize {
        self.sender.max_len()
    }

    /// The longest message that lies with its slot.
    pub(crate) fn inline_len(&self) -> usize {
        self.sender.slots().inline_len().min(self.max_len())
    }

    /// Whether a message is begun. One that was begun before this process was forked is the parent's, and forgotten.
    #[inline]
    pub(crate) fn is_begun(&mut self) -> bool {
        if self.page.is_some() && self.is_inherited() {
            self.page = None;
        }
        self.page.is_some()
    }

    /// Whether the sender came through a fork and has not been used since.
    pub(crate) fn is_inherited(&self) -> bool {
        self.sender.is_inherited()
    }

    /// Begins a message of up to `len` bytes. Blocks while the ring is full. One that was begun is forgotten.
    pub(crate) fn begin(&mut self, len: usize) -> Result<(), Stop> {
        self.forget();
        let (start, place) = self.sender.claim_place(len, Until::Forever)?;
        // SAFETY: within the mapping, which does not start at zero.
        let start = unsafe { NonNull::new_unchecked(start) };
        self.page = Some(Page { start, len, filled: 0, place });
        Ok(())
    }

    /// Bytes of the message so far.
    #[inline]
    pub(crate) fn filled(&self) -> usize {
        self.page.as_ref().map_or(0, |page| page.filled)
    }

    /// What is free of the message: left over from earlier ones, or zero.
    #[inline]
    pub(crate) fn rest(&mut self) -> &mut [u8] {
        if !self.is_begun() {
            return &mut [];
        }
        let Some(page) = &self.page else { return &mut [] };
        // SAFETY: no more is filled than there is.
        let start = unsafe { page.start.add(page.filled) };
        // SAFETY: the slot and its memory are the sender's until it sends again, which takes this very `self`. Any
        // bytes will do.
        unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), page.len - page.filled) }
    }

    /// Makes as many bytes of the [`rest`](Self::rest) part of the message; no more than there are.
    #[inline]
    pub(crate) fn advance(&mut self, bytes: usize) {
        if let Some(page) = &mut self.page {
            page.filled += bytes.min(page.len - page.filled);
        }
    }

    /// Copies as many of the bytes as there is room for; says how many.
    #[inline]
    pub(crate) fn append(&mut self, bytes: &[u8]) -> usize {
        let rest = self.rest();
        let fits = bytes.len().min(rest.len());
        // SAFETY: the room was lent just now, and is no other memory of this process.
        unsafe { slots::copy_in(&bytes[..fits], rest.as_mut_ptr()) };
        self.advance(fits);
        fits
    }

    /// Sends the message as far as it is filled, if one is begun. Never blocks.
    pub(crate) fn commit(&mut self) -> Result<(), Stop> {
        match self.page.take() {
            Some(page) => {
                let mut slot = self.sender.slot(page.place);
                if page.filled < page.len {
                    slot.shorten(page.len, page.filled);
                }
                slot.commit(page.filled)
            }
            None => Ok(()),
        }
    }

    /// Forgets what was begun.
    pub(crate) fn into_sender(mut self) -> Sender<[u8]> {
        self.forget();
        self.sender
    }

    fn forget(&mut self) {
        if let Some(page) = self.page.take() {
            self.sender.slot(page.place).abort(page.len);
        }
    }
}
