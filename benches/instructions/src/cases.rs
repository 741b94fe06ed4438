//! What is counted, and how many instructions it may take.

use crossbeam_queue::ArrayQueue;
use ringmail::{Options, mpmc, spsc};
use std::hint::black_box;
use std::sync::Arc;

/// The compiler that the bounds are of, in a plain release build, as most programs are: with link-time optimisation a small function that
/// is not inlined into them, and then called for each message, would go unnoticed. They are this program's own output under it.
pub const COMPILER: &str = "1.95.0";

/// Slots of every ring. What is done once in 64 positions comes out even.
pub const CAPACITY: usize = 64;
/// Messages of a run.
const RUN: usize = 32;

/// Something that moves so many messages: whole runs.
pub type Pass = Box<dyn FnMut(usize)>;

pub struct Case {
    pub name: &'static str,
    /// Instructions a message, sent and received; `None` for what is not ours.
    pub bound: Option<f64>,
    /// Locked ones among them, at most.
    pub locked: f64,
    pub make: fn() -> Pass,
}

/// An spsc ring locks nothing.
const fn one(name: &'static str, bound: f64, make: fn() -> Pass) -> Case {
    Case { name, bound: Some(bound), locked: 0.0, make }
}

/// An mpmc ring locks twice: a sender claims a slot, a receiver takes it.
const fn many(name: &'static str, bound: f64, make: fn() -> Pass) -> Case {
    Case { name, bound: Some(bound), locked: 2.0, make }
}

const fn others(name: &'static str, make: fn() -> Pass) -> Case {
    Case { name, bound: None, locked: f64::INFINITY, make }
}

/// *One by one*: received as soon as it is sent. *In turns*: 32 are sent, one by one, then received, one by one. *In runs*:
/// 32 are sent by one call and received by another.
pub const CASES: &[Case] = &[
    one("spsc     8 B, one by one", 88.3, spsc_singles::<1, 1>),
    one("spsc     8 B, in turns", 66.5, spsc_singles::<1, RUN>),
    one("spsc     8 B, by value", 78.3, spsc_values),
    one("spsc     8 B, in runs", 13.5, spsc_runs),
    one("spsc    64 B, one by one", 92.4, spsc_singles::<8, 1>),
    one("spsc  [u8; 8], in place", 120.4, spsc_bytes),
    many("mpmc     8 B, one by one", 118.7, mpmc_singles::<1, 1>),
    many("mpmc     8 B, in turns", 120.0, mpmc_singles::<1, RUN>),
    many("mpmc     8 B, in runs", 130.2, mpmc_runs),
    many("mpmc    64 B, one by one", 124.8, mpmc_singles::<8, 1>),
    many("mpmc  [u8; 8], in place", 161.8, mpmc_bytes),
    others("rtrb     8 B, one by one", rtrb_singles::<1, 1>),
    others("rtrb     8 B, in turns", rtrb_singles::<1, RUN>),
    others("rtrb     8 B, in runs", rtrb_runs),
    others("rtrb    64 B, one by one", rtrb_singles::<8, 1>),
    others("ArrayQueue  8 B, one by one", array_queue_singles::<1, 1>),
    others("ArrayQueue  8 B, in turns", array_queue_singles::<1, RUN>),
    others("ArrayQueue 64 B, one by one", array_queue_singles::<8, 1>),
];

fn options() -> Options {
    Options::new().capacity(CAPACITY).max_len(16)
}

/// Sends `TURN` messages one by one, then receives as many.
fn turns<const TURN: usize>(mut send: impl FnMut(u64) + 'static, mut receive: impl FnMut() + 'static) -> Pass {
    Box::new(move |count| {
        for _ in 0..count / TURN {
            (0..TURN as u64).for_each(&mut send);
            (0..TURN).for_each(|_| receive());
        }
    })
}

fn spsc_singles<const N: usize, const TURN: usize>() -> Pass {
    let (mut tx, mut rx) = spsc::channel(&options()).expect("ring");
    turns::<TURN>(
        move |number| tx.try_send(&[number; N]).expect("room"),
        move || _ = black_box(&*rx.try_recv().expect("a message")),
    )
}

fn spsc_values() -> Pass {
    let (mut tx, mut rx) = spsc::channel(&options()).expect("ring");
    turns::<1>(
        move |number| tx.try_send(&number).expect("room"),
        move || _ = black_box(rx.try_recv_copy().expect("a message")),
    )
}

fn spsc_runs() -> Pass {
    let (mut tx, mut rx) = spsc::channel::<u64>(&options()).expect("ring");
    Box::new(move |count| {
        for _ in 0..count / RUN {
            tx.send_slice(black_box(&[0; RUN])).expect("room");
            rx.try_recv_many(RUN).expect("messages").iter().for_each(|message| _ = black_box(message));
        }
    })
}

fn spsc_bytes() -> Pass {
    let (mut tx, mut rx) = spsc::channel::<[u8]>(&options()).expect("ring");
    turns::<1>(
        move |number| {
            let mut loan = tx.try_loan(8).expect("room");
            loan.copy_from_slice(&number.to_ne_bytes());
            loan.commit().expect("an open ring");
        },
        move || _ = black_box(&*rx.try_recv().expect("a message")),
    )
}

fn mpmc_singles<const N: usize, const TURN: usize>() -> Pass {
    let (tx, rx) = mpmc::channel(&options()).expect("ring");
    turns::<TURN>(
        move |number| tx.try_send(&[number; N]).expect("room"),
        move || _ = black_box(&*rx.try_recv().expect("a message")),
    )
}

fn mpmc_runs() -> Pass {
    let (tx, rx) = mpmc::channel::<u64>(&options()).expect("ring");
    Box::new(move |count| {
        for _ in 0..count / RUN {
            tx.send_many(black_box(&[0; RUN])).expect("room");
            rx.try_recv_many(RUN).expect("messages").iter().for_each(|message| _ = black_box(message));
        }
    })
}

fn mpmc_bytes() -> Pass {
    let (tx, rx) = mpmc::channel::<[u8]>(&options()).expect("ring");
    turns::<1>(
        move |number| {
            let mut loan = tx.try_loan(8).expect("room");
            loan.copy_from_slice(&number.to_ne_bytes());
            loan.commit().expect("an open ring");
        },
        move || _ = black_box(&*rx.try_recv().expect("a message")),
    )
}

fn rtrb_singles<const N: usize, const TURN: usize>() -> Pass {
    let (mut tx, mut rx) = rtrb::RingBuffer::new(CAPACITY);
    turns::<TURN>(
        move |number| tx.push([number; N]).expect("room"),
        move || _ = black_box(&rx.pop().expect("a message")),
    )
}

fn rtrb_runs() -> Pass {
    let (mut tx, mut rx) = rtrb::RingBuffer::<u64>::new(CAPACITY);
    Box::new(move |count| {
        for _ in 0..count / RUN {
            let chunk = tx.write_chunk_uninit(RUN).expect("room");
            chunk.fill_from_iter(black_box(&[0; RUN]).iter().copied());
            let chunk = rx.read_chunk(RUN).expect("messages");
            let (first, second) = chunk.as_slices();
            first.iter().chain(second).for_each(|message| _ = black_box(message));
            chunk.commit_all();
        }
    })
}

fn array_queue_singles<const N: usize, const TURN: usize>() -> Pass {
    let tx = Arc::new(ArrayQueue::new(CAPACITY));
    let rx = Arc::clone(&tx);
    turns::<TURN>(
        move |number| tx.push([number; N]).expect("room"),
        move || _ = black_box(&rx.pop().expect("a message")),
    )
}
