//! The mpmc ring among the dying: what they held is had by exactly one other, and no slot is lost.

#![cfg(loom)]

use loom::thread::spawn;
use ringmail::ring::mpmc::Event;
use ringmail::sync::Mutant;
use ringmail::sync::Ordering::{self, *};
use ringmail::sync::model::Action;
use ringmail_loom_tests::mpmc::{End, Ring};
use ringmail_loom_tests::{Fault, Plan, message, settle};
use std::sync::Arc;

/// Only the store that gives a message back.
fn relaxed_reject(action: Action, ordering: Ordering) -> Ordering {
    if matches!(action, Action::Store(word) if word & 3 == 3) { Relaxed } else { ordering }
}

/// Looks everywhere for a message, in at most so many attempts.
fn search(rx: &End, attempts: usize) -> Vec<u64> {
    (0..attempts).find_map(|_| rx.search()).map(|taken| rx.finish(taken)).into_iter().collect()
}

/// After all is received, as many messages fit as ever.
fn assert_whole(ring: &Arc<Ring>, plan: &Plan) {
    let tx = ring.end(30);
    let fit = (0..=plan.capacity).filter(|&i| tx.send(message(9, i))).count() as u64;
    assert_eq!(fit, plan.capacity, "a slot is lost");
}

/// One receiver gives a message back, another gets it.
fn rejected(plan: &Plan) {
    let ring = Ring::new(plan);
    let (tx, one, two) = (ring.end(1), ring.end(2), ring.end(3));
    let sender = spawn(move || tx.send_all(&[message(1, 0)], 1));
    let one = spawn(move || one.take().map(|taken| one.reject(taken)));
    let two = spawn(move || search(&two, 1));
    let (sent, _, received) = (sender.join().unwrap(), one.join().unwrap(), two.join().unwrap());
    settle(&[sent], &[received], &ring.drain());
    assert_whole(&ring, plan);
}

#[test]
fn what_is_rejected_is_received() {
    let tally = Plan::new(1).bound(2).holds(70_000, rejected);
    assert!(tally.of(Event::Rejected) > 0);
    assert!(tally.of(Event::Adopted) > 0);
}

#[test]
fn a_relaxed_rejection_is_caught() {
    Plan::new(1).bound(3).words(relaxed_reject).fails("Causality violation", rejected);
}

#[test]
fn adopting_from_the_living_is_caught() {
    Plan::new(1).bound(3).fault(Fault::AllDead).fails("lost or delivered twice", rejected);
}

/// A receiver dies with a message in hand; two others look for one.
fn dead_receiver(plan: &Plan) {
    let ring = Ring::new(plan);
    let (tx, victim, one, two) = (ring.end(1), ring.end(2), ring.end(3), ring.end(4));
    let sent = tx.send_all(&[message(1, 0)], 1);
    victim.take().unwrap();
    let victim = spawn(move || victim.die());
    let one = spawn(move || search(&one, 1));
    let two = spawn(move || search(&two, 1));
    victim.join().unwrap();
    settle(&[sent], &[one.join().unwrap(), two.join().unwrap()], &ring.drain());
    assert_whole(&ring, plan);
}

#[test]
fn what_the_dead_held_is_received_once() {
    let tally = Plan::new(2).bound(2).holds(3000, dead_receiver);
    assert!(tally.of(Event::Adopted) > 0);
}

#[test]
fn never_adopting_is_caught() {
    Plan::new(2).bound(2).fault(Fault::NoneDead).fails("lost or delivered twice", dead_receiver);
}

/// As before, but no message may be delivered twice: it is dropped, once.
fn dropped(plan: &Plan) {
    let ring = Ring::with_patience(plan, 0);
    let (tx, victim, one, two) = (ring.end(1), ring.end(2), ring.end(3), ring.end(4));
    tx.send(message(1, 0));
    victim.take().unwrap();
    let victim = spawn(move || victim.die());
    let one = spawn(move || search(&one, 1));
    let two = spawn(move || search(&two, 1));
    victim.join().unwrap();
    settle(&[], &[one.join().unwrap(), two.join().unwrap()], &ring.drain());
    assert_whole(&ring, plan);
}

#[test]
fn what_may_not_be_delivered_again_is_dropped_once() {
    let tally = Plan::new(2).bound(2).holds(2800, dropped);
    assert_eq!(tally.of(Event::Dropped), tally.executions());
}

#[test]
fn dropping_nothing_of_the_dead_is_caught() {
    Plan::new(2).bound(2).mutant(Mutant::Unadopted).fails("a slot is lost", dropped);
}

/// A sender dies with a slot half filled, while another sends and a receiver looks for messages.
fn dead_sender(plan: &Plan) {
    let ring = Ring::new(plan);
    let (victim, tx, rx) = (ring.end(1), ring.end(2), ring.end(3));
    victim.claim().unwrap();
    let victim = spawn(move || victim.die());
    let sender = spawn(move || tx.send_all(&[message(2, 0), message(2, 1)], 2));
    let receiver = spawn(move || search(&rx, 2));
    victim.join().unwrap();
    settle(&[sender.join().unwrap()], &[receiver.join().unwrap()], &ring.drain());
    assert_whole(&ring, plan);
}

#[test]
fn a_dead_senders_slot_is_freed() {
    let tally = Plan::new(2).bound(2).holds(45_000, dead_sender);
    assert!(tally.of(Event::Reaped) > 0);
}

#[test]
fn never_reaping_is_caught() {
    Plan::new(2).bound(2).fault(Fault::NoneDead).fails("a slot is lost", dead_sender);
}

/// A sender that lives takes long to fill its slot.
fn living_sender(plan: &Plan) {
    let ring = Ring::new(plan);
    let (slow, rx) = (ring.end(1), ring.end(2));
    let claim = slow.claim().unwrap();
    let slow = spawn(move || slow.fill(claim, message(1, 0)));
    let receiver = spawn(move || search(&rx, 2));
    slow.join().unwrap();
    settle(&[vec![message(1, 0)]], &[receiver.join().unwrap()], &ring.drain());
    assert_whole(&ring, plan);
}

#[test]
fn a_living_senders_slot_is_left_alone() {
    let tally = Plan::new(2).holds(200, living_sender);
    assert_eq!(tally.of(Event::Reaped), 0);
}

#[test]
fn a_receiver_that_reaps_the_living_is_caught() {
    Plan::new(2).fault(Fault::AllDead).fails("lost", living_sender);
}

#[test]
fn reaping_the_living_is_caught() {
    // Reaped, its slot may be claimed by another while it fills it.
    Plan::new(2).fault(Fault::AllDead).fails("Causality violation", |plan| {
        let ring = Ring::new(plan);
        let (slow, tx) = (ring.end(1), ring.end(2));
        let claim = slow.claim().unwrap();
        tx.send(message(2, 0));
        let slow = spawn(move || slow.fill(claim, message(1, 0)));
        let sender = spawn(move || tx.send_all(&[message(2, 1)], 1));
        slow.join().unwrap();
        let sent = [vec![message(2, 0)], sender.join().unwrap()].concat();
        settle(&[vec![message(1, 0)], sent], &[], &ring.drain());
    });
}
