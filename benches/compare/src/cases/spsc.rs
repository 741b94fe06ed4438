//! One sender, one receiver: messages a second.
//!
//! Two workers on two cores. The sender makes each message from its number, the receiver reads all of it, and both spin
//! when they must wait. In the warm-up every message is verified; in the timed pass the sum of all words is.
//!
//! What bounds it is how often a cache line changes cores: the messages themselves (64 bytes a line) and the indices, which
//! a side reads again only when it believes the ring full or empty.

use super::{Case, Contestant, Direction, Goal};
use crate::crew::{self, Cores, Job, Log, Mode};
use crate::payload::Payload;
use disruptor::{Polling, Producer as _};
use ringmail::{Options, spsc};
use std::hint::spin_loop;
use std::ops::Range;

/// Slots.
const CAPACITY: usize = 1024;
/// Messages of a batch.
const BATCH: u64 = 32;
/// Messages of the warm-up.
const WARM: u64 = 16 * CAPACITY as u64;

/// The sending side of whatever is measured.
pub trait Sink {
    /// Sends the messages with these numbers, which come in whole batches.
    fn send(&mut self, numbers: Range<u64>);
}

/// The receiving side.
pub trait Source<M> {
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
        sink.send(0..WARM);
        post.start();
        sink.send(WARM..WARM + n);
        post.finish();
        // What a side's leaving does is not measured, and must not disturb the other.
        post.meet();
    });
    let receiver: Job = Box::new(move |post| {
        let mut source = source();
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

/// How messages are handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verbs {
    /// `try_send` and `try_recv`, again until they succeed.
    Try,
    /// `send` and `recv`.
    Blocking,
    /// `send_many` and `recv_many`.
    Many,
}

struct RingmailTx<M: Payload>(spsc::Sender<M>, Verbs);
struct RingmailRx<M: Payload>(spsc::Receiver<M>, Verbs);

impl<M: Payload> Sink for RingmailTx<M> {
    fn send(&mut self, numbers: Range<u64>) {
        let tx = &mut self.0;
        match self.1 {
            Verbs::Try => {
                for number in numbers {
                    let message = M::numbered(number);
                    while tx.try_send(&message).is_err() {
                        spin_loop();
                    }
                }
            }
            Verbs::Blocking => {
                for number in numbers {
                    tx.send(&M::numbered(number)).expect("send");
                }
            }
            Verbs::Many => {
                for start in numbers.step_by(BATCH as usize) {
                    tx.send_many((start..start + BATCH).map(M::numbered)).expect("send_many");
                }
            }
        }
    }
}

impl<M: Payload> Source<M> for RingmailRx<M> {
    fn receive(&mut self, count: u64, mut each: impl FnMut(&M)) {
        let rx = &mut self.0;
        let mut left = count;
        match self.1 {
            Verbs::Try => {
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
            Verbs::Blocking => {
                for _ in 0..count {
                    each(&rx.recv_copy().expect("recv"));
                }
            }
            Verbs::Many => {
                while left > 0 {
                    let batch = rx.recv_many(left.min(BATCH) as usize).expect("recv_many");
                    left -= batch.len() as u64;
                    match batch.as_slices() {
                        Some((before, after)) => before.iter().chain(after).for_each(&mut each),
                        None => batch.iter().for_each(&mut each),
                    }
                }
            }
        }
    }
}

fn ringmail<M: Payload>(name: &'static str, mode: Mode, verbs: Verbs) -> Contestant {
    Contestant::rate(name, mode, move |cores, n| {
        let ring = spsc::Ring::<M>::anonymous(&Options::new().capacity(CAPACITY)).expect("ring");
        let other = ring.clone();
        let sink = move || RingmailTx(ring.sender().expect("sender"), verbs);
        stream(mode, cores, n, sink, move || RingmailRx(other.receiver().expect("receiver"), verbs))
    })
}

struct RtrbTx<M>(rtrb::Producer<M>, bool);
struct RtrbRx<M>(rtrb::Consumer<M>, bool);

impl<M: Payload> Sink for RtrbTx<M> {
    fn send(&mut self, numbers: Range<u64>) {
        if self.1 {
            for start in numbers.step_by(BATCH as usize) {
                let chunk = loop {
                    match self.0.write_chunk_uninit(BATCH as usize) {
                        Ok(chunk) => break chunk,
                        Err(_) => spin_loop(),
                    }
                };
                chunk.fill_from_iter((start..start + BATCH).map(M::numbered));
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

impl<M: Payload> Source<M> for RtrbRx<M> {
    fn receive(&mut self, count: u64, mut each: impl FnMut(&M)) {
        let mut left = count;
        while left > 0 {
            if self.1 {
                match self.0.read_chunk(BATCH as usize) {
                    Ok(chunk) => {
                        let (first, second) = chunk.as_slices();
                        first.iter().for_each(&mut each);
                        second.iter().for_each(&mut each);
                        chunk.commit_all();
                        left -= BATCH;
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

fn rtrb<M: Payload>(batch: bool) -> Contestant {
    Contestant::rate("rtrb", Mode::Threads, move |cores, n| {
        let (tx, rx) = rtrb::RingBuffer::<M>::new(CAPACITY);
        stream(Mode::Threads, cores, n, move || RtrbTx(tx, batch), move || RtrbRx(rx, batch))
    })
}

struct DisruptorTx<M: Payload>(disruptor::SingleProducer<M, disruptor::SingleConsumerBarrier>, bool);
struct DisruptorRx<M>(disruptor::EventPoller<M, disruptor::SingleProducerBarrier>);

impl<M: Payload> Sink for DisruptorTx<M> {
    fn send(&mut self, numbers: Range<u64>) {
        if self.1 {
            for start in numbers.step_by(BATCH as usize) {
                self.0.batch_publish(BATCH as usize, |slots| {
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

fn disruptor<M: Payload>(batch: bool) -> Contestant {
    Contestant::rate("disruptor", Mode::Threads, move |cores, n| {
        let builder = disruptor::build_single_producer(CAPACITY, || M::numbered(0), disruptor::BusySpin);
        let (poller, builder) = builder.new_event_poller();
        let producer = builder.build();
        stream(Mode::Threads, cores, n, move || DisruptorTx(producer, batch), move || DisruptorRx(poller))
    })
}

fn single<M: Payload>(name: &'static str, about: &'static str, goal: f64) -> Case {
    Case {
        name,
        about,
        direction: Direction::MoreIsBetter("million/s"),
        first: 100_000,
        step: BATCH,
        contestants: vec![
            ringmail::<M>("ringmail", Mode::Threads, Verbs::Try),
            rtrb::<M>(false),
            disruptor::<M>(false),
            ringmail::<M>("ringmail, blocking verbs", Mode::Threads, Verbs::Blocking),
            ringmail::<M>("ringmail, two processes", Mode::Processes, Verbs::Try),
        ],
        goals: vec![Goal { best_of: &["rtrb"], bound: goal }],
    }
}

fn batch<M: Payload>(name: &'static str, about: &'static str, bound: Option<f64>) -> Case {
    Case {
        name,
        about,
        direction: Direction::MoreIsBetter("million/s"),
        first: 200_000,
        step: BATCH,
        contestants: vec![
            ringmail::<M>("ringmail", Mode::Threads, Verbs::Many),
            rtrb::<M>(true),
            disruptor::<M>(true),
            ringmail::<M>("ringmail, two processes", Mode::Processes, Verbs::Many),
        ],
        goals: bound.into_iter().map(|bound| Goal { best_of: &["rtrb", "disruptor"], bound }).collect(),
    }
}

pub fn cases() -> Vec<Case> {
    vec![
        single::<[u64; 1]>("spsc-8", "SPSC, 8 B, one message a call, capacity 1024", 1.2),
        single::<[u64; 8]>("spsc-64", "SPSC, 64 B, one message a call, capacity 1024", 1.1),
        batch::<[u64; 1]>("spsc-8x32", "SPSC, 8 B, batches of 32, capacity 1024", Some(1.2)),
        batch::<[u64; 8]>("spsc-64x32", "SPSC, 64 B, batches of 32, capacity 1024", None),
    ]
}
