//! Messages of every length, copied in and looked at in place, between two processes: gigabytes a second.
//!
//! The sender has the message in a buffer of its own and sends it; the receiver compares its first word and its last with what
//! must be there (in the warm-up, all of it), and lets go. So the bytes are moved once, by the sender, and what bounds it is `memcpy` of as many bytes into
//! memory that is warm: into the same place each time, or going round in as much memory as the ring does. *In place* is without
//! the copy: the sender lends room and writes a number into each page of it, which is what a camera's driver costs the processor.

use super::{Case, Contestant, Direction, Enlist, Goal, Kind, Measure, Outcome, Size};
use crate::bare::{FrameEnd, Frames, Shape};
use crate::crew::{self, Cores, Job, Mode, Post};
use crate::payload::Payload;
use crate::peers::ours::BLOCK;
use crate::peers::{self, Party, Visitor, ours, rtrb, shaq};
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

/// What a sender does with a message: it leaves what lies there and stamps both ends, or, to warm up, writes all of it, differently each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Write {
    Stamps,
    All,
}

/// Makes the message with a number out of a buffer's bytes.
fn write(buffer: &mut [u8], number: u64, how: Write) {
    if how == Write::All {
        buffer.fill(number as u8);
    }
    let last = buffer.len() - 8;
    buffer[..8].copy_from_slice(&number.to_ne_bytes());
    buffer[last..].copy_from_slice(&number.to_ne_bytes());
}

/// The same where it is lent: besides the ends, a number goes into each page.
fn write_pages(slot: &mut [u8], number: u64, how: Write) {
    slot.iter_mut().step_by(4096).for_each(|byte| *byte = number as u8);
    write(slot, number, how);
}

fn check(message: &[u8], number: u64, len: usize, how: Write) {
    assert_eq!(message.len(), len);
    assert_eq!(message[..8], number.to_ne_bytes(), "a message that nobody sent");
    assert_eq!(message[len - 8..], number.to_ne_bytes(), "a message that nobody sent whole");
    if how == Write::All && len > 16 {
        let page = [number as u8; 4096];
        let is_whole = message[8..len - 8].chunks(4096).all(|bytes| *bytes == page[..bytes.len()]);
        assert!(is_whole, "bytes that nobody sent");
    }
}

/// Runs a sender of `n` messages beside a receiver of as many. (Loops of their own for each, as in a program: called through a pointer, the
/// shortest messages would measure that.)
fn pass<S, R>(
    (mode, cores): (Mode, &Cores),
    n: u64,
    len: usize,
    sender: impl FnOnce() -> S + Send + 'static,
    receiver: impl FnOnce() -> R + Send + 'static,
) -> Option<Outcome>
where
    S: FnMut(u64, Write),
    R: FnMut(u64, Write),
{
    let warm = warm(len);
    let sending: Job = Box::new(move |post| all(sender(), (warm, n), post));
    let receiving: Job = Box::new(move |post| all(receiver(), (warm, n), post));
    let log = crew::run_for(60, mode, cores, vec![sending, receiving])?;
    Some(Outcome::new(n as f64 * len as f64 / log.elapsed.as_nanos() as f64, log))
}

fn all(mut one: impl FnMut(u64, Write), (warm, n): (u64, u64), post: &mut Post<'_>) {
    post.meet();
    (0..warm).for_each(|number| one(number, Write::All));
    post.start();
    (warm..warm + n).for_each(|number| one(number, Write::Stamps));
    post.finish();
    post.meet();
}

/// As many slots as the peers' queues have, and not too few where messages are long.
fn options(len: usize) -> Options {
    Options::new().capacity((ROUND / len).clamp(64, 1024)).max_len(len).retain((4 * len).max(256 << 20))
}

const PROCESSES: Mode = Mode::Processes;

fn spsc_copy(name: &'static str, len: usize) -> Contestant {
    Contestant::new(name, PROCESSES, move |cores, n| {
        let ring = spsc::Ring::<[u8]>::anonymous(&options(len)).expect("ring");
        let other = ring.clone();
        let sender = move || {
            let (mut tx, mut buffer) = (ring.sender().expect("sender"), vec![1; len]);
            move |number, how| {
                write(&mut buffer, number, how);
                tx.send(&buffer).expect("send");
            }
        };
        let receiver = move || {
            let mut rx = other.receiver().expect("receiver");
            move |number, how| check(&rx.recv().expect("recv"), number, len, how)
        };
        pass((PROCESSES, cores), n, len, sender, receiver)
    })
}

