//! Round trips of 64 bytes between two processes: there in one ring, back in another.
//!
//! Spinning: both sides look for the message all the time; bounded by moving a cache line twice, which the bare ping-pong
//! shows. Blocking: the verbs that sleep when nothing comes; back to back nobody should ever get to sleep. After a pause
//! the other side sleeps: bounded by waking a process, which the bare futex shows.
//!
//! Back to back, a figure is the mean of a burst of 32 round trips (reading the clock costs a good part of one); after a pause
//! each round trip is timed. Given are the median and the 99th percentile of these.

use super::{Case, Contestant, Direction, Goal, Outcome};
use crate::bare::{self, Bell, PingPong, Shared};
use crate::crew::{self, Cores, Job, Mode, now_ns};
use crate::payload::Payload;
use hdrhistogram::Histogram;
use ringmail::{Options, mpmc, spsc};
use std::hint::spin_loop;
use std::sync::Arc;
use std::time::Duration;

type Message = [u64; 8];

/// Slots of each ring.
const CAPACITY: usize = 64;
/// Round trips that are timed together, back to back.
const BURST: u64 = 32;
/// Parts of a nanosecond that are told apart.
const PARTS: u64 = 10;
/// The pause after which the other side sleeps.
const PAUSE_NS: u64 = 300_000;

/// One side: sends to the other and receives from it.
trait End {
    fn send(&mut self, message: Message);
    fn receive(&mut self) -> Message;
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
    let (burst, warm) = if pace == Pace::Pausing { (1, 32) } else { (BURST, 10_000) };
    let caller: Job = Box::new(move |post| {
        let mut end = client();
        let mut trip = |number| {
            end.send(Message::numbered(number));
            end.receive()
        };
        for number in 1..=warm {
            let answer = trip(number);
            answer.verify();
            assert_eq!(answer.number(), number);
            pause(pace);
        }
        let mut times = Histogram::<u64>::new_with_bounds(1, 1_000_000_000_000, 3).expect("bounds are fine");
        let mut number = warm;
        post.start();
        for _ in 0..n / burst {
            pause(pace);
            let start = now_ns();
            for _ in 0..burst {
                number += 1;
                assert_eq!(trip(number)[7], number + 7);
            }
            times.saturating_record((now_ns() - start) * PARTS / burst);
        }
        post.finish();
        post.report(0, times.value_at_quantile(0.5));
        post.report(1, times.value_at_quantile(0.99));
        post.meet();
    });
    let answerer: Job = Box::new(move |post| {
        let mut end = server();
        for number in 1..=warm + n {
            let message = end.receive();
            if number == warm + 1 {
                assert_eq!(message.number(), number);
            }
            end.send(message);
            // The client starts its clock when both are warm.
            if number == warm {
                post.start();
            }
        }
        post.finish();
        post.meet();
    });
    let log = crew::run(mode, cores, vec![caller, answerer])?;
    let ns = |place| log.figure(0, place) as f64 / PARTS as f64;
    let unit = if pace == Pace::Pausing { 1_000.0 } else { 1.0 };
    Some(Outcome { value: ns(0) / unit, p99: Some(ns(1) / unit), log })
}

fn pause(pace: Pace) {
    if pace == Pace::Pausing {
        let start = now_ns();
        while now_ns() - start < PAUSE_NS {
            spin_loop();
        }
    }
}

/// Whether verbs sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verbs {
    Try,
    Blocking,
}

struct Spsc(spsc::Sender<Message>, spsc::Receiver<Message>, Verbs);

impl End for Spsc {
    #[inline]
    fn send(&mut self, message: Message) {
        match self.2 {
            Verbs::Try => self.0.try_send(&message).expect("try_send"),
            Verbs::Blocking => self.0.send(&message).expect("send"),
        }
    }

    #[inline]
    fn receive(&mut self) -> Message {
        match self.2 {
            Verbs::Try => loop {
                if let Ok(message) = self.1.try_recv_copy() {
                    return message;
                }
                spin_loop();
            },
            Verbs::Blocking => self.1.recv_copy().expect("recv"),
        }
    }
}

struct Mpmc(mpmc::Sender<Message>, mpmc::Receiver<Message>, Verbs);

impl End for Mpmc {
    #[inline]
    fn send(&mut self, message: Message) {
        match self.2 {
            Verbs::Try => self.0.try_send(&message).expect("try_send"),
            Verbs::Blocking => self.0.send(&message).expect("send"),
        }
    }

