//! Every mistake is found, and in the way it foretells: a scenario that finds no mistake proves nothing.
//!
//! Which scenario finds it was established by trying; each search stops at the first violation.

use ringmail_explorer::mpmc::Scenario;
use ringmail_explorer::mpmc::visit::Visit;
use ringmail_explorer::search::Verdict::{self, *};
use ringmail_explorer::sync::Mutant;

#[track_caller]
fn finds(mutant: Mutant, name: &str, scenario: Scenario, kinds: &[Verdict]) {
    scenario.fault(mutant).explore(&format!("{mutant:?} in {name}")).fails(kinds);
}

/// Two senders that skip each other's slots and race to claim.
#[track_caller]
fn two_senders(mutant: Mutant, kinds: &[Verdict]) {
    finds(mutant, "2x1, N=2, two messages each", Scenario::new(2, 2, 2, 1), kinds);
}

/// Two receivers, who skip slow writers and each other's messages.
#[track_caller]
fn two_receivers(mutant: Mutant, kinds: &[Verdict]) {
    finds(mutant, "1x2, N=2, three messages", Scenario::new(2, 1, 3, 2), kinds);
}

/// The least: one of each, and everybody is killed after every step.
#[track_caller]
fn one_of_each(mutant: Mutant, kinds: &[Verdict]) {
    finds(mutant, "1x1, N=2, three messages, 1 crash", Scenario::new(2, 1, 3, 1).crashes(1), kinds);
}

#[test]
fn single_pass() {
    one_of_each(Mutant::SinglePass, &[Order]);
}

/// The explorer found this one in the product.
#[test]
fn unseen() {
    two_receivers(Mutant::Unseen, &[Order]);
}

#[test]
fn pass_writing() {
    two_senders(Mutant::PassWriting, &[IdleReceiver]);
}

#[test]
fn unproductive() {
    two_receivers(Mutant::Unproductive, &[Endless]);
}

#[test]
fn word_first() {
    two_senders(Mutant::WordFirst, &[IdleReceiver]);
}

#[test]
fn unchecked() {
    two_senders(Mutant::Unchecked, &[IdleReceiver]);
}

#[test]
fn unraised() {
    two_senders(Mutant::Unraised, &[IdleReceiver]);
}

#[test]
fn raise_late() {
    two_senders(Mutant::RaiseLate, &[IdleReceiver]);
}

#[test]
fn jump_far() {
    one_of_each(Mutant::JumpFar, &[Lost]);
}

#[test]
fn ignore_older() {
    two_senders(Mutant::IgnoreOlder, &[IdleReceiver]);
}

/// What comes again and does not say so comes after its successors, or twice.
#[test]
fn unflagged() {
    one_of_each(Mutant::Unflagged, &[Order, Duplicate]);
}

/// A walk that meets the claim does not get past it.
#[test]
fn unreaped() {
    one_of_each(Mutant::Unreaped, &[Corrupt]);
}

#[test]
fn unadopted() {
    one_of_each(Mutant::Unadopted, &[Lost]);
}

#[test]
fn publish_first() {
    one_of_each(Mutant::PublishFirst, &[Unknown, Torn]);
}

#[test]
fn acknowledge_first() {
    one_of_each(Mutant::AcknowledgeFirst, &[Lost]);
}

#[test]
fn impatient() {
    two_receivers(Mutant::Impatient, &[Duplicate]);
}

/// Those who clear up, beside one of each: what the dead held is disowned while somebody adopts it.
#[track_caller]
fn disowned(mutant: Mutant, kinds: &[Verdict]) {
    let scenario = Scenario::new(2, 1, 2, 1).crashes(2).visitors(&[Visit::Recover, Visit::Join]);
    finds(mutant, "1x1, recover and join, 2 crashes", scenario, kinds);
}

#[test]
fn overwritten() {
    disowned(Mutant::Overwritten, &[Duplicate]);
}

#[test]
fn unfreed() {
    disowned(Mutant::Unfreed, &[Named]);
}

#[test]
fn forgiven() {
    disowned(Mutant::Forgiven, &[Miscounted]);
}

/// A sender that reads skip before the word is *not* told from the right one, here or in any scenario tried: these spaces
/// are explored whole. The order is kept because the argument in `ring::mpmc` rests on it.
#[test]
fn skip_first_is_not_distinguished() {
    for (name, scenario) in [
        ("1x2, N=2, three messages", Scenario::new(2, 1, 3, 2)),
        ("2x1, N=2, two messages each", Scenario::new(2, 2, 2, 1)),
        ("2x1, N=3, two messages each", Scenario::new(3, 2, 2, 1)),
        ("2x2, N=2, one message each", Scenario::new(2, 2, 1, 2)),
    ] {
        scenario.fault(Mutant::SkipFirst).explore(&format!("SkipFirst in {name}")).holds(120_000);
    }
}