fn mpmc_copy(name: &'static str, len: usize) -> Contestant {
    Contestant::new(name, PROCESSES, move |cores, n| {
        let ring = mpmc::Ring::<[u8]>::anonymous(&options(len)).expect("ring");
        let other = ring.clone();
        let sender = move || {
            let (tx, mut buffer) = (ring.sender().expect("sender"), vec![1; len]);
            move |number, how| {
                write(&mut buffer, number, how);
                tx.send(&buffer).expect("send");
            }
        };
        let receiver = move || {
            let rx = other.receiver().expect("receiver");
            move |number, how| check(&rx.recv().expect("recv"), number, len, how)
        };
        pass((PROCESSES, cores), n, len, sender, receiver)
    })
}

fn spsc_in_place(len: usize) -> Contestant {
    Contestant::new(IN_PLACE, PROCESSES, move |cores, n| {
        let ring = spsc::Ring::<[u8]>::anonymous(&options(len)).expect("ring");
        let other = ring.clone();
        let sender = move || {
            let mut tx = ring.sender().expect("sender");
            move |number, how| {
                let mut loan = tx.loan(len).expect("loan");
                write_pages(&mut loan, number, how);
                loan.commit().expect("commit");
            }
        };
        let receiver = move || {
            let mut rx = other.receiver().expect("receiver");
            move |number, how| check(&rx.recv().expect("recv"), number, len, how)
        };
        pass((PROCESSES, cores), n, len, sender, receiver)
    })
}

fn bare(len: usize) -> Contestant {
    let shape = Shape { capacity: (ROUND / len).clamp(2, 1024), len };
    Contestant::new("bare ring", PROCESSES, move |cores, n| {
        let ring = Arc::new(Frames::map(shape));
        let other = Arc::clone(&ring);
        let sender = move || {
            let (mut end, mut buffer) = (FrameEnd::new(ring, shape), vec![1; len]);
            move |number, how| {
                write(&mut buffer, number, how);
                end.fill_next(|slot| slot.copy_from_slice(&buffer));
            }
        };
        let receiver = move || {
            let mut end = FrameEnd::new(other, shape);
            move |number, how| end.read_next(|slot| check(slot, number, len, how))
        };
        pass((PROCESSES, cores), n, len, sender, receiver)
    })
}

/// Plain copies into warm memory, going round in `places` of it. The second process has nothing to do.
fn memcpy(name: &'static str, len: usize, places: usize) -> Contestant {
    Contestant::new(name, PROCESSES, move |cores, n| {
        let sender = move || {
            // From a page on, as bodies lie: how the two lie to each other decides how fast a copy is.
            let (mut buffer, mut memory) = (vec![1; len], vec![2_u8; len * places + 4096]);
            let page = memory.as_ptr().align_offset(4096);
            move |number, how| {
                write(&mut buffer, number, how);
                let place = page + number as usize % places * len;
                black_box(&mut memory[place..place + len]).copy_from_slice(black_box(&buffer));
            }
        };
        pass((PROCESSES, cores), n, len, sender, || |_, _| {})
    })
}

/// Queues of one type of message, going round in as much memory as it takes to be quickest: a ring of many long messages goes through memory.
struct Copying {
    in_place: bool,
}

