//! The capacity is exact, and a slot that is held costs that slot and nothing else.
//!
//! A slot that senders passed over because it was held, or whose loan was dropped, serves again from the next lap on: until the
//! messages that wait in front of it are received, they are one fewer than the capacity.

#[macro_use]
mod support;

use ringmail::{Options, mpmc as many};
use std::collections::VecDeque;
use support::{Process, Seeded, hear, name, role, say};

const CAPACITIES: [usize; 7] = [1, 2, 3, 5, 7, 8, 1000];
const STREAM: u64 = 100_000;

both! {
    #[test]
    fn exactly_so_many_fit() {
        for capacity in CAPACITIES {
            let (mut tx, mut rx) = flavour::channel::<u64>(&Options::new().capacity(capacity)).unwrap();
            let (mut sent, mut received) = (0, 0);
            // Several laps, so that every slot is the last one that fits, once.
            for _ in 0..capacity.min(20) + 3 {
                while sent < received + capacity as u64 {
                    assert!(tx.has_space() && !tx.is_full());
                    assert_eq!(tx.len(), (sent - received) as usize);
                    tx.try_send(&sent).unwrap();
                    sent += 1;
                }
                assert!(tx.is_full() && !tx.has_space() && tx.len() == capacity);
                assert!(tx.try_send(&sent).unwrap_err().is_full(), "capacity {capacity}");
                // What was handed out is not free yet; what was acknowledged is, at once.
                let message = rx.recv().unwrap();
                assert_eq!(*message, received);
                message.ack();
                received += 1;
                tx.try_send(&sent).unwrap();
                sent += 1;
                assert!(tx.try_send(&sent).unwrap_err().is_full(), "capacity {capacity}");
                for _ in 0..(capacity / 2).max(1) {
                    assert_eq!(*rx.recv().unwrap(), received);
                    received += 1;
                }
            }
        }
    }

    #[test]
    fn exactly_so_many_bytes_fit() {
        for capacity in CAPACITIES {
            let (mut tx, mut rx) = flavour::channel::<[u8]>(&Options::new().capacity(capacity).max_len(16)).unwrap();
            for lap in 0..3 {
                for number in 0..capacity {
                    tx.try_send(&number.to_ne_bytes()).unwrap();
                }
                assert!(tx.try_send(b"one too many").unwrap_err().is_full(), "capacity {capacity}, lap {lap}");
                assert!(tx.try_loan(1).unwrap_err().is_full());
                for number in 0..capacity {
                    assert_eq!(*rx.try_recv().unwrap(), number.to_ne_bytes());
                }
                assert!(rx.try_recv().unwrap_err().is_empty());
            }
        }
    }

    #[test]
    fn a_message_handed_out_still_has_its_slot() {
        let (mut tx, mut rx) = flavour::channel::<u64>(&Options::new().capacity(3)).unwrap();
        (0..3).for_each(|number| tx.try_send(&number).unwrap());
        let held = rx.recv().unwrap().into_owned();
        assert!(tx.try_send(&3).unwrap_err().is_full());
        assert_eq!(tx.len(), 3);
        drop(held);
        tx.try_send(&3).unwrap();
        assert!(tx.try_send(&4).unwrap_err().is_full());
    }
}

/// Eight slots, one of them spoken for; the others carry a stream from one thread to another.
fn stream_past(tx: many::Sender<u64>, rx: &many::Receiver<u64>) {
    let sender = std::thread::spawn(move || (1..=STREAM).for_each(|number| tx.send(&number).unwrap()));
    for number in 1..=STREAM {
        assert_eq!(*rx.recv().unwrap(), number);
    }
    sender.join().unwrap();
}

