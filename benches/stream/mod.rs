//! Messages from some threads to others, and the time that takes: what both benches are made of.

pub mod peers;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Throughput};
use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// Messages of a batch.
pub const BATCH: usize = 32;

/// How messages are handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbs {
    /// One by one.
    Single,
    /// In batches of [`BATCH`]; who has no verb for that does as with `Single`.
    Batch,
}

impl Verbs {
    pub const ALL: [Self; 2] = [Self::Single, Self::Batch];

    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Batch => "batch",
        }
    }

    /// The name of somebody who has no batches.
    pub fn of_single(self, name: &str) -> String {
        match self {
            Self::Single => name.to_owned(),
            Self::Batch => format!("{name} (one by one)"),
        }
    }
}

/// Slots of a ring of messages of so many bytes: a footprint of some megabytes at most.
pub fn capacity(bytes: usize) -> usize {
    ((4 << 20) / bytes).min(1024)
}

/// Says what one iteration moves.
pub fn announce(group: &mut BenchmarkGroup<'_, WallTime>, bytes: usize) {
    group.throughput(if bytes < 1024 { Throughput::Elements(1) } else { Throughput::Bytes(bytes as u64) });
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(1));
}

/// A message whose words all say its number.
pub fn message<const N: usize>(number: u64) -> [u64; N] {
    [number; N]
}

/// Reads all of a message.
pub fn read<const N: usize>(message: &[u64; N]) {
    black_box(message.iter().fold(0_u64, |sum, &word| sum.wrapping_add(word)));
}

/// Tries until it works: spins a little, then gives way each time.
pub fn insist<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    let mut turns = 0_u32;
    loop {
        if let Some(done) = attempt() {
            return done;
        }
        turns += 1;
        if turns.is_multiple_of(64) {
            std::thread::yield_now();
        }
        std::hint::spin_loop();
    }
}

/// Has every sender send its share of `count` messages and every receiver receive its own; from the common start to the
/// last one's end.
pub fn time<T: Send, R: Send>(
    count: u64,
    senders: Vec<T>,
    receivers: Vec<R>,
    send: impl Fn(&mut T, u64) + Sync,
    receive: impl Fn(&mut R, u64) + Sync,
) -> Duration {
    let start = Barrier::new(senders.len() + receivers.len());
    let share = |place: usize, of: usize| (count * (place as u64 + 1) / of as u64) - (count * place as u64 / of as u64);
    let (sending, receiving) = (senders.len(), receivers.len());
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for (place, mut sender) in senders.into_iter().enumerate() {
            let (start, send) = (&start, &send);
            threads.push(scope.spawn(move || {
                start.wait();
                let began = Instant::now();
                send(&mut sender, share(place, sending));
                // A handle that is dropped early ends the stream.
                (began, Instant::now(), Some(sender), None)
            }));
        }
        for (place, mut receiver) in receivers.into_iter().enumerate() {
            let (start, receive) = (&start, &receive);
            threads.push(scope.spawn(move || {
                start.wait();
                let began = Instant::now();
                receive(&mut receiver, share(place, receiving));
                (began, Instant::now(), None, Some(receiver))
            }));
        }
        let ends: Vec<_> = threads.into_iter().map(|thread| thread.join().expect("a thread failed")).collect();
        let first = ends.iter().map(|end| end.0).min();
        let last = ends.iter().map(|end| end.1).max();
        first.zip(last).map_or(Duration::ZERO, |(first, last)| last - first)
    })
}
