//! Many senders, many receivers: messages a second, all together.
//!
//! Ringmail with its blocking verbs, so with wake-ups; each thread has a handle of its own. `ArrayQueue` has no blocking:
//! who must wait spins and, after a while, gives way. With more workers than cores senders share the one core and receivers
//! the other (on two cores; see `--float`).
//!
//! Each sender sends its share, and the last to be done sends every receiver a message to stop at. In the warm-up every
//! message is verified, and the order of each sender's; in the timed pass the sum of all words and the count are.
//!
//! What bounds it is the cache lines that change cores for a message, not the read-modify-writes: at 8 bytes four slots
//! share a line, at 56 bytes each slot is one.

use super::{Case, Contestant, Direction, Goal};
use crate::bare::Shared;
use crate::crew::{self, Cores, Job, Log, Mode, Post};
use crate::payload::Payload;
use ringmail::{Options, mpmc};
use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::*};

/// Slots.
const CAPACITY: usize = 1024;
/// Messages of each sender in the warm-up.
const WARM: u64 = 8 * CAPACITY as u64;
/// The number of a message after which nothing comes.
const STOP: u64 = u64::MAX;
/// A sender's own numbers; its place stands above them.
const PLACE: u32 = 48;

/// A queue that workers take their ends of.
trait Queue<M>: Clone + Send + 'static {
    type Tx;
    type Rx;
    fn sender(&self) -> Self::Tx;
    fn receiver(&self) -> Self::Rx;
    fn send(tx: &mut Self::Tx, message: M);
    fn receive<T>(rx: &mut Self::Rx, read: impl FnOnce(&M) -> T) -> T;
}

/// What all receivers of a pass got.
#[repr(C)]
struct Total {
    count: AtomicU64,
    sum: AtomicU64,
}

/// Sends this worker's share of a pass, and the end if it is the last.
fn send_pass<M: Payload, Q: Queue<M>>(
    tx: &mut Q::Tx,
    post: &Post<'_>,
    pass: usize,
    share: u64,
    (place, senders, receivers): (usize, usize, usize),
) {
    let base = (place as u64) << PLACE;
    for number in base..base + share {
        Q::send(tx, M::numbered(number));
    }
    if post.is_last(pass, senders) {
        (0..receivers).for_each(|_| Q::send(tx, M::numbered(STOP)));
    }
}

/// Sends `n` messages from some workers to others.
fn fan<M: Payload, Q: Queue<M>>(
    mode: Mode,
    cores: &Cores,
    n: u64,
    queue: Q,
    senders: usize,
    receivers: usize,
) -> Option<Log> {
    let share = n / senders as u64;
    // SAFETY: zeroes are atomics.
    let total: Arc<Shared<Total>> = Arc::new(unsafe { Shared::zeroed(size_of::<Total>()) });
    let mut jobs: Vec<Job> = Vec::new();
    // In turns, so that workers of both kinds are spread over the cores.
    for place in 0..senders.max(receivers) {
        if place < senders {
            let queue = queue.clone();
            jobs.push(Box::new(move |post| {
                let mut tx = queue.sender();
                send_pass::<M, Q>(&mut tx, post, 0, WARM, (place, senders, receivers));
                post.start();
                send_pass::<M, Q>(&mut tx, post, 1, share, (place, senders, receivers));
                post.finish();
                post.meet();
            }));
        }
        if place < receivers {
            let (queue, total) = (queue.clone(), Arc::clone(&total));
            jobs.push(Box::new(move |post| {
                let mut rx = queue.receiver();
                verify_pass::<M, Q>(&mut rx, senders);
                post.start();
                let (count, sum) = sum_pass::<M, Q>(&mut rx);
                post.finish();
                total.count.fetch_add(count, AcqRel);
                total.sum.fetch_add(sum, AcqRel);
                post.meet();
            }));
        }
    }
    let log = crew::run(mode, cores, jobs)?;
    let bases = (0..senders as u64).map(|place| place << PLACE);
    let sum = bases.fold(0, |sum: u64, base| sum.wrapping_add(M::sum_of(base..base + share)));
    assert_eq!(
        (total.count.load(Acquire), total.sum.load(Acquire)),
        (share * senders as u64, sum),
        "messages are missing"
    );
    Some(log)
}

