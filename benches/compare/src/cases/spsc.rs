//! One sender, one receiver: messages a second.
//!
//! Two workers on two cores. The sender makes each message from its number, the receiver reads all of it. Where a queue has verbs that
//! block, as Ringmail's usual ones do, they are used; elsewhere, and by *polling*, both spin when they must wait (channels, and what is called
//! *yielding*, give way after a while). In the warm-up every message is verified; in the timed pass the sum of all words is. *In place* the
//! sender makes the message where it will be read; a disruptor knows no other way, and who reads one reads whatever is there together. The
//! messages of a batch are made in place wherever a queue lets that be, and else apart and sent as a slice.
//!
//! The limit is a bare ring of two counters, which are moved for each message, or for each batch.
//!
//! What bounds it is how often a cache line changes cores: the messages themselves (64 bytes a line) and the indices, which
//! a side reads again only when it believes the ring full or empty.

use super::{Case, Contestant, Direction, Enlist, Goal, Measure, Size};
use crate::bare;
use crate::crew::{self, Cores, Job, Log, Mode};
use crate::payload::Payload;
use crate::peers::ours::SPIN;
use crate::peers::{self, Party, disruptor, ours, rtrb, threads};
use crate::queue::{Queue, Run, Rx, Tx, Wait};
use ringmail::{Options, spsc};
use std::hint::spin_loop;
use std::marker::PhantomData;
use std::ops::Range;

/// Slots.
const CAPACITY: usize = 1024;
/// Messages of the warm-up.
const WARM: u64 = 16 * CAPACITY as u64;

/// The sending side of whatever is measured. (Always inlined, so that each contestant's handle is a local variable of the loop, as it mostly
/// is in programs.)
trait Sink {
    /// Sends the messages with these numbers, which come in whole batches.
    fn send(&mut self, numbers: Range<u64>);
}

/// The receiving side.
trait Source<M> {
    /// Receives so many messages, in whole batches.
    fn receive(&mut self, count: u64, each: impl FnMut(&M));
}

/// Streams `n` messages from one worker to another.
fn stream<M: Payload, S: Sink, R: Source<M>>(
    mode: Mode,
    cores: &Cores,
    n: u64,
    sink: impl FnOnce() -> S + Send + 'static,
    source: impl FnOnce() -> R + Send + 'static,
) -> Option<Log> {
    let sender: Job = Box::new(move |post| {
        let mut sink = sink();
        post.meet();
        sink.send(0..WARM);
        post.start();
        sink.send(WARM..WARM + n);
        post.finish();
        // What a side's leaving does is not measured, and must not disturb the other.
        post.meet();
    });
    let receiver: Job = Box::new(move |post| {
        let mut source = source();
        post.meet();
        let mut next = 0;
        source.receive(WARM, |message| {
            message.verify();
            assert_eq!(message.number(), next, "out of order");
            next += 1;
        });
        assert_eq!(next, WARM);
        post.start();
        let (mut sum, mut count) = (0_u64, 0);
        source.receive(n, |message| {
            sum = sum.wrapping_add(message.sum());
            count += 1;
        });
        post.finish();
        assert_eq!((count, sum), (n, M::sum_of(WARM..WARM + n)), "messages are missing");
        post.meet();
    });
    crew::run(mode, cores, vec![sender, receiver])
}

/// How messages are handed over. (A type each, so that each has loops of its own, as in a program: in one that chose between them, what
/// one of the verbs needs of the handle would cost the others.)
trait Verbs<M: Payload, const B: usize>: 'static {
    fn send(tx: &mut spsc::Sender<M>, run: &mut Run<M, B>, numbers: Range<u64>);
    fn receive(rx: &mut spsc::Receiver<M>, count: u64, each: impl FnMut(&M));
}

/// `try_send` and `try_recv_copy`, again until they succeed.
struct Try;

/// `send` and `recv_copy`.
struct Blocking;

/// `send` and `recv`, whose guard is dropped.
struct Guarded;

/// `send_many`, or `fill_many` for longer messages, and `recv_many`.
struct Many;

/// The same and `try_recv_many`, again until it succeeds.
struct TryMany;

