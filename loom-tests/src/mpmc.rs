//! The mpmc ring on loom's heap: its words, its payloads, and handles as thin as those of the product.

use crate::{Fault, Plan, word};
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicU32 as LoomU32, Ordering::*};
use loom::thread::yield_now;
use ringmail::owner::Owner;
use ringmail::ring::mpmc::{Claim, Core, Event, Liveness, Miss, Shared, Taken};
use ringmail::ring::position::Positions;
use ringmail::ring::recover::Patience;
use ringmail::sync::{AtomicU64, Private};
use std::sync::Arc;

/// The shared words.
pub struct Heap {
    words: Vec<AtomicU64>,
    skips: Vec<AtomicU64>,
    bumped: AtomicU64,
    tail: AtomicU64,
    head: AtomicU64,
    /// Where whoever makes the mistake [`Fault::Unbumped`] looks.
    decoy: Option<AtomicU64>,
    plan: Plan,
}

impl Shared for Heap {
    fn word(&self, index: usize) -> &AtomicU64 {
        &self.words[index]
    }
    fn skip(&self, index: usize) -> &AtomicU64 {
        &self.skips[index]
    }
    fn bumped(&self) -> &AtomicU64 {
        self.decoy.as_ref().unwrap_or(&self.bumped)
    }
    fn tail(&self) -> &AtomicU64 {
        &self.tail
    }
    fn head(&self) -> &AtomicU64 {
        &self.head
    }
    fn count(&self, event: Event) {
        self.plan.tally.count(event);
    }
}

/// The verdicts: who has died, one bit an owner.
struct Deaths {
    dead: LoomU32,
    fault: Option<Fault>,
}

impl Liveness for Deaths {
    fn is_dead(&self, owner: Owner) -> bool {
        match self.fault {
            Some(Fault::AllDead) => true,
            Some(Fault::NoneDead) => false,
            // The kernel's verdict comes after all that the dead did.
            _ => owner == Owner::ORPHAN || self.dead.load(Acquire) >> owner.index() & 1 != 0,
        }
    }
}

/// A ring.
pub struct Ring {
    core: Core<Heap>,
    payloads: Vec<UnsafeCell<u64>>,
    deaths: Deaths,
}

// SAFETY: payloads are touched only by whoever holds the slot; loom fails the scenario where that is not so.
unsafe impl Sync for Ring {}
// SAFETY: as above.
unsafe impl Send for Ring {}

impl Ring {
    /// As planned; a message may be delivered again without bound.
    pub fn new(plan: &Plan) -> Arc<Self> {
        Self::with_patience(plan, u32::MAX)
    }

    /// As planned; a message may be delivered again `patience` times.
    pub fn with_patience(plan: &Plan, patience: u32) -> Arc<Self> {
        let heap = Heap {
            words: (0..plan.capacity).map(|_| word(plan.words)).collect(),
            skips: (0..plan.capacity).map(|_| word(plan.skips)).collect(),
            bumped: word(plan.bumped),
            tail: AtomicU64::new(0),
            head: AtomicU64::new(0),
            decoy: plan.has(Fault::Unbumped).then(|| AtomicU64::ruled(0, |_, _| Relaxed)),
            plan: plan.clone(),
        };
        Arc::new(Self {
            payloads: (0..plan.capacity).map(|_| UnsafeCell::new(0)).collect(),
            core: Core::new(heap, Positions::new(plan.capacity), Patience(patience)),
            deaths: Deaths { dead: LoomU32::new(0), fault: plan.fault },
        })
    }

    /// A handle of a participant of its own, from 1 to 31.
    pub fn end(self: &Arc<Self>, index: u32) -> End {
        End { ring: Arc::clone(self), cursor: Private::new(0), me: Owner::new(index, 1) }
    }

    fn plan(&self) -> &Plan {
        &self.core.shared().plan
    }

    /// What is still in the ring, when nobody else is about: first what waits, then what the dead held.
    pub fn drain(self: &Arc<Self>) -> Vec<u64> {
        let end = self.end(31);
        std::iter::from_fn(|| end.search().map(|taken| end.finish(taken))).collect()
    }
}

/// A sender's or receiver's handle.
pub struct End {
    ring: Arc<Ring>,
    cursor: Private,
    me: Owner,
}

/// Full and empty are expected; anything else fails the scenario.
fn expected<T>(result: Result<T, Miss>) -> Option<T> {
    match result {
        Ok(done) => Some(done),
        Err(Miss::NotNow) => None,
        Err(Miss::Corrupt) => panic!("corrupt"),
    }
}

impl End {
    /// This handle, believing the ring to be where `other` does.
    pub fn from(self, other: &Self) -> Self {
        self.cursor.set(other.cursor.get());
        self
    }

