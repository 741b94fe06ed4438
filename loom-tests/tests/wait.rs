//! Waiting: no wake-up is lost, and a send that overlaps a close either fails or is received.

#![cfg(loom)]

use loom::thread::spawn;
use ringmail::ring::spsc::is_acknowledged;
use ringmail::wait::Look;
use ringmail_loom_tests::futex::Event;
use ringmail_loom_tests::{Fault, Plan, message, mpmc, settle, spsc};

/// A sender and a receiver of an spsc ring, each of which sleeps while it must.
fn ping(plan: &Plan) {
    let ring = spsc::Handle::new(plan);
    let (filled, freed) = (Event::new(plan), Event::new(plan));
    let (mut tx, mut rx) = (ring.sender(), ring.receiver());
    let (to_receiver, to_sender) = (filled.clone(), freed.clone());
    let sender = spawn(move || {
        for value in 0..2 {
            let slot = freed.wait(|_| tx.producer.claim());
            tx.write(slot, value);
            to_receiver.publish(|| tx.producer.commit(1));
        }
    });
    let receiver = spawn(move || {
        for value in 0..2 {
            let (slot, position) = filled.wait(|_| rx.take());
            assert_eq!(rx.read(slot), value);
            to_sender.publish(|| rx.acknowledge(position));
        }
    });
    sender.join().unwrap();
    receiver.join().unwrap();
}

#[test]
fn sender_and_receiver_wake_each_other() {
    Plan::new(1).bound(3).holds(5000, ping);
}

/// A sender, and a receiver that wakes by himself before he is woken.
fn nap(plan: &Plan) {
    let ring = spsc::Handle::new(plan);
    let filled = Event::napping(plan, 2);
    let (mut tx, mut rx) = (ring.sender(), ring.receiver());
    let to_receiver = filled.clone();
    let sender = spawn(move || {
        for value in 0..2 {
            let slot = tx.producer.claim().unwrap();
            tx.write(slot, value);
            to_receiver.publish(|| tx.producer.commit(1));
        }
    });
    let receiver = spawn(move || {
        for value in 0..2 {
            let (slot, position) = filled.wait(|_| rx.take());
            assert_eq!(rx.read(slot), value);
            rx.acknowledge(position);
        }
    });
    sender.join().unwrap();
    receiver.join().unwrap();
}

#[test]
fn who_wakes_by_himself_is_woken_all_the_same() {
    Plan::new(2).bound(3).holds(18_000, nap);
}

#[test]
fn a_napper_without_barrier_is_caught() {
    Plan::new(2).bound(3).fault(Fault::NoBarrier).fails("deadlock", nap);
}

#[test]
fn a_sleeper_without_barrier_is_caught() {
    Plan::new(1).bound(3).fault(Fault::NoBarrier).fails("deadlock", ping);
}

#[test]
fn a_publisher_without_fence_is_caught() {
    Plan::new(1).bound(3).fault(Fault::NoFence).fails("deadlock", ping);
}

#[test]
fn looking_for_sleepers_before_publishing_is_caught() {
    Plan::new(1).bound(3).fault(Fault::WakeFirst).fails("deadlock", ping);
}

#[test]
fn waking_nobody_is_caught() {
    Plan::new(1).bound(3).fault(Fault::WakeNever).fails("deadlock", ping);
}

/// The next message for a receiver that sleeps while there is none.
fn receive(rx: &mpmc::End, filled: &Event) -> u64 {
    let taken = filled.wait(|look| if look == Look::Search { rx.search() } else { rx.take() });
    rx.finish(taken)
}

/// A sender of two messages and two receivers of one each.
fn crowd(plan: &Plan) {
    let ring = mpmc::Ring::new(plan);
    let filled = Event::new(plan);
    let (tx, one, two) = (ring.end(1), ring.end(2), ring.end(3));
    let (first, second) = (filled.clone(), filled.clone());
    let sender = spawn(move || {
        for value in [message(1, 0), message(1, 1)] {
            let claim = tx.claim().unwrap();
            filled.publish(|| tx.fill(claim, value));
        }
    });
    let one = spawn(move || vec![receive(&one, &first)]);
    let two = spawn(move || vec![receive(&two, &second)]);
    sender.join().unwrap();
    settle(&[vec![message(1, 0), message(1, 1)]], &[one.join().unwrap(), two.join().unwrap()], &ring.drain());
}

#[test]
fn every_receiver_is_woken() {
    Plan::new(2).bound(2).holds(12_000, crowd);
}

#[test]
fn waking_one_of_two_is_caught() {
    Plan::new(2).bound(2).fault(Fault::WakeOne).fails("deadlock", crowd);
}

