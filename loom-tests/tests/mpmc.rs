//! The mpmc ring among the living: nothing lost, nothing twice, nothing torn, and each sender's messages in order.

#![cfg(loom)]

use loom::thread::spawn;
use ringmail::ring::mpmc::Event;
use ringmail::sync::Mutant;
use ringmail::sync::Ordering::{self, *};
use ringmail::sync::model::Action;
use ringmail_loom_tests::mpmc::{End, Ring};
use ringmail_loom_tests::{Fault, Plan, message, settle};

/// Only the store that makes a slot READY.
fn relaxed_commit(action: Action, ordering: Ordering) -> Ordering {
    if matches!(action, Action::Store(word) if word & 3 == 2) { Relaxed } else { ordering }
}

/// Only the store that makes a slot EMPTY.
fn relaxed_acknowledge(action: Action, ordering: Ordering) -> Ordering {
    if matches!(action, Action::Store(word) if word & 3 == 0) { Relaxed } else { ordering }
}

/// Only the compare-and-swap that makes a slot READING.
fn relaxed_take(action: Action, ordering: Ordering) -> Ordering {
    if matches!(action, Action::Update(word) if word & 3 == 3) { Relaxed } else { ordering }
}

/// One sender and one receiver, who `receive`s so many, around the end of the slots: the ring is full at first.
fn around_the_end(plan: &Plan, receive: fn(&End, usize) -> Vec<u64>) {
    let ring = Ring::new(plan);
    let (tx, rx) = (ring.end(1), ring.end(2));
    let full: Vec<u64> = (0..plan.capacity).map(|i| message(1, i)).collect();
    let mut sent = tx.send_all(&full, full.len());
    let (next, n) = (message(1, plan.capacity), full.len() + 1);
    let sender = spawn(move || tx.send_all(&[next], 2));
    let receiver = spawn(move || receive(&rx, n));
    sent.extend(sender.join().unwrap());
    settle(&[sent], &[receiver.join().unwrap()], &ring.drain());
}

fn one_to_one(plan: &Plan) {
    around_the_end(plan, |rx, n| rx.receive_all(n, n));
}

#[test]
fn one_slot_wraps() {
    Plan::new(1).bound(3).holds(1300, one_to_one);
}

#[test]
fn two_slots_wrap() {
    Plan::new(2).bound(3).holds(3600, one_to_one);
}

#[test]
fn three_slots_wrap() {
    Plan::new(3).bound(2).holds(1200, one_to_one);
}

#[test]
fn a_relaxed_acknowledgement_is_caught() {
    Plan::new(1).bound(3).words(relaxed_acknowledge).fails("Causality violation", one_to_one);
}

#[test]
fn acknowledging_before_reading_is_caught() {
    Plan::new(2).bound(3).fault(Fault::AcknowledgeFirst).fails("Causality violation", one_to_one);
}

/// One sender and one receiver; the ring is empty at first.
fn from_empty(plan: &Plan) {
    let ring = Ring::new(plan);
    let (tx, rx) = (ring.end(1), ring.end(2));
    let sender = spawn(move || tx.send_all(&[message(1, 0), message(1, 1)], 2));
    let receiver = spawn(move || rx.receive_all(2, 3));
    let (sent, received) = (sender.join().unwrap(), receiver.join().unwrap());
    settle(&[sent], &[received], &ring.drain());
}

#[test]
fn what_is_sent_is_received() {
    Plan::new(2).bound(3).holds(1000, from_empty);
}

#[test]
fn a_relaxed_commit_is_caught() {
    Plan::new(2).bound(3).words(relaxed_commit).fails("Causality violation", from_empty);
}

#[test]
fn a_relaxed_take_is_caught() {
    Plan::new(2).bound(3).words(relaxed_take).fails("Causality violation", from_empty);
}

#[test]
fn publishing_before_the_payload_is_caught() {
    Plan::new(2).bound(3).fault(Fault::PublishFirst).fails("Causality violation", from_empty);
}

