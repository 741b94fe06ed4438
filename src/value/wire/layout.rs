//! Where the parts of a message lie: header and structure, the table of payloads, the payloads.
//!
//! Invariant: payloads start at multiples of [`ALIGN`] in the order of their numbers and do not overlap; the message ends with
//! the last one. Every byte of the message is written: what was in the slot before is nobody else's business.

use super::encoder::Encoder;
use super::format::*;
use crate::error::value::EncodeError;
use core::convert::Infallible;
use core::ops::Range;

/// A value that is written out: how long its message is, and how to fill one.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'e> {
    encoder: &'e Encoder,
    /// Where the first payload starts.
    first: usize,
    len: usize,
}

impl<'e> Layout<'e> {
    #[inline]
    pub(super) fn new(encoder: &'e Encoder) -> Result<Self, EncodeError> {
        let structure = encoder.structure.as_vec().len();
        if encoder.payloads.is_empty() {
            return Ok(Self { encoder, first: structure, len: structure });
        }
        let table = align_up(structure, 8).and_then(|table| table.checked_add(8 * encoder.payloads.len()));
        let first = table.and_then(|end| align_up(end, ALIGN));
        let end = encoder.payloads.last().map_or(0, |(start, len)| start + len);
        match first.and_then(|first| Some((first, first.checked_add(end)?))) {
            Some((first, len)) => Ok(Self { encoder, first, len }),
            None => Err(EncodeError::TooLong { what: "message", len: usize::MAX as u64, max: isize::MAX as u64 }),
        }
    }

    /// Bytes of the message.
    #[expect(clippy::len_without_is_empty, reason = "no message is empty")]
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The whole message, if it has no payloads: send it as it is.
    #[inline]
    pub fn as_bytes(&self) -> Option<&'e [u8]> {
        self.encoder.payloads.is_empty().then(|| &self.encoder.structure.as_vec()[..])
    }

    /// How many payloads there are.
    #[inline]
    pub fn payloads(&self) -> usize {
        self.encoder.payloads.len()
    }

    /// Where in the message payload `number` lies: from a multiple of 64 on.
    ///
    /// # Panics
    ///
    /// If there is no such payload.
    pub fn payload(&self, number: usize) -> Range<usize> {
        let (start, len) = self.encoder.payloads[number];
        self.first + start..self.first + start + len
    }

    /// Writes all but the payloads, and zeros between those: the payloads may be filled before, after, by several threads, or
    /// in place.
    ///
    /// # Panics
    ///
    /// If `message` is not [`len`](Self::len) bytes long.
    pub fn write_structure(&self, message: &mut [u8]) {
        assert_eq!(message.len(), self.len, "a message of another length than the layout has");
        let structure = self.encoder.structure.as_vec();
        message[..structure.len()].copy_from_slice(structure);
        if self.encoder.payloads.is_empty() {
            return;
        }
        let table = structure.len().next_multiple_of(8);
        message[structure.len()..table].fill(0);
        let (entries, gap) = message[table..self.first].split_at_mut(8 * self.encoder.payloads.len());
        for (entry, (_, len)) in entries.chunks_exact_mut(8).zip(&self.encoder.payloads) {
            entry.copy_from_slice(&(*len as u64).to_le_bytes());
        }
        gap.fill(0);
        for pair in self.encoder.payloads.windows(2) {
            message[self.first + pair[0].0 + pair[0].1..self.first + pair[1].0].fill(0);
        }
    }

    /// Writes the message; `fill` is called for every payload in turn, with its number and its place.
    ///
    /// # Panics
    ///
    /// If `message` is not [`len`](Self::len) bytes long.
    #[inline]
    pub fn write_into(&self, message: &mut [u8], mut fill: impl FnMut(usize, &mut [u8])) {
        let Ok(()) = self.try_write_into::<Infallible>(message, |number, payload| {
            fill(number, payload);
            Ok(())
        });
    }

    /// As [`write_into`](Self::write_into), until `fill` fails.
    ///
    /// # Errors
    ///
    /// What `fill` said.
    ///
    /// # Panics
    ///
    /// As [`write_into`](Self::write_into).
    #[inline]
    pub fn try_write_into<E>(
        &self,
        message: &mut [u8],
        mut fill: impl FnMut(usize, &mut [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.write_structure(message);
        for number in 0..self.payloads() {
            fill(number, &mut message[self.payload(number)])?;
        }
        Ok(())
    }
}
