//! What every system has: a pipe, and Unix sockets.
//!
//! Where there is one receiver, bytes stream and are read through a buffer, so that many short messages come with one call. Several
//! receivers of a pipe read one message at a time, which is whole up to a page; a socket keeps messages apart itself. The receiver sleeps in the
//! kernel, however it is asked to wait.

use crate::payload::Payload;
use crate::queue::{Copied, Queue, Rx, Tx};
use ringmail::zerocopy::IntoBytes;
use std::io::{BufReader, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// What a buffered reader reads at a time.
const BUFFER: usize = 64 << 10;
/// As large as an ordinary user may make a pipe, or a socket's buffer without asking.
const LARGE: libc::c_int = 1 << 20;

/// A pipe of the usual size for short messages, and of the largest for long ones.
#[derive(Clone)]
pub struct Pipe(Arc<(PipeReader, PipeWriter)>, bool);

impl Pipe {
    /// `alone`: there is one sender and one receiver.
    pub fn new(message: usize, alone: bool) -> Self {
        let ends = std::io::pipe().expect("pipe");
        if message >= BUFFER {
            enlarge(&ends.1);
        }
        Self(Arc::new(ends), alone)
    }
}

#[expect(clippy::disallowed_methods, reason = "the size of a pipe is set in no other way")]
fn enlarge(pipe: &PipeWriter) {
    // SAFETY: sets a number of the pipe.
    let set = unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_SETPIPE_SZ, LARGE) };
    assert!(set >= LARGE, "cannot enlarge a pipe: {}", std::io::Error::last_os_error());
}

impl<M: Payload> Queue<M> for Pipe {
    type Tx = Bytes<PipeWriter, M>;
    type Rx = Reader<PipeReader, M>;

    fn sender(&self) -> Self::Tx {
        Bytes(self.0.1.try_clone().expect("a descriptor"), Copied::new())
    }

    fn receiver(&self) -> Self::Rx {
        Reader::new(self.0.0.try_clone().expect("a descriptor"), self.1)
    }
}

/// A stream socket: one sender, one receiver.
#[derive(Clone)]
pub struct Socket(Arc<(UnixStream, UnixStream)>);

impl Socket {
    pub fn new(message: usize) -> Self {
        let ends = UnixStream::pair().expect("socket pair");
        if message >= BUFFER {
            widen(&ends.0);
        }
        Self(Arc::new(ends))
    }
}

/// Has a socket take more at a time; what the system does not grant is as it was.
fn widen(socket: &impl AsRawFd) {
    let size = LARGE;
    let length = size_of_val(&size) as libc::socklen_t;
    // SAFETY: `size` is readable and of the size that is said.
    unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_SNDBUF, (&raw const size).cast(), length)
    };
}

impl<M: Payload> Queue<M> for Socket {
    type Tx = Bytes<UnixStream, M>;
    type Rx = Reader<UnixStream, M>;

    fn sender(&self) -> Self::Tx {
        Bytes(self.0.0.try_clone().expect("a descriptor"), Copied::new())
    }

    fn receiver(&self) -> Self::Rx {
        Reader::new(self.0.1.try_clone().expect("a descriptor"), true)
    }
}

/// A socket that keeps messages apart: any number of senders and receivers.
#[derive(Clone)]
pub struct Packets(Arc<(PacketEnd, PacketEnd)>);

impl Packets {
    pub fn new() -> Self {
        let mut ends = [0; 2];
        // SAFETY: `ends` has room for two descriptors.
        let made = unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_SEQPACKET, 0, ends.as_mut_ptr()) };
        assert_eq!(made, 0, "no sockets: {}", std::io::Error::last_os_error());
        let ends = ends.map(|end| {
            // SAFETY: just made, and nobody else's.
            PacketEnd(Arc::new(unsafe { OwnedFd::from_raw_fd(end) }))
        });
        let [sender, receiver] = ends;
        widen(&*sender.0);
        Self(Arc::new((sender, receiver)))
    }
}

impl<M: Payload> Queue<M> for Packets {
    type Tx = Bytes<PacketEnd, M>;
    type Rx = Reader<PacketEnd, M>;

    fn sender(&self) -> Self::Tx {
        Bytes(self.0.0.clone(), Copied::new())
    }

    fn receiver(&self) -> Self::Rx {
        Reader::new(self.0.1.clone(), false)
    }
}

/// A message a call.
#[derive(Clone)]
pub struct PacketEnd(Arc<OwnedFd>);

impl Write for PacketEnd {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // SAFETY: `bytes` is readable.
        let sent = unsafe { libc::send(self.0.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) };
        usize::try_from(sent).map_err(|_| std::io::Error::last_os_error())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Read for PacketEnd {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        // SAFETY: `bytes` is writable.
        let received = unsafe { libc::recv(self.0.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        usize::try_from(received).map_err(|_| std::io::Error::last_os_error())
    }
}

/// Sends by writing.
pub struct Bytes<W, M>(W, Copied<M>);

impl<W: Write, M: Payload> Tx<M> for Bytes<W, M> {
    fn send(&mut self, message: &M) {
        self.0.write_all(message.as_bytes()).expect("write");
    }

    fn send_run(&mut self, messages: &[M]) {
        self.0.write_all(messages.as_bytes()).expect("write");
    }

    fn fill(&mut self, write: impl FnOnce(&mut M)) {
        write(self.1.get());
        self.0.write_all(self.1.get().as_bytes()).expect("write");
    }
}

/// Receives by reading.
pub enum Reader<R, M> {
    Buffered(BufReader<R>, Copied<M>),
    Exact(R, Copied<M>),
}

impl<R: Read, M: Payload> Reader<R, M> {
    fn new(from: R, alone: bool) -> Self {
        if alone && size_of::<M>() < BUFFER {
            Self::Buffered(BufReader::with_capacity(BUFFER, from), Copied::new())
        } else {
            Self::Exact(from, Copied::new())
        }
    }
}

impl<R: Read, M: Payload> Rx<M> for Reader<R, M> {
    fn receive<T>(&mut self, read: impl FnOnce(&M) -> T) -> T {
        let message = match self {
            Self::Buffered(from, message) => {
                from.read_exact(message.get().as_mut_bytes()).expect("read");
                message
            }
            Self::Exact(from, message) => {
                from.read_exact(message.get().as_mut_bytes()).expect("read");
                message
            }
        };
        read(message.get())
    }
}
