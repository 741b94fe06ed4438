//! The bodies of long messages: the whole space of each scenario, and every mistake found.
//!
//! The least numbers of states are half of what was counted when the scenario was written. There is one body for each
//! slot and one for each process that may be giving one back, as `plan_bodies` of the product sees to.

use ringmail_explorer::bodies::mpmc::{Deed, Deed::*, Scenario};
use ringmail_explorer::bodies::spsc;
use ringmail_explorer::search::Verdict::{self, *};
use ringmail_explorer::sync::Mutant;

/// One sender that does so.
fn one(deeds: &[Deed]) -> Vec<Vec<Deed>> {
    vec![deeds.to_vec()]
}

/// Two senders that do so.
fn two(first: &[Deed], second: &[Deed]) -> Vec<Vec<Deed>> {
    vec![first.to_vec(), second.to_vec()]
}

const SPSC: spsc::Scenario = spsc::Scenario {
    slots: 2,
    bodies: 3,
    runs: 0,
    long: 0,
    shortened: 0,
    messages: 3,
    drops: 0,
    batch: 1,
    trims: true,
    retain: None,
    crashes: 2,
    fault: None,
};

#[test]
fn one_sender() {
    Scenario::new(1, 2, one(&[Send; 3]), 1).crashes(2).explore("1x1, N=1, B=2, three messages, 2 crashes").holds(8_900);
    Scenario::new(2, 3, one(&[Send; 3]), 1)
        .crashes(2)
        .explore("1x1, N=2, B=3, three messages, 2 crashes")
        .holds(26_000);
}

#[test]
fn two_senders() {
    let one_each = || two(&[Send], &[Send]);
    Scenario::new(1, 2, one_each(), 1).crashes(3).explore("2x1, N=1, B=2, one message each, 3 crashes").holds(24_000);
    Scenario::new(2, 3, one_each(), 1).crashes(3).explore("2x1, N=2, B=3, one message each, 3 crashes").holds(72_000);
    let more = Scenario::new(1, 3, two(&[Send; 2], &[Send]), 1).crashes(1);
    more.explore("2x1, N=1, B=3, two and one message, 1 crash").holds(1);
}

/// 4 million states: 17 s.
#[test]
#[ignore = "takes a quarter of a minute"]
fn two_senders_two_slots_two_messages() {
    let scenario = Scenario::new(2, 3, two(&[Send; 2], &[Send]), 1).crashes(1);
    scenario.explore("2x1, N=2, B=3, two and one message, 1 crash").holds(2_060_000);
}

#[test]
fn two_receivers() {
    Scenario::new(1, 3, one(&[Send; 2]), 2).crashes(2).explore("1x2, N=1, B=3, two messages, 2 crashes").holds(1);
    Scenario::new(2, 3, one(&[Send; 2]), 2).crashes(1).explore("1x2, N=2, B=3, two messages, 1 crash").holds(1);
}

#[test]
fn senders_give_memory_back_too() {
    let aborts = Scenario::new(1, 3, two(&[Abort, Send], &[Expect, Send]), 1);
    aborts.explore("2x1, N=1, B=3, one aborts, one asks first").holds(1);
    let aborts = Scenario::new(1, 3, two(&[Abort], &[Expect, Send]), 1).crashes(2);
    aborts.explore("2x1, N=1, B=3, one aborts, one asks first, 2 crashes").holds(1);
    let tidies = Scenario::new(1, 3, two(&[Send, Tidy], &[Send, Expect]), 1).crashes(2).retaining();
    tidies.explore("2x1, N=1, B=3, one tidies up, one asks, memory stays, 2 crashes").holds(158_000);
}

#[test]
fn what_is_idle_stays_within_bounds() {
    let keeps = |bodies, looks| Scenario::new(1, 3, one(&[Send; 3]), 1).keeps(bodies, looks);
    keeps(0, true).explore("1x1, N=1, B=3, three messages, none kept").holds(18_000);
    keeps(1, true).explore("1x1, N=1, B=3, three messages, one kept").holds(2_700);
    keeps(1, false).explore("1x1, N=1, B=3, three messages, one kept, own given back").holds(3_800);
    let two_left = |bodies, looks| Scenario::new(2, 3, one(&[Send; 2]), 2).keeps(bodies, looks);
    two_left(1, true).explore("1x2, N=2, B=3, two messages, one kept").holds(133_000);
    two_left(1, false).explore("1x2, N=2, B=3, two messages, one kept, own given back").holds(124_000);
    two_left(0, true).explore("1x2, N=2, B=3, two messages, none kept").holds(1_240_000);
    let aborts = Scenario::new(1, 3, two(&[Abort, Send], &[Send]), 1).keeps(1, true);
    aborts.explore("2x1, N=1, B=3, one aborts, one kept").holds(33_000);
    for looks in [false, true] {
        let kept = spsc::Scenario { retain: Some((1, looks)), drops: 0b100, crashes: 0, ..SPSC };
        kept.explore("spsc, N=2, B=3, three messages, a loan dropped, one kept").holds(9_900);
    }
}