/// Receives until the end, and looks at everything.
fn verify_pass<M: Payload, Q: Queue<M>>(rx: &mut Q::Rx, senders: usize) {
    let mut last = vec![None; senders];
    while let Some((place, number)) = Q::receive(rx, |message| {
        message.verify();
        (message.number() != STOP).then(|| ((message.number() >> PLACE) as usize, message.number()))
    }) {
        assert!(last[place] < Some(number), "a sender's messages out of order");
        last[place] = Some(number);
    }
}

/// Receives until the end; returns the count of messages and the sum of their words.
fn sum_pass<M: Payload, Q: Queue<M>>(rx: &mut Q::Rx) -> (u64, u64) {
    let (mut count, mut sum) = (0_u64, 0_u64);
    loop {
        let (number, words) = Q::receive(rx, |message| (message.number(), message.sum()));
        if number == STOP {
            return (count, sum);
        }
        count += 1;
        sum = sum.wrapping_add(words);
    }
}

/// Tries until it works: spins a little, then gives way each time.
#[inline]
fn insist<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    let mut turns = 0_u32;
    loop {
        if let Some(done) = attempt() {
            return done;
        }
        turns += 1;
        if turns.is_multiple_of(64) {
            std::thread::yield_now();
        }
        spin_loop();
    }
}

impl<M: Payload> Queue<M> for mpmc::Ring<M> {
    type Tx = mpmc::Sender<M>;
    type Rx = mpmc::Receiver<M>;

    fn sender(&self) -> Self::Tx {
        mpmc::Ring::sender(self).expect("sender")
    }

    fn receiver(&self) -> Self::Rx {
        mpmc::Ring::receiver(self).expect("receiver")
    }

    #[inline]
    fn send(tx: &mut Self::Tx, message: M) {
        tx.send(&message).expect("send");
    }

    #[inline]
    fn receive<T>(rx: &mut Self::Rx, read: impl FnOnce(&M) -> T) -> T {
        read(&rx.recv_copy().expect("recv"))
    }
}

impl<M: Payload> Queue<M> for Arc<crossbeam_queue::ArrayQueue<M>> {
    type Tx = Self;
    type Rx = Self;

    fn sender(&self) -> Self {
        Arc::clone(self)
    }

    fn receiver(&self) -> Self {
        Arc::clone(self)
    }

    #[inline]
    fn send(tx: &mut Self, message: M) {
        insist(|| tx.push(message).ok());
    }

    #[inline]
    fn receive<T>(rx: &mut Self, read: impl FnOnce(&M) -> T) -> T {
        read(&insist(|| rx.pop()))
    }
}

impl<M: Payload> Queue<M> for (crossbeam_channel::Sender<M>, crossbeam_channel::Receiver<M>) {
    type Tx = crossbeam_channel::Sender<M>;
    type Rx = crossbeam_channel::Receiver<M>;

    fn sender(&self) -> Self::Tx {
        self.0.clone()
    }

    fn receiver(&self) -> Self::Rx {
        self.1.clone()
    }

    #[inline]
    fn send(tx: &mut Self::Tx, message: M) {
        tx.send(message).expect("send");
    }

    #[inline]
    fn receive<T>(rx: &mut Self::Rx, read: impl FnOnce(&M) -> T) -> T {
        read(&rx.recv().expect("recv"))
    }
}

impl<M: Payload> Queue<M> for (kanal::Sender<M>, kanal::Receiver<M>) {
    type Tx = kanal::Sender<M>;
    type Rx = kanal::Receiver<M>;

    fn sender(&self) -> Self::Tx {
        self.0.clone()
    }

    fn receiver(&self) -> Self::Rx {
        self.1.clone()
    }

    #[inline]
    fn send(tx: &mut Self::Tx, message: M) {
        tx.send(message).expect("send");
    }

    #[inline]
    fn receive<T>(rx: &mut Self::Rx, read: impl FnOnce(&M) -> T) -> T {
        read(&rx.recv().expect("recv"))
    }
}

