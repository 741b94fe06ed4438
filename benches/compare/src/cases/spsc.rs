//! One sender, one receiver: messages a second.
//!
//! Two workers on two cores. The sender makes each message from its number, the receiver reads all of it. Where a queue has verbs that
//! block, as Ringmail's usual ones do, they are used; elsewhere, and by *polling*, both spin when they must wait. In the warm-up every message is verified; in the timed pass the sum of all words is. *In place* the
//! sender makes the message where it will be read.
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
use crate::peers::{self, Party, ours};
use crate::queue::{Queue, Rx, Tx, Wait};
use disruptor::{Polling, Producer as _};
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

/// Messages that are sent together.
struct Run<M, const B: usize>(Vec<M>);

impl<M: Payload, const B: usize> Run<M, B> {
    /// Shows the messages from a number on. Longer ones are kept: an array of them takes the compiler minutes.
    #[inline(always)]
    fn with(&mut self, start: u64, send: impl FnOnce(&[M])) {
        if size_of::<M>() <= 64 {
            let run: [M; B] = std::array::from_fn(|ahead| M::numbered(start + ahead as u64));
            send(&run);
        } else {
            self.0.resize_with(B, || M::numbered(0));
            self.0.iter_mut().zip(start..).for_each(|(message, number)| message.renumber(number));
            send(&self.0);
        }
    }
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

/// `send_many` and `recv_many`.
struct Many;

/// `send_many` and `try_recv_many`, again until it succeeds.
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
    fn send(tx: &mut spsc::Sender<M>, run: &mut Run<M, B>, numbers: Range<u64>) {
        for start in numbers.step_by(B) {
            if size_of::<M>() <= 64 {
                // Made in place, as rtrb's are.
                tx.send_many((start..start + B as u64).map(M::numbered)).expect("send_many");
            } else {
                run.with(start, |run| tx.send_slice(run).expect("send_slice"));
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
        let sink = move || RingmailTx::<M, V, B>(ring.sender().expect("sender"), Run(Vec::new()), PhantomData);
        stream(mode, cores, n, sink, move || RingmailRx::<M, V, B>(other.receiver().expect("receiver"), PhantomData))
    })
}

/// Batches of one are single messages.
struct RtrbTx<M, const B: usize>(rtrb::Producer<M>);
struct RtrbRx<M, const B: usize>(rtrb::Consumer<M>);

impl<M: Payload, const B: usize> Sink for RtrbTx<M, B> {
    #[inline(always)]
    fn send(&mut self, numbers: Range<u64>) {
        if B > 1 {
            for start in numbers.step_by(B) {
                let chunk = loop {
                    match self.0.write_chunk_uninit(B) {
                        Ok(chunk) => break chunk,
                        Err(_) => spin_loop(),
                    }
                };
                chunk.fill_from_iter((start..start + B as u64).map(M::numbered));
            }
            return;
        }
        for number in numbers {
            let message = M::numbered(number);
            while self.0.push(message).is_err() {
                spin_loop();
            }
        }
    }
}

impl<M: Payload, const B: usize> Source<M> for RtrbRx<M, B> {
    #[inline(always)]
    fn receive(&mut self, count: u64, mut each: impl FnMut(&M)) {
        let mut left = count;
        while left > 0 {
            if B > 1 {
                match self.0.read_chunk(B) {
                    Ok(chunk) => {
                        let (first, second) = chunk.as_slices();
                        first.iter().for_each(&mut each);
                        second.iter().for_each(&mut each);
                        chunk.commit_all();
                        left -= B as u64;
                    }
                    Err(_) => spin_loop(),
                }
            } else {
                match self.0.pop() {
                    Ok(message) => {
                        each(&message);
                        left -= 1;
                    }
                    Err(_) => spin_loop(),
                }
            }
        }
    }
}

fn rtrb<M: Payload, const B: usize>() -> Contestant {
    Contestant::rate("rtrb", Mode::Threads, move |cores, n| {
        let (tx, rx) = rtrb::RingBuffer::<M>::new(CAPACITY);
        stream(Mode::Threads, cores, n, move || RtrbTx::<M, B>(tx), move || RtrbRx::<M, B>(rx))
    })
}

struct DisruptorTx<M: Payload, const B: usize>(disruptor::SingleProducer<M, disruptor::SingleConsumerBarrier>);
struct DisruptorRx<M>(disruptor::EventPoller<M, disruptor::SingleProducerBarrier>);

impl<M: Payload, const B: usize> Sink for DisruptorTx<M, B> {
    #[inline(always)]
    fn send(&mut self, numbers: Range<u64>) {
        if B > 1 {
            for start in numbers.step_by(B) {
                self.0.batch_publish(B, |slots| {
                    slots.zip(start..).for_each(|(slot, number)| *slot = M::numbered(number));
                });
            }
        } else {
            numbers.for_each(|number| self.0.publish(|slot| *slot = M::numbered(number)));
        }
    }
}

impl<M: Payload> Source<M> for DisruptorRx<M> {
    // However it was sent, whatever is there is taken together: that is how a disruptor is read.
    #[inline(always)]
    fn receive(&mut self, count: u64, mut each: impl FnMut(&M)) {
        let mut left = count;
        while left > 0 {
            match self.0.take(left) {
                Ok(mut messages) => {
                    for message in &mut messages {
                        each(message);
                        left -= 1;
                    }
                }
                Err(Polling::NoEvents) => spin_loop(),
                Err(Polling::Shutdown) => panic!("the producer left"),
            }
        }
    }
}

fn disruptor<M: Payload, const B: usize>() -> Contestant {
    Contestant::rate("disruptor", Mode::Threads, move |cores, n| {
        let builder = disruptor::build_single_producer(CAPACITY, || M::numbered(0), disruptor::BusySpin);
        let (poller, builder) = builder.new_event_poller();
        let producer = builder.build();
        stream(Mode::Threads, cores, n, move || DisruptorTx::<M, B>(producer), move || DisruptorRx(poller))
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
                run.with(start, |run| tx.send_run(run));
            }
        } else if self.1 == Making::InPlace {
            numbers.for_each(|number| tx.fill(|message| message.renumber(number)));
        } else {
            numbers.for_each(|number| tx.send(&M::numbered(number)));
        }
    }
}

