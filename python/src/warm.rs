//! Buffers for big arrays that were copied out of a ring, used again when the arrays are gone.
//!
//! The first touch of fresh memory costs ten times what the copy does (a page fault for every 4 KiB), so that a receiver which
//! lets the system have its 100 MB back after every message gets a third of what one does that keeps it.

use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// From this many bytes on an array gets a buffer from here: the allocator keeps what is smaller warm by itself.
pub const LEAST: usize = 256 * 1024;

const PAGE: usize = 4096;

/// From this many bytes on huge pages pay.
const HUGE: usize = 4 << 20;

/// How many bytes are kept for later, unless somebody says otherwise: as many as a ring keeps.
static RETAIN: AtomicUsize = AtomicUsize::new(256 << 20);

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
        idle.bytes += pages.len;
        idle.buffers.push(pages);
        let surplus = trim(&mut idle);
        drop(idle);
        drop(surplus);
    }
}

/// What is too much, the longest unused first.
fn trim(idle: &mut Idle) -> Vec<Pages> {
    let retain = RETAIN.load(Relaxed);
    let mut surplus = Vec::new();
    while idle.bytes > retain && !idle.buffers.is_empty() {
        let pages = idle.buffers.remove(0);
        idle.bytes -= pages.len;
        surplus.push(pages);
    }
    surplus
}

/// Sets how many bytes of buffers for received arrays this process keeps when the arrays are gone; returns what it was.
#[pyfunction]
pub fn keep_warm(bytes: usize) -> usize {
    let before = RETAIN.swap(bytes, Relaxed);
    let surplus = trim(&mut IDLE.lock().unwrap_or_else(PoisonError::into_inner));
    drop(surplus);
    before
}
