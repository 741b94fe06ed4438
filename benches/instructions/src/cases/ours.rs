//! Ringmail's verbs.

use super::{Apart, Case, Loops, Pass, RUN, Together, Words, in_memory, options, ours};
use ringmail::{mpmc, spsc};
use std::hint::black_box;

pub const CASES: &[Case] = &[
    ours("spsc  8 B, copied, together", 64.4, spsc_copied::<u64, Together>),
    ours("spsc  8 B, copied, apart", 44.4, spsc_copied::<u64, Apart>),
    ours("spsc 64 B, copied, together", 98.4, spsc_copied::<[u64; 8], Together>),
    ours("spsc 64 B, copied, apart", 75.4, spsc_copied::<[u64; 8], Apart>),
    ours("spsc  8 B, guarded, together", 74.4, spsc_guarded::<u64, Together>),
    ours("spsc  8 B, guarded, apart", 57.3, spsc_guarded::<u64, Apart>),
    ours("spsc 64 B, guarded, together", 89.4, spsc_guarded::<[u64; 8], Together>),
    ours("spsc 64 B, guarded, apart", 69.4, spsc_guarded::<[u64; 8], Apart>),
    ours("mpmc  8 B, copied, together", 111.2, mpmc_copied::<u64, Together>),
    ours("mpmc  8 B, copied, apart", 110.2, mpmc_copied::<u64, Apart>),
    ours("mpmc 64 B, copied, together", 146.2, mpmc_copied::<[u64; 8], Together>),
    ours("mpmc 64 B, copied, apart", 141.3, mpmc_copied::<[u64; 8], Apart>),
    ours("mpmc  8 B, guarded, together", 126.2, mpmc_guarded::<u64, Together>),
    ours("mpmc  8 B, guarded, apart", 126.2, mpmc_guarded::<u64, Apart>),
    ours("mpmc 64 B, guarded, together", 143.2, mpmc_guarded::<[u64; 8], Together>),
    ours("mpmc 64 B, guarded, apart", 139.3, mpmc_guarded::<[u64; 8], Apart>),
    ours("spsc  8 B, in runs", 12.8, spsc_runs),
    ours("mpmc  8 B, in runs", 116.7, mpmc_runs),
    ours("spsc  8 B, in memory, one by one", 86.4, spsc_in_memory::<1, 1>),
    ours("spsc  8 B, in memory, in turns", 62.7, spsc_in_memory::<1, RUN>),
    ours("spsc  8 B, in memory, by value", 76.4, spsc_values),
    ours("spsc 64 B, in memory, one by one", 90.5, spsc_in_memory::<8, 1>),
    ours("spsc [u8; 8], in memory, in place", 120.5, spsc_bytes),
    ours("mpmc  8 B, in memory, one by one", 118.3, mpmc_in_memory::<1, 1>),
    ours("mpmc  8 B, in memory, in turns", 119.6, mpmc_in_memory::<1, RUN>),
    ours("mpmc 64 B, in memory, one by one", 125.3, mpmc_in_memory::<8, 1>),
    ours("mpmc [u8; 8], in memory, in place", 165.3, mpmc_bytes),
];

/// What both flavours do. (A macro, since each has types of its own: so each case compiles to what a program of that flavour does.)
macro_rules! of_flavour {
    ($flavour:ident: $copied:ident, $guarded:ident, $in_memory:ident, $bytes:ident) => {
        /// `send` and `recv_copy`.
        fn $copied<M: Words, L: Loops>() -> Pass {
            L::pass(
                $flavour::channel::<M>(&options()).expect("ring"),
                |tx, number| tx.send(&M::numbered(number)).expect("an open ring"),
                |rx| rx.recv_copy().expect("a message").look(),
            )
        }

        /// `send` and `recv`, whose guard is dropped at once.
        fn $guarded<M: Words, L: Loops>() -> Pass {
            L::pass(
                $flavour::channel::<M>(&options()).expect("ring"),
                |tx, number| tx.send(&M::numbered(number)).expect("an open ring"),
                |rx| rx.recv().expect("a message").look(),
            )
        }

        #[allow(unused_mut, reason = "not every flavour's verbs take their handle by unique reference")]
        fn $in_memory<const N: usize, const TURN: usize>() -> Pass {
            let (mut tx, mut rx) = $flavour::channel(&options()).expect("ring");
            in_memory::<TURN>(
                move |number| tx.try_send(&[number; N]).expect("room"),
                move || _ = black_box(&*rx.try_recv().expect("a message")),
            )
        }

        #[allow(unused_mut, reason = "not every flavour's verbs take their handle by unique reference")]
        fn $bytes() -> Pass {
            let (mut tx, mut rx) = $flavour::channel::<[u8]>(&options()).expect("ring");
            in_memory::<1>(
                move |number| {
                    let mut loan = tx.try_loan(8).expect("room");
                    loan.copy_from_slice(&number.to_ne_bytes());
                    loan.commit().expect("an open ring");
                },
                move || _ = black_box(&*rx.try_recv().expect("a message")),
            )
        }
    };
}

of_flavour!(spsc: spsc_copied, spsc_guarded, spsc_in_memory, spsc_bytes);
of_flavour!(mpmc: mpmc_copied, mpmc_guarded, mpmc_in_memory, mpmc_bytes);

fn spsc_values() -> Pass {
    let (mut tx, mut rx) = spsc::channel(&options()).expect("ring");
    in_memory::<1>(
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

fn mpmc_runs() -> Pass {
    let (tx, rx) = mpmc::channel::<u64>(&options()).expect("ring");
    Box::new(move |count| {
        for _ in 0..count / RUN {
            tx.send_many(black_box(&[0; RUN])).expect("room");
            rx.try_recv_many(RUN).expect("messages").iter().for_each(|message| _ = black_box(message));
        }
    })
}
