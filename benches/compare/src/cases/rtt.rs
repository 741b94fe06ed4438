//! Round trips between two processes: there in one queue, back in another.
//!
//! Spinning: both sides look for the message all the time; bounded by moving a cache line twice, which the bare ping-pong
//! shows. Blocking: the verbs that sleep when nothing comes; back to back nobody should ever get to sleep. After a pause
//! the other side sleeps: bounded by waking a process, which the bare futex shows.
//!
//! Back to back, the figure is the median of the means of bursts of 32 round trips, since reading the clock costs a good part of one. What
//! lies beyond the median (the 99th and the 99.9th percentile, the histogram) is of a second pass in which every round trip is timed, clock
//! included. After a pause each round trip is timed, and there is one pass.
//!
//! The sender has the message in a buffer and stamps both its ends, which the receiver looks at; *in place* nothing is copied at all. In the
//! warm-up every word is written anew and looked at.

use super::{Case, Contestant, Direction, Enlist, Goal, Measure, Outcome, Size};
use crate::bare::{Bell, PingPong, Shared};
use crate::crew::{self, Cores, Job, Mode, now_ns};
use crate::payload::Payload;
use crate::peers::ours::{BLOCK, SPIN};
use crate::peers::{self, Party, Visitor, ours};
use crate::queue::{Copied, Queue, Rx, Tx, Wait};
use crate::times::{self, Desk, PARTS};
use std::hint::spin_loop;
use std::sync::Arc;

/// The message, where it is not the length that is looked at.
type Message = [u64; 8];

/// Slots of each ring.
const CAPACITY: usize = 64;
/// Bytes that a ring of long messages may have.
const ROUND: usize = 4 << 20;
/// Round trips that are timed together, back to back.
const BURST: u64 = 32;
/// The pause after which the other side sleeps.
const PAUSE_NS: u64 = 300_000;

/// One side: sends the message with a number to the other, and receives the one with the next.
trait End {
    fn send(&mut self, number: u64);
    fn receive(&mut self, number: u64);

    /// As `send`, with every word of the message telling its number, where it has any.
    fn send_whole(&mut self, number: u64) {
        self.send(number);
    }

    /// As `receive`, looking at every word.
    fn receive_whole(&mut self, number: u64) {
        self.receive(number);
    }
}

/// When a round trip begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    BackToBack,
    /// The client spins for a while between round trips.
    Pausing,
}

/// Makes `n` round trips.
fn trips<C: End, S: End>(
    mode: Mode,
    cores: &Cores,
    n: u64,
    pace: Pace,
    client: impl FnOnce() -> C + Send + 'static,
    server: impl FnOnce() -> S + Send + 'static,
) -> Option<Outcome> {
    let warm = if pace == Pace::Pausing { 32 } else { 2_000.min(2 * n) };
    // Without pauses, a pass in bursts and one in which each trip is timed.
    let in_bursts = if pace == Pace::Pausing { 0 } else { n / 2 / BURST };
    let single = if pace == Pace::Pausing { n } else { n / 2 };
    let desk = Arc::new(Desk::map());
    let for_client = Arc::clone(&desk);
    let caller: Job = Box::new(move |post| {
        let mut end = client();
        post.meet();
        let mut number = 0;
        for _ in 0..warm {
            number += 1;
            end.send_whole(number);
            end.receive_whole(number);
            pause(pace);
        }
        let mut trip = || {
            number += 1;
            end.send(number);
            end.receive(number);
        };
        let (mut bursts, mut times) = (times::histogram(), times::histogram());
        post.start();
        for _ in 0..in_bursts {
            let start = now_ns();
            (0..BURST).for_each(|_| trip());
            bursts.saturating_record((now_ns() - start) * PARTS / BURST);
        }
        let mut start = now_ns();
        for _ in 0..single {
            if pace == Pace::Pausing {
                pause(pace);
                start = now_ns();
            }
            trip();
            let end = now_ns();
            times.saturating_record((end - start) * PARTS);
            start = end;
        }
        post.finish();
        let median = if in_bursts > 0 { &bursts } else { &times };
        post.report(0, median.value_at_quantile(0.5));
        for_client.leave(&times);
        post.meet();
    });
    let answerer: Job = Box::new(move |post| {
        let mut end = server();
        post.meet();
        for number in 1..=warm {
            end.receive_whole(number);
            end.send_whole(number);
        }
        // The client starts its clock when both are warm.
        post.start();
        for number in warm + 1..=warm + in_bursts * BURST + single {
            end.receive(number);
            end.send(number);
        }
        post.finish();
        post.meet();
    });
    let log = crew::run(mode, cores, vec![caller, answerer])?;
    let times = desk.take();
    let unit = PARTS as f64 * if pace == Pace::Pausing { 1_000.0 } else { 1.0 };
    let tail = |quantile| Some(times.value_at_quantile(quantile) as f64 / unit);
    let (value, p99, p999) = (log.figure(0, 0) as f64 / unit, tail(0.99), tail(0.999));
    Some(Outcome { value, p99, p999, times: Some(times), log })
}

