//! Messages of every length, copied in and looked at in place, between two processes: gigabytes a second.
//!
//! The sender has the message in a buffer of its own and sends it; the receiver compares its first word and its last with what
//! must be there, and lets go. So the bytes are moved once, by the sender, and what bounds it is `memcpy` of as many bytes into
//! memory that is warm: into the same place each time, or going round in as much memory as the ring does. *In place* is without
//! the copy: the sender lends room and writes a number into each page of it, which is what a camera's driver costs the processor.

use super::{Case, Contestant, Direction, Enlist, Goal, Measure, Outcome, Size};
use crate::bare::{FrameEnd, Frames, Shape};
use crate::crew::{self, Cores, Job, Mode};
use crate::payload::Payload;
use crate::peers::{self, Party};
use crate::queue::{Queue, Rx, Tx, Wait};
use ringmail::{Options, mpmc, spsc};
use std::hint::black_box;
use std::sync::Arc;

/// Bytes that are sent before it counts, at least.
const WARM: usize = 64 << 20;

/// What a ring of messages that long goes round in, at least: see `docs/decisions.md`.
const ROUND: usize = 4 << 20;

/// Messages to warm up.
fn warm(len: usize) -> u64 {
    (WARM / len).clamp(4, 100_000) as u64
}

fn stamp(buffer: &mut [u8], number: u64) {
    let last = buffer.len() - 8;
    buffer[..8].copy_from_slice(&number.to_ne_bytes());
    buffer[last..].copy_from_slice(&number.to_ne_bytes());
}

fn check(message: &[u8], number: u64, len: usize) {
    assert_eq!(message.len(), len);
    assert_eq!(message[..8], number.to_ne_bytes(), "a message that nobody sent");
    assert_eq!(message[len - 8..], number.to_ne_bytes(), "a message that nobody sent whole");
}

/// Runs a sender of `n` messages beside a receiver of as many.
fn pass<S, R>(
    cores: &Cores,
    n: u64,
    len: usize,
    sender: impl FnOnce() -> S + Send + 'static,
    receiver: impl FnOnce() -> R + Send + 'static,
) -> Option<Outcome>
where
    S: FnMut(u64),
    R: FnMut(u64),
{
    let warm = warm(len);
    let all = move |mut one: Box<dyn FnMut(u64) + '_>, post: &mut crew::Post<'_>| {
        post.meet();
        (0..warm).for_each(&mut one);
        post.start();
        (warm..warm + n).for_each(&mut one);
        post.finish();
        post.meet();
    };
    let sending: Job = Box::new(move |post| all(Box::new(sender()), post));
    let receiving: Job = Box::new(move |post| all(Box::new(receiver()), post));
    let log = crew::run_for(60, Mode::Processes, cores, vec![sending, receiving])?;
    Some(Outcome::new(n as f64 * len as f64 / log.elapsed.as_nanos() as f64, log))
}

fn options(len: usize) -> Options {
    Options::new().capacity(64).max_len(len).retain((4 * len).max(256 << 20))
}

fn spsc_copy(len: usize) -> Contestant {
    Contestant::new("ringmail spsc", Mode::Processes, move |cores, n| {
        let ring = spsc::Ring::<[u8]>::anonymous(&options(len)).expect("ring");
        let other = ring.clone();
        let sender = move || {
            let (mut tx, mut buffer) = (ring.sender().expect("sender"), vec![1; len]);
            move |number| {
                stamp(&mut buffer, number);
                tx.send(&buffer).expect("send");
            }
        };
        let receiver = move || {
            let mut rx = other.receiver().expect("receiver");
            move |number| check(&rx.recv().expect("recv"), number, len)
        };
        pass(cores, n, len, sender, receiver)
    })
}

fn mpmc_copy(len: usize) -> Contestant {
    Contestant::new("ringmail mpmc", Mode::Processes, move |cores, n| {
        let ring = mpmc::Ring::<[u8]>::anonymous(&options(len)).expect("ring");
        let other = ring.clone();
        let sender = move || {
            let (tx, mut buffer) = (ring.sender().expect("sender"), vec![1; len]);
            move |number| {
                stamp(&mut buffer, number);
                tx.send(&buffer).expect("send");
            }
        };
        let receiver = move || {
            let rx = other.receiver().expect("receiver");
            move |number| check(&rx.recv().expect("recv"), number, len)
        };
        pass(cores, n, len, sender, receiver)
    })
}

fn spsc_in_place(len: usize) -> Contestant {
    Contestant::new("ringmail spsc in place", Mode::Processes, move |cores, n| {
        let ring = spsc::Ring::<[u8]>::anonymous(&options(len)).expect("ring");
        let other = ring.clone();
        let sender = move || {
            let mut tx = ring.sender().expect("sender");
            move |number| {
                let mut loan = tx.loan(len).expect("loan");
                loan.iter_mut().step_by(4096).for_each(|byte| *byte = number as u8);
                stamp(&mut loan, number);
                loan.commit().expect("commit");
            }
        };
        let receiver = move || {
            let mut rx = other.receiver().expect("receiver");
            move |number| check(&rx.recv().expect("recv"), number, len)
        };
        pass(cores, n, len, sender, receiver)
    })
}

