//! Sleeping and waking across processes, and the barrier that reaches all of them.

use crate::sync::{AtomicU32, Mutant, mutant, point, raw};
use rustix::io::Errno;
use rustix::thread::futex;
use rustix::time::Timespec;
use smallvec::SmallVec;
use std::cell::Cell;
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

thread_local! {
    /// Whether signals are heeded in this thread, and whether one came in its last sleep.
    static HEEDS_SIGNALS: Cell<bool> = const { Cell::new(false) };
    static WAS_INTERRUPTED: Cell<bool> = const { Cell::new(false) };
}

/// Has a signal whose handler ran in this thread's sleep end the wait, or go on to be of no consequence.
pub fn heed_signals(yes: bool) {
    HEEDS_SIGNALS.set(yes);
}

/// Whether this thread's last sleep ended by a signal that is heeded.
pub fn was_interrupted() -> bool {
    HEEDS_SIGNALS.get() && WAS_INTERRUPTED.get()
}

/// Sleeps while `word` is `expected`, until woken, interrupted by a signal, or for `timeout`.
pub fn sleep(word: &AtomicU32, expected: u32, timeout: Duration) {
    point();
    let timeout = Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: timeout.subsec_nanos().into() };
    // Without PRIVATE: sleeper and waker are different processes. Whatever the result, the caller looks again.
    let slept = futex::wait(raw(word), futex::Flags::empty(), expected, Some(&timeout));
    WAS_INTERRUPTED.set(slept == Err(Errno::INTR));
}

/// Words that a thread can sleep on at once.
pub const MOST: usize = 128;

/// One of several words that a thread sleeps on.
#[derive(Clone, Copy, Debug)]
pub struct Awaited {
    /// Where it is. The kernel looks there, and says so if there is nothing.
    pub word: *const AtomicU32,
    /// What it is expected to be.
    pub value: u32,
    /// Whether only this process wakes those who sleep on it.
    pub private: bool,
}

/// What came of a sleep on several words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awoken {
    /// There is reason to look at the words: a wake-up, one that is not as expected, a signal, or the time is up.
    Look,
    /// The system does not let anybody sleep like that.
    Refused,
}

/// Sleeps while all of up to [`MOST`] words are as expected, until woken on one of them, interrupted, or for `timeout`.
/// Linux 5.16 and later.
pub fn sleep_any(words: &[Awaited], timeout: Option<Duration>) -> Awoken {
    point();
    let waits: SmallVec<[futex::Wait; 8]> = words
        .iter()
        .map(|awaited| {
            let mut wait = futex::Wait::new();
            wait.val = awaited.value.into();
            wait.uaddr = futex::WaitPtr::new(awaited.word.cast_mut().cast());
            let whose = if awaited.private { futex::WaitFlags::PRIVATE } else { futex::WaitFlags::empty() };
            wait.flags = futex::WaitFlags::SIZE_U32 | whose;
            wait
        })
        .collect();
    let deadline = timeout.map(|timeout| {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let nanos = now.tv_nsec + i64::from(timeout.subsec_nanos());
        Timespec {
            tv_sec: now.tv_sec + timeout.as_secs() as i64 + nanos / 1_000_000_000,
            tv_nsec: nanos % 1_000_000_000,
        }
    });
    let clock = rustix::thread::ClockId::Monotonic;
    match futex::waitv(&waits, futex::WaitvFlags::empty(), deadline.as_ref(), clock) {
        // A word that was unmapped meanwhile: the caller has stopped asking for it by the time that he looks.
        Ok(_) | Err(Errno::AGAIN | Errno::INTR | Errno::TIMEDOUT | Errno::FAULT) => Awoken::Look,
        Err(_) => Awoken::Refused,
    }
}

/// Sleeps while the word at `word`, if there is one, is `expected`, until woken, interrupted, or for `timeout`.
pub fn sleep_at(word: *const AtomicU32, expected: u32, timeout: Duration) {
    point();
    let timeout = libc::timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: timeout.subsec_nanos().into() };
    // SAFETY: the kernel reads the timespec, and the word if it is mapped; it writes nothing.
    unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAIT, expected, &raw const timeout) };
}

/// Sleeps while a word of this process alone is as expected, until woken or interrupted, however long that takes.
pub fn sleep_privately(word: &AtomicU32, expected: u32) {
    point();
    let _ = futex::wait(raw(word), futex::Flags::PRIVATE, expected, None);
}

/// Wakes the thread of this process that sleeps on a word of its own.
pub fn wake_privately(word: &AtomicU32) {
    point();
    let _ = futex::wake(raw(word), futex::Flags::PRIVATE, 1);
}

/// Wakes every thread of every process that sleeps on `word`.
pub fn wake_all(word: &AtomicU32) {
    point();
    let most = if mutant(Mutant::WakeOne) { 1 } else { i32::MAX as u32 };
    let _ = futex::wake(raw(word), futex::Flags::empty(), most);
}