    #[inline]
    fn receive(&mut self) -> Message {
        match self.2 {
            Verbs::Try => loop {
                if let Ok(message) = self.1.try_recv_copy() {
                    return message;
                }
                spin_loop();
            },
            Verbs::Blocking => self.1.recv_copy().expect("recv"),
        }
    }
}

fn ringmail(name: &'static str, verbs: Verbs, pace: Pace) -> Contestant {
    Contestant::new(name, Mode::Processes, move |cores, n| {
        let ring = || spsc::Ring::<Message>::anonymous(&Options::new().capacity(CAPACITY)).expect("ring");
        let (there, back) = (ring(), ring());
        let far = (there.clone(), back.clone());
        let client = move || Spsc(there.sender().expect("sender"), back.receiver().expect("receiver"), verbs);
        let server = move || Spsc(far.1.sender().expect("sender"), far.0.receiver().expect("receiver"), verbs);
        trips(Mode::Processes, cores, n, pace, client, server)
    })
}

fn ringmail_mpmc(name: &'static str, verbs: Verbs, pace: Pace) -> Contestant {
    Contestant::new(name, Mode::Processes, move |cores, n| {
        let ring = || mpmc::Ring::<Message>::anonymous(&Options::new().capacity(CAPACITY)).expect("ring");
        let (there, back) = (ring(), ring());
        let far = (there.clone(), back.clone());
        let client = move || Mpmc(there.sender().expect("sender"), back.receiver().expect("receiver"), verbs);
        let server = move || Mpmc(far.1.sender().expect("sender"), far.0.receiver().expect("receiver"), verbs);
        trips(Mode::Processes, cores, n, pace, client, server)
    })
}

/// Two cache lines and no queue; with the payload, or only its number.
struct Lines(Arc<Shared<PingPong>>, usize, u64, bool);

impl End for Lines {
    #[inline]
    fn send(&mut self, message: Message) {
        if self.3 {
            self.0.send_payload(self.1, message.number());
        } else {
            self.0.send(self.1, message.number());
        }
    }

    #[inline]
    fn receive(&mut self) -> Message {
        self.2 += 1;
        if self.3 {
            std::hint::black_box(self.0.await_payload(1 - self.1, self.2));
        } else {
            self.0.await_number(1 - self.1, self.2);
        }
        Message::numbered(self.2)
    }
}

fn lines(name: &'static str, payload: bool) -> Contestant {
    Contestant::new(name, Mode::Processes, move |cores, n| {
        let table = Arc::new(PingPong::map());
        let other = Arc::clone(&table);
        let client = move || Lines(table, 0, 0, payload);
        let server = move || Lines(other, 1, 0, payload);
        trips(Mode::Processes, cores, n, Pace::BackToBack, client, server)
    })
}

/// A bare futex each way: the client wakes the server and spins for its answer.
struct Bells(Arc<[Shared<Bell>; 2]>, usize, u64);

impl End for Bells {
    fn send(&mut self, message: Message) {
        self.0[self.1].ring(message.number() as u32);
    }

    fn receive(&mut self) -> Message {
        let bell = &self.0[1 - self.1];
        if self.1 == 0 {
            bell.spin(self.2 as u32);
        } else {
            bell.sleep(self.2 as u32);
        }
        self.2 += 1;
        Message::numbered(self.2)
    }
}

fn bells(name: &'static str) -> Contestant {
    Contestant::new(name, Mode::Processes, move |cores, n| {
        let bells = Arc::new([Bell::map(), Bell::map()]);
        let other = Arc::clone(&bells);
        trips(Mode::Processes, cores, n, Pace::Pausing, move || Bells(bells, 0, 0), move || Bells(other, 1, 0))
    })
}

struct Rtrb(rtrb::Producer<Message>, rtrb::Consumer<Message>);

impl End for Rtrb {
    #[inline]
    fn send(&mut self, message: Message) {
        self.0.push(message).expect("push");
    }

    #[inline]
    fn receive(&mut self) -> Message {
        loop {
            if let Ok(message) = self.1.pop() {
                return message;
            }
            spin_loop();
        }
    }
}

fn rtrb() -> Contestant {
    Contestant::new("rtrb", Mode::Threads, move |cores, n| {
        let ((tx, server_rx), (server_tx, rx)) = (rtrb::RingBuffer::new(CAPACITY), rtrb::RingBuffer::new(CAPACITY));
        let server = move || Rtrb(server_tx, server_rx);
        trips(Mode::Threads, cores, n, Pace::BackToBack, move || Rtrb(tx, rx), server)
    })
}

