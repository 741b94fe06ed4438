//! The writing side.
//!
//! What is written lies in a [`Draft`], a chunk at the ring's tail that nobody sees before it is committed. All but its
//! last byte are for the stream; the last one is the mark.

use super::{CHUNK, FIRST, LAST, MARK};
use crate::error::{SendError, Stop};
use crate::spsc::{Draft, Sender};
use std::fmt;
use std::io::{self, Write};
use std::mem::ManuallyDrop;

/// Writes a stream of bytes into a ring.
///
/// Bytes are sent when a chunk is full, and by [`flush`](Write::flush): what must be seen at once is to be flushed.
/// `flush` does not wait for the reader; the sender that [`finish`](Self::finish) returns can, by
/// [`wait_acked`](Sender::wait_acked).
///
/// Dropping it sends what is left and ends the stream. That may block, as any write, and its failure goes unnoticed:
/// [`finish`](Self::finish) says. If a panic drops it, what was not sent is discarded and the stream is not ended, so
/// that its reader gets an error: whoever wrote it did not finish. Nothing but the panic tells that: who returns early
/// from an error of another kind, and does not want it to look like an end, lets go by
/// [`into_inner`](Self::into_inner).
///
/// # Errors
///
/// All verbs that send block while the ring is full, and fail with [`BrokenPipe`](io::ErrorKind::BrokenPipe) if the
/// ring is closed, or full and the reader has left or died; [`StorageFull`](io::ErrorKind::StorageFull) if there is no
/// memory for a chunk: nothing is lost, and writing may be tried again; [`InvalidInput`](io::ErrorKind::InvalidInput)
/// if the ring's messages are of one byte only. Waiting is never [`Interrupted`](io::ErrorKind::Interrupted). The error
/// holds a [`SendError`].
///
/// # Fork
///
/// A child that inherits a writer begins a stream of its own with its first write, as soon as the parent has left that
/// role. What the parent has written and not sent is the parent's.
pub struct Writer {
    draft: Draft,
    /// What the next chunk's mark says of it.
    first: u8,
    /// Bytes written since the last flush.
    unflushed: usize,
    /// Whether so little was flushed last time that it would have fit into a slot.
    is_small: bool,
}

impl Writer {
    /// Begins a stream. Nothing is sent yet.
    pub fn new(sender: Sender<[u8]>) -> Self {
        Self { draft: Draft::new(sender), first: FIRST, unflushed: 0, is_small: true }
    }

    /// Sends what is left and ends the stream; returns the sender, for another stream or anything else. Blocks while
    /// the ring is full.
    ///
    /// # Errors
    ///
    /// As for [`Writer`]; the stream is then not ended, and the sender gone.
    pub fn finish(mut self) -> io::Result<Sender<[u8]>> {
        let ended = self.end().map_err(Self::error);
        let sender = self.into_inner();
        ended.map(|()| sender)
    }

    /// Lets go of the stream without ending it, for whoever cannot go on: what was not sent is discarded, and the
    /// reader gets an error after what was, as soon as the sender goes or begins another stream. Never blocks.
    pub fn into_inner(self) -> Sender<[u8]> {
        self.into_draft().into_sender()
    }

    /// Takes the writer apart without ending the stream.
    fn into_draft(self) -> Draft {
        let this = ManuallyDrop::new(self);
        // SAFETY: `this` is not dropped, so the draft is taken once; there is nothing else in it to drop.
        unsafe { std::ptr::read(&this.draft) }
    }

