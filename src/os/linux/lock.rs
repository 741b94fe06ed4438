//! Byte locks on a segment file: the proof of life.
//!
//! Open file description locks (`F_OFD_SETLK`) belong to one opening of the file: the kernel drops them when its last
//! descriptor is closed, which death and `exec` (all descriptors are close-on-exec) do. Process ids are not involved, so
//! their reuse cannot deceive; other code of the process that opens and closes the same file cannot drop them, as it would
//! POSIX locks; and they do not depend on the thread that took them. A forked child shares the opening, so it must close its
//! copy: see [`super::fork`].
//!
//! A probe must come through *another* opening: through the owner's own it would read "free", a false death.
//!
//! The bytes lie far beyond any segment's end, where no data is.

use crate::sync::point;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Held shared by everybody who has the ring open; exclusively by who replaces or removes it.
pub const LIFETIME: u64 = 1 << 62;
/// Held by the sender of an spsc ring.
pub const SENDER: u64 = LIFETIME + 1;
/// Held by the receiver of an spsc ring.
pub const RECEIVER: u64 = LIFETIME + 2;

/// The byte that says that the participant at `index` lives.
pub fn participant(index: u32) -> u64 {
    LIFETIME + 16 + u64::from(index)
}

/// The byte that says that the place at `index` is not to be had: somebody has it, takes it or clears it.
pub fn place(index: u32) -> u64 {
    LIFETIME + (1 << 16) + u64::from(index)
}

fn request(kind: libc::c_int, byte: u64) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: byte as libc::off_t,
        l_len: 1,
        l_pid: 0,
    }
}

/// Sets a lock of `kind` without waiting; `false` where somebody else's stands in the way.
fn set(fd: BorrowedFd<'_>, kind: libc::c_int, byte: u64) -> io::Result<bool> {
    point();
    let lock = request(kind, byte);
    // SAFETY: F_OFD_SETLK reads one flock, which lives across the call.
    if unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) } == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Ok(false),
        _ => Err(error),
    }
}

/// Takes a byte for this opening alone; `false` where another opening has it.
pub fn try_exclusive(fd: BorrowedFd<'_>, byte: u64) -> io::Result<bool> {
    set(fd, libc::F_WRLCK, byte)
}

/// Takes a byte together with others; `false` where another opening has it exclusively.
pub fn try_shared(fd: BorrowedFd<'_>, byte: u64) -> io::Result<bool> {
    set(fd, libc::F_RDLCK, byte)
}

/// Gives a byte back.
pub fn unlock(fd: BorrowedFd<'_>, byte: u64) -> io::Result<()> {
    set(fd, libc::F_UNLCK, byte).map(|_| ())
}

/// Whether another opening than `fd`'s holds the byte in any way.
pub fn is_held(fd: BorrowedFd<'_>, byte: u64) -> io::Result<bool> {
    let mut lock = request(libc::F_WRLCK, byte);
    // SAFETY: F_OFD_GETLK reads and writes one flock, which lives across the call.
    if unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(i32::from(lock.l_type) != libc::F_UNLCK)
}