fn pause(pace: Pace) {
    if pace == Pace::Pausing {
        let start = now_ns();
        while now_ns() - start < PAUSE_NS {
            spin_loop();
        }
    }
}

/// Two ends of two queues.
struct Pair<T, R, M> {
    tx: T,
    rx: R,
    message: Copied<M>,
    in_place: bool,
}

impl<M: Payload, T: Tx<M>, R: Rx<M>> End for Pair<T, R, M> {
    #[inline]
    fn send(&mut self, number: u64) {
        if self.in_place {
            self.tx.fill(|message| message.stamp(number));
        } else {
            let message = self.message.get();
            message.stamp(number);
            self.tx.send(message);
        }
    }

    #[inline]
    fn receive(&mut self, number: u64) {
        self.rx.receive(|message| message.verify_stamp(number));
    }

    fn send_whole(&mut self, number: u64) {
        if self.in_place {
            self.tx.fill(|message| message.renumber(number));
        } else {
            let message = self.message.get();
            message.renumber(number);
            self.tx.send(message);
        }
    }

    fn receive_whole(&mut self, number: u64) {
        self.rx.receive(|message| {
            message.verify();
            assert_eq!(message.number(), number, "out of order");
        });
    }
}

/// Every queue, at a pace.
struct Trips {
    pace: Pace,
    in_place: bool,
}

impl<M: Payload> Measure<M> for Trips {
    fn contestant<Q: Queue<M>>(&self, name: &'static str, mode: Mode, queue: impl Fn() -> Q + 'static) -> Contestant {
        let Self { pace, in_place } = *self;
        Contestant::new(name, mode, move |cores, n| {
            let (there, back) = (queue(), queue());
            let far = (there.clone(), back.clone());
            // Who sends makes the queue, with some: so both send first.
            let client = move || {
                let tx = there.sender();
                Pair { tx, rx: back.receiver(), message: Copied::new(), in_place }
            };
            let server = move || {
                let tx = far.1.sender();
                Pair { tx, rx: far.0.receiver(), message: Copied::new(), in_place }
            };
            trips(mode, cores, n, pace, client, server)
        })
    }
}

/// Two cache lines and no queue; with the payload, or only its number.
struct Lines(Arc<Shared<PingPong>>, usize, bool);

impl End for Lines {
    #[inline]
    fn send(&mut self, number: u64) {
        if self.2 {
            self.0.send_payload(self.1, number);
        } else {
            self.0.send(self.1, number);
        }
    }

    #[inline]
    fn receive(&mut self, number: u64) {
        if self.2 {
            std::hint::black_box(self.0.await_payload(1 - self.1, number));
        } else {
            self.0.await_number(1 - self.1, number);
        }
    }
}

fn lines(name: &'static str, payload: bool) -> Contestant {
    Contestant::new(name, Mode::Processes, move |cores, n| {
        let table = Arc::new(PingPong::map());
        let other = Arc::clone(&table);
        let client = move || Lines(table, 0, payload);
        trips(Mode::Processes, cores, n, Pace::BackToBack, client, move || Lines(other, 1, payload))
    })
}

/// A bare futex each way. Whoever is told to spins for its message instead of sleeping.
struct Bells(Arc<[Shared<Bell>; 2]>, usize, bool);

impl End for Bells {
    fn send(&mut self, number: u64) {
        self.0[self.1].ring(number as u32);
    }

    fn receive(&mut self, number: u64) {
        let bell = &self.0[1 - self.1];
        let before = number as u32 - 1;
        if self.2 { bell.spin(before) } else { bell.sleep(before) }
    }
}

/// `spins`: the client spins for its answer, as it does while it pauses.
fn bells(name: &'static str, pace: Pace, spins: bool) -> Contestant {
    Contestant::new(name, Mode::Processes, move |cores, n| {
        let bells = Arc::new([Bell::map(), Bell::map()]);
        let other = Arc::clone(&bells);
        let client = move || Bells(bells, 0, spins);
        trips(Mode::Processes, cores, n, pace, client, move || Bells(other, 1, false))
    })
}

