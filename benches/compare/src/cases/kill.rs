//! What a killed receiver leaves behind: a send and a receive in one process, before and after a receiver that was blocked
//! in the same queue was killed.
//!
//! A queue that counts its sleepers counts the killed one for ever, and makes a system call for each message from then on.

use super::{Case, Contestant, Direction, Goal, Outcome, Size};
use crate::bare;
use crate::crew::{self, Cores, Mode, bury, fork, kill};
use crate::payload::Payload;
#[cfg(feature = "peers")]
use crate::peers::ringfire::Ringfire;
#[cfg(feature = "peers")]
use crate::queue::{Queue, Rx, Tx, Wait};
use ringmail::{Options, mpmc, spsc};
use std::time::{Duration, Instant};

type Message = [u64; 1];

/// Slots.
const CAPACITY: usize = 1024;
/// Messages before the clock starts.
const WARM: u64 = 20_000;

/// Passes messages through a queue, in one worker, after whatever `prepare` does.
fn pass<Q: 'static>(
    cores: &Cores,
    n: u64,
    prepare: impl FnOnce() -> Q + Send + 'static,
    through: impl Fn(&mut Q, Message) -> Message + Send + 'static,
) -> Option<Outcome> {
    let log = crew::run(
        Mode::Processes,
        cores,
        vec![Box::new(move |post| {
            let mut queue = prepare();
            let mut send_and_receive =
                |number| assert_eq!(through(&mut queue, Message::numbered(number)).number(), number);
            (0..WARM).for_each(&mut send_and_receive);
            post.start();
            (0..n).for_each(&mut send_and_receive);
            post.finish();
        })],
    )?;
    Some(Outcome::new(log.ns_each(n), log))
}

/// Has a child do something that blocks, and kills it there.
fn kill_while_blocked(block: impl FnOnce()) {
    let child = fork(|| {
        block();
        false
    });
    let patience = Instant::now() + Duration::from_secs(3);
    // Asleep, and longer than any spin: what the kernel says once may have been a page fault.
    let mut asleep = 0;
    while asleep < 20 {
        assert!(Instant::now() < patience, "the receiver does not block");
        std::thread::sleep(Duration::from_millis(5));
        let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
        asleep = if state == Some('S') { asleep + 1 } else { 0 };
    }
    kill(child);
    bury(child);
}

fn ringmail_mpmc(name: &'static str, killed: bool) -> Contestant {
    Contestant::new(name, Mode::Processes, move |cores, n| {
        let prepare = move || {
            let ring = mpmc::Ring::<Message>::anonymous(&Options::new().capacity(CAPACITY)).expect("ring");
            let ends = (ring.sender().expect("sender"), ring.receiver().expect("receiver"));
            if killed {
                kill_while_blocked(|| {
                    let rx = ring.receiver().expect("receiver");
                    let _ = rx.recv().is_ok();
                });
            }
            ends
        };
        pass(cores, n, prepare, |(tx, rx), message| {
            tx.send(&message).expect("send");
            *rx.recv().expect("recv")
        })
    })
}

/// Here the killed receiver was the only one, and its successor takes the role.
fn ringmail_spsc(name: &'static str, killed: bool) -> Contestant {
    Contestant::new(name, Mode::Processes, move |cores, n| {
        let prepare = move || {
            let ring = spsc::Ring::<Message>::anonymous(&Options::new().capacity(CAPACITY)).expect("ring");
            let tx = ring.sender().expect("sender");
            if killed {
                kill_while_blocked(|| {
                    let mut rx = ring.receiver().expect("receiver");
                    let _ = rx.recv().is_ok();
                });
            }
            (tx, ring.receiver().expect("receiver"))
        };
        pass(cores, n, prepare, |(tx, rx), message| {
            tx.send(&message).expect("send");
            *rx.recv().expect("recv")
        })
    })
}

fn shaq(name: &'static str, killed: bool) -> Contestant {
    Contestant::new(name, Mode::Processes, move |cores, n| {
        let prepare = move || {
            let size = shaq::mpmc::minimum_file_size::<Message>(CAPACITY);
            let file = bare::memory_file(size);
            // SAFETY: the file is new, and nobody else initialises it.
            let producer = unsafe { shaq::mpmc::Producer::<Message>::create(&file, size) }.expect("shaq");
            let consumer = producer.join_as_consumer();
            if killed {
                kill_while_blocked(|| {
                    let _ = consumer.read_timeout(Duration::from_secs(60)).is_ok();
                });
            }
            (producer, consumer)
        };
        pass(cores, n, prepare, |(producer, consumer), message| {
            producer.try_write(message).expect("try_write");
            consumer.try_read().expect("try_read")
        })
    })
}

/// Lossless, from one sender to one receiver, whose successor registers as a reader of its own.
#[cfg(feature = "peers")]
fn ringfire(name: &'static str, killed: bool) -> Contestant {
    Contestant::new(name, Mode::Processes, move |cores, n| {
        let prepare = move || {
            let queue = Ringfire::<Message>::new(CAPACITY, Wait::Block);
            let tx = queue.sender();
            if killed {
                kill_while_blocked(|| queue.receiver().receive(|_| {}));
            }
            (tx, queue.receiver(), queue)
        };
        pass(cores, n, prepare, |(tx, rx, _), message| {
            tx.send(&message);
            rx.receive(|message| *message)
        })
    })
}

fn case(name: &'static str, about: &'static str, contestants: Vec<Contestant>, goals: Vec<Goal>) -> Case {
    let direction = Direction::LessIsBetter("ns");
    let size = Size::Fitting { first: 100_000, step: 1 };
    Case { name, about, direction, size, contestants, goals }
}

pub fn cases() -> Vec<Case> {
    #[allow(unused_mut)]
    let mut cases = of_all();
    #[cfg(feature = "peers")]
    cases.push(case(
        "kill-ringfire",
        "ringfire lossless, 8 B, send + receive in one process, after a blocked receiver was killed",
        vec![ringfire("ringfire, after", true), ringfire("ringfire, before", false)],
        Vec::new(),
    ));
    cases
}

fn of_all() -> Vec<Case> {
    let bound = vec![Goal::beside(&["ringmail, before"], 1.1)];
    vec![
        case(
            "kill-mpmc",
            "ringmail mpmc, 8 B, send + receive in one process, after a blocked receiver was killed",
            vec![ringmail_mpmc("ringmail, after", true), ringmail_mpmc("ringmail, before", false)],
            bound.clone(),
        ),
        case(
            "kill-spsc",
            "ringmail spsc, 8 B, send + receive in one process, after a blocked receiver was killed",
            vec![ringmail_spsc("ringmail, after", true), ringmail_spsc("ringmail, before", false)],
            bound,
        ),
        case(
            "kill-shaq",
            "shaq mpmc, 8 B, send + receive in one process, after a blocked receiver was killed",
            vec![shaq("shaq, after", true), shaq("shaq, before", false)],
            Vec::new(),
        ),
    ]
}
