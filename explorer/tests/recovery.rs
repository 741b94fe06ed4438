//! Those who clear up after the dead, beside everybody else, and dying in it.

use ringmail_explorer::mpmc::Scenario;
use ringmail_explorer::mpmc::visit::Visit::*;

#[test]
fn somebody_recovers() {
    let recovers = |scenario: Scenario| scenario.crashes(2).visitors(&[Recover]);
    recovers(Scenario::new(2, 2, 1, 1)).explore("2x1 and recover, one message each, 2 crashes").holds(144_000);
    recovers(Scenario::new(2, 1, 2, 2)).reduced().explore("1x2 and recover, two messages, 2 crashes, reduced").holds(1);
}

#[test]
fn somebody_joins() {
    let joins = |scenario: Scenario| scenario.crashes(2).visitors(&[Join]);
    joins(Scenario::new(2, 2, 1, 1)).explore("2x1 and join, one message each, 2 crashes").holds(291_000);
    joins(Scenario::new(2, 1, 2, 2)).reduced().explore("1x2 and join, two messages, 2 crashes, reduced").holds(1);
}

#[test]
fn both_at_once() {
    let both = |scenario: Scenario| scenario.crashes(3).visitors(&[Recover, Join]);
    both(Scenario::new(2, 1, 2, 1)).explore("1x1, recover and join, two messages, 3 crashes").holds(368_000);
}

#[test]
fn both_with_a_policy() {
    for (patience, name, least) in [(0, "once", 329_000), (1, "twice", 368_000)] {
        let scenario = Scenario { patience, ..Scenario::new(2, 1, 2, 1) }.crashes(3).visitors(&[Recover, Join]);
        scenario.explore(&format!("1x1, recover and join, at most {name}, 3 crashes")).holds(least);
    }
}

/// The same with nothing left out: 9 million states.
#[test]
#[ignore = "takes most of a minute"]
fn two_receivers_and_somebody_who_clears_up() {
    let scenario = Scenario::new(2, 1, 2, 2).crashes(2);
    scenario.clone().visitors(&[Recover]).explore("1x2 and recover, two messages, 2 crashes").holds(2_300_000);
    scenario.visitors(&[Join]).explore("1x2 and join, two messages, 2 crashes").holds(1_950_000);
}
