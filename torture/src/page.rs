//! Memory that the controller and its workers share: orders one way, states the other.
//!
//! It outlives the killed. A worker says what it is about to do before it does it, so its last word tells where it
//! died; and it lets [`recv_into`](ringmail::mpmc::Receiver::recv_into), which acknowledges before anybody can write
//! the message down, copy into memory that the controller can read afterwards.

use crate::worker::Side;
use memmap2::{MmapOptions, MmapRaw};
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Workers at once; one place more serves all forked children, who need no state.
pub const PLACES: usize = 24;
/// Longest message.
pub const LONGEST: usize = 1 << 20;

const HEAD: usize = 64;
const PLACE: usize = 32;
const BUFFERS: usize = 64 * 1024;

/// A word that all share.
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
pub enum Global {
    /// The next incarnation's number.
    NextId,
    /// Whether no sender can run: an [`Excuse`].
    NoSender,
    /// Whether no receiver can run.
    NoReceiver,
    /// Not 0 once it is right that operations say `Disconnected`.
    Ending,
}

/// A word of one worker.
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
pub enum Own {
    /// What it does: a [`State`](crate::state::State).
    State,
    /// What it is to do: an [`Order`](crate::state::Order).
    Order,
    /// Whether it is stopped: an [`Excuse`].
    Stopped,
    /// Which incarnation it is.
    Id,
    /// Not 0 once it has joined.
    Ready,
    /// Longest wait for a peer that was there all the time, in nanoseconds.
    Longest,
    Sends,
    Receives,
    Forks,
    Panics,
}

/// A reason to wait: whether it holds, and since when, in one word.
#[derive(Clone, Copy, Debug)]
pub struct Excuse<'a>(&'a AtomicU64);

impl Excuse<'_> {
    /// Says whether the reason holds from now on.
    pub fn set(self, holds: bool) {
        if self.0.load(SeqCst) & 1 != u64::from(holds) {
            self.0.store(now_ns() << 1 | u64::from(holds), SeqCst);
        }
    }

    /// How much of the time from `start` to `end`, which is now, counts as waiting without a reason: what came after
    /// the reason was last gone. Where it holds, nothing does.
    pub fn waited(self, start: u64, end: u64) -> u64 {
        let word = self.0.load(SeqCst);
        if word & 1 == 0 { end.saturating_sub(start.max(word >> 1)) } else { 0 }
    }
}

/// The time that all processes share.
#[expect(clippy::disallowed_methods, reason = "an `Instant` cannot be told to another process")]
pub fn now_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is writable.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The shared memory.
#[derive(Debug)]
pub struct Page(MmapRaw);

impl Page {
    /// Maps the file at `path`, which is made if it is not there.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        file.set_len((BUFFERS + (PLACES + 1) * LONGEST) as u64)?;
        Ok(Self(MmapOptions::new().map_raw(&file)?))
    }

    fn word(&self, at: usize) -> &AtomicU64 {
        assert!(at < BUFFERS / 8, "within the words");
        // SAFETY: checked, and the mapping is longer.
        let word = unsafe { self.0.as_mut_ptr().cast::<AtomicU64>().add(at) };
        // SAFETY: mapped as long as `self` lives, aligned, and accessed as an atomic by everybody.
        unsafe { &*word }
    }

    pub fn global(&self, which: Global) -> &AtomicU64 {
        self.word(which as usize)
    }

    pub fn own(&self, place: usize, which: Own) -> &AtomicU64 {
        assert!(place <= PLACES, "a place");
        self.word(HEAD + PLACE * place + which as usize)
    }

    /// The reason that nobody of a side can run.
    pub fn absence(&self, side: Side) -> Excuse<'_> {
        Excuse(self.global(match side {
            Side::Sender => Global::NoSender,
            Side::Receiver => Global::NoReceiver,
        }))
    }

    /// The reason that the worker of a place is stopped.
    pub fn stopped(&self, place: usize) -> Excuse<'_> {
        Excuse(self.own(place, Own::Stopped))
    }

    /// A number that no incarnation of the round had before.
    pub fn new_id(&self) -> u64 {
        self.global(Global::NextId).fetch_add(1, SeqCst) + 1
    }

    /// Clears what belongs to a place, for another worker.
    pub fn clear(&self, place: usize) {
        (0..PLACE).for_each(|at| self.word(HEAD + PLACE * place + at).store(0, SeqCst));
        let header = self.buffer(place);
        // SAFETY: nobody lives who uses the buffer, and it is longer.
        unsafe { std::ptr::write_bytes(header, 0, 64) };
    }

    /// Where the buffer of a place is: [`LONGEST`] bytes for one process at a time.
    pub fn buffer(&self, place: usize) -> *mut u8 {
        assert!(place <= PLACES, "a place");
        // SAFETY: within the mapping.
        unsafe { self.0.as_mut_ptr().add(BUFFERS + place * LONGEST) }
    }

    /// A copy of what the dead worker of a place had in its buffer.
    pub fn last_words(&self, place: usize) -> Vec<u8> {
        let mut bytes = vec![0; LONGEST];
        // SAFETY: mapped, and nobody lives who writes it.
        unsafe { std::ptr::copy_nonoverlapping(self.buffer(place), bytes.as_mut_ptr(), LONGEST) };
        bytes
    }
}
