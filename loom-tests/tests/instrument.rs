//! The model checker itself: what `ringmail::sync::model` adds to it, it needs.

#![cfg(loom)]

use loom::sync::atomic::AtomicU64 as Plain;
use loom::thread::spawn;
use ringmail::sync::AtomicU64;
use ringmail::sync::Ordering::{self, *};
use ringmail::sync::model::Action;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

type Outcomes = BTreeSet<(u64, u64)>;

/// All that two threads may return.
fn outcomes(scenario: impl Fn() -> (u64, u64) + Send + Sync + 'static) -> Outcomes {
    let all = Arc::new(Mutex::new(Outcomes::new()));
    let seen = Arc::clone(&all);
    loom::model::Builder::new().check(move || {
        let outcome = scenario();
        seen.lock().unwrap().insert(outcome);
    });
    Arc::try_unwrap(all).unwrap().into_inner().unwrap()
}

macro_rules! load_then_write {
    ($atomic:ident) => {
        outcomes(|| {
            let word = Arc::new($atomic::new(0));
            let (one, two) = (Arc::clone(&word), word);
            let reader = spawn(move || (one.load(Relaxed), one.load(Acquire)));
            let writer = spawn(move || {
                assert_eq!(two.load(Relaxed), 0);
                two.compare_exchange(0, 1, AcqRel, Relaxed).unwrap();
                two.store(2, Release);
            });
            writer.join().unwrap();
            reader.join().unwrap()
        })
    };
}

#[test]
fn a_writers_load_hides_nothing() {
    let every = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)];
    assert_eq!(load_then_write!(AtomicU64), Outcomes::from(every));
}

#[test]
fn a_writers_load_hides_the_readers_from_bare_loom() {
    // Should this fail, loom was mended, and the turns in `model.rs` may go.
    assert_eq!(load_then_write!(Plain), Outcomes::from([(0, 0)]));
}

fn acquire_release(action: Action, _: Ordering) -> Ordering {
    match action {
        Action::Load => Acquire,
        Action::Store(_) => Release,
        Action::Update(_) => AcqRel,
    }
}

macro_rules! store_buffers {
    ($word:expr) => {
        outcomes(|| {
            let words = Arc::new(($word, $word));
            let (one, two) = (Arc::clone(&words), words);
            let one = spawn(move || {
                one.0.store(1, SeqCst);
                one.1.load(SeqCst)
            });
            let two = spawn(move || {
                two.1.store(1, SeqCst);
                two.0.load(SeqCst)
            });
            (one.join().unwrap(), two.join().unwrap())
        })
    };
}

#[test]
fn sequentially_consistent_accesses_have_one_order() {
    let every = [(0, 1), (1, 0), (1, 1)];
    assert_eq!(store_buffers!(AtomicU64::new(0)), Outcomes::from(every));
}

#[test]
fn weaker_accesses_have_not() {
    assert!(store_buffers!(AtomicU64::ruled(0, acquire_release)).contains(&(0, 0)));
}

#[test]
fn bare_loom_knows_no_such_order() {
    // Should this fail, loom was mended, and the fences in `model.rs` may go.
    assert!(store_buffers!(Plain::new(0)).contains(&(0, 0)));
}
