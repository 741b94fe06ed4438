//! From every state: each process alone finishes, and while any one stands still the others do, in every order.

use ringmail_explorer::mpmc::Scenario;
use ringmail_explorer::mpmc::visit::Visit::*;
use ringmail_explorer::search::Verdict;
use ringmail_explorer::sync::Mutant;

#[test]
fn one_of_each() {
    Scenario::new(2, 1, 3, 1)
        .crashes(2)
        .progress()
        .explore("progress, 1x1, N=2, three messages, 2 crashes")
        .holds(2_300);
    Scenario::new(1, 1, 3, 1)
        .crashes(2)
        .progress()
        .explore("progress, 1x1, N=1, three messages, 2 crashes")
        .holds(1_300);
    Scenario::new(3, 1, 4, 1)
        .crashes(2)
        .progress()
        .explore("progress, 1x1, N=3, four messages, 2 crashes")
        .holds(3_900);
}

#[test]
fn three_processes() {
    Scenario::new(2, 2, 1, 1)
        .crashes(1)
        .progress()
        .explore("progress, 2x1, N=2, one message each, 1 crash")
        .holds(8_300);
    Scenario::new(2, 1, 2, 2).crashes(1).progress().explore("progress, 1x2, N=2, two messages, 1 crash").holds(69_000);
    Scenario::new(2, 1, 3, 2).progress().explore("progress, 1x2, N=2, three messages, no crash").holds(450_000);
}

#[test]
fn two_senders_two_receivers() {
    Scenario::new(2, 2, 1, 2).progress().explore("progress, 2x2, N=2, one message each, no crash").holds(123_000);
}

#[test]
fn those_who_clear_up() {
    let scenario = Scenario::new(2, 1, 1, 1).crashes(2).visitors(&[Recover, Join]);
    scenario.progress().explore("progress, 1x1, recover and join, one message, 2 crashes").holds(17_000);
}

/// While somebody stands still in the middle of taking a dead place, what the dead one held does not wait for him.
#[test]
fn a_join_that_stands_still() {
    let scenario = Scenario { frozen: true, ..Scenario::new(2, 1, 1, 2).crashes(1).visitors(&[Join]) };
    scenario.explore("1x2 and join, one message, 1 crash").holds(1);
}

/// The same mistakes are found by the search as a whole: [`Verdict::Endless`] and [`Verdict::IdleReceiver`].
#[test]
fn each_can_fail() {
    let alone = |scenario| Scenario { alone: true, ..scenario };
    let frozen = |scenario| Scenario { frozen: true, ..scenario };
    let two_receivers = Scenario::new(2, 1, 3, 2).fault(Mutant::Unproductive);
    alone(two_receivers.clone()).explore("Unproductive, alone").fails(&[Verdict::Alone]);
    frozen(two_receivers).explore("Unproductive, frozen").fails(&[Verdict::Frozen]);
    let two_senders = |mutant| Scenario::new(2, 2, 2, 1).fault(mutant);
    for mutant in [Mutant::PassWriting, Mutant::IgnoreOlder, Mutant::Unchecked] {
        alone(two_senders(mutant)).explore(&format!("{mutant:?}, alone")).fails(&[Verdict::Alone]);
        frozen(two_senders(mutant)).explore(&format!("{mutant:?}, frozen")).fails(&[Verdict::Frozen]);
    }
}
