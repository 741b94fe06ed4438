//! What a receiver costs that waits for a message which does not come for a second: processor time of its own, in microseconds a second.
//!
//! It blocks; how long it spins before it sleeps is part of the figure, and so is every time it wakes up to look.

use super::{Case, Contestant, Direction, Enlist, Goal, Measure, Outcome, Size};
use crate::crew::{self, Job, Mode};
use crate::payload::Payload;
use crate::peers::ours::BLOCK;
use crate::peers::{self, Party, Visitor, ours};
use crate::queue::{Queue, Rx, Tx, Wait};
use std::time::Duration;

type Message = [u64; 8];

const CAPACITY: usize = 1024;

struct Idling;

impl<M: Payload> Measure<M> for Idling {
    fn contestant<Q: Queue<M>>(&self, name: &'static str, mode: Mode, queue: impl Fn() -> Q + 'static) -> Contestant {
        Contestant::new(name, mode, move |cores, milliseconds| {
            let queue = queue();
            let other = queue.clone();
            let sender: Job = Box::new(move |post| {
                let mut tx = queue.sender();
                post.meet();
                tx.send(&M::numbered(1));
                post.start();
                std::thread::sleep(Duration::from_millis(milliseconds));
                tx.send(&M::numbered(2));
                post.finish();
                post.meet();
            });
            let receiver: Job = Box::new(move |post| {
                let mut rx = other.receiver();
                post.meet();
                rx.receive(|message| assert_eq!(message.number(), 1));
                post.start();
                let before = processor_us();
                rx.receive(|message| assert_eq!(message.number(), 2));
                post.report(0, processor_us() - before);
                post.finish();
                post.meet();
            });
            let log = crew::run(mode, cores, vec![sender, receiver])?;
            Some(Outcome::new(log.figure(1, 0) as f64 / log.elapsed.as_secs_f64(), log))
        })
    }
}

/// Microseconds that the calling thread has run, in the system too.
fn processor_us() -> u64 {
    // SAFETY: all zeroes are a value of plain numbers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is writable.
    let told = unsafe { libc::getrusage(libc::RUSAGE_THREAD, &mut usage) };
    assert_eq!(told, 0, "no usage: {}", std::io::Error::last_os_error());
    let us = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
    us(usage.ru_utime) + us(usage.ru_stime)
}

pub fn cases() -> Vec<Case> {
    let mut enlist = Enlist(Vec::new(), Idling);
    let options = || ours::slots(CAPACITY);
    Visitor::<Message>::visit(&mut enlist, "ringmail spsc", Mode::Processes, move || {
        ours::Spsc::<Message, BLOCK>::new(&options())
    });
    Visitor::<Message>::visit(&mut enlist, "ringmail mpmc", Mode::Processes, move || {
        ours::Mpmc::<Message, BLOCK>::new(&options())
    });
    peers::channels::<Message>(Party::pair(CAPACITY, Wait::Block), &mut enlist);
    peers::between_processes::<Message>(Party::pair(CAPACITY, Wait::Block), &mut enlist);
    vec![Case {
        name: "idle",
        about: "processor time of a receiver that blocks for a second, capacity 1024",
        direction: Direction::LessIsBetter("us/s"),
        size: Size::Fixed { n: 1_000, rounds: 5 },
        contestants: enlist.0,
        // The others do not look whether their peer has died.
        goals: Vec::<Goal>::new(),
    }]
}
