//! What a forked child must not inherit.
//!
//! Two things make a process a participant: locks on a descriptor, and the memory of having taken them. A child gets copies
//! of both, and both would be lies: its descriptor would keep its dead parent's locks held (a false life, which costs
//! time), and its memory would let it write under its parent's name (which costs messages).
//!
//! So descriptors that carry locks are [`Kept`] in one table, and a `pthread_atfork` handler closes the child's copies
//! before `fork` returns there. And the memory lies in a [`Marker`], a word in a page that the kernel itself zeroes in a
//! child, so that even a bare `clone` which runs no handlers cannot pass it on. Such a child keeps the descriptors until it
//! exits or execs: its parent's death is then noticed late, never early.
//!
//! One lock guards the table and every join, another the markers that are free, and `fork` takes both first: a child never
//! finds one held by a thread that it does not have. Who has the table may take the markers, not the other way round.

use crate::sync::{AtomicU64, Ordering::Relaxed};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use std::cell::UnsafeCell;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

/// The descriptors that a child closes; free places are `None`.
#[derive(Debug)]
pub struct Table {
    kept: Vec<Option<RawFd>>,
    /// How many forks lie between this process and the first that used the table. A child uses the same places and
    /// descriptor numbers again, so those alone do not tell its own descriptor from one of its parent's.
    forks: u64,
    /// What is known of this process. The number is zero in one that does not know it yet: a child, however it was made.
    process: Option<Process>,
}

/// What a process need ask the system only once.
#[derive(Debug)]
struct Process {
    marker: Marker,
    pid: u32,
    /// Whether its peers' barriers reach it.
    has_barriers: bool,
}

static TABLE: Mutex<Table> = Mutex::new(Table { kept: Vec::new(), forks: 0, process: None });

impl Table {
    /// What is known of this process, if it is the one that found it out.
    fn process(&self) -> Option<&Process> {
        self.process.as_ref().filter(|process| process.marker.number().load(Relaxed) != 0)
    }

    /// What is known of this process.
    fn settle(&mut self) -> io::Result<&mut Process> {
        if self.process().is_none() {
            // The marker of a parent is wiped: it will do.
            let marker = self.process.take().map_or_else(Marker::new, |process| Ok(process.marker))?;
            marker.number().store(1, Relaxed);
            self.forks += 1;
            self.process = Some(Process { marker, pid: std::process::id(), has_barriers: false });
        }
        self.process.as_mut().ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    /// This process's id.
    pub fn pid(&mut self) -> io::Result<u32> {
        self.settle().map(|process| process.pid)
    }

    /// Does `register`, unless it was done in this process.
    pub fn register_once(&mut self, register: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let process = self.settle()?;
        if !process.has_barriers {
            register()?;
            process.has_barriers = true;
        }
        Ok(())
    }
}

/// The guards of a thread in the middle of `fork`, from the prepare handler to the parent's and the child's.
struct Forking(UnsafeCell<Option<Guards>>);

/// Let go of in this order.
type Guards = (MutexGuard<'static, Words>, MutexGuard<'static, Table>);

// SAFETY: only the thread that holds TABLE's lock touches the cell, and it holds it from `prepare` to `parent` or `child`.
unsafe impl Sync for Forking {}

static FORKING: Forking = Forking(UnsafeCell::new(None));

/// Keeps `fork` and every other join out while it lives.
pub fn exclusive() -> MutexGuard<'static, Table> {
    handle_forks();
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The words that are free, which nobody else takes or leaves meanwhile.
fn words() -> MutexGuard<'static, Words> {
    handle_forks();
    WORDS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sees to it that `fork` runs the handlers.
fn handle_forks() {
    static HANDLERS: Once = Once::new();
    HANDLERS.call_once(|| {
        // SAFETY: the three handlers are plain functions that live as long as the program.
        unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) };
    });
}

extern "C" fn prepare() {
    let table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    let words = WORDS.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: this thread holds the lock, see `Forking`.
    unsafe { *FORKING.0.get() = Some((words, table)) };
}

extern "C" fn parent() {
    // SAFETY: this thread took the lock in `prepare`.
    drop(unsafe { (*FORKING.0.get()).take() });
}

extern "C" fn child() {
    // SAFETY: this is the copy of the thread that took the lock in `prepare`, and the only thread there is.
    let guards = unsafe { (*FORKING.0.get()).take() };
    if let Some((_words, mut table)) = guards {
        table.forks += 1;
        for fd in table.kept.iter_mut().filter_map(Option::take) {
            // SAFETY: the table owned this descriptor; taking it out, nobody closes it twice.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
        }
    }
}