/// Two senders before a full ring, and one receiver of all.
fn queue(plan: &Plan) {
    let ring = mpmc::Ring::new(plan);
    let (filled, freed) = (Event::new(plan), Event::new(plan));
    let (one, two, rx) = (ring.end(1), ring.end(2), ring.end(3));
    assert!(one.send(message(1, 0)));
    let send = |tx: mpmc::End, value: u64| {
        let (filled, freed) = (filled.clone(), freed.clone());
        spawn(move || {
            let claim = freed.wait(|_| tx.claim());
            filled.publish(|| tx.fill(claim, value));
        })
    };
    let (one, two) = (send(one, message(1, 1)), send(two, message(2, 0)));
    let receiver = spawn(move || {
        let mut received = Vec::new();
        for _ in 0..3 {
            let (value, _) = freed.publish(|| receive(&rx, &filled));
            received.push(value);
        }
        received
    });
    one.join().unwrap();
    two.join().unwrap();
    let sent = [vec![message(1, 0), message(1, 1)], vec![message(2, 0)]];
    settle(&sent, &[receiver.join().unwrap()], &ring.drain());
}

#[test]
fn every_sender_is_woken() {
    Plan::new(1).bound(1).holds(11_000, queue);
}

#[test]
fn waking_one_sender_of_two_is_caught() {
    Plan::new(1).bound(2).fault(Fault::WakeOne).fails("deadlock", queue);
}

/// A sender, a receiver until the end, and somebody who closes the ring.
fn close(plan: &Plan) {
    let ring = mpmc::Ring::new(plan);
    let filled = Event::new(plan);
    let (tx, rx) = (ring.end(1), ring.end(2));
    let (to_receiver, closer) = (filled.clone(), filled.clone());
    let ignore = plan.has(Fault::IgnoreClose);
    let sender = spawn(move || {
        let claim = tx.claim().unwrap();
        let ((), closed) = to_receiver.publish(|| tx.fill(claim, message(1, 0)));
        if closed && !ignore && tx.retract(claim) { vec![] } else { vec![message(1, 0)] }
    });
    let receiver = spawn(move || {
        let next = || filled.wait_open(|| rx.search()).map(|taken| rx.finish(taken));
        std::iter::from_fn(next).collect::<Vec<_>>()
    });
    let closer = spawn(move || closer.close());
    closer.join().unwrap();
    settle(&[sender.join().unwrap()], &[receiver.join().unwrap()], &[]);
    assert!(ring.drain().is_empty(), "failed, and still in the ring");
}

#[test]
fn a_send_that_overlaps_a_close_fails_or_is_received() {
    Plan::new(1).bound(3).holds(100_000, close);
}

#[test]
fn ignoring_a_close_is_caught() {
    Plan::new(1).bound(2).fault(Fault::IgnoreClose).fails("lost", close);
}

#[test]
fn ending_without_a_last_look_is_caught() {
    Plan::new(1).bound(3).fault(Fault::NoLastLook).fails("lost", close);
}

/// The same of an spsc ring, whose sender cannot take a message back: it reports success only of what is acknowledged.
fn close_spsc(plan: &Plan) {
    let ring = spsc::Handle::new(plan);
    let filled = Event::new(plan);
    let (mut tx, mut rx) = (ring.sender(), ring.receiver());
    let (to_receiver, closer) = (filled.clone(), filled.clone());
    let ignore = plan.has(Fault::IgnoreClose);
    let sender = spawn(move || {
        let slot = tx.producer.claim().unwrap();
        tx.write(slot, 0);
        let ((), closed) = to_receiver.publish(|| tx.producer.commit(1));
        !closed || ignore || is_acknowledged(tx.producer.shared(), tx.producer.tail())
    });
    let receiver = spawn(move || {
        let next = || filled.wait_open(|| rx.receive());
        std::iter::from_fn(next).count()
    });
    let closer = spawn(move || closer.close());
    closer.join().unwrap();
    let (sent, received) = (sender.join().unwrap(), receiver.join().unwrap());
    assert!(received == 1 || !sent, "lost");
}

#[test]
fn an_spsc_send_that_overlaps_a_close_fails_or_is_received() {
    Plan::new(1).bound(3).holds(37_000, close_spsc);
}

#[test]
fn ignoring_a_close_of_an_spsc_ring_is_caught() {
    Plan::new(1).bound(3).fault(Fault::IgnoreClose).fails("lost", close_spsc);
}

#[test]
fn ending_an_spsc_ring_without_a_last_look_is_caught() {
    Plan::new(1).bound(3).fault(Fault::NoLastLook).fails("lost", close_spsc);
}
