//! What the parent of a scene does: sets it, lets it go on, and sees afterwards what is left and whether all is well.
//!
//! Compiled twice, once for each flavour.
#![allow(unused_mut, reason = "spsc handles need it, mpmc handles do not")]

use super::checking::refill;
use super::flavour;
use super::scenes::{LEN, message};
use crate::payload;
use crate::sweep::LONG;
use crate::sweep::table::{Relief, Scene, options};
use ringmail::{Message, RecvTimeoutError, SendTimeoutError};
use std::borrow::Borrow;

/// Takes what is left in the ring: numbers, and how often they came before.
pub fn take_all<M>(ring: &flavour::Ring<M>) -> Result<Vec<(u64, u32)>, String>
where
    M: Message + ?Sized + AsRef<[u8]>,
{
    let mut rx = ring.receiver().map_err(|error| format!("receiver(): {error}"))?;
    let mut all = Vec::new();
    // On some misses every slot is looked at: see `try_recv`.
    for _ in 0..200 {
        while let Ok(message) = rx.try_recv() {
            let (header, whole) = payload::read((*message).as_ref());
            if !whole {
                return Err(format!("message {} is torn", header.seq));
            }
            all.push((header.seq, message.redelivered()));
        }
    }
    match ring.stats().backlog {
        0 => Ok(all),
        left => Err(format!("{left} messages cannot be received")),
    }
}

/// Sees that an empty ring is as good as new, or closed for everybody, and that nothing of the dead stays.
pub fn put_right<M>(ring: &flavour::Ring<M>, scene: &Scene) -> Result<(), String>
where
    M: Message + ?Sized + AsRef<[u8]>,
    [u8; LEN]: Borrow<M>,
{
    if scene.name == "close" {
        is_closed_for_all(ring)?;
    } else {
        refill(ring, message)?;
    }
    ring.recover().map_err(|error| format!("recover(): {error}"))?;
    match ring.stats().participants.iter().filter(|one| !one.alive).count() {
        0 => Ok(()),
        dead => Err(format!("{dead} of the dead keep their places")),
    }
}

/// Sees that a ring, if it is said to be closed or is closed now, is so at once for whoever waits.
fn is_closed_for_all<M>(ring: &flavour::Ring<M>) -> Result<(), String>
where
    M: Message + ?Sized,
    [u8; LEN]: Borrow<M>,
{
    if !ring.is_closed() {
        ring.close();
    }
    let mut tx = ring.sender().map_err(|error| format!("sender(): {error}"))?;
    let mut rx = ring.receiver().map_err(|error| format!("receiver(): {error}"))?;
    // In this order: what an spsc sender sends into a closed ring is refused and can be received all the same.
    let received = rx.recv_timeout(LONG).map(drop);
    let sent = tx.send_timeout(message(0).borrow(), LONG);
    match (sent, received) {
        (Err(SendTimeoutError::Disconnected), Err(RecvTimeoutError::Disconnected)) => Ok(()),
        other => Err(format!("a closed ring says {other:?}")),
    }
}

/// What the parent does for a scene, in its own ring.
pub fn prepare<M>(name: &str, scene: &Scene) -> flavour::Ring<M>
where
    M: Message + ?Sized,
    [u8; LEN]: Borrow<M>,
{
    let ring = flavour::Ring::create(name, &scene.options()).expect("nobody has the name");
    let mut tx = ring.sender().expect("nobody has the role");
    (0..scene.before).for_each(|seq| tx.send(message(seq).borrow()).expect("there is room"));
    drop(tx);
    ring
}

/// Lets a child go on that waits. Returns what was received.
pub fn relieve<M>(ring: &flavour::Ring<M>, relief: Relief) -> Option<(u64, u32)>
where
    M: Message + ?Sized + AsRef<[u8]>,
    [u8; LEN]: Borrow<M>,
{
    if relief == Relief::Send {
        ring.sender().expect("nobody has the role").send(message(50).borrow()).expect("there is room");
        return None;
    }
    let mut rx = ring.receiver().expect("nobody has the role");
    let message = rx.try_recv().ok()?;
    Some((payload::read((*message).as_ref()).0.seq, message.redelivered()))
}

/// Whether a ring of that name can be made now, whatever became of the one before.
pub fn can_create(name: &str) -> Result<(), String> {
    flavour::Ring::<[u8]>::open_or_create(name, &options()).map_err(|error| format!("open_or_create: {error}"))?;
    ringmail::unlink(name).map_err(|error| format!("unlink: {error}"))?;
    drop(flavour::Ring::<[u8]>::create(name, &options()).map_err(|error| format!("create: {error}"))?);
    match ringmail::unlink(name) {
        Err(error) if !error.is_not_found() => Err(error.to_string()),
        _ => Ok(()),
    }
}