/// A descriptor that belongs to this process and not to its forked children.
#[derive(Debug)]
pub struct Kept {
    place: usize,
    fd: RawFd,
    forks: u64,
}

impl Kept {
    /// Puts a descriptor under the table's care.
    pub fn new(fd: OwnedFd, table: &mut MutexGuard<'static, Table>) -> io::Result<Self> {
        table.settle()?;
        let fd = fd.into_raw_fd();
        let free = table.kept.iter().position(Option::is_none);
        let place = free.unwrap_or_else(|| {
            table.kept.push(None);
            table.kept.len() - 1
        });
        table.kept[place] = Some(fd);
        Ok(Self { place, fd, forks: table.forks })
    }

    /// The descriptor, in the process that opened it; `None` in a forked child.
    ///
    /// The table's guard keeps a fork from closing it meanwhile.
    pub fn get<'a>(&'a self, table: &'a MutexGuard<'static, Table>) -> Option<BorrowedFd<'a>> {
        let here = self.is_here(table);
        // SAFETY: the table holds it open, and only `close` and a fork's child take it out.
        here.then(|| unsafe { BorrowedFd::borrow_raw(self.fd) })
    }

    /// Whether this process opened it. A child that was cloned without running the handlers knows nothing of itself, or
    /// counts as one fork more.
    fn is_here(&self, table: &Table) -> bool {
        table.forks == self.forks && table.process().is_some()
    }

    /// Closes the descriptor and so drops its locks; does nothing in a forked child.
    pub fn close(self, table: &mut MutexGuard<'static, Table>) {
        if self.is_here(table) {
            table.kept[self.place] = None;
            // SAFETY: the table owned this descriptor; taken out, nobody else closes it.
            drop(unsafe { OwnedFd::from_raw_fd(self.fd) });
        }
    }
}

/// The words of markers that nobody has: all zero. Pages of them are never unmapped.
struct Words(Vec<NonNull<AtomicU64>>);

// SAFETY: the pages live as long as the process, and their words are atomics.
unsafe impl Send for Words {}

static WORDS: Mutex<Words> = Mutex::new(Words(Vec::new()));

impl Words {
    /// Maps a page more.
    fn add_page(&mut self) -> io::Result<()> {
        let len = rustix::param::page_size();
        // SAFETY: a fresh anonymous mapping, wherever the kernel has room.
        let page = unsafe {
            mmap_anonymous(std::ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)
        }?;
        // SAFETY: the advice is about the mapping just made, and only changes what a child sees.
        let wiped = unsafe { madvise(page, len, Advice::LinuxWipeOnFork) };
        if let Err(error) = wiped {
            // SAFETY: the mapping is ours, and nobody has seen it.
            let _ = unsafe { munmap(page, len) };
            return Err(error.into());
        }
        let first = NonNull::new(page.cast::<AtomicU64>()).ok_or(io::ErrorKind::OutOfMemory)?;
        let count = len / size_of::<AtomicU64>();
        // SAFETY: within the page just mapped, zeroed and aligned.
        self.0.extend((0..count).rev().map(|word| unsafe { first.add(word) }));
        Ok(())
    }
}

/// A number that is zero in every forked child until it sets its own.
///
/// Many share a page: they are mostly read. They are written when a ring is joined or left, and when an `spsc` receiver's messages come out
/// of order, or in order again.
#[derive(Debug)]
pub struct Marker {
    word: NonNull<AtomicU64>,
}

// SAFETY: the word is an atomic, and its page lives as long as the process.
unsafe impl Send for Marker {}
// SAFETY: as above; all access is atomic.
unsafe impl Sync for Marker {}

impl Marker {
    /// A marker of zero.
    pub fn new() -> io::Result<Self> {
        let mut words = words();
        if words.0.is_empty() {
            words.add_page()?;
        }
        words.0.pop().map(|word| Self { word }).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    /// The number.
    #[inline]
    pub fn number(&self) -> &AtomicU64 {
        // SAFETY: mapped, zeroed and aligned, and lives as long as `self`.
        unsafe { self.word.as_ref() }
    }
}

impl Drop for Marker {
    fn drop(&mut self) {
        self.number().store(0, Relaxed);
        words().0.push(self.word);
    }
}

/// A second opening of the same file: its locks are its own.
pub fn reopen(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    use rustix::fs::{Mode, OFlags, open};
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    Ok(open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?)
}
