//! Batches of an mpmc ring: what simply came in order, what was passed over and what comes again lie in one batch, each is what was sent, and
//! acknowledging or rejecting the batch does so to each.

mod support;

use ringmail::mpmc::{self, Batch, Receiver, Sender};
use ringmail::{Options, TryRecvError};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use support::watchdog;

const CAPACITY: usize = 4;

fn ring() -> (Sender<u64>, Receiver<u64>) {
    mpmc::channel(&Options::new().capacity(CAPACITY)).unwrap()
}

/// What a batch has, one by one, all in one go, and by place: message and redeliveries.
fn contents(batch: &Batch<'_, u64>) -> Vec<(u64, u32)> {
    let by_place: Vec<_> = (0..batch.len()).map(|at| (*batch.get(at).unwrap(), batch.redelivered(at))).collect();
    let mut one_by_one = Vec::new();
    for message in batch.iter() {
        one_by_one.push(*message);
    }
    let mut in_one_go = Vec::new();
    batch.iter().for_each(|message| in_one_go.push(*message));
    assert_eq!(one_by_one, in_one_go);
    assert_eq!(one_by_one, by_place.iter().map(|&(message, _)| message).collect::<Vec<_>>());
    by_place
}

/// A ring whose next batch begins in order, at a message of an earlier lap, and goes on behind a position that was passed over.
fn of_two_laps(tx: &Sender<u64>, rx: &Receiver<u64>) {
    let mut slow = tx.loan_uninit().unwrap();
    (1..4).for_each(|message| tx.try_send(&message).unwrap());
    assert_eq!(contents(&rx.recv_many(9).unwrap()), [(1, 0), (2, 0), (3, 0)]);
    // The slot of the loan is passed over.
    tx.try_send(&4).unwrap();
    *slow = 0;
    slow.commit().unwrap();
}

/// All slots are free, and hold what is sent.
fn assert_whole(tx: &Sender<u64>, rx: &Receiver<u64>) {
    assert_eq!(rx.try_recv().map(|message| *message), Err(TryRecvError::Empty));
    assert!(tx.is_empty());
    for round in 0..3 {
        let messages = 100 * round..100 * round + CAPACITY as u64;
        messages.clone().for_each(|message| tx.try_send(&message).unwrap());
        assert!(tx.try_send(&0).unwrap_err().is_full());
        assert_eq!(contents(&rx.recv_many(9).unwrap()), messages.map(|message| (message, 0)).collect::<Vec<_>>());
    }
}

#[test]
fn a_batch_over_the_end_of_a_lap() {
    let (tx, rx) = ring();
    for start in 0..20 {
        (start..start + 3).for_each(|message| tx.try_send(&message).unwrap());
        let batch = rx.try_recv_many(9).unwrap();
        assert_eq!(contents(&batch), [(start, 0), (start + 1, 0), (start + 2, 0)]);
        // None is acknowledged yet.
        tx.try_send(&99).unwrap();
        assert!(tx.try_send(&99).unwrap_err().is_full());
        batch.ack();
        assert_eq!(rx.try_recv_copy(), Ok(99));
    }
    assert_whole(&tx, &rx);
}

#[test]
fn a_batch_of_two_laps_is_acknowledged() {
    let (tx, rx) = ring();
    of_two_laps(&tx, &rx);
    assert_eq!(contents(&rx.recv_many(9).unwrap()), [(0, 0), (4, 0)]);
    assert_whole(&tx, &rx);
}

#[test]
fn a_batch_of_two_laps_is_rejected() {
    let (tx, rx) = ring();
    of_two_laps(&tx, &rx);
    rx.recv_many(9).unwrap().reject();
    let mut again = Vec::new();
    while let Ok(batch) = rx.try_recv_many(9) {
        again.extend(contents(&batch));
    }
    again.sort_unstable();
    assert_eq!(again, [(0, 1), (4, 1)]);
    assert_whole(&tx, &rx);
}

#[test]
fn a_batch_that_begins_with_what_comes_again() {
    let (tx, rx) = ring();
    (1..3).for_each(|message| tx.try_send(&message).unwrap());
    rx.recv_many(9).unwrap().reject();
    tx.try_send(&3).unwrap();
    let mut got = Vec::new();
    while let Ok(batch) = rx.try_recv_many(9) {
        got.extend(contents(&batch));
    }
    got.sort_unstable();
    assert_eq!(got, [(1, 1), (2, 1), (3, 0)]);
    assert_whole(&tx, &rx);
}

/// Whoever takes what lies beyond a slow writer has not passed that one.
#[test]
fn a_batch_beyond_a_slow_writer_leaves_its_message_next() {
    let (tx, rx) = mpmc::channel::<u64>(&Options::new().capacity(8)).unwrap();
    let mut slow = tx.loan_uninit().unwrap();
    (1..4).for_each(|message| tx.try_send(&message).unwrap());
    assert_eq!(contents(&rx.try_recv_many(9).unwrap()), [(1, 0), (2, 0), (3, 0)]);
    *slow = 0;
    slow.commit().unwrap();
    tx.try_send(&4).unwrap();
    assert_eq!(contents(&rx.try_recv_many(9).unwrap())[0], (0, 0));
}

#[test]
fn no_more_than_was_asked_for() {
    let (tx, rx) = ring();
    (0..4).for_each(|message| tx.try_send(&message).unwrap());
    // At least one.
    assert_eq!(contents(&rx.recv_many(0).unwrap()), [(0, 0)]);
    assert_eq!(contents(&rx.recv_many(2).unwrap()), [(1, 0), (2, 0)]);
    assert_eq!(contents(&rx.recv_many(usize::MAX).unwrap()), [(3, 0)]);
    assert_whole(&tx, &rx);
}

/// Several threads take batches by one handle, so that one's run may be cut by another's.
#[test]
fn threads_that_share_a_receiver_get_each_message_once() {
    const MESSAGES: u64 = 20_000;
    let _watchdog = watchdog("a stream to threads that share a receiver");
    let (tx, rx) = mpmc::channel::<u64>(&Options::new().capacity(61)).unwrap();
    let (sum, count) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Ok(batch) = rx.recv_many(7) {
                    assert!((1..=7).contains(&batch.len()));
                    count.fetch_add(batch.len() as u64, Relaxed);
                    sum.fetch_add(batch.iter().sum::<u64>(), Relaxed);
                }
            });
        }
        tx.send_many(0..MESSAGES).unwrap();
        drop(tx);
    });
    assert_eq!((count.into_inner(), sum.into_inner()), (MESSAGES, MESSAGES * (MESSAGES - 1) / 2));
}
