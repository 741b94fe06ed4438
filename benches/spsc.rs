//! One sender and one receiver, in two threads: `spsc` beside `rtrb`, `ArrayQueue` and `crossbeam-channel`.
//!
//! For looking at one's own changes. Figures to be told to others come from `compare`, which knows in which regime the
//! machine was and takes the contestants in turns.

mod stream;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ringmail::{Options, spsc};
use stream::{BATCH, Verbs, announce, capacity, message, peers, read, time};

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

fn size<const N: usize>(criterion: &mut Criterion) {
    for verbs in Verbs::ALL {
        let mut group = criterion.benchmark_group(format!("spsc/{}", verbs.name()));
        let bytes = N * 8;
        announce(&mut group, bytes);
        let id = |name: &str| BenchmarkId::new(name, bytes);
        group.bench_function(id("ringmail"), |bencher| bencher.iter_custom(|count| ringmail::<N>(count, verbs)));
        group.bench_function(id("rtrb"), |bencher| bencher.iter_custom(|count| peers::rtrb::<N>(count, verbs)));
        let single = |name: &str| id(&verbs.of_single(name));
        group.bench_function(single("ArrayQueue"), |bencher| {
            bencher.iter_custom(|count| peers::array_queue::<N>(count, 1));
        });
        group.bench_function(single("crossbeam-channel"), |bencher| {
            bencher.iter_custom(|count| peers::channel::<N>(count, 1));
        });
        group.finish();
    }
}

criterion_group!(benches, size::<1>, size::<8>, size::<128>, size::<8192>);
criterion_main!(benches);