#[test]
fn a_held_message_costs_one_slot() {
    let (tx, rx) = many::channel::<u64>(&Options::new().capacity(8)).unwrap();
    tx.send(&0).unwrap();
    let held = rx.recv().unwrap();
    stream_past(tx.clone(), &rx);
    assert_eq!((*held, held.redelivered()), (0, 0));
    for number in 0..7 {
        tx.try_send(&number).unwrap();
    }
    assert!(tx.try_send(&7).unwrap_err().is_full());
    drop(held);
    // The slot was passed over in this lap: it serves again as soon as the tail comes by, at the latest.
    for number in 7..15 {
        assert_eq!(*rx.try_recv().unwrap(), number - 7);
        tx.try_send(&number).unwrap();
    }
    while tx.len() < 8 {
        tx.try_send(&15).unwrap();
    }
    assert!(tx.try_send(&16).unwrap_err().is_full());
    assert_eq!(rx.try_iter().count(), 8);
}

#[test]
fn a_held_loan_costs_one_slot() {
    let (tx, rx) = many::channel::<u64>(&Options::new().capacity(8)).unwrap();
    let mut loan = tx.loan_uninit().unwrap();
    *loan = 77;
    stream_past(tx.clone(), &rx);
    for number in 0..7 {
        tx.try_send(&number).unwrap();
    }
    assert!(tx.try_send(&7).unwrap_err().is_full());
    loan.commit().unwrap();
    let mut all: Vec<_> = rx.try_iter().map(|message| *message).collect();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3, 4, 5, 6, 77]);
}

#[test]
fn a_batch_goes_round_a_held_loan() {
    let (tx, rx) = many::channel::<u64>(&Options::new().capacity(128)).unwrap();
    let loan = tx.loan_uninit().unwrap();
    for lap in 0..3 {
        tx.send_many(0..100).unwrap();
        let batch = rx.try_recv_many(200).unwrap();
        assert!(batch.iter().copied().eq(0..100), "lap {lap}");
    }
    // One that comes before the slot, ends there; the next goes round.
    drop(loan);
    tx.send_many(0..10).unwrap();
    let loan = tx.loan_uninit().unwrap();
    tx.send_many(10..20).unwrap();
    assert!(rx.try_recv_many(200).unwrap().iter().copied().eq(0..10));
    assert!(rx.try_recv_many(200).unwrap().iter().copied().eq(10..20));
    assert!(rx.try_recv_many(200).unwrap_err().is_empty());
    drop(loan);
}

#[test]
fn a_dropped_loan_gives_its_slot_back() {
    let (tx, rx) = many::channel::<u64>(&Options::new().capacity(2)).unwrap();
    for number in 0..10 {
        let loans = [tx.try_loan_uninit().unwrap(), tx.try_loan_uninit().unwrap()];
        assert!(tx.try_send(&number).unwrap_err().is_full());
        drop(loans);
        tx.try_send(&number).unwrap();
        assert_eq!(*rx.try_recv().unwrap(), number);
    }
}

/// In a ring of many senders a dropped loan used up its turn: its slot serves again from the next lap on.
#[test]
fn a_dropped_loan_blocks_nobody() {
    let (tx, rx) = many::channel::<u64>(&Options::new().capacity(3)).unwrap();
    for number in 0..20 {
        drop(tx.try_loan_uninit().unwrap());
        tx.try_send(&number).unwrap();
        assert_eq!(*rx.try_recv().unwrap(), number);
        assert!(tx.is_empty() && rx.try_recv().unwrap_err().is_empty());
    }
    (0..3).for_each(|number| tx.try_send(&number).unwrap());
    assert!(tx.try_send(&3).unwrap_err().is_full());
}

/// A ring of so many slots is full, one of which came free out of turn, and the first `before` messages wait before the tail comes round to it.
/// Each of them that is received makes room for one, the last of them for two.
fn whole_again(tx: &many::Sender<u64>, rx: &many::Receiver<u64>, before: usize) {
    let capacity = tx.capacity();
    for received in 1..=before {
        assert_eq!((tx.len(), tx.has_space()), (capacity - 1, false), "{received} of {before}, capacity {capacity}");
        assert!(tx.try_send(&0).unwrap_err().is_full());
        drop(rx.try_recv().unwrap());
        tx.try_send(&0).unwrap();
    }
    tx.try_send(&0).unwrap();
    assert_eq!((tx.len(), tx.has_space()), (capacity, false));
    assert_eq!(rx.try_iter().count(), capacity);
}

