//! The algorithms: pure, over words that somebody else placed in memory; no system call, no blocking, no payload.
//!
//! `loom-tests` drives these very functions under the model checker, over words on its heap.

pub mod body;
pub mod idle;
pub mod mpmc;
pub mod position;
pub mod recover;
pub mod spsc;
pub mod word;