/// Both ends of a `shaq` queue in a mapping that forked processes share.
#[derive(Clone)]
struct Shaq<M>(Arc<(shaq::mpmc::Producer<M>, shaq::mpmc::Consumer<M>)>);

impl<M: Payload> Shaq<M> {
    fn new() -> Self {
        let size = shaq::mpmc::minimum_file_size::<M>(CAPACITY);
        let file = crate::bare::memory_file(size);
        // SAFETY: the file is new, and nobody else initialises it.
        let producer = unsafe { shaq::mpmc::Producer::create(&file, size) }.expect("shaq");
        let consumer = producer.join_as_consumer();
        Self(Arc::new((producer, consumer)))
    }
}

impl<M: Payload> Queue<M> for Shaq<M> {
    type Tx = Self;
    type Rx = Self;

    fn sender(&self) -> Self {
        self.clone()
    }

    fn receiver(&self) -> Self {
        self.clone()
    }

    #[inline]
    fn send(tx: &mut Self, message: M) {
        insist(|| tx.0.0.try_write(message).ok());
    }

    #[inline]
    fn receive<T>(rx: &mut Self, read: impl FnOnce(&M) -> T) -> T {
        read(&insist(|| rx.0.1.try_read()))
    }
}

/// A contestant that makes a new queue for each sample.
fn contestant<M: Payload, Q: Queue<M>>(
    name: &'static str,
    mode: Mode,
    (senders, receivers): (usize, usize),
    queue: impl Fn() -> Q + 'static,
) -> Contestant {
    Contestant::rate(name, mode, move |cores, n| fan::<M, Q>(mode, cores, n, queue(), senders, receivers))
}

fn case<M: Payload>(name: &'static str, about: &'static str, shape: (usize, usize), bound: f64) -> Case {
    let ring = || mpmc::Ring::<M>::anonymous(&Options::new().capacity(CAPACITY)).expect("ring");
    Case {
        name,
        about,
        direction: Direction::MoreIsBetter("million/s"),
        first: 40_000,
        step: 4,
        contestants: vec![
            contestant::<M, _>("ringmail", Mode::Threads, shape, ring),
            contestant::<M, _>("ArrayQueue", Mode::Threads, shape, || {
                Arc::new(crossbeam_queue::ArrayQueue::<M>::new(CAPACITY))
            }),
            contestant::<M, _>("crossbeam-channel", Mode::Threads, shape, || crossbeam_channel::bounded::<M>(CAPACITY)),
            contestant::<M, _>("kanal", Mode::Threads, shape, || kanal::bounded::<M>(CAPACITY)),
            contestant::<M, _>("ringmail, processes", Mode::Processes, shape, ring),
            contestant::<M, _>("shaq", Mode::Processes, shape, Shaq::<M>::new),
        ],
        goals: vec![Goal { best_of: &["ArrayQueue"], bound }],
    }
}

macro_rules! shapes {
    ($message:ty, $bytes:literal, $($name:literal $senders:literal $receivers:literal $bound:expr),*) => {
        vec![$(case::<$message>(
            concat!("mpmc-", $bytes, "-", $name),
            concat!("MPMC, ", $bytes, " B, ", $senders, " senders, ", $receivers, " receivers, capacity 1024"),
            ($senders, $receivers),
            $bound,
        )),*]
    };
}

pub fn cases() -> Vec<Case> {
    let mut cases =
        shapes!([u64; 1], "8", "1p1c" 1 1 5.0, "2p1c" 2 1 4.0, "1p2c" 1 2 2.7, "2p2c" 2 2 6.0, "4p4c" 4 4 6.0);
    cases.extend(
        shapes!([u64; 6], "48", "1p1c" 1 1 1.5, "2p1c" 2 1 1.5, "1p2c" 1 2 1.5, "2p2c" 2 2 1.5, "4p4c" 4 4 1.5),
    );
    cases.extend(
        shapes!([u64; 7], "56", "1p1c" 1 1 1.5, "2p1c" 2 1 1.5, "1p2c" 1 2 1.5, "2p2c" 2 2 1.5, "4p4c" 4 4 1.5),
    );
    cases
}
