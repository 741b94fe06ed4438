//! Other queues, in the same loops: those of the comparison that move a message without a system call.

use super::{Apart, CAPACITY, Case, Loops, Pass, Together, Words, others};
use disruptor::{BusySpin, Producer};
use ringfire::{FlowControl, RingConsumer, RingProducerBuilder};
use std::fs::{self, File};
use std::os::fd::FromRawFd;

pub const PEERS: &[Case] = &[
    others("shaq spsc  8 B, together", shaq_spsc::<u64, Together>),
    others("shaq spsc  8 B, apart", shaq_spsc::<u64, Apart>),
    others("shaq spsc 64 B, together", shaq_spsc::<[u64; 8], Together>),
    others("shaq spsc 64 B, apart", shaq_spsc::<[u64; 8], Apart>),
    others("disruptor  8 B, together", disruptor::<u64, Together>),
    others("disruptor  8 B, apart", disruptor::<u64, Apart>),
    others("disruptor 64 B, together", disruptor::<[u64; 8], Together>),
    others("disruptor 64 B, apart", disruptor::<[u64; 8], Apart>),
    others("ringfire  8 B, together", ringfire::<u64, Together>),
    others("ringfire  8 B, apart", ringfire::<u64, Apart>),
    others("ringfire 64 B, together", ringfire::<[u64; 8], Together>),
    others("ringfire 64 B, apart", ringfire::<[u64; 8], Apart>),
    others("shaq mpmc  8 B, together", shaq_mpmc::<u64, Together>),
    others("shaq mpmc  8 B, apart", shaq_mpmc::<u64, Apart>),
    others("shaq mpmc 64 B, together", shaq_mpmc::<[u64; 8], Together>),
    others("shaq mpmc 64 B, apart", shaq_mpmc::<[u64; 8], Apart>),
    others("crossbeam-channel  8 B, together", crossbeam::<u64, Together>),
    others("crossbeam-channel  8 B, apart", crossbeam::<u64, Apart>),
    others("crossbeam-channel 64 B, together", crossbeam::<[u64; 8], Together>),
    others("crossbeam-channel 64 B, apart", crossbeam::<[u64; 8], Apart>),
    others("kanal  8 B, together", kanal::<u64, Together>),
    others("kanal  8 B, apart", kanal::<u64, Apart>),
    others("kanal 64 B, together", kanal::<[u64; 8], Together>),
    others("kanal 64 B, apart", kanal::<[u64; 8], Apart>),
];

/// A file of so many bytes that lies in memory and has no name.
fn memory_file(bytes: usize) -> File {
    // SAFETY: the name ends with a zero.
    let descriptor = unsafe { libc::memfd_create(c"instructions".as_ptr(), libc::MFD_CLOEXEC) };
    assert!(descriptor >= 0, "no memory file: {}", std::io::Error::last_os_error());
    // SAFETY: just opened, and nobody else's.
    let file = unsafe { File::from_raw_fd(descriptor) };
    file.set_len(bytes as u64).expect("the file cannot have that size");
    file
}

fn shaq_spsc<M: Words, L: Loops>() -> Pass {
    use shaq::spsc::{Consumer, Producer, minimum_file_size};
    let size = minimum_file_size::<M>(CAPACITY);
    let file = memory_file(size);
    // SAFETY: the file is new, and nobody else initialises it.
    let tx = unsafe { Producer::<M>::create(&file, size) }.expect("shaq");
    // SAFETY: the only consumer, and the file was initialised for these messages.
    let rx = unsafe { Consumer::<M>::join(&file) }.expect("shaq");
    L::pass(
        (tx, rx),
        |tx, number| assert!(tx.try_write(M::numbered(number)).is_ok(), "room"),
        |rx| rx.try_read().expect("a message").look(),
    )
}

fn shaq_mpmc<M: Words, L: Loops>() -> Pass {
    use shaq::mpmc::{Producer, minimum_file_size};
    let size = minimum_file_size::<M>(CAPACITY);
    // SAFETY: the file is new, and nobody else initialises it.
    let tx = unsafe { Producer::<M>::create(&memory_file(size), size) }.expect("shaq");
    let rx = tx.join_as_consumer();
    L::pass(
        (tx, rx),
        |tx, number| assert!(tx.try_write(M::numbered(number)).is_ok(), "room"),
        |rx| rx.try_read().expect("a message").look(),
    )
}

fn disruptor<M: Words, L: Loops>() -> Pass {
    let builder = disruptor::build_single_producer(CAPACITY, || M::numbered(0), BusySpin);
    let (rx, builder) = builder.new_event_poller();
    L::pass(
        (builder.build(), rx),
        |tx, number| tx.publish(|slot: &mut M| *slot = M::numbered(number)),
        |rx| {
            let mut messages = rx.take(1).unwrap_or_else(|_| panic!("a message"));
            (&mut messages).next().expect("a message").look()
        },
    )
}

fn ringfire<M: Words, L: Loops>() -> Pass {
    let path = format!("/dev/shm/instructions-{}", std::process::id());
    let builder = RingProducerBuilder::new(CAPACITY as u64).flow_control(FlowControl::LosslessBackpressure);
    let tx = builder.build(&path).expect("ringfire");
    let rx = RingConsumer::<M>::attach(&path).expect("ringfire");
    fs::remove_file(&path).expect("its name");
    L::pass(
        (tx, rx),
        |tx, number| assert!(tx.try_push(&M::numbered(number)).is_ok(), "room"),
        |rx| rx.try_recv().expect("a message").look(),
    )
}

fn crossbeam<M: Words, L: Loops>() -> Pass {
    L::pass(
        crossbeam_channel::bounded(CAPACITY),
        |tx, number| tx.send(M::numbered(number)).expect("an open channel"),
        |rx| rx.recv().expect("a message").look(),
    )
}

fn kanal<M: Words, L: Loops>() -> Pass {
    L::pass(
        kanal::bounded(CAPACITY),
        |tx, number| tx.send(M::numbered(number)).expect("an open channel"),
        |rx| rx.recv().expect("a message").look(),
    )
}
