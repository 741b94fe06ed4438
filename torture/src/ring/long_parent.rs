//! What the parent of a scene of long messages does: as [`parent`](super::parent), but for what the messages are like,
//! and for the memory that must not be left.
//!
//! Compiled twice, once for each flavour.
#![allow(unused_mut, reason = "spsc handles need it, mpmc handles do not")]

use super::long::long;
use super::scenes::Ring;
use super::{checking, memory};
use crate::sweep::table::{Relief, Scene};

pub use super::parent::{can_create, take_all};

/// Sees that an empty ring takes long messages in all its slots, and is left without memory, whether it does so or not.
pub fn put_right(ring: &Ring, scene: &Scene) -> Result<(), String> {
    let dense = Ring::anonymous(&scene.options()).map_err(|error| error.to_string())?.stats().committed;
    memory::judge(ring, dense, 0)?;
    checking::refill(ring, long)?;
    memory::judge(ring, dense, 0)
}

/// What the parent does for a scene, in its own ring.
pub fn prepare(name: &str, scene: &Scene) -> Ring {
    let ring = Ring::create(name, &scene.options()).expect("nobody has the name");
    let mut tx = ring.sender().expect("nobody has the role");
    (0..scene.before).for_each(|seq| tx.send(&long(seq)).expect("there is room"));
    drop(tx);
    ring
}

/// Nobody waits in such a scene.
pub fn relieve(_: &Ring, _: Relief) -> Option<(u64, u32)> {
    None
}