fn bare(len: usize) -> Contestant {
    let shape = Shape { capacity: (ROUND / len).clamp(2, 1024), len };
    Contestant::new("bare ring", Mode::Processes, move |cores, n| {
        let ring = Arc::new(Frames::map(shape));
        let other = Arc::clone(&ring);
        let sender = move || {
            let (mut end, mut buffer) = (FrameEnd::new(ring, shape), vec![1; len]);
            move |number| {
                stamp(&mut buffer, number);
                end.fill_next(|slot| slot.copy_from_slice(&buffer));
            }
        };
        let receiver = move || {
            let mut end = FrameEnd::new(other, shape);
            move |number| end.read_next(|slot| check(slot, number, len))
        };
        pass(cores, n, len, sender, receiver)
    })
}

/// Plain copies into warm memory, going round in `places` of it. The second process has nothing to do.
fn memcpy(name: &'static str, len: usize, places: usize) -> Contestant {
    Contestant::new(name, Mode::Processes, move |cores, n| {
        let sender = move || {
            // From a page on, as bodies lie: how the two lie to each other decides how fast a copy is.
            let (mut buffer, mut memory) = (vec![1; len], vec![2_u8; len * places + 4096]);
            let page = memory.as_ptr().align_offset(4096);
            move |number| {
                stamp(&mut buffer, number);
                let place = page + number as usize % places * len;
                black_box(&mut memory[place..place + len]).copy_from_slice(black_box(&buffer));
            }
        };
        pass(cores, n, len, sender, || |_| {})
    })
}

/// Every other queue, going round in as much memory as it takes to be quickest: a ring of many long messages goes through memory.
struct Copying;

impl<M: Payload> Measure<M> for Copying {
    fn contestant<Q: Queue<M>>(&self, name: &'static str, mode: Mode, queue: impl Fn() -> Q + 'static) -> Contestant {
        Contestant::new(name, mode, move |cores, n| {
            let queue = queue();
            let other = queue.clone();
            let sender = move || {
                let (mut tx, mut message) = (queue.sender(), M::boxed());
                move |number| {
                    message.stamp(number);
                    tx.send(&message);
                }
            };
            let receiver = move || {
                let mut rx = other.receiver();
                move |number| rx.receive(|message| message.verify_stamp(number))
            };
            pass(cores, n, size_of::<M>(), sender, receiver)
        })
    }
}

fn others_of<M: Payload>() -> Vec<Contestant> {
    let mut others = Enlist(Vec::new(), Copying);
    let capacity = (ROUND / size_of::<M>()).clamp(2, 1024);
    peers::between_processes::<M>(Party::pair(capacity, Wait::Spin), &mut others);
    others.0
}

/// The peers, at some lengths: theirs are known when they are compiled, and each takes a while.
fn others(len: usize) -> Vec<Contestant> {
    const K: usize = 1 << 10;
    const M: usize = 1 << 20;
    match len {
        8 => others_of::<[u64; 1]>(),
        64 => others_of::<[u64; 8]>(),
        512 => others_of::<[u64; 64]>(),
        4096 => others_of::<[u64; 4 * K / 8]>(),
        0x1_0000 => others_of::<[u64; 64 * K / 8]>(),
        0x10_0000 => others_of::<[u64; M / 8]>(),
        _ => Vec::new(),
    }
}

const LENGTHS: [(&str, &str, usize); 14] = [
    ("copy-8", "8 bytes copied in, seen in place", 8),
    ("copy-64", "64 bytes copied in, seen in place", 64),
    ("copy-512", "512 bytes copied in, seen in place", 512),
    ("copy-4k", "4 KiB copied in, seen in place", 4 << 10),
    ("copy-16k", "16 KiB copied in, seen in place", 16 << 10),
    ("copy-64k", "64 KiB copied in, seen in place", 64 << 10),
    ("copy-256k", "256 KiB copied in, seen in place", 256 << 10),
    ("copy-1m", "1 MiB copied in, seen in place", 1 << 20),
    ("copy-4m", "4 MiB copied in, seen in place", 4 << 20),
    ("copy-16m", "16 MiB copied in, seen in place", 16 << 20),
    ("copy-64m", "64 MiB copied in, seen in place", 64 << 20),
    ("copy-256m", "256 MiB copied in, seen in place", 256 << 20),
    ("copy-1g", "1 GiB copied in, seen in place", 1 << 30),
    ("copy-4g", "4 GiB copied in, seen in place", 4 << 30),
];

pub fn cases() -> Vec<Case> {
    let case = |(name, about, len): (&'static str, &'static str, usize)| {
        let round = (ROUND / len).max(2);
        let mut others = others(len);
        let mut goals = Vec::new();
        if !others.is_empty() {
            goals.push(Goal::FIRST);
        }
        // Of shorter messages it is not moving the bytes that costs.
        if len > 0xffff {
            goals.push(Goal::beside(&["memcpy"], 0.85));
        }
        let mut contestants = vec![
            spsc_copy(len),
            mpmc_copy(len),
            spsc_in_place(len),
            bare(len),
            memcpy("memcpy", len, 1),
            memcpy("memcpy, going round", len, round),
        ];
        contestants.append(&mut others);
        Case {
            name,
            about,
            direction: Direction::MoreIsBetter("GB/s"),
            size: Size::Fitting { first: ((16 << 20) / len).clamp(2, 100_000) as u64, step: 1 },
            contestants,
            goals,
        }
    };
    LENGTHS.into_iter().map(case).collect()
}