/// By a receiver that takes batches.
fn in_runs(plan: &Plan) {
    around_the_end(plan, |rx, n| rx.receive_runs(n, 2));
}

#[test]
fn runs_wrap() {
    Plan::new(2).bound(3).holds(4000, in_runs);
}

#[test]
fn a_relaxed_acknowledgement_of_a_run_is_caught() {
    Plan::new(2).bound(3).words(relaxed_acknowledge).fails("Causality violation", in_runs);
}

#[test]
fn acknowledging_a_run_before_reading_is_caught() {
    Plan::new(2).bound(3).fault(Fault::AcknowledgeFirst).fails("Causality violation", in_runs);
}

/// Two receivers, of whom one takes batches.
fn runs_and_singles(plan: &Plan) {
    let ring = Ring::new(plan);
    let (tx, one, two) = (ring.end(1), ring.end(2), ring.end(3));
    let sent = tx.send_all(&[message(1, 0), message(1, 1)], 2);
    let one = spawn(move || one.receive_runs(2, 1));
    let two = spawn(move || two.receive_all(2, 2));
    settle(&[sent], &[one.join().unwrap(), two.join().unwrap()], &ring.drain());
}

#[test]
fn a_run_is_cut_where_another_took_from_it() {
    Plan::new(2).bound(3).holds(4000, runs_and_singles);
}

/// Two senders and a receiver.
fn two_senders(plan: &Plan) {
    let ring = Ring::new(plan);
    let (one, two, rx) = (ring.end(1), ring.end(2), ring.end(3));
    let one = spawn(move || one.send_all(&[message(1, 0), message(1, 1)], 2));
    let two = spawn(move || two.send_all(&[message(2, 0)], 1));
    let receiver = spawn(move || rx.receive_all(2, 2));
    let (sent, received) = ([one.join().unwrap(), two.join().unwrap()], receiver.join().unwrap());
    settle(&sent, &[received], &ring.drain());
}

#[test]
fn two_senders_share() {
    Plan::new(3).bound(2).holds(50_000, two_senders);
}

#[test]
fn scanning_once_past_a_slow_writer_is_caught() {
    Plan::new(3).bound(2).mutant(Mutant::SinglePass).fails("out of order", two_senders);
}

/// Two receivers of a full ring that its sender fills up again.
fn two_receivers(plan: &Plan) {
    let ring = Ring::new(plan);
    let (tx, one, two) = (ring.end(1), ring.end(2), ring.end(3));
    let mut sent = tx.send_all(&[message(1, 0), message(1, 1)], 2);
    let sender = spawn(move || tx.send_all(&[message(1, 2)], 1));
    let one = spawn(move || one.receive_all(2, 2));
    let two = spawn(move || two.receive_all(1, 1));
    sent.extend(sender.join().unwrap());
    settle(&[sent], &[one.join().unwrap(), two.join().unwrap()], &ring.drain());
}

#[test]
fn two_receivers_share() {
    Plan::new(2).bound(2).holds(60_000, two_receivers);
}

#[test]
fn two_receivers_that_acknowledge_before_reading_are_caught() {
    Plan::new(2).bound(2).fault(Fault::AcknowledgeFirst).fails("Causality violation", two_receivers);
}

/// A receiver holds the first message, and lets go of it at some time, while a sender and another receiver go around.
fn held(plan: &Plan) {
    let ring = Ring::new(plan);
    let (tx, holder, rx) = (ring.end(1), ring.end(2), ring.end(3));
    let mut sent = tx.send_all(&[message(1, 0), message(1, 1)], 2);
    let first = holder.take().unwrap();
    let mut received = rx.receive_all(1, 1);
    let sender = spawn(move || tx.send_all(&[message(1, 2), message(1, 3)], 2));
    let holder = spawn(move || vec![holder.finish(first)]);
    let receiver = spawn(move || rx.receive_all(2, 2));
    sent.extend(sender.join().unwrap());
    let held = holder.join().unwrap();
    received.extend(receiver.join().unwrap());
    settle(&[sent], &[held, received], &ring.drain());
}