impl<M: Payload, const B: usize> Verbs<M, B> for Try {
    #[inline(always)]
    fn send(tx: &mut spsc::Sender<M>, _: &mut Run<M, B>, numbers: Range<u64>) {
        for number in numbers {
            let message = M::numbered(number);
            while tx.try_send(&message).is_err() {
                spin_loop();
            }
        }
    }

    #[inline(always)]
    fn receive(rx: &mut spsc::Receiver<M>, count: u64, mut each: impl FnMut(&M)) {
        let mut left = count;
        while left > 0 {
            match rx.try_recv_copy() {
                Ok(message) => {
                    each(&message);
                    left -= 1;
                }
                Err(_) => spin_loop(),
            }
        }
    }
}

impl<M: Payload, const B: usize> Verbs<M, B> for Blocking {
    #[inline(always)]
    fn send(tx: &mut spsc::Sender<M>, _: &mut Run<M, B>, numbers: Range<u64>) {
        for number in numbers {
            tx.send(&M::numbered(number)).expect("send");
        }
    }

    #[inline(always)]
    fn receive(rx: &mut spsc::Receiver<M>, count: u64, mut each: impl FnMut(&M)) {
        for _ in 0..count {
            each(&rx.recv_copy().expect("recv"));
        }
    }
}

impl<M: Payload, const B: usize> Verbs<M, B> for Guarded {
    #[inline(always)]
    fn send(tx: &mut spsc::Sender<M>, run: &mut Run<M, B>, numbers: Range<u64>) {
        Blocking::send(tx, run, numbers);
    }

    #[inline(always)]
    fn receive(rx: &mut spsc::Receiver<M>, count: u64, mut each: impl FnMut(&M)) {
        for _ in 0..count {
            each(&rx.recv().expect("recv"));
        }
    }
}

impl<M: Payload, const B: usize> Verbs<M, B> for Many {
    #[inline(always)]
    fn send(tx: &mut spsc::Sender<M>, _: &mut Run<M, B>, numbers: Range<u64>) {
        for start in numbers.step_by(B) {
            if size_of::<M>() <= 64 {
                // Made in place, as rtrb's are.
                tx.send_many((start..start + B as u64).map(M::numbered)).expect("send_many");
            } else {
                tx.fill_many(B, |ahead, message| message.renumber(start + ahead as u64)).expect("fill_many");
            }
        }
    }

    #[inline(always)]
    fn receive(rx: &mut spsc::Receiver<M>, count: u64, mut each: impl FnMut(&M)) {
        let mut left = count;
        while left > 0 {
            let batch = rx.recv_many(left.min(B as u64) as usize).expect("recv_many");
            left -= batch.len() as u64;
            read_batch(&batch, &mut each);
        }
    }
}

impl<M: Payload, const B: usize> Verbs<M, B> for TryMany {
    #[inline(always)]
    fn send(tx: &mut spsc::Sender<M>, run: &mut Run<M, B>, numbers: Range<u64>) {
        Many::send(tx, run, numbers);
    }

    #[inline(always)]
    fn receive(rx: &mut spsc::Receiver<M>, count: u64, mut each: impl FnMut(&M)) {
        let mut left = count;
        while left > 0 {
            match rx.try_recv_many(left.min(B as u64) as usize) {
                Ok(batch) => {
                    left -= batch.len() as u64;
                    read_batch(&batch, &mut each);
                }
                Err(_) => spin_loop(),
            }
        }
    }
}

#[inline(always)]
fn read_batch<M: Payload>(batch: &spsc::Batch<'_, M>, mut each: impl FnMut(&M)) {
    match batch.as_slices() {
        Some((before, after)) => before.iter().chain(after).for_each(&mut each),
        None => batch.iter().for_each(each),
    }
}

struct RingmailTx<M: Payload, V, const B: usize>(spsc::Sender<M>, Run<M, B>, PhantomData<V>);
struct RingmailRx<M: Payload, V, const B: usize>(spsc::Receiver<M>, PhantomData<V>);

impl<M: Payload, V: Verbs<M, B>, const B: usize> Sink for RingmailTx<M, V, B> {
    #[inline(always)]
    fn send(&mut self, numbers: Range<u64>) {
        V::send(&mut self.0, &mut self.1, numbers);
    }
}

