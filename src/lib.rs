//! Messages between processes through one shared-memory ring: no broker, no daemon, no lock.
//!
//! One process creates a ring under a name, another opens it, and messages go from senders to receivers in place:
//!
//! ```
//! use ringmail::{Options, mpmc};
//!
//! let name = format!("front-page-{}", std::process::id()); // or any that both know
//!
//! // One program:
//! let tx = mpmc::Ring::<[u8]>::open_or_create(&name, &Options::new())?.sender()?;
//! tx.send(b"hello")?;
//!
//! // Another, started before or after:
//! let rx = mpmc::Ring::<[u8]>::open_or_create(&name, &Options::new())?.receiver()?;
//! let message = rx.recv()?;
//! println!("{}", String::from_utf8_lossy(&message));
//! drop(message); // it is dealt with,
//!
//! // and the first one knows:
//! tx.wait_acked(None)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Which flavour
//!
//! | | [`spsc`] | [`mpmc`] |
//! |---|---|---|
//! | who | one sender and one receiver at a time | any number of each, in any processes |
//! | handles | `&mut self`, not `Clone` | `&self`, `Clone + Send + Sync` |
//! | order | first in, first out | first in, first out for each sender |
//! | messages held at once | one, one batch, or owned ones | any number, released in any order; each costs its slot and blocks nobody |
//! | pick it for | streams: frames, samples, bytes | work queues, fan-in from actors, fan-out to workers |
//!
//! Both have the same few verbs, so switching is changing one `use`. Bytes that come in no messages at all go through a [`stream`], which is
//! `Write` on one side and `Read` on the other.
//!
//! Whoever waits blocks a thread, or awaits: [`recv_async`](mpmc::Receiver::recv_async), [`send_async`](mpmc::Sender::send_async) and their like run
//! on any runtime, and one thread of the process sleeps for all of them.
//!
//! # Examples
//!
//! In the folder `examples`, each under a hundred lines, or in files of so many: `cargo run --release --example` and one of
//!
//! | | |
//! |---|---|
//! | `hello` | one message from one terminal to another |
//! | `frames` | video frames to one process, or to several, in place |
//! | `actor_learner` | four processes send what they see to one, which takes it in batches |
//! | `work_queue` | jobs that are acknowledged when they are done, and workers that panic and die of them |
//! | `file_copy` | any stream of bytes through a ring, or to compare, through a pipe |
//! | `file_ring` | a run recorded in a file, and looked at later, also when the recorder was killed |
//! | `async_fan_in` | eight rings awaited by one thread |
//!
//! # When not to use Ringmail
//!
//! - Between machines: it is memory, not a network.
//! - To tell *every* receiver everything: each message goes to exactly one.
//! - Within one process only: a channel of your standard library passes ownership and needs no plain-bytes types.
//! - Between processes that must not be able to harm each other: whoever may write the ring can destroy it (see below).
//! - On anything but Linux, for now.
//!
//! # Crate features
//!
//! - `shared_memory`: rings in a `Shmem` of the crate [shared_memory](https://docs.rs/shared_memory), made by somebody else: `Ring::create_in`, `Ring::open_in`.
//! - `value`: numbers, text, arrays, lists, dicts and whatever else Python has, nested, in messages of bytes: module `value`.
//!   The Python package speaks it.
//!
//! # What it promises
//!
//! - A message whose send returned is received, whoever is killed, at any instruction. None is torn.
//! - A message that was received and not acknowledged reaches another receiver, and [says so](mpmc::Received::redelivered).
//! - A process that is slow, stopped or holds on to messages costs the slots that it holds, and blocks nobody.
//! - Nobody waits for ever for a peer that is gone: waiting in vain is [`Disconnected`](RecvError::Disconnected), within half
//!   a second of a death, at once for a peer that left.
//! - An anonymous ring vanishes with its last process; a named one that a massacre left is replaced by the next `create`.
//! - Sending and receiving allocate nothing and make no system call, unless somebody sleeps.
//!
//! # What it does not
//!
//! - A process that writes the segment against the protocol can lose and forge messages, though not corrupt the memory
//!   of the others through the copying verbs. Rings are readable and writable by their user alone unless told otherwise.
//! - A named ring's file can be truncated by whoever may write it, which kills its users with `SIGBUS`; anonymous rings
//!   are sealed against that.
//! - Counters of laps wrap after 2^40 laps. A process would have to be stopped in the middle of one instruction for exactly
//!   as many to be deceived.
//! - Where messages are at most some 4 KiB long, all of a ring's memory is allocated when it is created.

#![deny(missing_docs)]

#[cfg(not(loom))]
mod attachment;
#[cfg(not(loom))]
mod bodies;
#[cfg(not(loom))]
mod error;
#[cfg(not(loom))]
mod layout;
#[cfg(not(loom))]
mod ledger;
#[cfg(not(loom))]
mod list;
#[cfg(not(loom))]
mod loan;
#[cfg(not(loom))]
mod message;
#[cfg(not(loom))]
pub mod mpmc;
#[cfg(not(loom))]
mod open;
#[cfg(not(loom))]
mod options;
#[cfg(not(loom))]
mod os;
#[cfg(not(loom))]
mod pace;
#[cfg(not(loom))]
mod reactor;
#[cfg(not(loom))]
mod received;
#[cfg(not(loom))]
mod registry;
#[cfg(not(loom))]
mod segment;
#[cfg(all(feature = "shared_memory", not(loom)))]
mod shmem;
#[cfg(not(loom))]
mod slots;
#[cfg(not(loom))]
pub mod spsc;
#[cfg(not(loom))]
mod stats;
#[cfg(not(loom))]
pub mod stream;
#[cfg(all(feature = "value", not(loom)))]
pub mod value;

// The core, which the model checker drives.
#[cfg(loom)]
pub mod owner;
#[cfg(loom)]
pub mod ring;
#[cfg(loom)]
pub mod roster;
#[cfg(loom)]
pub mod sync;
#[cfg(loom)]
pub mod wait;

#[cfg(not(loom))]
mod owner;
#[cfg(not(loom))]
mod ring;
#[cfg(not(loom))]
mod roster;
#[cfg(not(loom))]
mod sync;
#[cfg(not(loom))]
mod wait;

#[cfg(all(feature = "torture", not(loom)))]
#[doc(hidden)]
pub use self::sync::{Mutant, torture};
#[cfg(not(loom))]
#[doc(hidden)]
pub use self::wait::{heed_signals, set_nap};
#[cfg(not(loom))]
pub use self::{
    error::{
        JoinError, OpenError, RecvError, RecvTimeoutError, SendError, SendManyError, SendManyTimeoutError,
        SendTimeoutError, StreamError, TryRecvError, TrySendError, TrySendManyError, WaitAckedError,
    },
    list::{Listed, Overview, list},
    loan::Loan,
    message::Message,
    open::{Ring, unlink},
    options::{Options, Redelivery},
    reactor::Waiting,
    received::{Batch, OwnedReceived, Received},
    stats::{Participant, Recovered, Stats},
};
#[cfg(not(loom))]
pub use zerocopy;

// The README's examples are tests too.
#[cfg(all(doctest, not(loom)))]
#[doc = include_str!("../README.md")]
struct Readme;