struct Shaq(shaq::spsc::Producer<Message>, shaq::spsc::Consumer<Message>, Verbs);

impl End for Shaq {
    #[inline]
    fn send(&mut self, message: Message) {
        self.0.try_write(message).expect("try_write");
    }

    #[inline]
    fn receive(&mut self) -> Message {
        match self.2 {
            Verbs::Try => loop {
                if let Some(message) = self.1.try_read() {
                    return message;
                }
                spin_loop();
            },
            Verbs::Blocking => self.1.read_timeout(Duration::from_secs(5)).expect("read_timeout"),
        }
    }
}

/// A queue in a mapping that forked processes share.
fn shaq_queue() -> (shaq::spsc::Producer<Message>, shaq::spsc::Consumer<Message>) {
    let size = shaq::spsc::minimum_file_size::<Message>(CAPACITY);
    let file = bare::memory_file(size);
    // SAFETY: the file is new, and nobody else initialises it.
    let producer = unsafe { shaq::spsc::Producer::create(&file, size) }.expect("shaq");
    // SAFETY: the only consumer; it is used in one process alone.
    let consumer = unsafe { producer.join_as_consumer() }.expect("shaq");
    (producer, consumer)
}

fn shaq(name: &'static str, verbs: Verbs, pace: Pace) -> Contestant {
    Contestant::new(name, Mode::Processes, move |cores, n| {
        let ((tx, server_rx), (server_tx, rx)) = (shaq_queue(), shaq_queue());
        let server = move || Shaq(server_tx, server_rx, verbs);
        trips(Mode::Processes, cores, n, pace, move || Shaq(tx, rx, verbs), server)
    })
}

struct Channel(crossbeam_channel::Sender<Message>, crossbeam_channel::Receiver<Message>);

impl End for Channel {
    fn send(&mut self, message: Message) {
        self.0.send(message).expect("send");
    }

    fn receive(&mut self) -> Message {
        self.1.recv().expect("recv")
    }
}

fn channel(pace: Pace) -> Contestant {
    Contestant::new("crossbeam-channel", Mode::Threads, move |cores, n| {
        let queue = || crossbeam_channel::bounded(CAPACITY);
        let ((tx, server_rx), (server_tx, rx)) = (queue(), queue());
        let server = move || Channel(server_tx, server_rx);
        trips(Mode::Threads, cores, n, pace, move || Channel(tx, rx), server)
    })
}

pub fn cases() -> Vec<Case> {
    use {Pace::*, Verbs::*};
    vec![
        Case {
            name: "rtt-spin",
            about: "round trip of 64 B, two processes, spinning; mean of bursts of 32, median and p99",
            direction: Direction::LessIsBetter("ns"),
            first: 32_000,
            step: BURST,
            contestants: vec![
                ringmail("ringmail spsc", Try, BackToBack),
                lines("bare cache line", false),
                lines("bare cache line, 56 B in it", true),
                rtrb(),
                shaq("shaq spsc", Try, BackToBack),
                ringmail_mpmc("ringmail mpmc", Try, BackToBack),
            ],
            goals: vec![Goal { best_of: &["bare cache line"], bound: 1.5 }],
        },
        Case {
            name: "rtt-blocking",
            about: "round trip of 64 B, two processes, blocking verbs back to back",
            direction: Direction::LessIsBetter("ns"),
            first: 32_000,
            step: BURST,
            contestants: vec![
                ringmail("ringmail spsc", Blocking, BackToBack),
                ringmail("ringmail spsc, spinning", Try, BackToBack),
                shaq("shaq spsc", Blocking, BackToBack),
                channel(BackToBack),
                ringmail_mpmc("ringmail mpmc", Blocking, BackToBack),
            ],
            goals: vec![Goal { best_of: &["ringmail spsc, spinning"], bound: 1.2 }],
        },
        Case {
            name: "rtt-pause",
            about: "round trip of 64 B, two processes, blocking verbs, after a pause of 300 us; each timed",
            direction: Direction::LessIsBetter("us"),
            first: 100,
            step: 1,
            contestants: vec![
                ringmail("ringmail spsc", Blocking, Pausing),
                shaq("shaq spsc", Blocking, Pausing),
                bells("bare futex"),
                channel(Pausing),
                ringmail_mpmc("ringmail mpmc", Blocking, Pausing),
            ],
            goals: vec![Goal { best_of: &["shaq spsc"], bound: 1.0 }],
        },
    ]
}
