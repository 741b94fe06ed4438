//! Frames of 64 KiB, in place, between two processes: gigabytes a second.
//!
//! The sender copies a frame into the slot and commits; the receiver sums up all of its words where it lies, which is what
//! every frame is verified by, and lets go. What bounds it is moving the bytes: from the sender's private cache while the
//! footprint is small, from the shared one at some megabytes. The bare ring has the same footprint, the same copy and the
//! same sum, and two counters instead of everything else.

use super::{Case, Contestant, Direction, Goal, Outcome};
use crate::bare::{FRAME, FrameEnd, Frames};
use crate::crew::{self, Cores, Job, Mode};
use ringmail::{Options, mpmc, spsc};
use std::sync::Arc;

/// Passes of the ring in the warm-up.
const WARM: u64 = 8;

/// The sending side: lends the next slot to be filled.
trait Source {
    fn send(&mut self, fill: impl FnOnce(&mut [u8]));
}

/// The receiving side: shows the next frame.
trait Drain {
    fn receive(&mut self, read: impl FnOnce(&[u8]));
}

/// What all frames are alike in.
fn picture() -> Vec<u8> {
    (0..FRAME as u32).map(|place| (place.wrapping_mul(0x9E37_79B9) >> 24) as u8).collect()
}

#[inline]
fn sum(frame: &[u8]) -> u64 {
    let words = frame.as_chunks::<8>().0.iter();
    words.fold(0, |sum: u64, word| sum.wrapping_add(u64::from_ne_bytes(*word)))
}

/// Streams `n` frames through a ring of some slots.
fn stream<S: Source, D: Drain>(
    cores: &Cores,
    n: u64,
    capacity: usize,
    source: impl FnOnce() -> S + Send + 'static,
    drain: impl FnOnce() -> D + Send + 'static,
) -> Option<Outcome> {
    let warm = WARM * capacity as u64;
    let sender: Job = Box::new(move |post| {
        let mut source = source();
        let mut picture = picture();
        let mut send = |number: u64| {
            picture[..8].copy_from_slice(&number.to_ne_bytes());
            source.send(|slot| slot.copy_from_slice(&picture));
        };
        (0..warm).for_each(&mut send);
        post.start();
        (warm..warm + n).for_each(&mut send);
        post.finish();
        post.meet();
    });
    let receiver: Job = Box::new(move |post| {
        let mut drain = drain();
        let picture = picture();
        let rest = sum(&picture[8..]);
        for number in 0..warm {
            drain.receive(|frame| {
                assert_eq!(frame[..8], number.to_ne_bytes());
                assert_eq!(frame[8..], picture[8..], "a frame that nobody sent");
            });
        }
        post.start();
        for number in warm..warm + n {
            drain.receive(|frame| assert_eq!(sum(frame), rest.wrapping_add(number), "a frame that nobody sent"));
        }
        post.finish();
        post.meet();
    });
    let log = crew::run(Mode::Processes, cores, vec![sender, receiver])?;
    let value = n as f64 * FRAME as f64 / log.elapsed.as_nanos() as f64;
    Some(Outcome { value, p99: None, log })
}

impl Source for spsc::Sender<[u8]> {
    #[inline]
    fn send(&mut self, fill: impl FnOnce(&mut [u8])) {
        let mut loan = self.loan(FRAME).expect("loan");
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
    fn send(&mut self, fill: impl FnOnce(&mut [u8])) {
        let mut loan = self.loan(FRAME).expect("loan");
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
    fn send(&mut self, fill: impl FnOnce(&mut [u8])) {
        self.fill_next(|slot| fill(slot));
    }
}

impl Drain for BareEnd {
    #[inline]
    fn receive(&mut self, read: impl FnOnce(&[u8])) {
        self.read_next(|slot| read(slot));
    }
}

fn options(capacity: usize) -> Options {
    Options::new().capacity(capacity).max_len(FRAME).prefault(true)
}

fn ringmail_spsc(capacity: usize) -> Contestant {
    Contestant::new("ringmail spsc", Mode::Processes, move |cores, n| {
        let ring = spsc::Ring::<[u8]>::anonymous(&options(capacity)).expect("ring");
        let other = ring.clone();
        let source = move || ring.sender().expect("sender");
        stream(cores, n, capacity, source, move || other.receiver().expect("receiver"))
    })
}

fn ringmail_mpmc(capacity: usize) -> Contestant {
    Contestant::new("ringmail mpmc", Mode::Processes, move |cores, n| {
        let ring = mpmc::Ring::<[u8]>::anonymous(&options(capacity)).expect("ring");
        let other = ring.clone();
        let source = move || ring.sender().expect("sender");
        stream(cores, n, capacity, source, move || other.receiver().expect("receiver"))
    })
}

fn bare_ring(capacity: usize) -> Contestant {
    Contestant::new("bare ring", Mode::Processes, move |cores, n| {
        let ring = Arc::new(Frames::map(capacity));
        let other = Arc::clone(&ring);
        let source = move || FrameEnd::new(ring, capacity);
        stream(cores, n, capacity, source, move || FrameEnd::new(other, capacity))
    })
}

pub fn cases() -> Vec<Case> {
    let case = |name, about, capacity| Case {
        name,
        about,
        direction: Direction::MoreIsBetter("GB/s"),
        first: 2_000,
        step: 1,
        contestants: vec![ringmail_spsc(capacity), bare_ring(capacity), ringmail_mpmc(capacity)],
        goals: vec![Goal { best_of: &["bare ring"], bound: 0.9 }],
    };
    vec![
        case("frames-64k-4", "frames of 64 KiB in place, two processes, capacity 4", 4),
        case("frames-64k-64", "frames of 64 KiB in place, two processes, capacity 64", 64),
    ]
}