impl<M: Payload, V: Verbs<M, B>, const B: usize> Source<M> for RingmailRx<M, V, B> {
    #[inline(always)]
    fn receive(&mut self, count: u64, each: impl FnMut(&M)) {
        V::receive(&mut self.0, count, each);
    }
}

fn ringmail<M: Payload, V: Verbs<M, B>, const B: usize>(name: &'static str, mode: Mode) -> Contestant {
    Contestant::rate(name, mode, move |cores, n| {
        let ring = spsc::Ring::<M>::anonymous(&Options::new().capacity(CAPACITY)).expect("ring");
        let other = ring.clone();
        let sink = move || RingmailTx::<M, V, B>(ring.sender().expect("sender"), Run::new(), PhantomData);
        stream(mode, cores, n, sink, move || RingmailRx::<M, V, B>(other.receiver().expect("receiver"), PhantomData))
    })
}

/// A queue as all peers are asked to be one. Batches of one are single messages.
struct Through<E, const B: usize>(E, Making);

/// Where a message is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Making {
    /// On the sender's stack, from where it is copied.
    Apart,
    InPlace,
}

/// A sending end with its messages.
struct Sending<T, M, const B: usize>(T, Run<M, B>);

impl<M: Payload, T: Tx<M>, const B: usize> Sink for Through<Sending<T, M, B>, B> {
    #[inline(always)]
    fn send(&mut self, numbers: Range<u64>) {
        let Sending(tx, run) = &mut self.0;
        if B > 1 {
            for start in numbers.step_by(B) {
                tx.make_run(run, start);
            }
        } else if self.1 == Making::InPlace {
            numbers.for_each(|number| tx.fill(|message| message.become_numbered(number)));
        } else {
            numbers.for_each(|number| tx.send(&M::numbered(number)));
        }
    }
}

impl<M: Payload, R: Rx<M>, const B: usize> Source<M> for Through<R, B> {
    #[inline(always)]
    fn receive(&mut self, count: u64, mut each: impl FnMut(&M)) {
        if B > 1 {
            self.0.receive_runs::<B>(count, each);
        } else {
            let mut left = count;
            self.0.receive_while(|message| {
                each(message);
                left -= 1;
                left > 0
            });
        }
    }
}

fn through<M: Payload, Q: Queue<M>, const B: usize>(
    name: &'static str,
    mode: Mode,
    making: Making,
    queue: impl Fn() -> Q + 'static,
) -> Contestant {
    Contestant::rate(name, mode, move |cores, n| {
        let queue = queue();
        let other = queue.clone();
        let sink = move || Through::<_, B>(Sending(queue.sender(), Run::new()), making);
        stream::<M, _, _>(mode, cores, n, sink, move || Through::<_, B>(other.receiver(), making))
    })
}

/// Every other queue, in batches of so many.
struct Batches<const B: usize>;

impl<M: Payload, const B: usize> Measure<M> for Batches<B> {
    fn contestant<Q: Queue<M>>(&self, name: &'static str, mode: Mode, queue: impl Fn() -> Q + 'static) -> Contestant {
        through::<M, Q, B>(name, mode, Making::Apart, queue)
    }
}

