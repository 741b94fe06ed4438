//! Frames, in place, between two processes: gigabytes a second.
//!
//! The sender copies a frame into the slot and commits; the receiver sums up all of its words where it lies, which is what
//! every frame is verified by, and lets go. What bounds it is moving the bytes: from the sender's private cache while the
//! footprint is small, from the shared one at some megabytes, from memory beyond. The bare ring has the same copy and the same
//! sum, and two counters instead of everything else; its footprint is its slots, and so there are several of it.

use super::{Case, Contestant, Direction, Goal, Outcome, Size};
use crate::bare::{FrameEnd, Frames, Shape};
use crate::crew::{self, Cores, Job, Mode};
use ringmail::{Options, mpmc, spsc};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Bytes that are sent in the warm-up, at least: enough for both processes to have touched all that they go round in.
const WARM: usize = 128 << 20;

/// The sending side: lends the next slot to be filled.
trait Source {
    fn send(&mut self, len: usize, fill: impl FnOnce(&mut [u8]));
}

/// The receiving side: shows the next frame.
trait Drain {
    fn receive(&mut self, read: impl FnOnce(&[u8]));
}

/// What all frames are alike in.
fn picture(len: usize) -> Vec<u8> {
    (0..len as u32).map(|place| (place.wrapping_mul(0x9E37_79B9) >> 24) as u8).collect()
}

/// The sum of all words: eight sums side by side, and one copy of the code for everybody, because a compiler that does it
/// word by word for one contestant and in vectors for another decides the race (22 GB/s against 35).
#[inline(never)]
fn sum(frame: &[u8]) -> u64 {
    let (blocks, rest) = frame.as_chunks::<64>();
    let mut sums = [0_u64; 8];
    for block in blocks {
        for (sum, word) in sums.iter_mut().zip(block.as_chunks::<8>().0) {
            *sum = sum.wrapping_add(u64::from_ne_bytes(*word));
        }
    }
    let rest = rest.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word));
    sums.into_iter().chain(rest).fold(0, u64::wrapping_add)
}

/// What a receiver does besides reading.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Habit {
    Steady,
    /// Does something else for a while, now and then: the ring fills up meanwhile.
    Pausing,
}

/// Frames between two pauses, and how long one takes.
const PAUSE_EVERY: u64 = 2048;
const PAUSE: Duration = Duration::from_millis(5);

/// Streams `n` frames through a ring.
fn stream<S: Source, D: Drain>(
    cores: &Cores,
    n: u64,
    (shape, habit): (Shape, Habit),
    source: impl FnOnce() -> S + Send + 'static,
    drain: impl FnOnce() -> D + Send + 'static,
) -> Option<Outcome> {
    let len = shape.len;
    let warm = (WARM / len).max(2 * shape.capacity) as u64;
    let sender: Job = Box::new(move |post| {
        let mut source = source();
        let mut picture = picture(len);
        let mut send = |number: u64| {
            picture[..8].copy_from_slice(&number.to_ne_bytes());
            source.send(len, |slot| slot.copy_from_slice(&picture));
        };
        (0..warm).for_each(&mut send);
        post.start();
        (warm..warm + n).for_each(&mut send);
        post.finish();
        post.meet();
    });
    let receiver: Job = Box::new(move |post| {
        let mut drain = drain();
        let picture = picture(len);
        let rest = sum(&picture[8..]);
        for number in 0..warm {
            drain.receive(|frame| {
                assert_eq!(frame[..8], number.to_ne_bytes());
                assert_eq!(frame[8..], picture[8..], "a frame that nobody sent");
            });
        }
        post.start();
        for number in warm..warm + n {
            if habit == Habit::Pausing && number % PAUSE_EVERY == 0 {
                thread::sleep(PAUSE);
            }
            drain.receive(|frame| assert_eq!(sum(frame), rest.wrapping_add(number), "a frame that nobody sent"));
        }
        post.finish();
        post.meet();
    });
    let log = crew::run(Mode::Processes, cores, vec![sender, receiver])?;
    let value = n as f64 * len as f64 / log.elapsed.as_nanos() as f64;
    Some(Outcome::new(value, log))
}

impl Source for spsc::Sender<[u8]> {
    #[inline]
    fn send(&mut self, len: usize, fill: impl FnOnce(&mut [u8])) {
        let mut loan = self.loan(len).expect("loan");
        fill(&mut loan);
        loan.commit().expect("commit");
    }
}

impl Drain for spsc::Receiver<[u8]> {
    #[inline]
    fn receive(&mut self, read: impl FnOnce(&[u8])) {
        read(&self.recv().expect("recv"));
    }
}

