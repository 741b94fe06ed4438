//! Other queues that build in seconds, in the same loops.

use super::{Apart, CAPACITY, Case, Loops, Pass, RUN, Together, Words, others};
use crossbeam_queue::ArrayQueue;
use std::hint::black_box;
use std::sync::Arc;

pub const CASES: &[Case] = &[
    others("rtrb  8 B, together", rtrb::<u64, Together>),
    others("rtrb  8 B, apart", rtrb::<u64, Apart>),
    others("rtrb 64 B, together", rtrb::<[u64; 8], Together>),
    others("rtrb 64 B, apart", rtrb::<[u64; 8], Apart>),
    others("rtrb  8 B, in runs", rtrb_runs),
    others("ArrayQueue  8 B, together", array_queue::<u64, Together>),
    others("ArrayQueue  8 B, apart", array_queue::<u64, Apart>),
    others("ArrayQueue 64 B, together", array_queue::<[u64; 8], Together>),
    others("ArrayQueue 64 B, apart", array_queue::<[u64; 8], Apart>),
];

fn rtrb<M: Words, L: Loops>() -> Pass {
    L::pass(
        rtrb::RingBuffer::new(CAPACITY),
        |tx, number| tx.push(M::numbered(number)).expect("room"),
        |rx| rx.pop().expect("a message").look(),
    )
}

fn rtrb_runs() -> Pass {
    let (mut tx, mut rx) = rtrb::RingBuffer::<u64>::new(CAPACITY);
    Box::new(move |count| {
        for _ in 0..count / RUN {
            let chunk = tx.write_chunk_uninit(RUN).expect("room");
            chunk.fill_from_iter(black_box(&[0; RUN]).iter().copied());
            let chunk = rx.read_chunk(RUN).expect("messages");
            let (first, second) = chunk.as_slices();
            first.iter().chain(second).for_each(|message| _ = black_box(message));
            chunk.commit_all();
        }
    })
}

fn array_queue<M: Words, L: Loops>() -> Pass {
    let tx = Arc::new(ArrayQueue::new(CAPACITY));
    let rx = Arc::clone(&tx);
    L::pass(
        (tx, rx),
        |tx, number| tx.push(M::numbered(number)).expect("room"),
        |rx| rx.pop().expect("a message").look(),
    )
}
