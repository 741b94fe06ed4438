//! Many senders, many receivers: messages a second, all together.
//!
//! With blocking verbs, so with wake-ups; each worker has a handle of its own. Who has none, such as `ArrayQueue`, spins and, after a while,
//! gives way, as do the channels once more by *polling*; `ArrayQueue` takes part once more without giving way. A disruptor's receiver reads
//! whatever is there together, as it is meant to; all others take a message a call. With more workers than cores senders share the one core and receivers
//! the other (on two cores; see `--float`).
//!
//! Each sender sends its share, and the last to be done sends every receiver a message to stop at. In the warm-up every
//! message is verified, and the order of each sender's; in the timed pass the sum of all words and the count are.
//!
//! Up to 64 bytes there is a bare queue in shared memory, which nobody recovers after a death: what that costs is the distance from it.
//!
//! What bounds it is the cache lines that change cores for a message, not the read-modify-writes: at 8 bytes four slots
//! share a line, at 56 bytes each slot is one.

use super::{Case, Contestant, Direction, Enlist, Goal, Measure, Size};
use crate::bare::Shared;
use crate::crew::{self, Cores, Job, Log, Mode, Post};
use crate::payload::Payload;
use crate::peers::ours::BLOCK;
use crate::peers::{self, Party, Visitor, disruptor, ours, threads};
use crate::queue::{Queue, Rx, Tx, Wait};
use crate::vyukov::Vyukov;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::*};

/// Slots.
const CAPACITY: usize = 1024;
/// Messages of each sender in the warm-up.
const WARM: u64 = 8 * CAPACITY as u64;
/// `ArrayQueue` behind a loop that never gives way.
const SPINNING: &str = "ArrayQueue, spinning";
/// The number of a message after which nothing comes.
const STOP: u64 = u64::MAX;
/// A sender's own numbers; its place stands above them.
const PLACE: u32 = 48;

/// What all receivers of a pass got.
#[repr(C)]
struct Total {
    count: AtomicU64,
    sum: AtomicU64,
}

/// Who takes part in a pass: this worker's place among its kind, and how many of each kind there are.
#[derive(Clone, Copy)]
struct Place {
    place: usize,
    senders: usize,
    receivers: usize,
}

/// Longer messages are made where the sender keeps them, and not on the stack.
const LONGEST_VALUE: usize = 1024;

#[inline]
fn send_one<M: Payload>(tx: &mut impl Tx<M>, message: &mut M, number: u64) {
    if size_of::<M>() <= LONGEST_VALUE {
        tx.send(&M::numbered(number));
    } else {
        message.renumber(number);
        tx.send(message);
    }
}

/// Sends this worker's share of a pass, and the end of it: a single receiver is told by every sender, since it may get the messages of one
/// before those of another; several are told by the last sender to be done.
fn send_pass<M: Payload>(tx: &mut impl Tx<M>, message: &mut M, post: &Post<'_>, pass: usize, share: u64, at: Place) {
    let base = (at.place as u64) << PLACE;
    for number in base..base + share {
        send_one(tx, message, number);
    }
    if at.receivers == 1 {
        send_one(tx, message, STOP);
    } else if post.is_last(pass, at.senders) {
        (0..at.receivers).for_each(|_| send_one(tx, message, STOP));
    }
}

/// How many ends a receiver waits for.
fn ends(at: Place) -> usize {
    if at.receivers == 1 { at.senders } else { 1 }
}

