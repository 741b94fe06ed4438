//! Linux: memfd and tmpfs, open file description locks, futexes, membarrier, `MADV_WIPEONFORK`.
#![allow(clippy::disallowed_methods, reason = "this is the door")]

pub mod cache;
pub mod clock;
pub mod file;
pub mod fork;
pub mod futex;
pub mod lock;
pub mod thread;
