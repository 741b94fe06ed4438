//! Spaces too large to be visited whole, under what `mpmc::symmetry` leaves out; and that it leaves out nothing that matters.

use ringmail_explorer::mpmc::Scenario;
use ringmail_explorer::mpmc::process::sends;
use ringmail_explorer::sync::Mutant::*;

/// 2 senders and 2 receivers, of whom all may crash, have 1,282,428 states otherwise.
#[test]
fn fewer_states() {
    Scenario::new(2, 2, 1, 2)
        .crashes(4)
        .reduced()
        .explore("2x2, N=2, one message each, 4 crashes, reduced")
        .holds(96_000);
}

/// What the whole spaces find, the reduced ones find.
#[test]
fn mistakes_are_found() {
    let two_senders = Scenario::new(2, 2, 2, 1).reduced();
    let two_receivers = Scenario::new(2, 1, 3, 2).reduced();
    let one_crash = Scenario::new(2, 1, 2, 2).crashes(1).reduced();
    for (mutants, scenario) in [
        (vec![PassWriting, WordFirst, Unchecked, Unraised, RaiseLate, IgnoreOlder], two_senders),
        (vec![SinglePass, Unseen, Unproductive, JumpFar, Impatient], two_receivers),
        (vec![Unflagged, Unreaped, Unadopted], one_crash),
    ] {
        for mutant in mutants {
            let report = scenario.clone().fault(mutant).explore(&format!("{mutant:?}, reduced"));
            assert!(report.found.is_some(), "{mutant:?} is not found");
        }
    }
}

/// Two messages of one sender and one of the other.
#[test]
#[ignore = "takes half a minute"]
fn two_senders_two_receivers_three_messages() {
    let scenario = Scenario { senders: vec![sends(2), sends(1)], ..Scenario::new(2, 0, 0, 2) };
    scenario.reduced().explore("2x2, N=2, two messages and one, no crash, reduced").holds(3_900_000);
}

/// More than 140 million states, 4.5 GB and 13 minutes of a core: nothing was found in so many, and they were not all.
#[test]
#[ignore = "takes longer than was waited for"]
fn two_senders_two_receivers_two_messages_each() {
    Scenario::new(2, 2, 2, 2).reduced().explore("2x2, N=2, two messages each, no crash, reduced").holds(140_000_000);
}
