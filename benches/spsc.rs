//! One sender and one receiver, in two threads: `spsc` beside `rtrb`, `ArrayQueue` and `crossbeam-channel`.
//!
//! For looking at one's own changes. Figures to be told to others come from `compare`, which knows in which regime the
//! machine was and takes the contestants in turns.

mod stream;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ringmail::{Options, spsc};
use std::sync::Arc;
use stream::{BATCH, Verbs, announce, capacity, insist, message, read, time};

fn ringmail<const N: usize>(count: u64, verbs: Verbs) -> std::time::Duration {
    let options = Options::new().capacity(capacity(N * 8)).prefault(true);
    let (tx, rx) = spsc::channel::<[u64; N]>(&options).expect("ring");
    let send = |tx: &mut spsc::Sender<[u64; N]>, count: u64| match verbs {
        Verbs::Single => (0..count).for_each(|number| tx.send(&message(number)).expect("send")),
        Verbs::Batch => {
            for start in (0..count).step_by(BATCH) {
                let end = count.min(start + BATCH as u64);
                tx.send_many((start..end).map(message::<N>)).expect("send_many");
            }
        }
    };
    let receive = |rx: &mut spsc::Receiver<[u64; N]>, count: u64| match verbs {
        Verbs::Single => (0..count).for_each(|_| read(&rx.recv().expect("recv"))),
        Verbs::Batch => {
            let mut left = count;
            while left > 0 {
                let batch = rx.recv_many(left.min(BATCH as u64) as usize).expect("recv_many");
                left -= batch.len() as u64;
                batch.iter().for_each(read);
            }
        }
    };
    time(count, vec![tx], vec![rx], send, receive)
}

fn rtrb<const N: usize>(count: u64, verbs: Verbs) -> std::time::Duration {
    let (tx, rx) = rtrb::RingBuffer::<[u64; N]>::new(capacity(N * 8));
    let send = |tx: &mut rtrb::Producer<[u64; N]>, count: u64| match verbs {
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
    let receive = |rx: &mut rtrb::Consumer<[u64; N]>, count: u64| match verbs {
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

fn array_queue<const N: usize>(count: u64) -> std::time::Duration {
    let queue = Arc::new(crossbeam_queue::ArrayQueue::<[u64; N]>::new(capacity(N * 8)));
    let send = |queue: &mut Arc<crossbeam_queue::ArrayQueue<[u64; N]>>, count: u64| {
        (0..count).for_each(|number| insist(|| queue.push(message(number)).ok()));
    };
    let receive = |queue: &mut Arc<crossbeam_queue::ArrayQueue<[u64; N]>>, count: u64| {
        (0..count).for_each(|_| read(&insist(|| queue.pop())));
    };
    time(count, vec![Arc::clone(&queue)], vec![queue], send, receive)
}

fn channel<const N: usize>(count: u64) -> std::time::Duration {
    let (tx, rx) = crossbeam_channel::bounded::<[u64; N]>(capacity(N * 8));
    let send = |tx: &mut crossbeam_channel::Sender<[u64; N]>, count: u64| {
        (0..count).for_each(|number| tx.send(message(number)).expect("send"));
    };
    let receive = |rx: &mut crossbeam_channel::Receiver<[u64; N]>, count: u64| {
        (0..count).for_each(|_| read(&rx.recv().expect("recv")));
    };
    time(count, vec![tx], vec![rx], send, receive)
}

fn size<const N: usize>(criterion: &mut Criterion) {
    for verbs in Verbs::ALL {
        let mut group = criterion.benchmark_group(format!("spsc/{}", verbs.name()));
        let bytes = N * 8;
        announce(&mut group, bytes);
        let id = |name: &str| BenchmarkId::new(name, bytes);
        group.bench_function(id("ringmail"), |bencher| bencher.iter_custom(|count| ringmail::<N>(count, verbs)));
        group.bench_function(id("rtrb"), |bencher| bencher.iter_custom(|count| rtrb::<N>(count, verbs)));
        group.bench_function(id("ArrayQueue"), |bencher| bencher.iter_custom(array_queue::<N>));
        group.bench_function(id("crossbeam-channel"), |bencher| bencher.iter_custom(channel::<N>));
        group.finish();
    }
}

criterion_group!(benches, size::<1>, size::<8>, size::<128>, size::<8192>);
criterion_main!(benches);
