//! A walk that others overtake at every step: they make headway, so the words are those of a ring.
//!
//! The others run inside the walk, whenever it asks for a slot's skip word.

use ringmail_explorer::owner::Owner;
use ringmail_explorer::ring::mpmc::{Core, Event, Liveness, Miss, Shared};
use ringmail_explorer::ring::position::Positions;
use ringmail_explorer::ring::recover::Patience;
use ringmail_explorer::sync::{AtomicU64, Private};
use std::cell::Cell;

const SLOTS: usize = 2;

/// The words of a ring, and how often the others still send and receive a message between two looks of the walk.
struct Busy {
    words: [AtomicU64; 2 * SLOTS + 3],
    left: Cell<u32>,
    sender: Private,
    receiver: Private,
}

/// The same words without the others.
struct Quiet<'a>(&'a Busy);

struct Alive;

impl Liveness for Alive {
    fn is_dead(&self, _: Owner) -> bool {
        false
    }
}

impl Busy {
    fn new(messages: u32) -> Self {
        let words = std::array::from_fn(AtomicU64);
        Self { words, left: Cell::new(messages), sender: Private::new(0), receiver: Private::new(0) }
    }

    fn overtake(&self) {
        if self.left.get() > 0 {
            self.left.set(self.left.get() - 1);
            let (core, me) = (core(Quiet(self)), Owner::new(1, 1));
            core.commit(core.claim(&self.sender, me, &Alive).expect("a free slot"));
            core.acknowledge(core.take(&self.receiver, me, &Alive).expect("a message"));
        }
    }
}

fn core<S: Shared>(shared: S) -> Core<S> {
    Core::new(shared, Positions::new(SLOTS as u64), Patience(u32::MAX))
}

impl Shared for Quiet<'_> {
    fn word(&self, index: usize) -> &AtomicU64 {
        &self.0.words[index]
    }
    fn skip(&self, index: usize) -> &AtomicU64 {
        &self.0.words[SLOTS + index]
    }
    fn bumped(&self) -> &AtomicU64 {
        &self.0.words[2 * SLOTS]
    }
    fn tail(&self) -> &AtomicU64 {
        &self.0.words[2 * SLOTS + 1]
    }
    fn head(&self) -> &AtomicU64 {
        &self.0.words[2 * SLOTS + 2]
    }
    fn count(&self, _: Event) {}
}

impl Shared for Busy {
    fn word(&self, index: usize) -> &AtomicU64 {
        &self.words[index]
    }
    fn skip(&self, index: usize) -> &AtomicU64 {
        self.overtake();
        &self.words[SLOTS + index]
    }
    fn bumped(&self) -> &AtomicU64 {
        &self.words[2 * SLOTS]
    }
    fn tail(&self) -> &AtomicU64 {
        &self.words[2 * SLOTS + 1]
    }
    fn head(&self) -> &AtomicU64 {
        &self.words[2 * SLOTS + 2]
    }
    fn count(&self, _: Event) {}
}

/// Nothing is left for it in the end, and it may say so.
#[test]
fn a_receiver_that_is_overtaken_finds_nothing_wrong() {
    let busy = core(Busy::new(5000));
    let taken = busy.take(&Private::new(0), Owner::new(2, 1), &Alive);
    assert_eq!(taken, Err(Miss::NotNow), "{} messages later", 5000 - busy.shared().left.get());
}

/// The ring is empty in the end, and it gets a slot.
#[test]
fn a_sender_that_is_overtaken_finds_nothing_wrong() {
    let busy = core(Busy::new(5000));
    // Its cursor is of before, so it must walk.
    busy.shared().overtake();
    let claimed = busy.claim(&Private::new(0), Owner::new(2, 1), &Alive);
    assert!(claimed.is_ok(), "{claimed:?}, {} messages later", 5000 - busy.shared().left.get());
}