/// Sends `n` messages from some workers to others.
pub fn fan<M: Payload, Q: Queue<M>>(
    mode: Mode,
    cores: &Cores,
    n: u64,
    queue: Q,
    (senders, receivers): (usize, usize),
) -> Option<Log> {
    let share = n / senders as u64;
    // What goes round in the warm-up is the queue, and no more than the caches hold of it.
    let warm = WARM.min((64 << 20) / size_of::<M>() as u64);
    // SAFETY: zeroes are atomics.
    let total: Arc<Shared<Total>> = Arc::new(unsafe { Shared::zeroed(size_of::<Total>()) });
    let mut jobs: Vec<Job> = Vec::new();
    // In turns, so that workers of both kinds are spread over the cores.
    for place in 0..senders.max(receivers) {
        let at = Place { place, senders, receivers };
        if place < senders {
            let queue = queue.clone();
            jobs.push(Box::new(move |post| {
                let (mut tx, mut message) = (queue.sender(), M::boxed());
                post.meet();
                send_pass(&mut tx, &mut message, post, 0, warm, at);
                post.start();
                send_pass(&mut tx, &mut message, post, 1, share, at);
                post.finish();
                post.meet();
            }));
        }
        if place < receivers {
            let (queue, total) = (queue.clone(), Arc::clone(&total));
            jobs.push(Box::new(move |post| {
                let mut rx = queue.receiver();
                post.meet();
                verify_pass::<M, _>(&mut rx, at);
                post.start();
                let (count, sum) = sum_pass::<M, _>(&mut rx, at);
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
    let got = (total.count.load(Acquire), total.sum.load(Acquire));
    if got != (share * senders as u64, sum) {
        eprintln!("messages are missing");
        return None;
    }
    Some(log)
}

/// Receives until the end, and looks at everything.
fn verify_pass<M: Payload, R: Rx<M>>(rx: &mut R, at: Place) {
    let mut last = vec![None; at.senders];
    let mut left = ends(at);
    rx.receive_while(|message| {
        message.verify();
        let number = message.number();
        if number == STOP {
            left -= 1;
        } else {
            let place = (number >> PLACE) as usize;
            assert!(last[place] < Some(number), "a sender's messages out of order");
            last[place] = Some(number);
        }
        left > 0
    });
}

/// Receives until the end; returns the count of messages and the sum of their words.
fn sum_pass<M: Payload, R: Rx<M>>(rx: &mut R, at: Place) -> (u64, u64) {
    let (mut count, mut sum, mut left) = (0_u64, 0_u64, ends(at));
    rx.receive_while(|message| {
        if message.number() == STOP {
            left -= 1;
        } else {
            count += 1;
            sum = sum.wrapping_add(message.sum());
        }
        left > 0
    });
    (count, sum)
}

/// Every other queue, between so many senders and receivers.
struct Fan((usize, usize));

impl<M: Payload> Measure<M> for Fan {
    fn contestant<Q: Queue<M>>(&self, name: &'static str, mode: Mode, queue: impl Fn() -> Q + 'static) -> Contestant {
        let crowd = self.0;
        Contestant::rate(name, mode, move |cores, n| fan::<M, Q>(mode, cores, n, queue(), crowd))
    }
}

fn case<M: Payload>(name: &'static str, about: &'static str, crowd: (usize, usize), bound: Option<f64>) -> Case {
    use Mode::{Processes, Threads};
    let ring = || ours::Mpmc::<M, BLOCK>::new(&ours::slots(CAPACITY));
    let mut enlist = Enlist(Vec::new(), Fan(crowd));
    let visitor: &mut Enlist<Fan> = &mut enlist;
    Visitor::<M>::visit(visitor, "ringmail", Threads, ring);
    Visitor::<M>::visit(visitor, "ArrayQueue", Threads, || threads::Array::<M>::new(CAPACITY, Wait::Yield));
    // How it waits decides; with more workers on a core than this, one that only spins is not worth the time it takes.
    if crowd.0 + crowd.1 <= 4 {
        Visitor::<M>::visit(visitor, SPINNING, Threads, || threads::Array::<M>::new(CAPACITY, Wait::Spin));
    }
    peers::channels::<M>(Party::crowd(CAPACITY, crowd, Wait::Block), visitor);
    peers::polling_channels::<M>(CAPACITY, visitor);
    if crowd.1 == 1 {
        Visitor::<M>::visit(visitor, "disruptor", Threads, || disruptor::Multi::<M>::new(CAPACITY));
    }
    Visitor::<M>::visit(visitor, "ringmail, processes", Processes, ring);
    if size_of::<M>() <= 64 {
        Visitor::<M>::visit(visitor, "bare vyukov", Processes, Vyukov::<M>::new);
    }
    // Without blocking they do better, wherever they have the choice.
    peers::between_processes::<M>(Party::crowd(CAPACITY, crowd, Wait::Yield), visitor);
    let mut goals = vec![Goal::FIRST];
    goals.extend(bound.map(|bound| Goal::beside(&["ArrayQueue"], bound)));
    goals.extend(bound.filter(|_| crowd.0 + crowd.1 <= 4).map(|bound| Goal::beside(&[SPINNING], bound)));
    let size = Size::Fitting { first: 10_000, step: 4 };
    Case { name, about, direction: Direction::MoreIsBetter("million/s"), size, contestants: enlist.0, goals }
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
    let (half, none) = (Some(1.5), None);
    let mut cases = shapes!(
        [u64; 1], "8", "1p1c" 1 1 Some(5.0), "2p1c" 2 1 Some(4.0), "1p2c" 1 2 Some(2.7), "2p2c" 2 2 Some(6.0),
        "4p4c" 4 4 Some(6.0)
    );
    cases.extend(
        shapes!([u64; 7], "56", "1p1c" 1 1 half, "2p1c" 2 1 half, "1p2c" 1 2 half, "2p2c" 2 2 half, "4p4c" 4 4 half),
    );
    cases.extend(
        shapes!([u64; 8], "64", "1p1c" 1 1 none, "2p1c" 2 1 none, "1p2c" 1 2 none, "2p2c" 2 2 none, "4p4c" 4 4 none),
    );
    cases.extend(shapes!([u64; 128], "1024", "1p1c" 1 1 none, "2p1c" 2 1 none, "1p2c" 1 2 none, "2p2c" 2 2 none, "4p4c" 4 4 none));
    cases
}
