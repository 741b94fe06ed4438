//! What a forked child must not inherit.
//!
//! Two things make a process a participant: locks on a descriptor, and the memory of having taken them. A child gets copies
//! of both, and both would be lies: its descriptor would keep its dead parent's locks held (a false life, which costs
//! time), and its memory would let it write under its parent's name (which costs messages).
//!
//! So descriptors that carry locks are [`Kept`] in one table, and a `pthread_atfork` handler closes the child's copies
//! before `fork` returns there. And the memory lies in a [`Marker`], a page that the kernel itself zeroes in a child, so that
//! even a bare `clone` which runs no handlers cannot pass it on. Such a child keeps the descriptors until it exits or
//! execs: its parent's death is then noticed late, never early.
//!
//! One lock guards the table and every join, and `fork` takes it first: a child never finds it held by a thread that it
//! does not have.

use crate::sync::AtomicU64;
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
}

static TABLE: Mutex<Table> = Mutex::new(Table { kept: Vec::new(), forks: 0 });

/// The guard of a thread in the middle of `fork`, from the prepare handler to the parent's and the child's.
struct Forking(UnsafeCell<Option<MutexGuard<'static, Table>>>);

// SAFETY: only the thread that holds TABLE's lock touches the cell, and it holds it from `prepare` to `parent` or `child`.
unsafe impl Sync for Forking {}

static FORKING: Forking = Forking(UnsafeCell::new(None));

/// Keeps `fork` and every other join out while it lives.
pub fn exclusive() -> MutexGuard<'static, Table> {
    static HANDLERS: Once = Once::new();
    HANDLERS.call_once(|| {
        // SAFETY: the three handlers are plain functions that live as long as the program.
        unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) };
    });
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

extern "C" fn prepare() {
    let guard = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: this thread holds the lock, see `Forking`.
    unsafe { *FORKING.0.get() = Some(guard) };
}

extern "C" fn parent() {
    // SAFETY: this thread took the lock in `prepare`.
    drop(unsafe { (*FORKING.0.get()).take() });
}

extern "C" fn child() {
    // SAFETY: this is the copy of the thread that took the lock in `prepare`, and the only thread there is.
    let guard = unsafe { (*FORKING.0.get()).take() };
    if let Some(mut table) = guard {
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
    pid: u32,
}

impl Kept {
    /// Puts a descriptor under the table's care.
    pub fn new(fd: OwnedFd, table: &mut MutexGuard<'static, Table>) -> Self {
        let fd = fd.into_raw_fd();
        let free = table.kept.iter().position(Option::is_none);
        let place = free.unwrap_or_else(|| {
            table.kept.push(None);
            table.kept.len() - 1
        });
        table.kept[place] = Some(fd);
        Self { place, fd, forks: table.forks, pid: pid() }
    }

    /// The descriptor, in the process that opened it; `None` in a forked child.
    ///
    /// The table's guard keeps a fork from closing it meanwhile.
    pub fn get<'a>(&'a self, table: &'a MutexGuard<'static, Table>) -> Option<BorrowedFd<'a>> {
        let here = self.is_here(table);
        // SAFETY: the table holds it open, and only `close` and a fork's child take it out.
        here.then(|| unsafe { BorrowedFd::borrow_raw(self.fd) })
    }

    /// Whether this process opened it. A child that was cloned without running the handlers shows in its process id.
    fn is_here(&self, table: &Table) -> bool {
        table.forks == self.forks && pid() == self.pid
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

/// A number that is zero in every forked child until it sets its own.
#[derive(Debug)]
pub struct Marker {
    page: NonNull<AtomicU64>,
}

// SAFETY: the page holds one atomic and lives as long as the marker.
unsafe impl Send for Marker {}
// SAFETY: as above; all access is atomic.
unsafe impl Sync for Marker {}

impl Marker {
    /// A marker of zero.
    pub fn new() -> io::Result<Self> {
        let len = rustix::param::page_size();
        // SAFETY: a fresh anonymous mapping, wherever the kernel has room.
        let page = unsafe {
            mmap_anonymous(std::ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)
        }?;
        // SAFETY: the advice is about the mapping just made, and only changes what a child sees.
        unsafe { madvise(page, len, Advice::LinuxWipeOnFork) }?;
        NonNull::new(page.cast()).map(|page| Self { page }).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    /// The number.
    #[inline]
    pub fn number(&self) -> &AtomicU64 {
        // SAFETY: the page is mapped, zeroed and aligned, and lives as long as `self`.
        unsafe { self.page.as_ref() }
    }
}

impl Drop for Marker {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and no reference outlives `self`.
        let _ = unsafe { munmap(self.page.as_ptr().cast(), rustix::param::page_size()) };
    }
}

/// This process's id.
pub fn pid() -> u32 {
    std::process::id()
}

/// A second opening of the same file: its locks are its own.
pub fn reopen(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    use rustix::fs::{Mode, OFlags, open};
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    Ok(open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?)
}
