//! Sleeping and waking across processes, and the barrier that reaches all of them.

use crate::sync::{AtomicU32, Mutant, mutant, point, raw};
use rustix::thread::futex;
use std::io;
use std::time::Duration;

const MEMBARRIER_CMD_GLOBAL_EXPEDITED: libc::c_int = 1 << 1;
const MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED: libc::c_int = 1 << 2;

fn membarrier(command: libc::c_int) -> io::Result<()> {
    // SAFETY: membarrier takes three integers and touches no memory of ours.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Makes this process one that its peers' barriers reach. To be called before it publishes anything.
pub fn register_for_barriers() -> io::Result<()> {
    membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED)
}

/// Makes every running thread of every registered process pass a full fence: 0.5 us, 10 us when the others are busy.
pub fn barrier() {
    point();
    // It cannot fail in a process that registered; if it did, the bounded sleep would cover it.
    let _ = membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED);
}

/// Sleeps while `word` is `expected`, until woken, interrupted by a signal, or for `timeout`.
pub fn sleep(word: &AtomicU32, expected: u32, timeout: Duration) {
    point();
    let timeout = rustix::time::Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: timeout.subsec_nanos().into() };
    // Without PRIVATE: sleeper and waker are different processes. Whatever the result, the caller looks again.
    let _ = futex::wait(raw(word), futex::Flags::empty(), expected, Some(&timeout));
}

/// Wakes every thread of every process that sleeps on `word`.
pub fn wake_all(word: &AtomicU32) {
    point();
    let most = if mutant(Mutant::WakeOne) { 1 } else { i32::MAX as u32 };
    let _ = futex::wake(raw(word), futex::Flags::empty(), most);
}