/// Who gives up a run, and who takes one that begins in the middle of it.
fn overlapping() -> Scenario {
    Scenario::new(2, 1, two(&[AbortRun, SendRun], &[SendRun]), 0).runs(4)
}

/// For runs there are hardly more bodies than one message takes, so that messages get into each other's way.
#[test]
fn runs() {
    overlapping().explore("2x0, N=2, B=1+4, a run aborted, two sent").holds(138_000);
    let scenario = Scenario::new(1, 2, two(&[SendRun, Send], &[SendRun]), 1).runs(3).crashes(2);
    scenario.explore("2x1, N=1, B=2+3, runs and a short message, 2 crashes").holds(620_000);
    let scenario = Scenario::new(2, 2, two(&[SendRun], &[Send, SendRun]), 1).runs(3);
    scenario.explore("2x1, N=2, B=2+3, runs and a short message").holds(930_000);
    let scenario = Scenario::new(2, 1, two(&[SendRun], &[SendRun]), 1).runs(3).crashes(1);
    scenario.explore("2x1, N=2, B=1+3, two runs, 1 crash").holds(330_000);
    let scenario = Scenario::new(1, 1, two(&[Shorten], &[SendRun]), 1).runs(3).crashes(1);
    scenario.explore("2x1, N=1, B=1+3, one shortened, 1 crash").holds(50_000);
}

#[test]
fn what_is_idle_of_runs_stays_within_bounds() {
    let keeps = |bodies, looks| Scenario::new(1, 1, two(&[Shorten], &[SendRun]), 1).runs(3).keeps(bodies, looks);
    keeps(1, true).explore("2x1, N=1, B=1+3, one shortened, one body kept").holds(66_000);
    keeps(0, false).explore("2x1, N=1, B=1+3, one shortened, none kept, own given back").holds(460_000);
    let keeps = |bodies, looks| Scenario::new(1, 1, one(&[SendRun, Send]), 2).runs(3).keeps(bodies, looks);
    keeps(1, true).explore("1x2, N=1, B=1+3, a run and a short message, one body kept").holds(690_000);
    keeps(1, false).explore("1x2, N=1, B=1+3, a run and a short message, one body kept, own given back").holds(130_000);
}

#[test]
fn runs_in_spsc() {
    let runs = spsc::Scenario { slots: 1, bodies: 2, runs: 3, long: 0b110, messages: 2, ..SPSC };
    spsc::Scenario { shortened: 0b10, drops: 0b100, ..runs }
        .explore("spsc, N=1, B=2+3, two runs, one shortened, a loan dropped, 2 crashes")
        .holds(76_000);
    spsc::Scenario { slots: 2, bodies: 1, runs: 4, long: 0b1010, messages: 3, drops: 0b1000, crashes: 1, ..runs }
        .explore("spsc, N=2, B=1+4, two runs, a short message, a loan dropped, 1 crash")
        .holds(230_000);
}

#[test]
fn successors_in_spsc_roles() {
    SPSC.explore("spsc, N=2, B=3, three messages, 2 crashes").holds(1);
    spsc::Scenario { slots: 1, bodies: 2, drops: 0b110, messages: 2, crashes: 3, ..SPSC }
        .explore("spsc, N=1, B=2, two messages, two loans dropped, 3 crashes")
        .holds(1);
    spsc::Scenario { drops: 0b100, crashes: 1, ..SPSC }
        .explore("spsc, N=2, B=3, three messages, a loan dropped, 1 crash")
        .holds(1);
    spsc::Scenario { batch: 2, crashes: 1, ..SPSC }
        .explore("spsc, N=2, B=3, acknowledged two at a time, 1 crash")
        .holds(1);
    spsc::Scenario { trims: false, drops: 0b1010, ..SPSC }
        .explore("spsc, N=2, B=3, two loans dropped, memory stays, 2 crashes")
        .holds(57_000);
}

