//! A thread of ours in somebody else's program.

use std::io;

/// Starts a thread that lives as long as the process, does not keep it from ending, and leaves its signals to other
/// threads.
pub fn start(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let work = || {
        block_signals();
        work();
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// Keeps signals away from the calling thread.
fn block_signals() {
    // SAFETY: all zero is a set of signals; it is filled before it is used.
    let mut all: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `all` is a set for the call to fill.
    unsafe { libc::sigfillset(&raw mut all) };
    // SAFETY: a valid set; no old one is asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut()) };
}