/// What Ringmail does, in the order of the flavours.
fn ringmail<M: Payload, const BLOCKS: bool>(into: &mut Enlist<Trips>, names: [&'static str; 2], capacity: usize) {
    let options = move || ours::slots(capacity);
    Visitor::<M>::visit(into, names[0], Mode::Processes, move || ours::Spsc::<M, BLOCKS>::new(&options()));
    Visitor::<M>::visit(into, names[1], Mode::Processes, move || ours::Mpmc::<M, BLOCKS>::new(&options()));
}

fn spinning() -> Case {
    let pace = Pace::BackToBack;
    let mut enlist = Enlist(Vec::new(), Trips { pace, in_place: false });
    ringmail::<Message, SPIN>(&mut enlist, ["ringmail spsc", "ringmail mpmc"], CAPACITY);
    enlist.0.push(lines("bare cache line", false));
    enlist.0.push(lines("bare cache line, 56 B in it", true));
    peers::between_threads::<Message>(Party::pair(CAPACITY, Wait::Spin), &mut enlist);
    peers::channels::<Message>(Party::pair(CAPACITY, Wait::Spin), &mut enlist);
    peers::between_processes::<Message>(Party::pair(CAPACITY, Wait::Spin), &mut enlist);
    Case {
        name: "rtt-spin",
        about: "round trip of 64 B, two processes, spinning",
        direction: Direction::LessIsBetter("ns"),
        size: Size::Fitting { first: 1_280, step: 2 * BURST },
        contestants: enlist.0,
        goals: vec![
            Goal::FIRST,
            Goal::FIRST_IN_P99,
            Goal::beside(&["bare cache line"], 1.4),
            Goal::beside(&["bare cache line, 56 B in it"], 1.4),
        ],
    }
}

fn blocking() -> Case {
    let pace = Pace::BackToBack;
    let mut enlist = Enlist(Vec::new(), Trips { pace, in_place: false });
    ringmail::<Message, BLOCK>(&mut enlist, ["ringmail spsc", "ringmail mpmc"], CAPACITY);
    Visitor::<Message>::visit(&mut enlist, "ringmail spsc, spinning", Mode::Processes, || {
        ours::Spsc::<Message, SPIN>::new(&ours::slots(CAPACITY))
    });
    enlist.0.push(bells("bare futex", pace, false));
    peers::channels::<Message>(Party::pair(CAPACITY, Wait::Block), &mut enlist);
    peers::between_processes::<Message>(Party::pair(CAPACITY, Wait::Block), &mut enlist);
    Case {
        name: "rtt-blocking",
        about: "round trip of 64 B, two processes, blocking verbs back to back",
        direction: Direction::LessIsBetter("ns"),
        size: Size::Fitting { first: 2 * BURST, step: 2 * BURST },
        contestants: enlist.0,
        goals: vec![Goal::FIRST, Goal::FIRST_IN_P99, Goal::beside(&["ringmail spsc, spinning"], 1.2)],
    }
}

fn pausing() -> Case {
    let pace = Pace::Pausing;
    let mut enlist = Enlist(Vec::new(), Trips { pace, in_place: false });
    ringmail::<Message, BLOCK>(&mut enlist, ["ringmail spsc", "ringmail mpmc"], CAPACITY);
    enlist.0.push(bells("bare futex", pace, true));
    peers::channels::<Message>(Party::pair(CAPACITY, Wait::Block), &mut enlist);
    peers::between_processes::<Message>(Party::pair(CAPACITY, Wait::Block), &mut enlist);
    Case {
        name: "rtt-pause",
        about: "round trip of 64 B, two processes, blocking verbs, after a pause of 300 us; each timed",
        direction: Direction::LessIsBetter("us"),
        size: Size::Fitting { first: 50, step: 1 },
        contestants: enlist.0,
        goals: vec![Goal::FIRST, Goal::FIRST_IN_P99],
    }
}

/// Round trips of a length, spinning: what the picture of latency against payload is made of.
fn lengths<M: Payload>(name: &'static str, about: &'static str) -> Case {
    let capacity = (ROUND / size_of::<M>()).clamp(2, CAPACITY);
    let pace = Pace::BackToBack;
    let mut enlist = Enlist(Vec::new(), Trips { pace, in_place: false });
    ringmail::<M, SPIN>(&mut enlist, ["ringmail spsc", "ringmail mpmc"], capacity);
    peers::between_processes::<M>(Party::pair(capacity, Wait::Spin).looking(), &mut enlist);
    peers::between_threads::<M>(Party::pair(capacity, Wait::Spin).looking(), &mut enlist);
    enlist.1.in_place = true;
    ringmail::<M, SPIN>(&mut enlist, ["ringmail spsc in place", "ringmail mpmc in place"], capacity);
    Visitor::<M>::visit(&mut enlist, "shaq in place", Mode::Processes, move || {
        peers::shaq::Spsc::<M, _>::in_place(capacity, Wait::Spin)
    });
    #[cfg(feature = "peers")]
    Visitor::<M>::visit(&mut enlist, "iceoryx2 in place", Mode::Processes, move || {
        peers::iceoryx::Iceoryx::<M>::new(capacity, (1, 1), Wait::Spin)
    });
    let size = Size::Fitting { first: 2 * BURST, step: 2 * BURST };
    Case { name, about, direction: Direction::LessIsBetter("ns"), size, contestants: enlist.0, goals: Vec::new() }
}

pub fn cases() -> Vec<Case> {
    vec![
        spinning(),
        blocking(),
        pausing(),
        lengths::<[u64; 1]>("latency-8", "round trip of 8 B, spinning"),
        lengths::<[u64; 8]>("latency-64", "round trip of 64 B, spinning"),
        lengths::<[u64; 64]>("latency-512", "round trip of 512 B, spinning"),
        lengths::<[u64; 512]>("latency-4k", "round trip of 4 KiB, spinning"),
        lengths::<[u64; 8192]>("latency-64k", "round trip of 64 KiB, spinning"),
        lengths::<[u64; 131_072]>("latency-1m", "round trip of 1 MiB, spinning"),
    ]
}
