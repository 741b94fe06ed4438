//! The spsc ring: every order of steps, a death before each, a successor after each.

use ringmail_explorer::{search::Verdict, spsc::Scenario, sync::Mutant};

const TWO: Scenario = Scenario { slots: 2, messages: 4, crashes: 4, fault: None };

#[test]
fn successors_lose_nothing() {
    TWO.explore("spsc N=2").holds(3_900);
    Scenario { slots: 1, messages: 3, ..TWO }.explore("spsc N=1").holds(850);
    Scenario { slots: 3, messages: 7, ..TWO }.explore("spsc N=3").holds(21_000);
}

#[test]
fn finds_an_early_commit() {
    Scenario { fault: Some(Mutant::PublishFirst), ..TWO }.explore("spsc, published first").fails(&[
        Verdict::Unknown,
        Verdict::Torn,
        Verdict::Order,
    ]);
}

#[test]
fn finds_an_early_acknowledgement() {
    Scenario { fault: Some(Mutant::AcknowledgeFirst), ..TWO }
        .explore("spsc, acknowledged first")
        .fails(&[Verdict::Lost, Verdict::Order]);
}
