//! A bare queue of many senders and receivers in shared memory, Dmitry Vyukov's: the bound that an mpmc ring is held against.
//!
//! Each slot has a number that says whose turn it is; senders and receivers take theirs by a compare-and-swap of a counter of their kind. Nothing
//! tells what becomes of a slot whose taker dies: all others wait for it for ever. Who must wait looks again, and gives way after a while.

use crate::bare::Shared;
use crate::crew::Line;
use crate::payload::Payload;
use crate::queue::{Rx, Tx, Wait, clones_are_ends};
use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::*};

/// Slots; a power of two.
const SLOTS: u64 = 1024;

#[repr(C)]
struct Ring<M> {
    sent: Line<AtomicU64>,
    received: Line<AtomicU64>,
    slots: Line<[Slot<M>; SLOTS as usize]>,
}

#[repr(C)]
struct Slot<M> {
    /// How often anybody was done with it, less what is the same for its place: 0 before the first message, 1 with it, 2 after it, and so on.
    turn: AtomicU64,
    message: UnsafeCell<M>,
}

// SAFETY: a slot's message is used by that side alone whose turn it is.
unsafe impl<M: Send> Sync for Ring<M> {}

pub struct Vyukov<M>(Arc<Shared<Ring<M>>>, PhantomData<M>);

impl<M> Clone for Vyukov<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), PhantomData)
    }
}

impl<M: Payload> Vyukov<M> {
    pub fn new() -> Self {
        // SAFETY: zeroes are atomics, and words.
        Self(Arc::new(unsafe { Shared::zeroed(size_of::<Ring<M>>()) }), PhantomData)
    }

    /// Takes the next position of `counter` when the slot there has come to its turn, which is `after` the lap's first.
    #[inline]
    fn take(&self, counter: &AtomicU64, after: u64) -> (&Slot<M>, u64) {
        Wait::Yield.until(|| {
            let mut position = counter.load(Relaxed);
            loop {
                let slot = &self.0.slots.0[(position % SLOTS) as usize];
                let turn = 2 * (position / SLOTS) + after;
                match slot.turn.load(Acquire) {
                    now if now == turn => {
                        match counter.compare_exchange_weak(position, position + 1, Relaxed, Relaxed) {
                            Ok(_) => return Some((slot, turn)),
                            Err(other) => position = other,
                        }
                    }
                    // Full, or empty.
                    now if now < turn => return None,
                    // Somebody else has had it.
                    _ => position = counter.load(Relaxed),
                }
            }
        })
    }
}

clones_are_ends!(Vyukov);

impl<M: Payload> Tx<M> for Vyukov<M> {
    #[inline]
    fn send(&mut self, message: &M) {
        self.fill(|slot| *slot = *message);
    }

    #[inline]
    fn fill(&mut self, write: impl FnOnce(&mut M)) {
        let (slot, turn) = self.take(&self.0.sent.0, 0);
        // SAFETY: it is this sender's turn, and only its.
        write(unsafe { &mut *slot.message.get() });
        slot.turn.store(turn + 1, Release);
    }
}

impl<M: Payload> Rx<M> for Vyukov<M> {
    #[inline]
    fn receive<T>(&mut self, read: impl FnOnce(&M) -> T) -> T {
        let (slot, turn) = self.take(&self.0.received.0, 1);
        // SAFETY: it is this receiver's turn, and only its.
        let done = read(unsafe { &*slot.message.get() });
        slot.turn.store(turn + 1, Release);
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::Queue;

    #[test]
    fn what_is_sent_is_received_once() {
        let queue = Vyukov::<[u64; 2]>::new();
        let all = 3 * SLOTS * 4;
        let sum: u64 = std::thread::scope(|scope| {
            for place in 0..2 {
                let mut tx = queue.sender();
                scope.spawn(move || {
                    (place * all..(place + 1) * all).for_each(|number| tx.send(&Payload::numbered(number)))
                });
            }
            let receive = |_| {
                let mut rx = queue.receiver();
                scope.spawn(move || {
                    (0..all).fold(0, |sum: u64, _| {
                        sum + rx.receive(|message| {
                            message.verify();
                            message.number()
                        })
                    })
                })
            };
            let receivers: Vec<_> = (0..2).map(receive).collect();
            receivers.into_iter().map(|receiver| receiver.join().expect("nobody fails here")).sum()
        });
        assert_eq!(sum, (0..2 * all).sum());
    }
}