#[test]
fn a_held_message_blocks_nobody() {
    let tally = Plan::new(2).bound(2).holds(20_000, held);
    assert!(tally.of(Event::Bumped) > 0);
}

#[test]
fn acknowledging_before_reading_what_was_held_is_caught() {
    Plan::new(2).bound(2).fault(Fault::AcknowledgeFirst).fails("Causality violation", held);
}

/// The only slot is held: to pass over it would lead nowhere.
fn all_held(plan: &Plan) {
    let ring = Ring::new(plan);
    let (tx, holder) = (ring.end(1), ring.end(2));
    let mut sent = tx.send_all(&[message(1, 0)], 1);
    let first = holder.take().unwrap();
    let sender = spawn(move || tx.send_all(&[message(1, 1)], 2));
    let holder = spawn(move || vec![holder.finish(first)]);
    sent.extend(sender.join().unwrap());
    settle(&[sent], &[holder.join().unwrap()], &ring.drain());
}

#[test]
fn nothing_is_passed_over_in_vain() {
    let tally = Plan::new(1).holds(45, all_held);
    assert_eq!(tally.of(Event::Bumped), 0);
}

#[test]
fn passing_over_in_vain_is_caught() {
    Plan::new(1).mutant(Mutant::Unproductive).fails("corrupt", all_held);
}

/// A writer takes a whole lap over its message and then sends another, while another sender and a receiver go around.
fn slow_writer(plan: &Plan) {
    let ring = Ring::new(plan);
    let (slow, tx, rx) = (ring.end(1), ring.end(2), ring.end(3));
    let claim = slow.claim().unwrap();
    let mut sent = tx.send_all(&[message(2, 0)], 1);
    let mut received = rx.receive_all(1, 1);
    assert_eq!(received.len(), 1, "the receiver goes round the writer");
    let slow = spawn(move || {
        slow.fill(claim, message(1, 0));
        [vec![message(1, 0)], slow.send_all(&[message(1, 1)], 1)].concat()
    });
    let sender = spawn(move || tx.send_all(&[message(2, 1)], 1));
    let receiver = spawn(move || rx.receive_all(2, 2));
    let slow = slow.join().unwrap();
    sent.extend(sender.join().unwrap());
    received.extend(receiver.join().unwrap());
    settle(&[slow, sent], &[received], &ring.drain());
}

#[test]
fn a_slow_writer_blocks_nobody() {
    let tally = Plan::new(2).bound(2).holds(70_000, slow_writer);
    assert!(tally.of(Event::Bumped) > 0);
}

#[test]
fn jumping_as_far_as_a_sender_is_caught() {
    Plan::new(2).bound(2).mutant(Mutant::JumpFar).fails("lost", slow_writer);
}

/// A writer commits after its slot was passed over, and then sends another message; a receiver comes by.
fn late_writer(plan: &Plan) {
    let ring = Ring::new(plan);
    let (late, tx, rx) = (ring.end(1), ring.end(2), ring.end(3));
    let claim = late.claim().unwrap();
    let mut sent = tx.send_all(&[message(2, 0), message(2, 1)], 2);
    let mut received = rx.receive_all(2, 2);
    sent.extend(tx.send_all(&[message(2, 2)], 1));
    let late = spawn(move || {
        late.fill(claim, message(1, 0));
        [vec![message(1, 0)], late.send_all(&[message(1, 1)], 1)].concat()
    });
    let receiver = spawn(move || rx.receive_all(2, 2));
    let late = late.join().unwrap();
    received.extend(receiver.join().unwrap());
    settle(&[late, sent], &[received], &ring.drain());
}

#[test]
fn a_late_message_comes_before_its_senders_next() {
    let tally = Plan::new(3).bound(3).holds(3800, late_writer);
    assert!(tally.of(Event::Bumped) > 0);
}

#[test]
fn passing_a_late_writer_is_caught() {
    Plan::new(3).bound(3).mutant(Mutant::PassWriting).fails("out of order", late_writer);
}
