//! The one door to atomics: the standard library's, or loom's when the model checker drives the core.
//!
//! Everything that two processes can see goes through these names; `clippy.toml` closes every other way in.

#[cfg(not(loom))]
pub use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, compiler_fence, fence};

#[cfg(loom)]
pub use self::model::{AtomicU32, AtomicU64, mutant};
#[cfg(loom)]
pub use loom::sync::atomic::{Ordering, fence};

#[cfg(loom)]
pub mod model;

/// Under loom the fence that stands in for membarrier is a real one, so the compiler's is empty.
#[cfg(loom)]
pub fn compiler_fence(_: Ordering) {}

/// A mistake that the core makes only under the model checker, to prove that it would be caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// A receiver that goes round a slow writer takes the first message of its first scan.
    SinglePass,
    /// A receiver passes a slot being filled as soon as it was skipped, though its message will still carry the older lap.
    PassWriting,
    /// A sender passes over a held slot though nothing can be claimed beyond.
    Unproductive,
    /// A receiver reads a slot's word before its skip.
    WordFirst,
}

/// Whether to make that mistake.
#[cfg(not(loom))]
#[inline(always)]
pub const fn mutant(_: Mutant) -> bool {
    false
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