#[test]
fn a_loan_dropped_behind_messages_costs_one_until_they_are_received() {
    for capacity in [2, 3, 8] {
        for before in 1..capacity {
            let (tx, rx) = many::channel::<u64>(&Options::new().capacity(capacity)).unwrap();
            (0..before).for_each(|_| tx.try_send(&0).unwrap());
            drop(tx.try_loan_uninit().unwrap());
            (before..capacity - 1).for_each(|_| tx.try_send(&0).unwrap());
            whole_again(&tx, &rx, before);
        }
    }
}

#[test]
fn a_message_passed_over_costs_one_until_those_before_the_tail_are_received() {
    for capacity in [2, 3, 8] {
        for before in 0..capacity - 1 {
            let (tx, rx) = many::channel::<u64>(&Options::new().capacity(capacity)).unwrap();
            (0..capacity).for_each(|_| tx.try_send(&0).unwrap());
            let held = rx.try_recv().unwrap();
            for _ in before..capacity - 1 {
                drop(rx.try_recv().unwrap());
                tx.try_send(&0).unwrap();
            }
            assert!(tx.try_send(&0).unwrap_err().is_full());
            drop(held);
            whole_again(&tx, &rx, before);
        }
    }
}

#[test]
fn messages_that_are_held_are_received() {
    let (tx, rx) = many::channel::<u64>(&Options::new().capacity(2)).unwrap();
    tx.try_send(&0).unwrap();
    drop(tx.try_loan_uninit().unwrap());
    assert!(tx.try_send(&1).unwrap_err().is_full(), "with one of two");
    let held = rx.try_recv().unwrap();
    tx.try_send(&1).unwrap();
    assert_eq!((tx.len(), *held, *rx.try_recv().unwrap()), (2, 0, 1));
}

