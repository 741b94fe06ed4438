//! Bare shared memory and what can be built on it with nothing in between: the bounds that a ring is held against.
//!
//! - [`Shared`]: a mapping that forked processes share.
//! - [`PingPong`]: a number that goes to and fro in two cache lines: the cost of moving a line, twice.
//! - [`Frames`]: two counters and slots, and no protocol for anything that may go wrong: the cost of moving the bytes.
//! - [`Stream`]: as `Frames`, for messages of one type, published so many at a time: the most that can go through lines.
//! - [`Bell`]: a bare futex: the cost of waking a process.

use crate::crew::Line;
use crate::payload::Payload;
use crate::queue::{Queue, Run, Rx, Tx, Wait};
use std::cell::UnsafeCell;
use std::fs::File;
use std::ops::Deref;
use std::os::fd::FromRawFd;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::*};

/// Zeroed memory that stays shared with forked children.
pub struct Shared<T> {
    start: NonNull<T>,
    bytes: usize,
}

// SAFETY: as for a reference to `T`; the mapping goes only with this.
unsafe impl<T: Sync> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Maps `bytes`, at least those of a `T`.
    ///
    /// # Safety
    ///
    /// Zeroes are a value of `T`.
    pub unsafe fn zeroed(bytes: usize) -> Self {
        assert!(bytes >= size_of::<T>() && align_of::<T>() <= 4096);
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_POPULATE;
        // SAFETY: asks for memory wherever there is some.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), bytes, protection, flags, -1, 0) };
        assert_ne!(start, libc::MAP_FAILED, "cannot map {bytes} bytes: {}", std::io::Error::last_os_error());
        let start = NonNull::new(start.cast()).expect("mappings do not start at zero");
        Self { start, bytes }
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: mapped, aligned to a page and a value by the contract of `zeroed`.
        unsafe { self.start.as_ref() }
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's, and nothing borrows from it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

/// A payload of seven words and a number that says that they are there, in one cache line each way.
#[repr(C)]
pub struct PingPong {
    ways: [Line<Way>; 2],
}

#[repr(C, align(64))]
struct Way {
    number: AtomicU64,
    payload: [AtomicU64; 7],
}

impl PingPong {
    pub fn map() -> Shared<Self> {
        // SAFETY: zeroes are atomics.
        unsafe { Shared::zeroed(size_of::<Self>()) }
    }

    /// Writes `number`.
    #[inline]
    pub fn send(&self, way: usize, number: u64) {
        self.ways[way].0.number.store(number, Release);
    }

    /// Spins until `number` stands there.
    #[inline]
    pub fn await_number(&self, way: usize, number: u64) {
        while self.ways[way].0.number.load(Acquire) != number {
            std::hint::spin_loop();
        }
    }

    /// Writes the payload and then `number`, which is not zero.
    #[inline]
    pub fn send_payload(&self, way: usize, number: u64) {
        for (word, value) in self.ways[way].0.payload.iter().zip(number..) {
            word.store(value, Relaxed);
        }
        self.send(way, number);
    }

    /// Spins until `number` stands there, and sums up what came with it.
    #[inline]
    pub fn await_payload(&self, way: usize, number: u64) -> u64 {
        self.await_number(way, number);
        self.ways[way].0.payload.iter().fold(0, |sum: u64, word| sum.wrapping_add(word.load(Relaxed)))
    }
}

/// Slots for frames, and two counters.
#[repr(C)]
pub struct Frames {
    sent: Line<AtomicU64>,
    read: Line<AtomicU64>,
}

/// Where the slots begin: at a page, as the ring's do.
const SLOTS: usize = 4096;

/// What a ring of frames is like.
#[derive(Clone, Copy)]
pub struct Shape {
    /// Slots.
    pub capacity: usize,
    /// Bytes of a frame.
    pub len: usize,
}

impl Shape {
    fn bytes(self) -> usize {
        SLOTS + self.capacity * self.len
    }
}

impl Frames {
    pub fn map(shape: Shape) -> Shared<Self> {
        // SAFETY: zeroes are atomics, and bytes.
        unsafe { Shared::zeroed(shape.bytes()) }
    }
}

/// One side of a ring of frames: how far it is, and how far it last saw the other.
pub struct FrameEnd<S> {
    ring: S,
    shape: Shape,
    mine: u64,
    theirs: u64,
}

impl<S: Deref<Target = Shared<Frames>>> FrameEnd<S> {
    pub fn new(ring: S, shape: Shape) -> Self {
        assert_eq!(ring.bytes, shape.bytes());
        Self { ring, shape, mine: 0, theirs: 0 }
    }

    fn slot(&self) -> *mut u8 {
        let place = self.mine as usize % self.shape.capacity;
        // SAFETY: within the mapping, whose size was checked.
        unsafe { self.ring.start.as_ptr().cast::<u8>().add(SLOTS + place * self.shape.len) }
    }

    /// Fills the next slot when it is free.
    #[inline]
    pub fn fill_next(&mut self, fill: impl FnOnce(&mut [u8])) {
        while self.mine - self.theirs == self.shape.capacity as u64 {
            self.theirs = self.ring.read.0.load(Acquire);
            std::hint::spin_loop();
        }
        // SAFETY: read by nobody until the counter says that it is sent.
        fill(unsafe { std::slice::from_raw_parts_mut(self.slot(), self.shape.len) });
        self.mine += 1;
        self.ring.sent.0.store(self.mine, Release);
    }

    /// Reads the next slot when it is full.
    #[inline]
    pub fn read_next(&mut self, read: impl FnOnce(&[u8])) {
        while self.mine == self.theirs {
            self.theirs = self.ring.sent.0.load(Acquire);
            std::hint::spin_loop();
        }
        // SAFETY: written by nobody until the counter says that it is read.
        read(unsafe { std::slice::from_raw_parts(self.slot(), self.shape.len) });
        self.mine += 1;
        self.ring.read.0.store(self.mine, Release);
    }
}

/// Slots of a [`Stream`]; a power of two, so that no division is measured.
const STREAM: u64 = 1024;

/// A ring of short messages, two counters, and no protocol for anything that may go wrong. Each side looks at the other's counter only
/// when it believes the ring full or empty, and moves its own after every `BATCH` messages: there must be whole batches of them.
pub struct Stream<M, const BATCH: u64>(Arc<Shared<Lane<M>>>);

#[repr(C)]
struct Lane<M> {
    sent: Line<AtomicU64>,
    read: Line<AtomicU64>,
    slots: Line<[UnsafeCell<M>; STREAM as usize]>,
}

// SAFETY: a slot is used by the side alone that the counters give it to.
unsafe impl<M: Send> Sync for Lane<M> {}

impl<M, const BATCH: u64> Clone for Stream<M, BATCH> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M: Payload, const BATCH: u64> Stream<M, BATCH> {
    pub fn new() -> Self {
        // SAFETY: zeroes are atomics, and words.
        Self(Arc::new(unsafe { Shared::zeroed(size_of::<Lane<M>>()) }))
    }
}

impl<M: Payload, const BATCH: u64> Queue<M> for Stream<M, BATCH> {
    type Tx = StreamEnd<M, BATCH>;
    type Rx = StreamEnd<M, BATCH>;

    fn sender(&self) -> Self::Tx {
        StreamEnd { lane: Arc::clone(&self.0), mine: 0, theirs: 0 }
    }

    fn receiver(&self) -> Self::Rx {
        self.sender()
    }
}

/// One side of a [`Stream`].
pub struct StreamEnd<M, const BATCH: u64> {
    lane: Arc<Shared<Lane<M>>>,
    mine: u64,
    theirs: u64,
}

impl<M: Payload, const BATCH: u64> StreamEnd<M, BATCH> {
    /// The place that this side is at.
    fn slot(&self) -> *mut M {
        self.lane.slots.0[(self.mine % STREAM) as usize].get()
    }
}

impl<M: Payload, const BATCH: u64> Tx<M> for StreamEnd<M, BATCH> {
    #[inline]
    fn send(&mut self, message: &M) {
        self.fill(|slot| *slot = *message);
    }

    #[inline]
    fn make_run<const B: usize>(&mut self, _: &mut Run<M, B>, start: u64) {
        (start..start + B as u64).for_each(|number| self.fill(|slot| slot.become_numbered(number)));
    }

    #[inline]
    fn fill(&mut self, write: impl FnOnce(&mut M)) {
        while self.mine - self.theirs == STREAM {
            self.theirs = self.lane.read.0.load(Acquire);
            std::hint::spin_loop();
        }
        // SAFETY: read by nobody until the counter says that it is sent.
        write(unsafe { &mut *self.slot() });
        self.mine += 1;
        if self.mine.is_multiple_of(BATCH) {
            self.lane.sent.0.store(self.mine, Release);
        }
    }
}

impl<M: Payload, const BATCH: u64> Rx<M> for StreamEnd<M, BATCH> {
    #[inline]
    fn receive<T>(&mut self, read: impl FnOnce(&M) -> T) -> T {
        self.theirs = Wait::Spin.until(|| {
            let theirs = if self.mine == self.theirs { self.lane.sent.0.load(Acquire) } else { self.theirs };
            (theirs != self.mine).then_some(theirs)
        });
        // SAFETY: written by nobody until the counter says that it is read.
        let done = read(unsafe { &*self.slot() });
        self.mine += 1;
        if self.mine.is_multiple_of(BATCH) {
            self.lane.read.0.store(self.mine, Release);
        }
        done
    }
}

/// A word to sleep on, until another process wakes whoever sleeps.
#[repr(C)]
pub struct Bell {
    number: Line<AtomicU32>,
}

impl Bell {
    pub fn map() -> Shared<Self> {
        // SAFETY: zeroes are an atomic.
        unsafe { Shared::zeroed(size_of::<Self>()) }
    }

    /// Sets the number and wakes who sleeps.
    pub fn ring(&self, number: u32) {
        self.number.0.store(number, SeqCst);
        futex(&self.number.0, libc::FUTEX_WAKE, 1);
    }

    /// Spins until the number is another than `number`.
    pub fn spin(&self, number: u32) {
        while self.number.0.load(SeqCst) == number {
            std::hint::spin_loop();
        }
    }

    /// Sleeps until the number is another than `number`.
    pub fn sleep(&self, number: u32) {
        while self.number.0.load(SeqCst) == number {
            futex(&self.number.0, libc::FUTEX_WAIT, number);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the bare system call is what is measured")]
fn futex(word: &AtomicU32, operation: libc::c_int, value: u32) {
    let timeout = std::ptr::null::<libc::timespec>();
    // SAFETY: `word` lives, and there is no time limit to be read.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, value, timeout) };
}

/// A file of so many bytes that lies in memory and has no name.
pub fn memory_file(bytes: usize) -> File {
    // SAFETY: the name ends with a zero.
    let descriptor = unsafe { libc::memfd_create(c"compare".as_ptr(), libc::MFD_CLOEXEC) };
    assert!(descriptor >= 0, "no memory file: {}", std::io::Error::last_os_error());
    // SAFETY: just opened, and nobody else's.
    let file = unsafe { File::from_raw_fd(descriptor) };
    file.set_len(bytes as u64).expect("the file cannot have that size");
    file
}
