//! The spsc ring on loom's heap: its words, its payloads, and handles as thin as those of the product.

use crate::{Fault, Plan, word};
use loom::cell::UnsafeCell;
use ringmail::ring::position::Positions;
use ringmail::ring::spsc::{Consumer, Producer, Shared, acknowledge};
use ringmail::sync::AtomicU64;
use std::sync::Arc;

/// The shared words and the payloads.
pub struct Ring {
    tail: AtomicU64,
    head: AtomicU64,
    taken: AtomicU64,
    payloads: Vec<UnsafeCell<u64>>,
    plan: Plan,
}

// SAFETY: payloads are touched only by whoever holds the slot; loom fails the scenario where that is not so.
unsafe impl Sync for Ring {}
// SAFETY: as above.
unsafe impl Send for Ring {}

impl Handle {
    /// A ring as planned.
    pub fn new(plan: &Plan) -> Self {
        Self(Arc::new(Ring {
            tail: word(plan.words),
            head: word(plan.skips),
            taken: AtomicU64::new(0),
            payloads: (0..plan.capacity).map(|_| UnsafeCell::new(0)).collect(),
            plan: plan.clone(),
        }))
    }
}

/// The ring, as both sides share it.
#[derive(Clone)]
pub struct Handle(Arc<Ring>);

impl Shared for Handle {
    fn tail(&self) -> &AtomicU64 {
        &self.0.tail
    }
    fn head(&self) -> &AtomicU64 {
        &self.0.head
    }
    fn taken(&self) -> &AtomicU64 {
        &self.0.taken
    }
}

impl Handle {
    /// Takes the sender's role.
    pub fn sender(&self) -> Sender {
        let ring = Positions::new(self.0.plan.capacity);
        Sender { producer: Producer::resume(self.clone(), ring), shared: self.clone() }
    }

    /// Takes the receiver's role.
    pub fn receiver(&self) -> Receiver {
        let ring = Positions::new(self.0.plan.capacity);
        Receiver { consumer: Consumer::resume(self.clone(), ring), shared: self.clone() }
    }
}

/// The sender.
pub struct Sender {
    /// The core's end.
    pub producer: Producer<Handle>,
    shared: Handle,
}

impl Sender {
    /// Fills a slot within the room, commits nothing.
    pub fn write(&self, slot: usize, value: u64) {
        // SAFETY: the slot is the sender's until committed; loom checks it.
        self.shared.0.payloads[slot].with_mut(|slot| unsafe { *slot = value });
    }

    /// Sends a message if there is room.
    pub fn send(&mut self, value: u64) -> bool {
        let Some(slot) = self.producer.claim() else { return false };
        if self.shared.0.plan.has(Fault::PublishFirst) {
            self.producer.commit(1);
            self.write(slot, value);
        } else {
            self.write(slot, value);
            self.producer.commit(1);
        }
        true
    }

    /// Sends as many messages as there is room for, with one commit. Returns how many.
    pub fn send_batch(&mut self, values: &[u64]) -> usize {
        let room = self.producer.room(values.len() as u64).min(values.len() as u64);
        if room > 0 {
            for (ahead, &value) in (0..room).zip(values) {
                self.write(self.producer.slot(ahead), value);
            }
            self.producer.commit(room);
        }
        room as usize
    }
}

/// The receiver.
pub struct Receiver {
    /// The core's end.
    pub consumer: Consumer<Handle>,
    shared: Handle,
}

impl Receiver {
    /// Reads a message that was taken.
    pub fn read(&self, slot: usize) -> u64 {
        // SAFETY: the slot is the receiver's until acknowledged; loom checks it.
        self.shared.0.payloads[slot].with(|slot| unsafe { *slot })
    }

    /// Takes the next message: its slot, and the position whose acknowledgement includes it.
    pub fn take(&mut self) -> Option<(usize, u64)> {
        let slot = self.consumer.peek()?;
        Some((slot, self.consumer.take(1)))
    }

    /// Acknowledges every message before `position`.
    pub fn acknowledge(&self, position: u64) {
        acknowledge(&self.shared, position);
    }

    /// Receives the next message and acknowledges it.
    pub fn receive(&mut self) -> Option<u64> {
        let (slot, position) = self.take()?;
        if self.shared.0.plan.has(Fault::AcknowledgeFirst) {
            self.acknowledge(position);
            return Some(self.read(slot));
        }
        let value = self.read(slot);
        self.acknowledge(position);
        Some(value)
    }
}