#[track_caller]
fn finds(mutant: Mutant, name: &str, scenario: Scenario, kinds: &[Verdict]) {
    scenario.fault(mutant).explore(&format!("{mutant:?} in {name}")).fails(kinds);
}

#[track_caller]
fn finds_in_spsc(mutant: Mutant, name: &str, scenario: spsc::Scenario, kinds: &[Verdict]) {
    spsc::Scenario { fault: Some(mutant), ..scenario }.explore(&format!("{mutant:?} in {name}")).fails(kinds);
}

/// Nobody dies.
fn two_by_one() -> Scenario {
    Scenario::new(2, 3, two(&[Send], &[Send]), 1)
}

/// Somebody may.
fn one_by_one() -> Scenario {
    Scenario::new(1, 2, one(&[Send; 3]), 1).crashes(1)
}

#[test]
fn keep_lost() {
    finds(Mutant::KeepLost, "2x0, N=2, B=1+4", overlapping(), &[Leaked]);
}

#[test]
fn blind_claim() {
    finds(Mutant::BlindClaim, "2x0, N=2, B=1+4", overlapping(), &[Shared]);
    finds(Mutant::BlindClaim, "2x1, N=2, B=3", two_by_one(), &[Shared]);
    finds_in_spsc(Mutant::BlindClaim, "spsc", SPSC, &[Shared]);
}

#[test]
fn trust_trimmer() {
    finds(Mutant::TrustTrimmer, "1x1, N=1, B=2", one_by_one(), &[Shared, Gone]);
    finds_in_spsc(Mutant::TrustTrimmer, "spsc", SPSC, &[Shared, Gone]);
}

#[test]
fn forgetful_seize() {
    finds(Mutant::ForgetfulSeize, "1x1, N=1, B=2", one_by_one(), &[Shared]);
    finds_in_spsc(Mutant::ForgetfulSeize, "spsc", SPSC, &[Shared]);
}

#[test]
fn give_back_first() {
    finds(Mutant::GiveBackFirst, "1x1, N=1, B=2", one_by_one(), &[Shared, Gone, Lost]);
    finds_in_spsc(Mutant::GiveBackFirst, "spsc", SPSC, &[Shared, Gone, Lost]);
}

#[test]
fn watermark_first() {
    finds(Mutant::WatermarkFirst, "1x1, N=1, B=2", one_by_one(), &[Gone]);
    finds_in_spsc(Mutant::WatermarkFirst, "spsc", SPSC, &[Gone]);
}

#[test]
fn release_first() {
    finds(Mutant::ReleaseFirst, "1x1, N=1, B=2", one_by_one(), &[Gone]);
    finds_in_spsc(Mutant::ReleaseFirst, "spsc", SPSC, &[Gone]);
}

#[test]
fn unmarked() {
    finds(Mutant::Unmarked, "1x1, N=1, B=2", one_by_one(), &[Leaked]);
    finds_in_spsc(Mutant::Unmarked, "spsc", SPSC, &[Leaked]);
}

#[test]
fn known_too_far() {
    finds_in_spsc(Mutant::KnownTooFar, "spsc", SPSC, &[Torn]);
}

/// Two receivers leave what nobody is to keep.
fn two_leave() -> Scenario {
    Scenario::new(1, 3, one(&[Send; 3]), 2).keeps(0, true)
}

#[test]
fn count_first() {
    let scenario = Scenario::new(2, 3, one(&[Send; 2]), 2).keeps(1, true);
    finds(Mutant::CountFirst, "1x2, N=2, B=3, one kept", scenario, &[Leaked]);
}

#[test]
fn late_gift() {
    finds(Mutant::LateGift, "1x2, N=1, B=3, none kept", two_leave(), &[Leaked]);
}

#[test]
fn late_look() {
    finds(Mutant::LateLook, "1x2, N=1, B=3, none kept", two_leave(), &[Leaked]);
}

#[test]
fn gone_at_once() {
    finds(Mutant::GoneAtOnce, "1x2, N=1, B=3, none kept", two_leave(), &[Leaked]);
}

#[test]
fn unreleased() {
    finds_in_spsc(Mutant::Unreleased, "spsc", spsc::Scenario { crashes: 3, ..SPSC }, &[Leaked]);
    let runs = spsc::Scenario { bodies: 1, runs: 4, long: 0b1110, crashes: 2, ..SPSC };
    finds_in_spsc(Mutant::Unreleased, "spsc, runs", runs, &[Leaked]);
}