    /// Room for the next bytes of the stream in the ring itself, never empty, to be filled in place; then say how many
    /// they are with [`advance`](Self::advance). Blocks while the ring is full.
    ///
    /// What stands there is left over from earlier messages, or zero.
    ///
    /// # Errors
    ///
    /// As for [`Writer`].
    ///
    /// ```
    /// use ringmail::stream;
    /// use std::io::{self, Read};
    ///
    /// /// As `io::copy`, without the buffer in between.
    /// fn copy(mut from: impl Read, to: &mut stream::Writer) -> io::Result<()> {
    ///     loop {
    ///         match from.read(to.spare()?)? {
    ///             0 => return Ok(()),
    ///             bytes => to.advance(bytes)?,
    ///         }
    ///     }
    /// }
    ///
    /// let (mut writer, reader) = stream::pair(&stream::options())?;
    /// copy(&b"straight into the ring"[..], &mut writer)?;
    /// writer.finish()?;
    /// assert_eq!(io::read_to_string(reader)?, "straight into the ring");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spare(&mut self) -> io::Result<&mut [u8]> {
        self.begin(usize::MAX).map_err(Self::error)?;
        let rest = self.draft.rest();
        let room = rest.len().saturating_sub(1);
        Ok(&mut rest[..room])
    }

    /// Writes the first `bytes` of [`spare`](Self::spare), which were filled; no more than there are. Never blocks.
    ///
    /// # Errors
    ///
    /// [`BrokenPipe`](io::ErrorKind::BrokenPipe) if the ring was closed.
    pub fn advance(&mut self, bytes: usize) -> io::Result<()> {
        if !self.draft.is_begun() {
            return Ok(());
        }
        let bytes = bytes.min(self.draft.rest().len() - 1);
        self.draft.advance(bytes);
        self.written(bytes).map_err(Self::error)
    }

    /// Begins a chunk, unless one is begun, for `bytes` or more.
    #[inline]
    fn begin(&mut self, bytes: usize) -> Result<(), Stop> {
        if self.draft.is_begun() { Ok(()) } else { self.begin_new(bytes) }
    }

    /// What is flushed line by line stays with the slots: it needs no memory of its own, and is quicker.
    fn begin_new(&mut self, bytes: usize) -> Result<(), Stop> {
        let inline = self.draft.inline_len();
        let is_small = self.is_small && bytes < inline;
        self.claim(if is_small { inline } else { CHUNK.min(self.draft.max_len()) }.max(2))
    }

    fn claim(&mut self, len: usize) -> Result<(), Stop> {
        if self.draft.is_inherited() {
            // What the parent began is not what this process goes on with.
            (self.first, self.unflushed) = (FIRST, 0);
        }
        self.draft.begin(len)
    }

    /// Sends the chunk if it is full.
    #[inline]
    fn written(&mut self, bytes: usize) -> Result<(), Stop> {
        self.unflushed = self.unflushed.saturating_add(bytes);
        if self.draft.rest().len() > 1 {
            return Ok(());
        }
        self.is_small = false;
        self.send(0)
    }

    /// Sends the chunk that is begun, with its mark.
    fn send(&mut self, last: u8) -> Result<(), Stop> {
        self.draft.append(&[MARK | self.first | last]);
        self.draft.commit()?;
        self.first = 0;
        Ok(())
    }

    /// Ends the stream with the chunk that is begun, or else with one for that alone.
    fn end(&mut self) -> Result<(), Stop> {
        if !self.draft.is_begun() {
            self.claim(1)?;
        }
        self.send(LAST)
    }

    fn error(stop: Stop) -> io::Error {
        SendError::from(stop).into()
    }
}

impl Write for Writer {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        self.begin(bytes.len()).map_err(Self::error)?;
        let room = self.draft.rest().len() - 1;
        let fits = self.draft.append(&bytes[..bytes.len().min(room)]);
        self.written(fits).map_err(Self::error)?;
        Ok(fits)
    }

    /// Sends what was written. Does not wait until it is read, and never blocks.
    fn flush(&mut self) -> io::Result<()> {
        self.is_small = self.unflushed < self.draft.inline_len();
        self.unflushed = 0;
        if self.draft.is_begun() && self.draft.filled() > 0 {
            return self.send(0).map_err(Self::error);
        }
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // The stream of a parent is not its child's to end.
        if !std::thread::panicking() && !self.draft.is_inherited() {
            let _ = self.end();
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("unsent", &self.draft.filled()).finish_non_exhaustive()
    }
}
