//! What is counted, and how many instructions it may take.

mod others;
mod ours;
#[cfg(feature = "peers")]
mod peers;

use ringmail::Options;
use std::hint::black_box;
use std::io;

/// The compiler that the bounds are of, in a plain release build, as most programs are: with link-time optimisation a small function that
/// is not inlined into them, and then called for each message, would go unnoticed. They are this program's own output under it.
pub const COMPILER: &str = "1.95.0";

/// Slots of every ring.
pub const CAPACITY: usize = 128;
/// Messages of a run.
const RUN: usize = 32;

/// Something that moves so many messages: whole runs.
pub type Pass = Box<dyn FnMut(usize)>;

pub struct Case {
    pub name: &'static str,
    /// Instructions a message, sent and received; `None` for what is not ours.
    pub bound: Option<f64>,
    pub make: fn() -> Pass,
}

impl Case {
    /// The most locked instructions a message, sent and received: an spsc ring locks nothing, a sender to an mpmc ring claims a slot, and a
    /// receiver takes it. `None` for what is not ours.
    pub fn most_locked(&self) -> Option<f64> {
        self.bound.map(|_| if self.name.starts_with("spsc") { 0.0 } else { 2.0 })
    }
}

/// Those that need the feature `peers`.
#[cfg(not(feature = "peers"))]
const PEERS: &[Case] = &[];
#[cfg(feature = "peers")]
use peers::PEERS;

/// All cases. *Apart*: a whole ring is sent in one loop and received in another. *Together*: received as soon as it is sent. *In turns*: 32 are
/// sent, one by one, then received, one by one. *In runs*: 32 are sent by one call and received by another.
///
/// The ends are variables of the loop, as in most programs, but for *in memory*, where somebody has their address.
pub fn all() -> impl Iterator<Item = &'static Case> {
    ours::CASES.iter().chain(others::CASES).chain(PEERS)
}

/// A name with one space where it has several.
pub fn squeezed(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The case of that name.
pub fn named(name: &str) -> io::Result<&'static Case> {
    let is_it = |case: &&Case| squeezed(case.name) == squeezed(name);
    all().find(is_it).ok_or_else(|| io::Error::other(format!("no such case: {name}")))
}

const fn ours(name: &'static str, bound: f64, make: fn() -> Pass) -> Case {
    Case { name, bound: Some(bound), make }
}

const fn others(name: &'static str, make: fn() -> Pass) -> Case {
    Case { name, bound: None, make }
}

fn options() -> Options {
    Options::new().capacity(CAPACITY).max_len(16)
}

/// Sends `TURN` messages one by one, then receives as many; each end in a closure, and so in memory.
fn in_memory<const TURN: usize>(mut send: impl FnMut(u64) + 'static, mut receive: impl FnMut() + 'static) -> Pass {
    Box::new(move |count| {
        for _ in 0..count / TURN {
            (0..TURN as u64).for_each(&mut send);
            (0..TURN).for_each(|_| receive());
        }
    })
}

/// Loops that have the ends as variables of their own. (A type and not a value: so each case compiles one way only, and has its verbs to
/// itself, which the compiler then puts into the loop as it does where a program has one loop.)
trait Loops {
    /// A pass that sends, and receives what was sent.
    fn pass<T: 'static, R: 'static>(
        ends: (T, R),
        send: impl Fn(&mut T, u64) + Copy + 'static,
        receive: impl Fn(&mut R) -> u64 + Copy + 'static,
    ) -> Pass;
}

/// Each message is received at once.
struct Together;

impl Loops for Together {
    fn pass<T: 'static, R: 'static>(
        ends: (T, R),
        send: impl Fn(&mut T, u64) + Copy + 'static,
        receive: impl Fn(&mut R) -> u64 + Copy + 'static,
    ) -> Pass {
        let mut ends = Some(ends);
        Box::new(move |count| {
            let (mut tx, mut rx) = ends.take().expect("nobody else has them");
            let mut sum = 0_u64;
            for number in 0..count as u64 {
                send(&mut tx, number);
                sum = sum.wrapping_add(receive(&mut rx));
            }
            black_box(sum);
            ends = Some((tx, rx));
        })
    }
}

/// Up to a whole ring is sent in a loop that has the sender alone, then as many are received in another: as where each is in a process of
/// its own.
struct Apart;

impl Loops for Apart {
    fn pass<T: 'static, R: 'static>(
        (tx, rx): (T, R),
        send: impl Fn(&mut T, u64) + Copy + 'static,
        receive: impl Fn(&mut R) -> u64 + Copy + 'static,
    ) -> Pass {
        let (mut tx, mut rx) = (Some(tx), Some(rx));
        Box::new(move |count| {
            for start in (0..count).step_by(CAPACITY) {
                let part = (count - start).min(CAPACITY);
                send_all(&mut tx, send, part);
                receive_all(&mut rx, receive, part);
            }
        })
    }
}

#[inline(never)]
fn send_all<T>(end: &mut Option<T>, send: impl Fn(&mut T, u64), count: usize) {
    let mut tx = end.take().expect("nobody else has it");
    for number in 0..count as u64 {
        send(&mut tx, number);
    }
    *end = Some(tx);
}

#[inline(never)]
fn receive_all<R>(end: &mut Option<R>, receive: impl Fn(&mut R) -> u64, count: usize) {
    let mut rx = end.take().expect("nobody else has it");
    let mut sum = 0_u64;
    for _ in 0..count {
        sum = sum.wrapping_add(receive(&mut rx));
    }
    black_box(sum);
    *end = Some(rx);
}

/// A message.
trait Words: ringmail::Message + Copy + std::fmt::Debug + Send + Sync {
    fn numbered(number: u64) -> Self;
    /// What a receiver does with it: one word is added up, which no memory takes part in; of a longer one all is looked at.
    fn look(&self) -> u64;
}

impl Words for u64 {
    #[inline(always)]
    fn numbered(number: u64) -> Self {
        number
    }

    #[inline(always)]
    fn look(&self) -> u64 {
        *self
    }
}

impl Words for [u64; 8] {
    #[inline(always)]
    fn numbered(number: u64) -> Self {
        [number; 8]
    }

    #[inline(always)]
    fn look(&self) -> u64 {
        black_box(self)[0]
    }
}