impl Source for mpmc::Sender<[u8]> {
    #[inline]
    fn send(&mut self, len: usize, fill: impl FnOnce(&mut [u8])) {
        let mut loan = self.loan(len).expect("loan");
        fill(&mut loan);
        loan.commit().expect("commit");
    }
}

impl Drain for mpmc::Receiver<[u8]> {
    #[inline]
    fn receive(&mut self, read: impl FnOnce(&[u8])) {
        read(&self.recv().expect("recv"));
    }
}

type BareEnd = FrameEnd<Arc<crate::bare::Shared<Frames>>>;

impl Source for BareEnd {
    #[inline]
    fn send(&mut self, _: usize, fill: impl FnOnce(&mut [u8])) {
        self.fill_next(|slot| fill(slot));
    }
}

impl Drain for BareEnd {
    #[inline]
    fn receive(&mut self, read: impl FnOnce(&[u8])) {
        self.read_next(|slot| read(slot));
    }
}

fn options(shape: Shape) -> Options {
    Options::new().capacity(shape.capacity).max_len(shape.len).prefault(true)
}

fn ringmail_spsc(shape: Shape, habit: Habit) -> Contestant {
    Contestant::new("ringmail spsc", Mode::Processes, move |cores, n| {
        let ring = spsc::Ring::<[u8]>::anonymous(&options(shape)).expect("ring");
        let other = ring.clone();
        let source = move || ring.sender().expect("sender");
        stream(cores, n, (shape, habit), source, move || other.receiver().expect("receiver"))
    })
}

fn ringmail_mpmc(shape: Shape, habit: Habit) -> Contestant {
    Contestant::new("ringmail mpmc", Mode::Processes, move |cores, n| {
        let ring = mpmc::Ring::<[u8]>::anonymous(&options(shape)).expect("ring");
        let other = ring.clone();
        let source = move || ring.sender().expect("sender");
        stream(cores, n, (shape, habit), source, move || other.receiver().expect("receiver"))
    })
}

fn bare_ring(name: &'static str, shape: Shape, habit: Habit) -> Contestant {
    Contestant::new(name, Mode::Processes, move |cores, n| {
        let ring = Arc::new(Frames::map(shape));
        let other = Arc::clone(&ring);
        let source = move || FrameEnd::new(ring, shape);
        stream(cores, n, (shape, habit), source, move || FrameEnd::new(other, shape))
    })
}

/// The bare rings that a ring of long messages is held against: of few slots and of many.
const BARE: [(&str, usize); 5] = [("bare 2", 2), ("bare 4", 4), ("bare 8", 8), ("bare 64", 64), ("bare 256", 256)];

pub fn cases() -> Vec<Case> {
    let case = |name, about, capacity, len: usize, habit, goal: &'static [&'static str]| {
        let shape = Shape { capacity, len };
        let mut contestants = vec![ringmail_spsc(shape, habit), ringmail_mpmc(shape, habit)];
        let bare = BARE.into_iter().filter(|(name, _)| goal.contains(name));
        contestants.extend(bare.map(|(name, capacity)| bare_ring(name, Shape { capacity, len }, habit)));
        Case {
            name,
            about,
            direction: Direction::MoreIsBetter("GB/s"),
            size: Size::Fitting { first: ((128 << 20) / len) as u64, step: 1 },
            contestants,
            goals: vec![Goal::beside(goal, 0.9)],
        }
    };
    const K64: usize = 64 << 10;
    const M1: usize = 1 << 20;
    let steady = Habit::Steady;
    vec![
        case(
            "frames-64k-4",
            "frames of 64 KiB in place, capacity 4",
            4,
            K64,
            steady,
            &["bare 4", "bare 64", "bare 256"],
        ),
        case("frames-64k-64", "frames of 64 KiB in place, capacity 64", 64, K64, steady, &["bare 64", "bare 256"]),
        case(
            "frames-1m-64",
            "frames of 1 MiB in place, capacity 64",
            64,
            M1,
            steady,
            &["bare 2", "bare 4", "bare 8", "bare 64"],
        ),
        case(
            "frames-1m-1024",
            "frames of 1 MiB in place, capacity 1024",
            1024,
            M1,
            steady,
            &["bare 2", "bare 4", "bare 8"],
        ),
        case(
            "frames-1m-pause",
            "frames of 1 MiB in place, capacity 64, a receiver that pauses for 5 ms every 2,048",
            64,
            M1,
            Habit::Pausing,
            &["bare 4", "bare 8", "bare 64"],
        ),
    ]
}
