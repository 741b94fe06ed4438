//! The reading side.

use super::{FIRST, LAST, MARK};
use crate::error::{RecvError, Stop, StreamError};
use crate::spsc::{Kept, Receiver};
use std::fmt;
use std::io::{self, BufRead, Read};

/// Reads a stream of bytes from a ring, in place.
///
/// [`fill_buf`](BufRead::fill_buf) shows the rest of a chunk where it lies in shared memory, and copies nothing; `read`
/// copies from there. A chunk is acknowledged, and its room free for the writer, when all of it is
/// [consumed](BufRead::consume). Until then it is in the ring for whoever takes over from a reader that died.
///
/// # Errors
///
/// All verbs that read block until there are bytes. At the end of the stream they give 0 bytes, and go on doing so.
/// They fail with [`ConnectionAborted`](io::ErrorKind::ConnectionAborted) if the writer died or left without ending the
/// stream, or the ring was closed: at once for one that left, within half a second of a death, and after all that it
/// had sent; [`InvalidData`](io::ErrorKind::InvalidData) if the stream began before this reader came, or what comes is
/// no stream. These errors hold a [`StreamError`], and stay. Waiting is never
/// [`Interrupted`](io::ErrorKind::Interrupted).
///
/// # Fork
///
/// A child that inherits a reader goes on with the first chunk that its parent has not consumed all of, as soon as the
/// parent has left that role.
pub struct Reader {
    kept: Kept,
    state: State,
    /// Bytes of the chunk that is held, and how many of them are consumed.
    len: usize,
    consumed: usize,
    is_last: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first chunk, which must say so.
    New,
    /// Before a chunk that may be anywhere in the stream.
    Resumed,
    Middle,
    Ended,
    Failed(StreamError),
}

impl Reader {
    /// Reads a stream from its beginning.
    pub fn new(receiver: Receiver<[u8]>) -> Self {
        Self { kept: Kept::new(receiver), state: State::New, len: 0, consumed: 0, is_last: false }
    }

    /// Reads on where another reader has left or died in the middle of a stream: from the first chunk that it had not
    /// consumed all of, so that some bytes may come again. At the beginning of a stream this is as [`new`](Self::new).
    pub fn resume(receiver: Receiver<[u8]>) -> Self {
        Self { state: State::Resumed, ..Self::new(receiver) }
    }

    /// The receiver. After the end of a stream the next one can be read from it. In the middle, a chunk that is not
    /// consumed to its end is given back, and comes again as a whole, by the ring's redelivery policy.
    pub fn into_inner(self) -> Receiver<[u8]> {
        self.kept.into_receiver()
    }

    /// Whether there are bytes to be shown.
    #[inline]
    fn has_bytes(&self) -> bool {
        self.consumed < self.len && self.kept.message().is_some()
    }

    /// Receives chunks until there are bytes, or the stream has ended.
    #[cold]
    fn next(&mut self) -> io::Result<()> {
        while !self.has_bytes() {
            match self.state {
                State::Ended => return Ok(()),
                State::Failed(error) => return Err(error.into()),
                State::New | State::Resumed | State::Middle => self.receive()?,
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> io::Result<()> {
        (self.len, self.consumed) = (0, 0);
        if self.kept.is_inherited() {
            // A child goes on where its parent has not acknowledged, which may be the first chunk.
            self.state = State::Resumed;
        }
        match self.kept.receive() {
            Ok(()) => {}
            // Also before the first chunk: an empty stream has an end too.
            Err(Stop::Disconnected) => return Err(self.fail(StreamError::Aborted)),
            Err(stop) => return Err(RecvError::from(stop).into()),
        }
        // Read once: the mark of a chunk that somebody scribbles in is this one.
        let message = self.kept.message().unwrap_or_default();
        let (len, mark) = (message.len().saturating_sub(1), message.last().map_or(0, |mark| mark ^ MARK));
        let is_first = mark & FIRST != 0;
        let fault = match self.state {
            _ if message.is_empty() || mark & !(FIRST | LAST) != 0 => Some(StreamError::NotAStream),
            State::New if !is_first => Some(StreamError::Headless),
            State::Middle if is_first => Some(StreamError::Aborted),
            _ => None,
        };
        if let Some(fault) = fault {
            // For whoever can make more of it.
            self.kept.give_back();
            return Err(self.fail(fault));
        }
        (self.len, self.is_last, self.state) = (len, mark & LAST != 0, State::Middle);
        if len == 0 {
            self.pass();
        }
        Ok(())
    }

    /// Lets go of a chunk that is consumed.
    fn pass(&mut self) {
        self.kept.acknowledge();
        if self.is_last {
            self.state = State::Ended;
        }
    }

    fn fail(&mut self, error: StreamError) -> io::Error {
        self.state = State::Failed(error);
        error.into()
    }
}

impl BufRead for Reader {
    #[inline]
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if !self.has_bytes() {
            self.next()?;
        }
        let message = self.kept.message().unwrap_or_default();
        Ok(message.get(self.consumed..self.len).unwrap_or_default())
    }

    #[inline]
    fn consume(&mut self, bytes: usize) {
        if self.consumed < self.len {
            self.consumed += bytes.min(self.len - self.consumed);
            if self.consumed == self.len {
                self.pass();
            }
        }
    }
}

impl Read for Reader {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let bytes = self.fill_buf()?;
        let fits = bytes.len().min(buffer.len());
        buffer[..fits].copy_from_slice(&bytes[..fits]);
        self.consume(fits);
        Ok(fits)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("state", &self.state).finish_non_exhaustive()
    }
}