fn single<M: Payload>(name: &'static str, about: &'static str, goal: f64) -> Case {
    use Mode::{Processes, Threads};
    let (apart, in_place) = (Making::Apart, Making::InPlace);
    let ring = || ours::Spsc::<M, SPIN>::new(&ours::slots(CAPACITY));
    let shaq = || peers::shaq::Spsc::<M, _>::in_place(CAPACITY, Wait::Spin);
    let array = || threads::Array::<M>::new(CAPACITY, Wait::Yield);
    let rtrb = |wait| move || rtrb::Rtrb::<M>::new(CAPACITY, wait);
    let mut others = Enlist(Vec::new(), Batches::<1>);
    peers::channels::<M>(Party::pair(CAPACITY, Wait::Block), &mut others);
    peers::polling_channels::<M>(CAPACITY, &mut others);
    peers::between_processes::<M>(Party::pair(CAPACITY, Wait::Spin), &mut others);
    let mut contestants = vec![
        ringmail::<M, Blocking, 1>("ringmail", Threads),
        through::<M, _, 1>("rtrb", Threads, apart, rtrb(Wait::Spin)),
        through::<M, _, 1>("disruptor", Threads, in_place, || disruptor::Single::<M>::new(CAPACITY)),
        ringmail::<M, Try, 1>("ringmail, polling", Threads),
        ringmail::<M, Guarded, 1>("ringmail, recv and drop", Threads),
        ringmail::<M, Blocking, 1>("ringmail, two processes", Processes),
        through::<M, _, 1>("ringmail in place", Threads, in_place, ring),
        through::<M, _, 1>("rtrb in place", Threads, in_place, || rtrb::Rtrb::<M, _>::in_place(CAPACITY, Wait::Spin)),
        through::<M, _, 1>("rtrb, yielding", Threads, apart, rtrb(Wait::Yield)),
        through::<M, _, 1>("ringmail in place", Processes, in_place, ring),
        through::<M, _, 1>("shaq in place", Processes, in_place, shaq),
        through::<M, _, 1>("bare stream", Processes, in_place, bare::Stream::<M, 1>::new),
        through::<M, _, 1>("ArrayQueue", Threads, apart, array),
    ];
    #[cfg(feature = "peers")]
    contestants.push(through::<M, _, 1>("iceoryx2 in place", Processes, in_place, || {
        peers::iceoryx::Iceoryx::<M>::new(CAPACITY, (1, 1), Wait::Spin)
    }));
    contestants.append(&mut others.0);
    // A message that long is made where it will lie: the other way is a contest of copying.
    if size_of::<M>() > 64 {
        let first =
            contestants.iter().position(|contestant| contestant.name == "ringmail in place").expect("it is there");
        contestants.swap(0, first);
    }
    Case {
        name,
        about,
        direction: Direction::MoreIsBetter("million/s"),
        size: Size::Fitting { first: 20_000, step: 64 },
        contestants,
        goals: vec![
            Goal::first("ringmail"),
            Goal::first("ringmail in place"),
            Goal::beside(&["rtrb"], goal),
            Goal::beside(&["bare stream"], 0.9),
        ],
    }
}

fn batch<M: Payload, const B: usize>(name: &'static str, about: &'static str, bound: Option<f64>) -> Case {
    use Mode::{Processes, Threads};
    let mut others = Enlist(Vec::new(), Batches::<B>);
    peers::between_processes::<M>(Party::pair(CAPACITY, Wait::Spin), &mut others);
    let in_place = Making::InPlace;
    let mut contestants = vec![
        ringmail::<M, Many, B>("ringmail", Threads),
        through::<M, _, B>("rtrb", Threads, in_place, || rtrb::Rtrb::<M>::new(CAPACITY, Wait::Spin)),
        through::<M, _, B>("disruptor", Threads, in_place, || disruptor::Single::<M>::new(CAPACITY)),
        ringmail::<M, TryMany, B>("ringmail, polling", Threads),
        ringmail::<M, Many, B>("ringmail, two processes", Processes),
        through::<M, _, B>("bare stream", Processes, in_place, bare::Stream::<M, 64>::new),
    ];
    contestants.append(&mut others.0);
    let mut goals = vec![Goal::FIRST, Goal::beside(&["bare stream"], 0.9)];
    goals.extend(bound.map(|bound| Goal::beside(&["rtrb", "disruptor"], bound)));
    let size = Size::Fitting { first: 50_000, step: 64 };
    Case { name, about, direction: Direction::MoreIsBetter("million/s"), size, contestants, goals }
}

pub fn cases() -> Vec<Case> {
    vec![
        single::<[u64; 1]>("spsc-8", "SPSC, 8 B, one message a call, capacity 1024", 1.2),
        single::<[u64; 8]>("spsc-64", "SPSC, 64 B, one message a call, capacity 1024", 1.1),
        single::<[u64; 128]>("spsc-1k", "SPSC, 1 KiB, one message a call, capacity 1024", 1.0),
        batch::<[u64; 1], 32>("spsc-8x32", "SPSC, 8 B, batches of 32, capacity 1024", Some(1.2)),
        batch::<[u64; 1], 64>("spsc-8x64", "SPSC, 8 B, batches of 64, capacity 1024", None),
        batch::<[u64; 8], 32>("spsc-64x32", "SPSC, 64 B, batches of 32, capacity 1024", None),
        batch::<[u64; 128], 32>("spsc-1kx32", "SPSC, 1 KiB, batches of 32, capacity 1024", None),
    ]
}
