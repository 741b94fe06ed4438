//! Buffers for big arrays that were copied out of a ring, used again when the arrays are gone.
//!
//! The first touch of fresh memory costs ten times what the copy does (a page fault for every 4 KiB), so that a receiver which
//! lets the system have its 100 MB back after every message gets a third of what one does that keeps it.
//!
//! What nobody uses beyond 256 MiB is the system's for the taking (`MADV_FREE`): it is warm for as long as nobody is short of
//! memory, so that keeping much of it is at nobody's expense.

use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, Once, PoisonError};

/// From this many bytes on an array gets a buffer from here: the allocator keeps what is smaller warm by itself.
pub const LEAST: usize = 256 * 1024;

const PAGE: usize = 4096;

/// From this many bytes on huge pages pay.
const HUGE: usize = 4 << 20;

/// How many bytes are kept for later; [`UNSAID`] until somebody says.
static RETAIN: AtomicUsize = AtomicUsize::new(UNSAID);

const UNSAID: usize = usize::MAX;

/// Bytes that may lie idle anywhere. Of buffers, what is beyond is left to the system; not all are, as that takes some time too.
pub const OURS: usize = 256 << 20;

/// How many bytes a ring or a process keeps for later where nobody says: an eighth of the machine's memory, 256 MiB to 4 GiB.
pub fn share() -> usize {
    // SAFETY: no memory is passed.
    let pages = unsafe { libc::sysconf(libc::_SC_PHYS_PAGES) };
    // SAFETY: as above.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let memory = usize::try_from(pages).unwrap_or(0).saturating_mul(usize::try_from(page).unwrap_or(0));
    (memory / 8).clamp(OURS, 4 << 30)
}

fn retain() -> usize {
    let retain = RETAIN.load(Relaxed);
    if retain == UNSAID { share() } else { retain }
}

/// Buffers that nobody uses. Only locked by threads attached to the interpreter, so never across a fork from Python.
static IDLE: Mutex<Idle> = Mutex::new(Idle { bytes: 0, buffers: Vec::new() });

struct Idle {
    bytes: usize,
    /// The one that was used last comes last.
    buffers: Vec<Pages>,
}

/// A private mapping.
struct Pages {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: plain memory with one owner.
unsafe impl Send for Pages {}
// SAFETY: as above; whoever writes it has its own argument.
unsafe impl Sync for Pages {}

impl Pages {
    fn map(len: usize) -> Option<Self> {
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a fresh mapping wherever the kernel likes.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), len, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return None;
        }
        if len >= HUGE {
            // SAFETY: the mapping made just now; advice that is not taken does no harm.
            unsafe { libc::madvise(start, len, libc::MADV_HUGEPAGE) };
        }
        Some(Self { start: NonNull::new(start.cast())?, len })
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: mapped by `map`, with this length, and nobody's any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// Says that fresh memory of the allocator's is about to be written from end to end, so that it may come in huge pages.
///
/// An object that has its bytes in itself, such as `bytes`, cannot be given a buffer from here, and the allocator fetches what is
/// big from the system each time: then a fault for every 2 MiB instead of 4 KiB is the best that can be had.
pub fn expect(start: *mut u8, len: usize) {
    if len < HUGE {
        return;
    }
    // Whole pages only, and none that is somebody else's too.
    let (first, end) = (start.addr().next_multiple_of(PAGE), (start.addr() + len) / PAGE * PAGE);
    let start = start.with_addr(first).cast();
    // SAFETY: within the memory of one object; advice that is not taken does no harm.
    unsafe { libc::madvise(start, end - first, libc::MADV_HUGEPAGE) };
}

/// From so many bytes on a batch of values is worth teaching the allocator: as much memory at the end of its heap it gives back at once.
pub const BATCH: usize = 128 * 1024;

/// Has the allocator keep what is freed at the end of its heap; the first time.
///
/// Of values that came together and are gone together it gave all memory back, and fetched it page by page for the next batch: that took
/// longer than everything else.
///
/// glibc learns two thresholds from the largest piece of at most 32 MiB that it ever got back and had from the system by itself (for other
/// allocators this does nothing). From then on
///
/// - it trims a heap only where more than twice that piece, 62 MiB, is free at its end: so much may stay with each of its arenas;
/// - it takes pieces of less than that, 31 MiB, from its heap, where those of 128 KiB and more were mappings of their own. What lies in the
///   heap goes back to the system only from its end: one small object that lives behind a big one that is gone keeps its pages.
///
/// That is so in the whole process. It would come by itself with the first array of as many bytes that is let go; who does not want it
/// starts the process with `GLIBC_TUNABLES=glibc.malloc.mmap_threshold=131072`: of a threshold that somebody said, glibc learns nothing.
pub fn teach_allocator() {
    /// Not quite the largest from which it learns.
    const PIECE: usize = 31 << 20;
    static TAUGHT: Once = Once::new();
    TAUGHT.call_once(|| {
        // SAFETY: nothing is passed.
        let piece = unsafe { libc::malloc(PIECE) };
        // SAFETY: of the allocator, or null. Nobody has touched it, so that there was no memory behind it.
        unsafe { libc::free(std::hint::black_box(piece)) };
    });
}

/// The owner of an array's memory: the array's base.
#[pyclass(frozen, module = "ringmail._native")]
pub struct Warm {
    pages: Option<Pages>,
}

impl Warm {
    /// At least `len` bytes of any content, aligned to a page.
    pub fn take(len: usize) -> PyResult<Self> {
        let len = len.max(1).next_multiple_of(PAGE);
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        // Not one twice as big: somebody else may want that.
        let fits = |pages: &Pages| (len..=len.saturating_mul(2)).contains(&pages.len);
        if let Some(place) = idle.buffers.iter().rposition(fits) {
            let pages = idle.buffers.remove(place);
            idle.bytes -= pages.len;
            return Ok(Self { pages: Some(pages) });
        }
        drop(idle);
        let pages = Pages::map(len).ok_or_else(|| PyMemoryError::new_err(format!("no memory for {len} bytes")))?;
        Ok(Self { pages: Some(pages) })
    }

    /// Where it starts.
    pub fn start(&self) -> *mut u8 {
        self.pages.as_ref().map_or(std::ptr::null_mut(), |pages| pages.start.as_ptr())
    }
}

impl Drop for Warm {
    fn drop(&mut self) {
        let Some(pages) = self.pages.take() else { return };
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.bytes + pages.len > OURS {
            // SAFETY: nobody's any more, so that anything may be in it when it is used again; advice not taken does no harm.
            unsafe { libc::madvise(pages.start.as_ptr().cast(), pages.len, libc::MADV_FREE) };
        }
        idle.bytes += pages.len;
        idle.buffers.push(pages);
        let surplus = trim(&mut idle);
        drop(idle);
        drop(surplus);
    }
}

/// What is too much, the longest unused first.
fn trim(idle: &mut Idle) -> Vec<Pages> {
    let retain = retain();
    let mut surplus = Vec::new();
    while idle.bytes > retain && !idle.buffers.is_empty() {
        let pages = idle.buffers.remove(0);
        idle.bytes -= pages.len;
        surplus.push(pages);
    }
    surplus
}

#[doc = doc!("keep_warm")]
#[pyfunction]
pub fn keep_warm(bytes: usize) -> usize {
    let before = retain();
    RETAIN.store(bytes.min(UNSAID - 1), Relaxed);
    let surplus = trim(&mut IDLE.lock().unwrap_or_else(PoisonError::into_inner));
    drop(surplus);
    before
}
