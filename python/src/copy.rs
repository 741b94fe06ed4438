//! Copies of any length, into a ring and out of it.

/// From so many bytes on a copy goes past the caches.
///
/// What is as long is in none of them when it is read, and a store into memory that is in none fetches its line first: a third of the
/// traffic, for nothing. What is shorter is still in the last cache for its reader to find.
#[cfg(target_arch = "x86_64")]
const STREAM: usize = 32 << 20;

/// Copies `len` bytes.
///
/// # Safety
///
/// As for [`std::ptr::copy_nonoverlapping`].
pub unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
    #[cfg(target_arch = "x86_64")]
    if len >= STREAM {
        // SAFETY: by contract.
        return unsafe { stream(from, to, len) };
    }
    // SAFETY: by contract.
    unsafe { std::ptr::copy_nonoverlapping(from, to, len) };
}

/// As [`copy`], past the caches.
///
/// A line of each of eight pages in turn: a processor fetches ahead within a page only, and each time begins slowly. One page after the
/// other is a third slower.
///
/// # Safety
///
/// As for [`copy`].
#[cfg(target_arch = "x86_64")]
unsafe fn stream(from: *const u8, to: *mut u8, len: usize) {
    const LINE: usize = 64;
    const PAGE: usize = 4096;
    const PAGES: usize = 8;
    let head = to.align_offset(LINE).min(len);
    let whole = (len - head) / (PAGES * PAGE) * (PAGES * PAGE);
    // SAFETY: a part of what is to be copied.
    unsafe { std::ptr::copy_nonoverlapping(from, to, head) };
    for block in (head..head + whole).step_by(PAGES * PAGE) {
        for line in (block..block + PAGE).step_by(LINE) {
            for at in (line..line + PAGES * PAGE).step_by(PAGE) {
                // SAFETY: within what is to be copied, and the target aligned.
                unsafe { stream_line(from.wrapping_add(at), to.wrapping_add(at)) };
            }
        }
    }
    let done = head + whole;
    // SAFETY: the rest of what is to be copied.
    unsafe { std::ptr::copy_nonoverlapping(from.wrapping_add(done), to.wrapping_add(done), len - done) };
    // Such stores are in no order with others: whoever is told of the message is to find all of it.
    // SAFETY: every processor of this kind has it.
    unsafe { std::arch::x86_64::_mm_sfence() };
}

/// Copies a line.
///
/// # Safety
///
/// Both are in bounds, and the target is aligned to a line.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn stream_line(from: *const u8, to: *mut u8) {
    use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_stream_si128};
    let (from, to) = (from.cast::<__m128i>(), to.cast::<__m128i>());
    let line: [__m128i; 4] = std::array::from_fn(|place| {
        // SAFETY: by contract.
        unsafe { _mm_loadu_si128(from.wrapping_add(place)) }
    });
    for (place, word) in line.into_iter().enumerate() {
        // SAFETY: by contract.
        unsafe { _mm_stream_si128(to.wrapping_add(place), word) };
    }
}
