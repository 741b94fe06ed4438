//! A stream of bytes over an `spsc` ring of `[u8]`, as [`std::io`] has it: [`Writer`] is `Write`, [`Reader`] is `Read`
//! and `BufRead`.
//!
//! Bytes are copied once, by `write`, into memory that both processes share, and read where they lie: [`fill_buf`]
//! shows them and copies nothing. [`Writer::spare`] spares the one copy too.
//!
//! ```
//! use ringmail::stream;
//! use std::io::{BufRead, Write};
//!
//! let (mut writer, reader) = stream::pair(&stream::options())?;
//! writeln!(writer, "one line")?;
//! writeln!(writer, "and another")?;
//! writer.finish()?;
//! let lines: Vec<String> = reader.lines().collect::<Result<_, _>>()?;
//! assert_eq!(lines, ["one line", "and another"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Between processes each side is made of the role that its process has in a ring:
//!
//! ```
//! use ringmail::{spsc, stream};
//! # let path = std::env::temp_dir().join(format!("ringmail-doc-stream-{}", std::process::id()));
//!
//! // One process creates the ring, by name, in a file or without either, and writes:
//! let ring = spsc::Ring::<[u8]>::create_file(&path, &stream::options())?;
//! let mut writer = stream::Writer::new(ring.sender()?);
//! std::io::copy(&mut &b"any number of bytes"[..], &mut writer)?;
//! writer.finish()?;
//! // Another opens it, and reads:
//! let ring = spsc::Ring::<[u8]>::open_file(&path)?;
//! let text = std::io::read_to_string(stream::Reader::new(ring.receiver()?))?;
//! assert_eq!(text, "any number of bytes");
//! # std::fs::remove_file(&path)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a stream is in the ring
//!
//! Bytes travel in chunks, each a message: sent when it is full, or by `flush`. The last byte of each message is a
//! mark, and says whether the stream begins or ends with it. So the end of a stream is told apart from the death of its
//! writer, also when a successor of that one has long begun another stream:
//!
//! - when a writer [finishes](Writer::finish) or is dropped, its reader gets all bytes and then 0, which is how `Read`
//!   says the end;
//! - when it dies, panics, or lets go in any other way, its reader gets all that was sent and then
//!   [`ErrorKind::ConnectionAborted`](std::io::ErrorKind::ConnectionAborted), with
//!   [`StreamError::Aborted`](crate::StreamError::Aborted) in it;
//! - when the reader has left or died, the writer gets [`ErrorKind::BrokenPipe`](std::io::ErrorKind::BrokenPipe) as
//!   soon as the ring is full.
//!
//! One stream after another may go through the same ring: [`Writer::finish`] gives the sender back, and
//! [`Reader::into_inner`] the receiver.
//!
//! [`fill_buf`]: std::io::BufRead::fill_buf

mod reader;
mod writer;

pub use reader::Reader;
pub use writer::Writer;

use crate::error::OpenError;
use crate::options::Options;
use crate::spsc;

/// Bytes of a full chunk, its mark included. Between two processes (L2 512 KiB, L3 32 MiB) chunks of 32 to 256 KiB are
/// equally quick, and 1 MiB is slower by a third: the longer, the fewer system calls for whoever fills them from a
/// file.
const CHUNK: usize = 128 << 10;

/// What the last byte of a message says: `MARK`, and what applies of the other two.
const MARK: u8 = 0xD4;
/// The stream begins with this message.
const FIRST: u8 = 1;
/// The stream ends with it.
const LAST: u8 = 2;

/// Options that suit a stream: chunks of 128 KiB, of which 32 may be in the ring at once.
///
/// Any other will do, as long as messages are at least 2 bytes long: a chunk is as long as the ring's longest message,
/// and no longer than 128 KiB. A short ring ([`capacity`](Options::capacity)) keeps the writer close to its reader, a
/// long one evens out their speeds.
pub const fn options() -> Options {
    Options::new().capacity(32).max_len(CHUNK)
}

/// A stream between threads: both sides of a ring without a name.
///
/// # Errors
///
/// As for [`spsc::Ring::anonymous`].
pub fn pair(options: &Options) -> Result<(Writer, Reader), OpenError> {
    let (sender, receiver) = spsc::channel(options)?;
    Ok((Writer::new(sender), Reader::new(receiver)))
}
