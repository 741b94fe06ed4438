//! Whether those who are left go on when one of them is killed: of so many trials, how many in a hundred stood still.
//!
//! Messages of 64 bytes flow from two processes to two others, or from one to one where a queue knows no more of either; one of them is killed at some
//! moment. *Still*: the others moved no 2,000 messages (more than any of these queues holds) within a second, or one of them failed over what it received.
//! If the killed one was the only one of its kind, another takes its place first. Nobody else is there to clean up: what a queue has its users call after a
//! death, or does when the next process joins, does not happen among those who are left.

use super::{Case, Contestant, Direction, Enlist, Goal, Measure, Outcome, Size};
use crate::bare::Shared;
use crate::crew::{Cores, Mode, bury, fork, gave_up, kill, now_ns};
use crate::payload::Payload;
use crate::peers::ours::BLOCK;
use crate::peers::{Visitor, ours, shaq, system};
#[cfg(feature = "peers")]
use crate::peers::{cloudtoid, iceoryx, ipc_channel, ipmpsc, ringfire};
use crate::queue::{Queue, Rx, Tx, Wait};
use std::sync::atomic::{AtomicU64, Ordering::*};
use std::time::{Duration, Instant};

type Message = [u64; 8];

/// Slots: few, so that what moves after a death was sent after it.
const CAPACITY: usize = 64;
/// Messages that show that it goes on. (A pipe holds 1,024, so that its readers would do without a writer for that long.)
const ENOUGH: u64 = 2_000;
/// How long the survivors have for them.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Sender,
    Receiver,
}

/// So many processes on each side, of which one is killed.
struct Killing {
    victim: Victim,
    crowd: (usize, usize),
}

impl<M: Payload> Measure<M> for Killing {
    fn contestant<Q: Queue<M>>(&self, name: &'static str, mode: Mode, queue: impl Fn() -> Q + 'static) -> Contestant {
        let Self { victim, crowd } = *self;
        Contestant::new(name, mode, move |cores, trials| {
            let start = now_ns();
            let mut still = 0;
            for trial in 0..trials {
                let goes_on = try_once(cores, &queue(), victim, crowd, trial)?;
                still += u64::from(!goes_on);
            }
            let elapsed = crate::crew::Log::of(now_ns() - start);
            Some(Outcome::new(100.0 * still as f64 / trials as f64, elapsed))
        })
    }
}

/// The crew of a trial, killed with it.
struct Crew(Vec<libc::pid_t>);

impl Drop for Crew {
    fn drop(&mut self) {
        self.0.iter().for_each(|&child| kill(child));
        self.0.iter().for_each(|&child| bury(child));
    }
}

/// Kills one. Says whether the others go on; `None` if they never began.
fn try_once<M: Payload, Q: Queue<M>>(
    cores: &Cores,
    queue: &Q,
    victim: Victim,
    (senders, receivers): (usize, usize),
    trial: u64,
) -> Option<bool> {
    // SAFETY: zeroes are an atomic.
    let moved: Shared<AtomicU64> = unsafe { Shared::zeroed(size_of::<AtomicU64>()) };
    // SAFETY: as above.
    let ready: Shared<AtomicU64> = unsafe { Shared::zeroed(size_of::<AtomicU64>()) };
    let all = (senders + receivers) as u64;
    let send = |place: usize, meets: bool| {
        fork(|| {
            cores.bind(place, 2);
            let mut tx = queue.sender();
            if meets {
                meet(&ready, all);
            }
            // Until it is killed.
            let mut number = 0;
            loop {
                tx.send(&M::numbered(number));
                number += 1;
            }
        })
    };
    let receive = |place: usize, meets: bool| {
        fork(|| {
            cores.bind(place, 2);
            let mut rx = queue.receiver();
            if meets {
                meet(&ready, all);
            }
            loop {
                rx.receive(|message| message.verify());
                moved.fetch_add(1, Relaxed);
            }
        })
    };
    let mut crew = Crew(Vec::new());
    crew.0.extend((0..senders).map(|place| send(2 * place, true)));
    crew.0.extend((0..receivers).map(|place| receive(2 * place + 1, true)));
    if !wait_for(&moved, ENOUGH, Duration::from_secs(3)) {
        gave_up(!crew.0.iter().any(|&child| has_ended(child)));
        return None;
    }
    // Any moment is as good: another each time, and in each round.
    let moment = moved.load(Relaxed).wrapping_add(trial * 97) % 1_000;
    std::thread::sleep(Duration::from_micros(500 + moment));
    let (place, left) = if victim == Victim::Sender { (0, senders - 1) } else { (senders, receivers - 1) };
    let killed = crew.0.remove(place);
    kill(killed);
    bury(killed);
    let before = moved.load(Relaxed);
    if left == 0 {
        crew.0.push(if victim == Victim::Sender { send(0, false) } else { receive(1, false) });
    }
    let goes_on = wait_for(&moved, before + ENOUGH, PATIENCE);
    // Who left by itself did so over something that it received.
    let gone = crew.0.iter().any(|&child| has_ended(child));
    Some(goes_on && !gone)
}