impl<M: Payload, R: Rx<M>, const B: usize> Source<M> for Through<R, B> {
    #[inline(always)]
    fn receive(&mut self, count: u64, mut each: impl FnMut(&M)) {
        if B > 1 {
            self.0.receive_runs(count, each);
        } else {
            (0..count).for_each(|_| self.0.receive(&mut each));
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
        let sink = move || Through::<_, B>(Sending(queue.sender(), Run(Vec::new())), making);
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

const SHAPE: Party = Party { capacity: CAPACITY, senders: 1, receivers: 1, exclusive: true, wait: Wait::Spin };

fn single<M: Payload>(name: &'static str, about: &'static str, goal: f64) -> Case {
    let (apart, in_place) = (Making::Apart, Making::InPlace);
    let ring = || ours::Spsc::<M, SPIN>::new(&ours::slots(CAPACITY));
    let shaq = || peers::shaq::Spsc::<M>::new(CAPACITY, Wait::Spin);
    let mut others = Enlist(Vec::new(), Batches::<1>);
    peers::channels::<M>(SHAPE, &mut others);
    peers::between_processes::<M>(SHAPE, &mut others);
    let mut contestants = vec![
        ringmail::<M, Blocking, 1>("ringmail", Mode::Threads),
        rtrb::<M, 1>(),
        disruptor::<M, 1>(),
        ringmail::<M, Try, 1>("ringmail, polling", Mode::Threads),
        ringmail::<M, Guarded, 1>("ringmail, recv and drop", Mode::Threads),
        ringmail::<M, Blocking, 1>("ringmail, two processes", Mode::Processes),
        through::<M, _, 1>("ringmail in place", Mode::Processes, in_place, ring),
        through::<M, _, 1>("shaq in place", Mode::Processes, in_place, shaq),
        through::<M, _, 1>("bare stream", Mode::Processes, apart, bare::Stream::<M, 1>::new),
    ];
    contestants.append(&mut others.0);
    Case {
        name,
        about,
        direction: Direction::MoreIsBetter("million/s"),
        size: Size::Fitting { first: 20_000, step: 64 },
        contestants,
        goals: vec![
            Goal::FIRST,
            Goal::first("ringmail in place"),
            Goal::beside(&["rtrb"], goal),
            Goal::beside(&["bare stream"], 0.9),
        ],
    }
}

fn batch<M: Payload, const B: usize>(name: &'static str, about: &'static str, bound: Option<f64>) -> Case {
    let mut others = Enlist(Vec::new(), Batches::<B>);
    peers::between_processes::<M>(SHAPE, &mut others);
    let mut contestants = vec![
        ringmail::<M, Many, B>("ringmail", Mode::Threads),
        rtrb::<M, B>(),
        disruptor::<M, B>(),
        ringmail::<M, TryMany, B>("ringmail, polling", Mode::Threads),
        ringmail::<M, Many, B>("ringmail, two processes", Mode::Processes),
        through::<M, _, B>("bare stream", Mode::Processes, Making::Apart, bare::Stream::<M, 64>::new),
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
