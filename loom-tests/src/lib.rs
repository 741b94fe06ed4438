//! Ringmail's core under the model checker: the very functions that ship, over words on loom's heap.
//!
//! A *scenario* is a few threads and what must hold afterwards. Each runs twice over: as it stands, over every execution
//! that loom distinguishes, and with a mistake seeded, when it must fail, and in the way the mistake foretells. A scenario
//! that finds no mistake proves nothing.
//!
//! Three traps, each of which makes everything pass. A thread that races from loom's main thread explores almost nothing, so
//! every racer is spawned, and main only prepares and settles. A load before a write to the same word hides most executions
//! from loom, so the words take care of that (`ringmail::sync::model`). And a scenario in which threads hardly meet explores
//! little, so each names the executions that it must at least explore: half of what they were when it was written.
//!
//! What is not modelled: `membarrier`. Its place is taken by fences on both sides (`after_fence`), which forbid the same
//! outcome; that it may replace the publisher's is argued in `ringmail::wait` and tested on the system.

#![cfg(loom)]

pub mod futex;
pub mod mpmc;
pub mod spsc;

use ringmail::sync::model::{Rule, seed};
use ringmail::sync::{AtomicU64, Mutant};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A mistake in how the handles around the core use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Commits a slot, then fills it.
    PublishFirst,
    /// Acknowledges a message, then reads it.
    AcknowledgeFirst,
    /// Looks for sleepers, then publishes.
    WakeFirst,
    /// Never looks for sleepers.
    WakeNever,
    /// Wakes one sleeper of several.
    WakeOne,
    /// Sleeps without the barrier between the bit and the last look.
    NoBarrier,
    /// Publishes without the fence that stands in for the sleeper's membarrier.
    NoFence,
    /// Reports a message as sent although the ring was closed when it was committed.
    IgnoreClose,
    /// Reports the end without a last look after the close was seen.
    NoLastLook,
    /// Takes everybody for dead.
    AllDead,
    /// Takes nobody for dead.
    NoneDead,
    /// Claimers read a word that says that nothing was ever passed over.
    Unbumped,
}

/// What a scenario is played with.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Slots of the ring.
    pub capacity: u64,
    /// The seeded mistake of the handles.
    pub fault: Option<Fault>,
    /// The seeded mistake of the core.
    pub mutant: Option<Mutant>,
    /// Orderings of the slots' words, or of the tail of an spsc ring.
    pub words: Option<Rule>,
    /// Orderings of the skip words, or of the head of an spsc ring.
    pub skips: Option<Rule>,
    /// Orderings of the highest position passed over.
    pub bumped: Option<Rule>,
    /// Preemptions of an execution, at most; all that make a difference if `None`.
    pub bound: Option<usize>,
    /// Rare events, over all executions.
    pub tally: Tally,
}

impl Plan {
    /// No mistakes.
    pub fn new(capacity: u64) -> Self {
        Self {
            capacity,
            fault: None,
            mutant: None,
            words: None,
            skips: None,
            bumped: None,
            bound: None,
            tally: Tally::default(),
        }
    }

    /// Explores executions of at most so many preemptions.
    pub fn bound(self, preemptions: usize) -> Self {
        Self { bound: Some(preemptions), ..self }
    }

    /// With a mistake in the handles.
    pub fn fault(self, fault: Fault) -> Self {
        Self { fault: Some(fault), ..self }
    }

    /// With a mistake in the core.
    pub fn mutant(self, mutant: Mutant) -> Self {
        Self { mutant: Some(mutant), ..self }
    }

    /// With other orderings on the slots' words, or on the tail of an spsc ring.
    pub fn words(self, rule: Rule) -> Self {
        Self { words: Some(rule), ..self }
    }

    /// With other orderings on the skip words, or on the head of an spsc ring.
    pub fn skips(self, rule: Rule) -> Self {
        Self { skips: Some(rule), ..self }
    }

    /// With other orderings on the highest position passed over.
    pub fn bumped(self, rule: Rule) -> Self {
        Self { bumped: Some(rule), ..self }
    }

    /// Whether the handles are to make this mistake.
    pub fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// Explores the scenario, which must hold, in at least so many executions. Returns the tally.
    pub fn holds(self, least: usize, scenario: fn(&Plan)) -> Tally {
        let tally = self.tally.clone();
        self.explore(scenario);
        let explored = tally.executions();
        eprintln!("{explored} executions; {:?}", tally.0);
        assert!(explored >= least, "explored {explored} executions, not {least}: do the threads still meet?");
        tally
    }

    /// Explores the scenario, which must fail with a message that contains `how`.
    pub fn fails(self, how: &str, scenario: fn(&Plan)) {
        let tally = self.tally.clone();
        let failure = catch_unwind(AssertUnwindSafe(|| self.explore(scenario)));
        seed(None);
        let explored = tally.executions();
        let Err(failure) = failure else { panic!("not caught in {explored} executions") };
        let text = failure.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| failure.downcast_ref::<&str>().copied()).unwrap_or("a failure without words");
        eprintln!("caught in execution {explored}: {text}");
        assert!(text.contains(how), "failed, but not as foretold ({how}): {text}");
    }

    fn explore(self, scenario: fn(&Plan)) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = self.bound;
        builder.max_branches = 20_000;
        seed(self.mutant);
        builder.check(move || {
            self.tally.0[Tally::EXECUTIONS].fetch_add(1, Relaxed);
            scenario(&self);
        });
        seed(None);
    }
}

/// How often what happened, over all executions of a scenario.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<[AtomicUsize; 8]>);

impl Tally {
    const EXECUTIONS: usize = 7;

    /// Executions explored.
    pub fn executions(&self) -> usize {
        self.0[Self::EXECUTIONS].load(Relaxed)
    }

    /// Counts an event.
    pub fn count(&self, event: ringmail::ring::mpmc::Event) {
        self.0[event as usize].fetch_add(1, Relaxed);
    }

    /// How often it happened.
    pub fn of(&self, event: ringmail::ring::mpmc::Event) -> usize {
        self.0[event as usize].load(Relaxed)
    }
}

/// A word that starts at zero, with orderings as planned.
fn word(rule: Option<Rule>) -> AtomicU64 {
    match rule {
        Some(rule) => AtomicU64::ruled(0, rule),
        None => AtomicU64::new(0),
    }
}

/// The message number `number` of a sender.
pub fn message(sender: u64, number: u64) -> u64 {
    sender * 100 + number
}

/// Nothing lost, nothing twice, and each sender's messages in order: within what each receiver got, and then `left`.
///
/// `left` is what was still in the ring in the end, so it comes after all that any receiver got.
pub fn settle(sent: &[Vec<u64>], received: &[Vec<u64>], left: &[u64]) {
    let mut want: Vec<u64> = sent.concat();
    let mut got = [&received.concat(), left].concat();
    want.sort_unstable();
    got.sort_unstable();
    assert_eq!(got, want, "lost or delivered twice");
    for list in received {
        let list = [list, left].concat();
        let ordered = (0..list.len()).all(|i| list[..i].iter().all(|&b| b / 100 != list[i] / 100 || b < list[i]));
        assert!(ordered, "out of order: {list:?}");
    }
}
