//! The one door to the operating system.
//!
//! What the crate needs of a system is this short list; a second system would be a second folder with the same names.
//!
//! - [`file`]: segments without a name, linking them under one, room that is really there, mapping.
//! - [`lock`]: byte locks that the kernel drops when their owner dies, and a probe of them.
//! - [`fork`]: what a forked child must not inherit: descriptors that prove life, and the memory of having joined.
//! - [`futex`]: sleeping and waking across processes, and a barrier that reaches all of them.
//! - [`thread`]: a thread of ours in somebody else's program.
//! - [`clock`]: a cheap coarse clock.
//! - [`cache`]: how large the processor's caches are.

mod linux;

pub use linux::{cache, clock, file, fork, futex, lock, thread};
