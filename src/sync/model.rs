//! Atomics as the model checker drives them, and the deliberate mistakes that it must find.
//!
//! loom 0.7 is put right in two respects, and `loom-tests/tests/instrument.rs` shows that each is needed:
//!
//! - *One order of several words.* It explores a SeqCst fence exactly, but takes a SeqCst access for hardly more than AcqRel,
//!   so it would refute arguments that need that order. Here a SeqCst access is what compilers make of it on machines
//!   without such an instruction: a fence, then the access as AcqRel. That is never weaker than the standard; it is
//!   stronger where the fence also orders other accesses around it.
//! - *A load that hides loads.* Of each word it remembers the last access alone. If that is the writer's own load, as before
//!   every compare-and-swap here, it forgets that another thread's earlier load might as well have come after the write,
//!   and explores next to nothing (tokio-rs/loom issues 166 and 392). Here each access first takes its turn, by a
//!   read-modify-write of a number beside the word: then every two accesses to a word are tried in both orders.

use super::Mutant;
use loom::sync::atomic::{self, Ordering, fence};
use std::cell::Cell;

std::thread_local! {
    // All threads of a model run on the thread of its test, and no other test does.
    static SEEDED: Cell<Option<Mutant>> = const { Cell::new(None) };
}

/// Whether the core is to make that mistake.
pub fn mutant(which: Mutant) -> bool {
    SEEDED.get() == Some(which)
}

/// Makes the core of the models on this thread make a mistake, or none.
pub fn seed(mutant: Option<Mutant>) {
    SEEDED.set(mutant);
}

/// What is done to a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A plain load.
    Load,
    /// A plain store of the number.
    Store(u64),
    /// A read-modify-write with the number.
    Update(u64),
}

/// The ordering that an access gets, given what it is and the ordering that the core asks for.
pub type Rule = fn(Action, Ordering) -> Ordering;

fn as_asked(_: Action, ordering: Ordering) -> Ordering {
    ordering
}

/// The fence of a SeqCst access, and the ordering of what follows.
fn lead(action: Action, ordering: Ordering) -> Ordering {
    if ordering != Ordering::SeqCst {
        return ordering;
    }
    fence(Ordering::SeqCst);
    match action {
        Action::Load => Ordering::Acquire,
        Action::Store(_) => Ordering::Release,
        Action::Update(_) => Ordering::AcqRel,
    }
}

/// Writes without another chance for other threads to run: they had it when the writer took its turn.
fn at_once<T>(write: impl FnOnce() -> T) -> T {
    loom::stop_exploring();
    let done = write();
    loom::explore();
    done
}

macro_rules! atomic {
    ($name:ident, $number:ty) => {
        /// A word that the model checker watches.
        #[derive(Debug)]
        pub struct $name {
            word: atomic::$name,
            /// Read and written, unchanged, before each access: so that loom tries every order of them.
            turn: atomic::AtomicU32,
            rule: Rule,
        }

        #[expect(missing_docs, reason = "as of the standard library")]
        impl $name {
            pub fn new(value: $number) -> Self {
                Self::ruled(value, as_asked)
            }

            /// A word whose accesses get the orderings of `rule`.
            pub fn ruled(value: $number, rule: Rule) -> Self {
                Self { word: atomic::$name::new(value), turn: atomic::AtomicU32::new(0), rule }
            }

            fn enter(&self, action: Action, ordering: Ordering) -> Ordering {
                let ordering = lead(action, (self.rule)(action, ordering));
                self.turn.fetch_add(0, Ordering::Relaxed);
                ordering
            }

            fn update(&self, value: $number, ordering: Ordering) -> Ordering {
                self.enter(Action::Update(value.into()), ordering)
            }

            pub fn load(&self, ordering: Ordering) -> $number {
                let ordering = self.enter(Action::Load, ordering);
                self.word.load(ordering)
            }

            pub fn store(&self, value: $number, ordering: Ordering) {
                let ordering = self.enter(Action::Store(value.into()), ordering);
                at_once(|| self.word.store(value, ordering));
            }

            pub fn compare_exchange(
                &self,
                current: $number,
                new: $number,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$number, $number> {
                let success = self.update(new, success);
                at_once(|| self.word.compare_exchange(current, new, success, failure))
            }

            pub fn fetch_add(&self, value: $number, ordering: Ordering) -> $number {
                let ordering = self.update(value, ordering);
                at_once(|| self.word.fetch_add(value, ordering))
            }

            pub fn fetch_or(&self, value: $number, ordering: Ordering) -> $number {
                let ordering = self.update(value, ordering);
                at_once(|| self.word.fetch_or(value, ordering))
            }

            pub fn fetch_max(&self, value: $number, ordering: Ordering) -> $number {
                let ordering = self.update(value, ordering);
                at_once(|| self.word.fetch_max(value, ordering))
            }
        }
    };
}

atomic!(AtomicU32, u32);
atomic!(AtomicU64, u64);
