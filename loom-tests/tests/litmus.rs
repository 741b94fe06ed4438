//! The one race across two words of `ringmail::ring::mpmc`, and every ordering that it needs.
//!
//! Of two slots a receiver still holds the first, and lets go of it. One sender finds it held and passes over it; another
//! finds it free and claims it; the receiver goes on. A claim that stands although the receiver has walked past it would be
//! received a lap late, after its sender's next message.

#![cfg(loom)]

use loom::thread::spawn;
use ringmail::ring::mpmc::Event;
use ringmail::sync::Mutant;
use ringmail::sync::Ordering::{self, *};
use ringmail::sync::model::Action;
use ringmail_loom_tests::mpmc::Ring;
use ringmail_loom_tests::{Fault, Plan, message, settle};

fn race(plan: &Plan) {
    let ring = Ring::new(plan);
    let (bumper, late, rx) = (ring.end(1), ring.end(2), ring.end(3));
    let mut sent = bumper.send_all(&[message(1, 0), message(1, 1)], 2);
    let late = late.from(&bumper);
    let held = rx.take().unwrap();
    let second = rx.receive_all(1, 1);
    let contested = rx.position();

    let bumper = spawn(move || (bumper.claim(), bumper));
    let late = spawn(move || (late.claim(), late));
    let receiver = spawn(move || {
        let held = rx.finish(held);
        assert!(rx.take().is_none(), "nothing was committed");
        (held, rx.position())
    });
    let (one, bumper) = bumper.join().unwrap();
    let (two, late) = late.join().unwrap();
    let (held, position) = receiver.join().unwrap();

    for (claim, end, value) in [(one, bumper, message(1, 2)), (two, late, message(2, 0))] {
        if let Some(claim) = claim {
            let passed = claim.index == 0 && claim.lap == 1 && position > contested;
            assert!(!passed, "a claim stands that the receiver passed");
            end.fill(claim, value);
            sent.push(value);
        }
    }
    sent.sort_unstable();
    settle(&[sent], &[[vec![held], second].concat()], &ring.drain());
}

fn plan() -> Plan {
    Plan::new(2).bound(2)
}

#[test]
fn a_claim_that_was_passed_is_undone() {
    let tally = plan().bound(3).holds(150_000, race);
    assert!(tally.of(Event::Bumped) > 0);
    assert!(tally.of(Event::Undone) > 0);
}

#[test]
fn no_check_after_the_claim_is_caught() {
    plan().fault(Fault::Unbumped).fails("the receiver passed", race);
}

#[test]
fn reading_the_word_before_skip_is_caught() {
    plan().mutant(Mutant::WordFirst).fails("the receiver passed", race);
}

/// As good as it gets without one order of several words.
fn acquire_release(action: Action, ordering: Ordering) -> Ordering {
    match (action, ordering) {
        (Action::Load, SeqCst) => Acquire,
        (Action::Store(_), SeqCst) => Release,
        (Action::Update(_), SeqCst) => AcqRel,
        _ => ordering,
    }
}

// Weakened alone, the loads of skip are not told apart here: the claimer's fence before it loads `bumped` serves its load of
// skip as well, as does the receiver's before it loads the word. The standard gives two SeqCst loads no such help.
fn acquire_loads(action: Action, ordering: Ordering) -> Ordering {
    if action == Action::Load { acquire_release(action, ordering) } else { ordering }
}

#[test]
fn acquire_loads_of_the_bumped_position_are_caught() {
    plan().bumped(acquire_loads).fails("the receiver passed", race);
}

#[test]
fn acquire_loads_of_words_are_caught() {
    plan().words(acquire_loads).fails("the receiver passed", race);
}

#[test]
fn acquire_and_release_alone_are_caught() {
    plan().words(acquire_release).skips(acquire_release).bumped(acquire_release).fails("the receiver passed", race);
}