/// Waits until everybody has its end.
fn meet(ready: &AtomicU64, all: u64) {
    ready.fetch_add(1, AcqRel);
    while ready.load(Acquire) < all {
        std::thread::yield_now();
    }
}

fn wait_for(moved: &AtomicU64, count: u64, patience: Duration) -> bool {
    let end = Instant::now() + patience;
    while moved.load(Relaxed) < count {
        if Instant::now() > end {
            return false;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    true
}

/// Whether a child has ended without being killed here. It is left to be waited for.
fn has_ended(child: libc::pid_t) -> bool {
    // SAFETY: all zeroes are a value of plain numbers.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let how = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `info` is writable.
    let asked = unsafe { libc::waitid(libc::P_PID, child as libc::id_t, &mut info, how) };
    // SAFETY: what was asked for fills the field, or leaves it zero.
    asked != 0 || unsafe { info.si_pid() } == child
}

fn case(name: &'static str, about: &'static str, victim: Victim) -> Case {
    let wait = Wait::Block;
    let bytes = size_of::<Message>();
    let mut enlist = Enlist(Vec::new(), Killing { victim, crowd: (2, 2) });
    let two: &mut Enlist<Killing> = &mut enlist;
    let mode = Mode::Processes;
    // Whoever is left waits for a successor, instead of being told that nobody is.
    let options = || ours::slots(CAPACITY).keep_open(true);
    Visitor::<Message>::visit(
        two,
        "ringmail mpmc, 2 to 2",
        mode,
        move || ours::Mpmc::<Message, BLOCK>::new(&options()),
    );
    Visitor::<Message>::visit(two, "shaq, 2 to 2", mode, move || shaq::Mpmc::<Message>::new(CAPACITY, wait));
    Visitor::<Message>::visit(two, "pipe, 2 to 2", mode, move || system::Pipe::new(bytes, false));
    Visitor::<Message>::visit(two, "Unix socket, 2 to 2", mode, system::Packets::new);
    #[cfg(feature = "peers")]
    {
        let iceoryx = move || iceoryx::Iceoryx::<Message>::new(CAPACITY, (2, 2), Wait::Yield);
        Visitor::<Message>::visit(two, "iceoryx2, 2 to 2", mode, iceoryx);
        let cloudtoid = move || cloudtoid::Cloudtoid::new(CAPACITY, bytes, wait);
        Visitor::<Message>::visit(two, "cloudtoid, 2 to 2", mode, cloudtoid);
        two.1.crowd = (2, 1);
        Visitor::<Message>::visit(two, "ipmpsc, 2 to 1", mode, move || ipmpsc::Ipmpsc::<Message>::new(CAPACITY, wait));
        Visitor::<Message>::visit(two, "ipc-channel, 2 to 1", mode, move || ipc_channel::IpcChannel::new(wait));
    }
    two.1.crowd = (1, 1);
    Visitor::<Message>::visit(
        two,
        "ringmail spsc, 1 to 1",
        mode,
        move || ours::Spsc::<Message, BLOCK>::new(&options()),
    );
    Visitor::<Message>::visit(two, "shaq, 1 to 1", mode, move || shaq::Spsc::<Message>::new(CAPACITY, wait));
    #[cfg(feature = "peers")]
    Visitor::<Message>::visit(two, "ringfire, 1 to 1", mode, move || {
        ringfire::Ringfire::<Message>::new(CAPACITY, wait)
    });
    Case {
        name,
        about,
        direction: Direction::LessIsBetter("%"),
        size: Size::Fixed { n: 10, rounds: 5 },
        contestants: enlist.0,
        goals: Vec::<Goal>::new(),
    }
}

pub fn cases() -> Vec<Case> {
    vec![
        case("survive-sender", "trials of a hundred that stood still after a sender was killed", Victim::Sender),
        case("survive-receiver", "trials of a hundred that stood still after a receiver was killed", Victim::Receiver),
    ]
}