impl<M: Payload> Measure<M> for Copying {
    fn contestant<Q: Queue<M>>(&self, name: &'static str, mode: Mode, queue: impl Fn() -> Q + 'static) -> Contestant {
        let in_place = self.in_place;
        Contestant::new(name, mode, move |cores, n| {
            let queue = queue();
            let other = queue.clone();
            let receiver = move || {
                let mut rx = other.receiver();
                move |number, how| {
                    rx.receive(|message| match how {
                        Write::Stamps => message.verify_stamp(number),
                        Write::All => {
                            message.verify();
                            assert_eq!(message.number(), number, "out of order");
                        }
                    });
                }
            };
            if in_place {
                let sender = move || {
                    let mut tx = queue.sender();
                    move |number, how| {
                        tx.fill(|message| match how {
                            Write::Stamps => {
                                message.words_mut().iter_mut().step_by(4096 / 8).for_each(|word| *word = number);
                                message.stamp(number);
                            }
                            Write::All => message.renumber(number),
                        });
                    }
                };
                return pass((mode, cores), n, size_of::<M>(), sender, receiver);
            }
            let sender = move || {
                let (mut tx, mut message) = (queue.sender(), M::boxed());
                move |number, how| {
                    match how {
                        Write::Stamps => message.stamp(number),
                        Write::All => message.renumber(number),
                    }
                    tx.send(&message);
                }
            };
            pass((mode, cores), n, size_of::<M>(), sender, receiver)
        })
    }
}

const IN_PLACE: &str = "ringmail spsc in place";

/// Ringmail in messages of one type, and all that there is beside it.
fn typed<M: Payload>() -> Vec<Contestant> {
    let mut enlist = Enlist(Vec::new(), Copying { in_place: false });
    let capacity = (ROUND / size_of::<M>()).clamp(2, 1024);
    let party = Party::pair(capacity, Wait::Spin).looking();
    let spsc = move || ours::Spsc::<M, BLOCK>::new(&ours::slots(capacity));
    Visitor::<M>::visit(&mut enlist, "ringmail spsc", PROCESSES, spsc);
    Visitor::<M>::visit(&mut enlist, "ringmail mpmc", PROCESSES, move || {
        ours::Mpmc::<M, BLOCK>::new(&ours::slots(capacity))
    });
    peers::between_processes::<M>(party, &mut enlist);
    peers::between_threads::<M>(party, &mut enlist);
    enlist.1.in_place = true;
    Visitor::<M>::visit(&mut enlist, IN_PLACE, PROCESSES, spsc);
    Visitor::<M>::visit(&mut enlist, "shaq in place", PROCESSES, move || {
        shaq::Spsc::<M, _>::in_place(capacity, Wait::Spin)
    });
    Visitor::<M>::visit(&mut enlist, "rtrb in place", Mode::Threads, move || {
        rtrb::Rtrb::<M, _>::in_place(capacity, Wait::Spin)
    });
    #[cfg(feature = "peers")]
    Visitor::<M>::visit(&mut enlist, "iceoryx2 in place", PROCESSES, move || {
        peers::iceoryx::Iceoryx::<M>::new(capacity, (1, 1), Wait::Spin)
    });
    enlist.0
}

/// The peers, at some lengths: theirs are known when they are compiled, and each takes a while. Ringmail has messages of one type there, and
/// bytes of any length as a second way; elsewhere only those.
fn contestants(len: usize) -> Vec<Contestant> {
    const K: usize = 1 << 10;
    const M: usize = 1 << 20;
    let mut contestants = match len {
        8 => typed::<[u64; 1]>(),
        64 => typed::<[u64; 8]>(),
        512 => typed::<[u64; 64]>(),
        4096 => typed::<[u64; 4 * K / 8]>(),
        0x1_0000 => typed::<[u64; 64 * K / 8]>(),
        0x10_0000 => typed::<[u64; M / 8]>(),
        _ => return vec![spsc_copy("ringmail spsc", len), mpmc_copy("ringmail mpmc", len), spsc_in_place(len)],
    };
    contestants.extend([spsc_copy("ringmail spsc, [u8]", len), mpmc_copy("ringmail mpmc, [u8]", len)]);
    contestants
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
        let mut contestants = contestants(len);
        let mut goals = Vec::new();
        if contestants.iter().any(|contestant| contestant.kind() == Kind::Peer) {
            goals.extend([Goal::FIRST, Goal::first(IN_PLACE)]);
        }
        // Of shorter messages it is not moving the bytes that costs.
        if len > 0xffff {
            goals.push(Goal::beside(&["memcpy"], 0.85));
        }
        contestants.extend([bare(len), memcpy("memcpy", len, 1), memcpy("memcpy, going round", len, round)]);
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
