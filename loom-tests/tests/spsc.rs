//! The spsc ring: nothing lost, nothing torn, in order; and whoever takes a role over goes on where the other stopped.

#![cfg(loom)]

use loom::thread::{spawn, yield_now};
use ringmail::sync::Ordering::{self, *};
use ringmail::sync::model::Action;
use ringmail_loom_tests::spsc::{Handle, Receiver, Sender};
use ringmail_loom_tests::{Fault, Plan};

fn relaxed_stores(action: Action, ordering: Ordering) -> Ordering {
    if matches!(action, Action::Store(_)) { Relaxed } else { ordering }
}

fn relaxed_loads(action: Action, ordering: Ordering) -> Ordering {
    if action == Action::Load { Relaxed } else { ordering }
}

/// Sends `from`, `from + 1` and so on before `to`, in at most so many attempts. Returns what comes next.
fn send_from(tx: &mut Sender, from: u64, to: u64, attempts: usize) -> u64 {
    let mut next = from;
    for _ in 0..attempts {
        if next < to && tx.send(next) {
            next += 1;
        } else {
            yield_now();
        }
    }
    next
}

fn receive(rx: &mut Receiver, attempts: usize) -> Vec<u64> {
    let mut received = Vec::new();
    for _ in 0..attempts {
        match rx.receive() {
            Some(value) => received.push(value),
            None => yield_now(),
        }
    }
    received
}

/// Each message once, in order, from zero.
fn assert_in_order(received: Vec<u64>, sent: u64) {
    assert_eq!(received, (0..sent).collect::<Vec<_>>(), "lost, torn or out of order");
}

/// More messages than slots.
fn wrap(plan: &Plan) {
    let ring = Handle::new(plan);
    let (mut tx, mut rx) = (ring.sender(), ring.receiver());
    let messages = plan.capacity + 2;
    let sender = spawn(move || send_from(&mut tx, 0, messages, messages as usize + 2));
    let receiver = spawn(move || {
        let received = receive(&mut rx, messages as usize + 1);
        (rx, received)
    });
    let sent = sender.join().unwrap();
    let (mut rx, mut received) = receiver.join().unwrap();
    received.extend(std::iter::from_fn(|| rx.receive()));
    assert_in_order(received, sent);
}

#[test]
fn one_slot_wraps() {
    Plan::new(1).bound(3).holds(1200, wrap);
}

#[test]
fn two_slots_wrap() {
    Plan::new(2).bound(3).holds(29_000, wrap);
}

#[test]
fn three_slots_wrap() {
    Plan::new(3).bound(2).holds(35_000, wrap);
}

#[test]
fn a_relaxed_commit_is_caught() {
    Plan::new(2).bound(3).words(relaxed_stores).fails("Causality violation", wrap);
}

#[test]
fn a_relaxed_look_for_messages_is_caught() {
    Plan::new(2).bound(3).words(relaxed_loads).fails("Causality violation", wrap);
}

#[test]
fn a_relaxed_acknowledgement_is_caught() {
    Plan::new(2).bound(3).skips(relaxed_stores).fails("Causality violation", wrap);
}

#[test]
fn a_relaxed_look_for_room_is_caught() {
    Plan::new(2).bound(3).skips(relaxed_loads).fails("Causality violation", wrap);
}

#[test]
fn publishing_before_the_payload_is_caught() {
    Plan::new(2).bound(3).fault(Fault::PublishFirst).fails("Causality violation", wrap);
}

#[test]
fn acknowledging_before_reading_is_caught() {
    Plan::new(2).bound(3).fault(Fault::AcknowledgeFirst).fails("Causality violation", wrap);
}

/// Batches of up to three through two slots: what fits goes with one commit.
fn batches(plan: &Plan) {
    let ring = Handle::new(plan);
    let (mut tx, mut rx) = (ring.sender(), ring.receiver());
    let sender = spawn(move || {
        let mut sent = tx.send_batch(&[0, 1, 2]);
        for _ in 0..2 {
            sent += tx.send_batch(&[0, 1, 2].map(|i| sent as u64 + i));
        }
        sent as u64
    });
    let receiver = spawn(move || {
        let received = receive(&mut rx, 3);
        (rx, received)
    });
    let sent = sender.join().unwrap();
    let (mut rx, mut received) = receiver.join().unwrap();
    received.extend(std::iter::from_fn(|| rx.receive()));
    assert_in_order(received, sent);
}

#[test]
fn batches_arrive_whole() {
    Plan::new(2).bound(3).holds(550, batches);
}

#[test]
fn a_relaxed_commit_of_a_batch_is_caught() {
    Plan::new(2).bound(3).words(relaxed_stores).fails("Causality violation", batches);
}

/// Each role changes hands: the sender dies with a slot half filled, the receiver with a message in hand.
fn succession(plan: &Plan) {
    let ring = Handle::new(plan);
    let (first_tx, mut first_rx) = (ring.sender(), ring.receiver());
    let (to_sender, to_receiver) = (ring.clone(), ring.clone());
    let sender = spawn(move || {
        let mut dying = first_tx;
        let next = send_from(&mut dying, 0, 1, 1);
        if let Some(slot) = dying.producer.claim() {
            dying.write(slot, 77);
        }
        drop(dying);
        send_from(&mut to_sender.sender(), next, 3, 3)
    });
    let receiver = spawn(move || {
        let again = first_rx.take().map(|(slot, _)| first_rx.read(slot));
        let mut rx = to_receiver.receiver();
        if again.is_some() {
            assert!(rx.consumer.is_again(), "delivered again and not flagged");
        }
        let first = rx.receive();
        if let (Some(again), Some(first)) = (again, first) {
            assert_eq!(again, first);
        }
        assert!(again.is_none() || first.is_some(), "lost");
        let mut received: Vec<u64> = first.into_iter().collect();
        received.extend(receive(&mut rx, 2));
        (rx, received)
    });
    let sent = sender.join().unwrap();
    let (mut rx, mut received) = receiver.join().unwrap();
    received.extend(std::iter::from_fn(|| rx.receive()));
    assert_in_order(received, sent);
}

#[test]
fn a_successor_goes_on() {
    Plan::new(2).bound(3).holds(8000, succession);
}

#[test]
fn succession_after_publishing_before_the_payload_is_caught() {
    Plan::new(2).bound(3).fault(Fault::PublishFirst).fails("Causality violation", succession);
}
