//! What Ringmail is measured beside.

use super::{BATCH, Verbs, capacity, insist, message, read, time};
use crossbeam_channel::{Receiver, Sender};
use crossbeam_queue::ArrayQueue;
use rtrb::{Consumer, Producer};
use std::sync::Arc;
use std::time::Duration;

/// One sender and one receiver.
pub fn rtrb<const N: usize>(count: u64, verbs: Verbs) -> Duration {
    let (tx, rx) = rtrb::RingBuffer::<[u64; N]>::new(capacity(N * 8));
    let send = |tx: &mut Producer<[u64; N]>, count: u64| match verbs {
        Verbs::Single => (0..count).for_each(|number| insist(|| tx.push(message(number)).ok())),
        Verbs::Batch => {
            for start in (0..count).step_by(BATCH) {
                let end = count.min(start + BATCH as u64);
                let room = (end - start) as usize;
                insist(|| {
                    tx.write_chunk_uninit(room).ok().map(|chunk| chunk.fill_from_iter((start..end).map(message)))
                });
            }
        }
    };
    let receive = |rx: &mut Consumer<[u64; N]>, count: u64| match verbs {
        Verbs::Single => (0..count).for_each(|_| read(&insist(|| rx.pop().ok()))),
        Verbs::Batch => {
            for start in (0..count).step_by(BATCH) {
                let waiting = (count - start).min(BATCH as u64) as usize;
                insist(|| {
                    rx.read_chunk(waiting).ok().map(|chunk| {
                        let (first, second) = chunk.as_slices();
                        first.iter().chain(second).for_each(read);
                        chunk.commit_all();
                    })
                });
            }
        }
    };
    time(count, vec![tx], vec![rx], send, receive)
}

/// It has no batches.
pub fn array_queue<const N: usize>(count: u64, pairs: usize) -> Duration {
    let queue = Arc::new(ArrayQueue::<[u64; N]>::new(capacity(N * 8)));
    let send = |queue: &mut Arc<ArrayQueue<[u64; N]>>, count: u64| {
        (0..count).for_each(|number| insist(|| queue.push(message(number)).ok()));
    };
    let receive = |queue: &mut Arc<ArrayQueue<[u64; N]>>, count: u64| {
        (0..count).for_each(|_| read(&insist(|| queue.pop())));
    };
    time(count, vec![Arc::clone(&queue); pairs], vec![queue; pairs], send, receive)
}

/// It has no batches.
pub fn channel<const N: usize>(count: u64, pairs: usize) -> Duration {
    let (tx, rx) = crossbeam_channel::bounded::<[u64; N]>(capacity(N * 8));
    let send = |tx: &mut Sender<[u64; N]>, count: u64| {
        (0..count).for_each(|number| tx.send(message(number)).expect("send"));
    };
    let receive = |rx: &mut Receiver<[u64; N]>, count: u64| {
        (0..count).for_each(|_| read(&rx.recv().expect("recv")));
    };
    time(count, vec![tx; pairs], vec![rx; pairs], send, receive)
}
