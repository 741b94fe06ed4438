//! How long it takes to join a queue that is there: to open it by its name and to become its receiver, in microseconds. Leaving is not counted.
//!
//! A process that joins iceoryx2 needs a node, which is made anew each time, as a new process would; queues that are inherited or passed and have no
//! name are not among these.

use super::{Case, Contestant, Direction, Outcome, Size};
use crate::crew::{self, Mode, now_ns};
use crate::names::Name;
#[cfg(feature = "peers")]
use crate::peers::{cloudtoid, iceoryx, ipmpsc, ringfire};
#[cfg(feature = "peers")]
use crate::queue::{Queue, Wait};
use crate::times::{self, Desk, PARTS};
use ringmail::{Options, mpmc, spsc};
use std::fs::File;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;

type Message = [u64; 8];

const CAPACITY: usize = 1024;
/// Times before it counts.
const WARM: u64 = 20;

/// Joins `n` times what `prepare` made; `join` leaves by dropping what it returns.
fn joining<P: 'static, J>(
    name: &'static str,
    prepare: impl Fn() -> P + Copy + Send + 'static,
    join: impl Fn(&P) -> J + Copy + Send + 'static,
) -> Contestant {
    Contestant::new(name, Mode::Processes, move |cores, n| {
        let desk = Arc::new(Desk::map());
        let for_worker = Arc::clone(&desk);
        let log = crew::run(
            Mode::Processes,
            cores,
            vec![Box::new(move |post| {
                let made = prepare();
                let mut took = times::histogram();
                (0..WARM).for_each(|_| drop(join(&made)));
                post.start();
                for _ in 0..n {
                    let start = now_ns();
                    let joined = join(&made);
                    took.saturating_record((now_ns() - start) * PARTS);
                    drop(joined);
                }
                post.finish();
                for_worker.leave(&took);
            })],
        )?;
        let took = desk.take();
        let us = |quantile| took.value_at_quantile(quantile) as f64 / PARTS as f64 / 1_000.0;
        let (value, p99, p999) = (us(0.5), Some(us(0.99)), Some(us(0.999)));
        Some(Outcome { value, p99, p999, times: Some(took), log })
    })
}

/// A queue whose receiver opens it by its name.
#[cfg(feature = "peers")]
fn queue<Q: Queue<Message>>(name: &'static str, make: impl Fn() -> Q + Copy + Send + 'static) -> Contestant {
    let prepare = move || {
        let queue = make();
        let sender = queue.sender();
        (sender, queue)
    };
    joining(name, prepare, |(_, queue)| queue.receiver())
}

pub fn cases() -> Vec<Case> {
    let options = || Options::new().capacity(CAPACITY);
    // A ring's name goes with its last user, here with the worker.
    let ring_name = || format!("compare-attach-{}", std::process::id());
    #[allow(unused_mut)]
    let mut contestants = vec![
        joining(
            "ringmail spsc",
            move || {
                spsc::Ring::<Message>::create(&ring_name(), &options())
                    .map(|ring| (ring.sender().expect("sender"), ring))
                    .expect("ring")
            },
            move |_| spsc::Ring::<Message>::open(&ring_name()).expect("open").receiver().expect("receiver"),
        ),
        joining(
            "ringmail mpmc",
            move || {
                mpmc::Ring::<Message>::create(&ring_name(), &options())
                    .map(|ring| (ring.sender().expect("sender"), ring))
                    .expect("ring")
            },
            move |_| mpmc::Ring::<Message>::open(&ring_name()).expect("open").receiver().expect("receiver"),
        ),
        joining(
            "shaq",
            || {
                let (name, size) = (Name::new(), shaq::spsc::minimum_file_size::<Message>(CAPACITY));
                let file = File::options().create_new(true).read(true).write(true).open(name.path()).expect("file");
                file.set_len(size as u64).expect("its size");
                // SAFETY: the file is new, and nobody else initialises it.
                let producer = unsafe { shaq::spsc::Producer::<Message>::create(&file, size) }.expect("shaq");
                (name, producer)
            },
            |(name, _)| {
                let file = File::options().read(true).write(true).open(name.path()).expect("open");
                // SAFETY: the only consumer at a time.
                unsafe { shaq::spsc::Consumer::<Message>::join(&file) }.expect("join")
            },
        ),
        joining(
            "Unix socket",
            || {
                let name = Name::new();
                (UnixListener::bind(name.path()).expect("bind"), name)
            },
            // Until the other side has it: else the queue of those who wait would fill up.
            |(listener, name)| (UnixStream::connect(name.path()).expect("connect"), listener.accept().expect("accept")),
        ),
    ];
    #[cfg(feature = "peers")]
    {
        let (bytes, wait) = (size_of::<Message>(), Wait::Spin);
        contestants.extend([
            queue("ringfire", move || ringfire::Ringfire::<Message>::new(CAPACITY, wait)),
            queue("iceoryx2", move || iceoryx::Iceoryx::<Message>::new(CAPACITY, (1, 1), wait)),
            queue("cloudtoid", move || cloudtoid::Cloudtoid::new(CAPACITY, bytes, wait)),
            queue("ipmpsc", move || ipmpsc::Ipmpsc::<Message>::new(CAPACITY, wait)),
        ]);
    }
    vec![Case {
        name: "attach",
        about: "opening a queue by its name and becoming its receiver; 64 B, capacity 1024",
        direction: Direction::LessIsBetter("us"),
        size: Size::Fitting { first: 40, step: 1 },
        contestants,
        goals: Vec::new(),
    }]
}