#[test]
fn another_process_streams_past_a_held_message() {
    let name = name("held");
    let ring = many::Ring::<u64>::create(&name, &Options::new().capacity(8)).unwrap();
    let (tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
    tx.send(&0).unwrap();
    let held = rx.recv().unwrap();
    let child = Process::start("child", "stream", &[&name]);
    for number in 1..=STREAM {
        assert_eq!(*rx.recv().unwrap(), number);
    }
    assert_eq!(*held, 0);
    child.finish();
}

#[test]
fn a_stream_passes_what_another_process_holds() {
    for hold in ["hold-received", "hold-loan"] {
        let name = name("holds");
        let ring = many::Ring::<u64>::create(&name, &Options::new().capacity(8)).unwrap();
        let (tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        tx.send(&0).unwrap();
        let mut child = Process::start("child", hold, &[&name]);
        child.expect("holding");
        stream_past(tx.clone(), &rx);
        child.tell("release");
        child.expect("released");
        assert!(rx.try_iter().map(|message| *message).eq((hold == "hold-loan").then_some(77)));
        child.finish();
    }
}

#[test]
fn child() {
    let Some((role, args)) = role() else { return };
    let ring = many::Ring::<u64>::open(&args[0]).unwrap();
    let (tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
    match role.as_str() {
        "stream" => (1..=STREAM).for_each(|number| tx.send(&number).unwrap()),
        "hold-received" => {
            let held = rx.recv().unwrap();
            say("holding");
            hear();
            assert_eq!(*held, 0);
            drop(held);
            say("released");
        }
        "hold-loan" => {
            assert_eq!(*rx.recv().unwrap(), 0);
            let mut loan = tx.loan_uninit().unwrap();
            say("holding");
            hear();
            *loan = 77;
            loan.commit().unwrap();
            say("released");
        }
        role => panic!("no role {role}"),
    }
}

#[test]
fn guards_may_go_in_any_order() {
    let mut seeded = Seeded(0x9e37_79b9_7f4a_7c15);
    for capacity in [2, 3, 8, 13] {
        let (tx, rx) = many::channel::<u64>(&Options::new().capacity(capacity)).unwrap();
        let (mut sent, mut received) = (0, 0);
        let mut waiting = VecDeque::new();
        let mut held = Vec::new();
        while received < 20_000 {
            match seeded.below(3) {
                0 => match tx.try_send(&sent) {
                    Ok(()) => {
                        waiting.push_back(sent);
                        sent += 1;
                    }
                    // Full only behind messages that wait, never because of those that are held.
                    Err(error) => assert!(error.is_full() && !waiting.is_empty()),
                },
                1 if held.len() < capacity - 1 => match rx.try_recv() {
                    Ok(message) => {
                        assert_eq!(Some(*message), waiting.pop_front(), "in the order sent");
                        received += 1;
                        held.push((*message, message));
                    }
                    Err(error) => assert!(error.is_empty() && waiting.is_empty()),
                },
                _ if !held.is_empty() => {
                    let (number, message) = held.swap_remove(seeded.below(held.len()));
                    assert_eq!(*message, number, "nobody wrote into a held slot");
                }
                _ => {}
            }
            assert_eq!(rx.len(), waiting.len() + held.len());
        }
    }
}

#[test]
fn seven_held_leave_one_slot_that_works() {
    let (tx, rx) = many::channel::<u64>(&Options::new().capacity(8)).unwrap();
    (0..7).for_each(|number| tx.try_send(&number).unwrap());
    let held: Vec<_> = rx.try_iter().collect();
    assert_eq!(held.len(), 7);
    for number in 0..10_000 {
        tx.try_send(&number).unwrap();
        assert!(tx.try_send(&number).unwrap_err().is_full());
        assert_eq!(*rx.try_recv().unwrap(), number);
    }
    assert!((0..7).eq(held.iter().map(|message| **message)));
}

#[test]
fn seven_loans_leave_one_slot_that_works() {
    let (tx, rx) = many::channel::<u64>(&Options::new().capacity(8)).unwrap();
    let loans: Vec<_> = (0..7).map(|_| tx.try_loan_uninit().unwrap()).collect();
    for number in 0..10_000 {
        tx.try_send(&number).unwrap();
        assert!(tx.try_send(&number).unwrap_err().is_full());
        assert_eq!(*rx.try_recv().unwrap(), number);
    }
    for (number, loan) in (0..).zip(loans) {
        loan.write(number).unwrap();
    }
    let mut all: Vec<_> = rx.try_iter().map(|message| *message).collect();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn each_sender_is_heard_in_order() {
    const EACH: u64 = 20_000;
    let (tx, rx) = many::channel::<[u64; 2]>(&Options::new().capacity(5)).unwrap();
    let senders: Vec<_> = (0..3)
        .map(|id| {
            let tx = tx.clone();
            std::thread::spawn(move || (0..EACH).for_each(|number| tx.send(&[id, number]).unwrap()))
        })
        .collect();
    drop(tx);
    let receivers: Vec<_> = (0..2)
        .map(|_| {
            let rx = rx.clone();
            std::thread::spawn(move || rx.iter().map(|message| *message).collect::<Vec<_>>())
        })
        .collect();
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    let heard: Vec<_> = receivers.into_iter().map(|receiver| receiver.join().unwrap()).collect();
    for (heard, id) in heard.iter().flat_map(|heard| (0..3).map(move |id| (heard, id))) {
        let numbers: Vec<_> = heard.iter().filter(|message| message[0] == id).map(|message| message[1]).collect();
        assert!(numbers.is_sorted(), "sender {id}");
    }
    let mut all: Vec<_> = heard.concat();
    all.sort_unstable();
    assert!(all.into_iter().eq((0..3).flat_map(|id| (0..EACH).map(move |number| [id, number]))));
}
