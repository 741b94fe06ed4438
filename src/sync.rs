//! The one door to atomics: the standard library's, or loom's when the model checker drives the core.
//!
//! Everything that two processes can see goes through these names; `clippy.toml` closes every other way in.

#[cfg(not(any(loom, feature = "torture")))]
pub use core::sync::atomic::{AtomicU32, AtomicU64};
#[cfg(not(loom))]
pub use core::sync::atomic::{Ordering, compiler_fence, fence};

#[cfg(loom)]
pub use self::model::{AtomicU32, AtomicU64, mutant};
#[cfg(loom)]
pub use loom::sync::atomic::{Ordering, fence};

#[cfg(all(feature = "torture", not(loom)))]
pub use self::torture::{AtomicU32, AtomicU64, mutant, point};

#[cfg(loom)]
pub mod model;
mod mutant;
#[cfg(all(feature = "torture", not(loom)))]
pub mod torture;

pub use self::mutant::Mutant;

/// Under loom the fence that stands in for membarrier is a real one, so the compiler's is empty.
#[cfg(loom)]
pub fn compiler_fence(_: Ordering) {}

/// Whether to make that mistake: never.
#[cfg(not(any(loom, feature = "torture")))]
#[inline(always)]
pub const fn mutant(_: Mutant) -> bool {
    false
}

/// A point at which the torture test may let a process die, before a system call that others can notice.
#[cfg(not(any(loom, feature = "torture")))]
#[inline(always)]
pub const fn point() {}

/// The atomic as the system sees it.
#[cfg(not(any(loom, feature = "torture")))]
pub fn raw(word: &AtomicU32) -> &core::sync::atomic::AtomicU32 {
    word
}

/// The atomic as the system sees it.
#[cfg(all(feature = "torture", not(loom)))]
pub fn raw(word: &AtomicU32) -> &core::sync::atomic::AtomicU32 {
    word.raw()
}

/// One relaxed turn of a spin loop.
#[cfg(not(loom))]
#[inline]
pub fn pause() {
    core::hint::spin_loop();
}

/// Under loom a spin must give way, or the model never ends.
#[cfg(loom)]
pub fn pause() {
    loom::thread::yield_now();
}

/// A number of this process alone: where a handle believes the ring to be.
///
/// Never shared with another process, so the model checker need not see it. It is atomic because threads may share an `mpmc`
/// handle by reference, and Acquire and Release because where one thread moved on to, it had seen the slots before.
#[derive(Debug, Default)]
pub struct Private(core::sync::atomic::AtomicU64);

impl Private {
    /// Starts at `value`.
    pub const fn new(value: u64) -> Self {
        Self(core::sync::atomic::AtomicU64::new(value))
    }

    /// The number as this process last wrote it.
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(core::sync::atomic::Ordering::Acquire)
    }

    /// Replaces the number.
    #[inline]
    pub fn set(&self, value: u64) {
        self.0.store(value, core::sync::atomic::Ordering::Release);
    }

    /// As [`get`](Self::get), for a handle that threads do not share.
    #[inline]
    pub fn get_alone(&self) -> u64 {
        self.0.load(core::sync::atomic::Ordering::Relaxed)
    }

    /// As [`set`](Self::set), for a handle that threads do not share.
    #[inline]
    pub fn set_alone(&self, value: u64) {
        self.0.store(value, core::sync::atomic::Ordering::Relaxed);
    }
}

/// Numbers of this process alone, one a slot: like [`Private`], and untouched memory until first set.
#[cfg(not(loom))]
#[derive(Debug)]
pub struct Notes(Vec<core::sync::atomic::AtomicU32>);

#[cfg(not(loom))]
impl Notes {
    /// `len` zeros.
    pub fn new(len: usize) -> Self {
        use zerocopy::FromZeros;
        Self(core::sync::atomic::AtomicU32::new_vec_zeroed(len).expect("memory for a number a slot"))
    }

    /// The number at `index`, or zero beyond the end.
    #[inline]
    pub fn get(&self, index: usize) -> u32 {
        self.0.get(index).map_or(0, |note| note.load(core::sync::atomic::Ordering::Relaxed))
    }

    /// Replaces the number at `index`.
    #[inline]
    pub fn set(&self, index: usize, value: u32) {
        if let Some(note) = self.0.get(index) {
            note.store(value, core::sync::atomic::Ordering::Relaxed);
        }
    }
}

/// Lets another thread run on this core, if one wants to.
pub fn give_way() {
    #[cfg(not(loom))]
    std::thread::yield_now();
    #[cfg(loom)]
    loom::thread::yield_now();
}