    /// Where this handle believes the ring to be.
    pub fn position(&self) -> u64 {
        self.cursor.get()
    }

    /// Claims a slot.
    pub fn claim(&self) -> Option<Claim> {
        expected(self.ring.core.claim(&self.cursor, self.me, &self.ring.deaths))
    }

    fn write(&self, claim: Claim, value: u64) {
        // SAFETY: the slot is claimed; loom checks it.
        self.ring.payloads[claim.index].with_mut(|slot| unsafe { *slot = value });
    }

    fn read(&self, taken: Taken) -> u64 {
        // SAFETY: the slot is held; loom checks it.
        self.ring.payloads[taken.index].with(|slot| unsafe { *slot })
    }

    /// Fills a claimed slot and commits it.
    pub fn fill(&self, claim: Claim, value: u64) {
        if self.ring.plan().has(Fault::PublishFirst) {
            self.ring.core.commit(claim);
            self.write(claim, value);
        } else {
            self.write(claim, value);
            self.ring.core.commit(claim);
        }
    }

    /// Gives a claimed slot back.
    pub fn abort(&self, claim: Claim) {
        self.ring.core.abort(claim);
    }

    /// Takes a message just committed back, if nobody has it.
    pub fn retract(&self, claim: Claim) -> bool {
        self.ring.core.retract(claim)
    }

    /// Sends a message if there is room.
    pub fn send(&self, value: u64) -> bool {
        let claim = self.claim();
        claim.map(|claim| self.fill(claim, value)).is_some()
    }

    /// Sends messages, in at most so many attempts in all. Returns those that were sent.
    pub fn send_all(&self, values: &[u64], attempts: usize) -> Vec<u64> {
        let mut sent = Vec::new();
        for _ in 0..attempts {
            match values.get(sent.len()) {
                Some(&value) if self.send(value) => sent.push(value),
                Some(_) => yield_now(),
                None => break,
            }
        }
        sent
    }

    /// Takes the next message.
    pub fn take(&self) -> Option<Taken> {
        expected(self.ring.core.take(&self.cursor, self.me, &self.ring.deaths))
    }

    /// Takes the next message, or one that somebody dead held or somebody rejected.
    pub fn search(&self) -> Option<Taken> {
        self.take().or_else(|| self.ring.core.sweep(self.me, &self.ring.deaths)).or_else(|| self.take())
    }

    /// Reads a message and acknowledges it.
    pub fn finish(&self, taken: Taken) -> u64 {
        if self.ring.plan().has(Fault::AcknowledgeFirst) {
            self.ring.core.acknowledge(taken);
            self.read(taken)
        } else {
            let value = self.read(taken);
            self.ring.core.acknowledge(taken);
            value
        }
    }

    /// Reads a message and gives it back.
    pub fn reject(&self, taken: Taken) -> u64 {
        let value = self.read(taken);
        self.ring.core.reject(taken);
        value
    }

    /// Receives up to `most` messages, in at most so many attempts in all.
    pub fn receive_all(&self, most: usize, attempts: usize) -> Vec<u64> {
        let mut received = Vec::new();
        for _ in 0..attempts {
            if received.len() == most {
                break;
            }
            match self.take() {
                Some(taken) => received.push(self.finish(taken)),
                None => yield_now(),
            }
        }
        received
    }

    /// Takes what simply comes next, up to `most` messages, in at most so many attempts, as a batch: reads all of a run before it acknowledges
    /// any.
    pub fn receive_runs(&self, most: usize, attempts: usize) -> Vec<u64> {
        let mut received = Vec::new();
        for _ in 0..attempts {
            let (core, start) = (&self.ring.core, self.cursor.get());
            let (count, next) = core.take_run(start, most - received.len(), self.me);
            if count == 0 {
                yield_now();
                continue;
            }
            self.cursor.set(next);
            let ring = core.positions();
            let run: Vec<_> = (0..count as u64).map(|ahead| ring.advance(start, ahead)).collect();
            let run = run.into_iter().map(|at| Taken { index: ring.index(at), attempt: 0, lap: ring.lap(at) });
            if self.ring.plan().has(Fault::AcknowledgeFirst) {
                run.clone().for_each(|taken| core.acknowledge(taken));
            }
            received.extend(run.clone().map(|taken| self.read(taken)));
            if !self.ring.plan().has(Fault::AcknowledgeFirst) {
                run.for_each(|taken| core.acknowledge(taken));
            }
        }
        received
    }

    /// Dies: whatever this participant holds is anybody's from here on.
    pub fn die(self) {
        self.ring.deaths.dead.fetch_or(1 << self.me.index(), Release);
    }
}
