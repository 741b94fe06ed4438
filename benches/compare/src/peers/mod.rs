//! Ringmail and its peers, each as a [`Queue`]: one file a crate, used as its documentation advises for speed, in place
//! where it can.
//!
//! | | between | what it takes |
//! |---|---|---|
//! | `ours` | processes | Ringmail's two flavours |
//! | `shaq` | processes | spsc and mpmc |
//! | `system` | processes | pipe, Unix socket |
//! | `threads` | threads | crossbeam's and kanal's channels, `ArrayQueue` |
//! | `rtrb` | threads | one sender, one receiver |
//! | `disruptor` | threads | one sender or several, one receiver: several get everything |
//! | `ringfire` | processes | lossless, one sender and one receiver: its queue for more of each loses messages by design |
//! | `cloudtoid` | processes | many senders and receivers, bytes |
//! | `ipmpsc` | processes | many senders, one receiver, bytes by serde |
//! | `ipc_channel` | processes | many senders, one receiver, bytes |
//! | `iceoryx` | processes | publish-subscribe without overflow; every receiver gets everything, so one receiver |
//!
//! Those from `ringfire` on come with the feature `peers`.

pub mod disruptor;
pub mod ours;
pub mod rtrb;
pub mod shaq;
pub mod system;
pub mod threads;

#[cfg(feature = "peers")]
pub mod cloudtoid;
#[cfg(feature = "peers")]
pub mod iceoryx;
#[cfg(feature = "peers")]
pub mod ipc_channel;
#[cfg(feature = "peers")]
pub mod ipmpsc;
#[cfg(feature = "peers")]
pub mod ringfire;

/// The peers whose names a report begins with, as `Cargo.lock` calls their packages. What the system has is not among them.
pub const PACKAGES: &[&str] = &[
    "rtrb",
    "crossbeam-queue",
    "crossbeam-channel",
    "disruptor",
    "kanal",
    "shaq",
    #[cfg(feature = "peers")]
    "ringfire",
    #[cfg(feature = "peers")]
    "iceoryx2",
    #[cfg(feature = "peers")]
    "cloudtoid-interprocess",
    #[cfg(feature = "peers")]
    "ipmpsc",
    #[cfg(feature = "peers")]
    "ipc-channel",
];

use crate::crew::Mode;
use crate::payload::Payload;
use crate::queue::{Queue, Wait};

/// Who takes part, and how.
#[derive(Clone, Copy, Debug)]
pub struct Party {
    /// Slots; a power of two.
    pub capacity: usize,
    pub senders: usize,
    pub receivers: usize,
    /// Whether queues for one sender and one receiver may stand in.
    pub exclusive: bool,
    /// Whether receivers only look at messages here and there, for which nobody needs a copy of his own.
    pub looks: bool,
    pub wait: Wait,
}

impl Party {
    /// One sender and one receiver.
    pub fn pair(capacity: usize, wait: Wait) -> Self {
        Self { capacity, senders: 1, receivers: 1, exclusive: true, looks: false, wait }
    }

    /// The same, whose receiver only looks at messages here and there.
    pub fn looking(self) -> Self {
        Self { looks: true, ..self }
    }

    /// So many of each, through queues that any number can share.
    pub fn crowd(capacity: usize, (senders, receivers): (usize, usize), wait: Wait) -> Self {
        Self { capacity, senders, receivers, exclusive: false, looks: false, wait }
    }
}

/// What is done with each of several queues.
pub trait Visitor<M: Payload> {
    fn visit<Q: Queue<M>>(&mut self, name: &'static str, mode: Mode, queue: impl Fn() -> Q + 'static);
}

/// Shows a visitor every peer that can do this between processes.
pub fn between_processes<M: Payload>(shape: Party, visitor: &mut impl Visitor<M>) {
    use Mode::Processes;
    let Party { capacity, receivers, exclusive, looks, wait, .. } = shape;
    let bytes = size_of::<M>();
    if exclusive {
        if looks {
            visitor.visit("shaq", Processes, move || shaq::Spsc::<M, _>::in_place(capacity, wait));
        } else {
            visitor.visit("shaq", Processes, move || shaq::Spsc::<M>::new(capacity, wait));
        }
        #[cfg(feature = "peers")]
        if bytes <= ringfire::LONGEST {
            visitor.visit("ringfire", Processes, move || ringfire::Ringfire::<M>::new(capacity, wait));
        }
    } else {
        visitor.visit("shaq", Processes, move || shaq::Mpmc::<M>::new(capacity, wait));
    }
    #[cfg(feature = "peers")]
    {
        if receivers == 1 {
            visitor
                .visit("iceoryx2", Processes, move || iceoryx::Iceoryx::<M>::new(capacity, (shape.senders, 1), wait));
        }
        visitor.visit("cloudtoid", Processes, move || cloudtoid::Cloudtoid::new(capacity, bytes, wait));
        if receivers == 1 {
            visitor.visit("ipmpsc", Processes, move || ipmpsc::Ipmpsc::<M>::new(capacity, wait));
            visitor.visit("ipc-channel", Processes, move || ipc_channel::IpcChannel::new(wait));
        }
    }
    // More than a page is not written to a pipe in one piece.
    if receivers == 1 && shape.senders == 1 || bytes <= 4096 {
        visitor.visit("pipe", Processes, move || system::Pipe::new(bytes, exclusive));
    }
    if exclusive {
        visitor.visit("Unix socket", Processes, move || system::Socket::new(bytes));
    } else {
        visitor.visit("Unix socket", Processes, system::Packets::new);
    }
}

/// Shows a visitor the queues between threads that messages of every length are copied through.
pub fn between_threads<M: Payload>(shape: Party, visitor: &mut impl Visitor<M>) {
    use Mode::Threads;
    let Party { capacity, exclusive, wait, .. } = shape;
    if exclusive {
        visitor.visit("rtrb", Threads, move || rtrb::Rtrb::<M, _>::in_place(capacity, wait));
        if const { size_of::<M>() <= disruptor::LONGEST } {
            visitor.visit("disruptor", Threads, move || disruptor::Single::<M>::new(capacity));
        }
    }
    if const { size_of::<M>() <= threads::LONGEST_VALUE } {
        visitor.visit("ArrayQueue", Threads, move || threads::Array::<M>::new(capacity, wait));
    } else {
        visitor.visit("ArrayQueue of boxes", Threads, move || threads::Boxes::<M>::new(capacity, wait));
    }
}

/// Shows a visitor the channels between threads.
pub fn channels<M: Payload>(shape: Party, visitor: &mut impl Visitor<M>) {
    let Party { capacity, wait, .. } = shape;
    visitor.visit("crossbeam-channel", Mode::Threads, move || threads::Crossbeam::<M>::new(capacity, wait));
    visitor.visit("kanal", Mode::Threads, move || threads::Kanal::<M>::new(capacity, wait));
}

/// Shows a visitor the same by their verbs that do not block: who must wait looks again, and gives way after a while.
pub fn polling_channels<M: Payload>(capacity: usize, visitor: &mut impl Visitor<M>) {
    let wait = Wait::Yield;
    visitor.visit("crossbeam-channel, polling", Mode::Threads, move || threads::Crossbeam::<M>::new(capacity, wait));
    visitor.visit("kanal, polling", Mode::Threads, move || threads::Kanal::<M>::new(capacity, wait));
}
